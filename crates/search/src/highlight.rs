//! HIGHLIGHT: the words of a text that a query looks for, between two tags. The text is split into words once more and each word is held
//! against the query; nothing is stored for it. As in RediSearch a word that is looked for is found in every field, also if the query asks for it in
//! another one.

use crate::evaluate::{Source, Statistics};
use crate::query::{Affix, Kind, Node, SOUND_MARK, STEM_MARK, SYNONYM_MARK, Synonyms, Term};
use crate::schema::{Schema, TextOptions};
use crate::text::{Language, Levenshtein, Near, Pattern, STEM_LETTERS_MIN, Tokens, metaphone, stem};

/// What is put around a word if TAGS says nothing.
pub const TAGS: (&[u8], &[u8]) = (b"<b>", b"</b>");

/// What a query looks for in texts.
#[derive(Clone, Debug)]
pub struct Highlighter {
    wanted: Vec<Wanted>,
    /// How much each of these counts where only some of the text is shown.
    weights: Vec<f64>,
}

/// The field that a text is of.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    pub field: &'a TextOptions,
    pub schema: &'a Schema,
    pub language: Language,
    pub synonyms: &'a Synonyms,
}

/// A word of a text, in bytes of it, and which of the wanted ones it is, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub start: usize,
    pub end: usize,
    pub wanted: Option<usize>,
}

#[derive(Clone, Debug)]
enum Wanted {
    Word(Vec<u8>),
    Stem(Vec<u8>),
    Sound(Vec<u8>),
    Synonym(Vec<u8>),
    Affix(Affix),
    Pattern(Pattern),
    Near(Box<Levenshtein>),
}

impl Highlighter {
    /// The words of an expanded query. What is behind `-` is no word of it, and tags are none.
    pub fn new(query: &Node) -> Self {
        let mut highlighter = Self { wanted: Vec::new(), weights: Vec::new() };
        highlighter.collect(query);
        highlighter.weights = vec![1.0; highlighter.wanted.len()];
        highlighter
    }

    /// Makes rare words count more than frequent ones where only some of a text is shown.
    pub fn weigh(&mut self, statistics: &Statistics) {
        for (wanted, weight) in self.wanted.iter().zip(&mut self.weights) {
            let (source, word) = match wanted {
                Wanted::Word(word) => (Source::Words, word.clone()),
                Wanted::Stem(word) => (Source::Forms, marked(STEM_MARK, word)),
                Wanted::Sound(word) => (Source::Forms, marked(SOUND_MARK, word)),
                Wanted::Synonym(word) => (Source::Forms, marked(SYNONYM_MARK, word)),
                Wanted::Affix(_) | Wanted::Pattern(_) | Wanted::Near(_) => continue,
            };
            *weight = statistics.idf(source, &word);
        }
    }

    /// How much one of the wanted counts.
    pub(crate) fn weight(&self, wanted: usize) -> f64 {
        self.weights[wanted]
    }

    /// The words of a text but stop words, in order.
    pub(crate) fn sightings<'a>(
        &'a mut self,
        text: &'a [u8],
        of: Context<'a>,
    ) -> impl Iterator<Item = Sighting> + 'a {
        Tokens::new(text, &of.schema.stop_words).map(move |token| Sighting {
            start: token.start,
            end: token.end,
            wanted: self
                .wanted
                .iter_mut()
                .position(|wanted| wanted.is(&token.word, of.field, of.language, of.synonyms)),
        })
    }

    fn collect(&mut self, node: &Node) {
        let wanted = match &node.kind {
            Kind::Term(term) => Some(term_of(term)),
            Kind::Affix(affix) => Some(Wanted::Affix(affix.clone())),
            Kind::Wildcard(pattern) => Some(Wanted::Pattern(Pattern::new(pattern))),
            Kind::Fuzzy { word, distance } => std::str::from_utf8(word)
                .ok()
                .map(|word| Wanted::Near(Box::new(Levenshtein::new(word, *distance)))),
            Kind::Not(_) | Kind::Tag { .. } => return,
            _ => None,
        };
        self.wanted.extend(wanted);
        node.children().iter().for_each(|child| self.collect(child));
    }

    /// The text of a field with the tags `open` and `close` around each word that the query looks for.
    pub fn highlight(
        &mut self,
        text: &[u8],
        field: &TextOptions,
        schema: &Schema,
        language: Language,
        synonyms: &Synonyms,
        (open, close): (&[u8], &[u8]),
    ) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        let mut behind = 0;
        let of = Context { field, schema, language, synonyms };
        for sighting in self.sightings(text, of).filter(|sighting| sighting.wanted.is_some()) {
            out.extend_from_slice(&text[behind..sighting.start]);
            out.extend_from_slice(open);
            out.extend_from_slice(&text[sighting.start..sighting.end]);
            out.extend_from_slice(close);
            behind = sighting.end;
        }
        out.extend_from_slice(&text[behind..]);
        out
    }
}

fn marked(mark: u8, form: &[u8]) -> Vec<u8> {
    [&[mark][..], form].concat()
}

fn term_of(term: &Term) -> Wanted {
    match term.word.split_first() {
        Some((&STEM_MARK, stem)) if term.expanded => Wanted::Stem(stem.to_vec()),
        Some((&SOUND_MARK, sound)) if term.expanded => Wanted::Sound(sound.to_vec()),
        Some((&SYNONYM_MARK, group)) if term.expanded => Wanted::Synonym(group.to_vec()),
        _ => Wanted::Word(term.word.clone()),
    }
}

impl Wanted {
    /// Whether a folded word is one of these. It is so for the same words that the index would find.
    fn is(&mut self, word: &[u8], field: &TextOptions, language: Language, synonyms: &Synonyms) -> bool {
        match self {
            Self::Word(wanted) => word == wanted,
            Self::Stem(wanted) => {
                !field.no_stem
                    && stem(language, word, STEM_LETTERS_MIN)
                        .is_some_and(|stem| stem.as_bytes() == wanted && stem.as_bytes() != word)
            }
            Self::Sound(wanted) => {
                let sound = std::str::from_utf8(word).ok().and_then(metaphone);
                field.phonetic.is_some() && sound.is_some_and(|sound| sound.as_bytes() == wanted)
            }
            Self::Synonym(group) => synonyms.groups(word).contains(group),
            Self::Affix(Affix { word: part, open_before, open_behind }) => match (open_before, open_behind) {
                (false, _) => word.starts_with(part),
                (true, false) => word.ends_with(part),
                (true, true) => word.windows(part.len().max(1)).any(|window| window == part),
            },
            Self::Pattern(pattern) => pattern.matches(word),
            Self::Near(levenshtein) => {
                std::str::from_utf8(word).is_ok_and(|word| levenshtein.look(word) == Near::Yes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{Dialect, Expansion, Parameters, expand, parse};
    use crate::schema;

    /// `text` in the fields `t` and `u PHONETIC`, highlighted for a query.
    fn highlighted(query: &str, text: &str) -> [String; 2] {
        let arguments: Vec<&[u8]> =
            "SCHEMA t TEXT u TEXT PHONETIC dm:en".split(' ').map(str::as_bytes).collect();
        let schema = Schema::parse(&arguments).unwrap();
        let mut synonyms = Synonyms::default();
        for word in ["boy", "child"] {
            synonyms.add(b"1", word.as_bytes());
        }
        let mut node = parse(query.as_bytes(), Dialect::Two, &schema, &Parameters::default(), true).unwrap();
        let language = Language::English;
        let expansion = Expansion { language, stem_letters_min: STEM_LETTERS_MIN, synonyms: &synonyms };
        expand(&mut node, &schema, &expansion);
        [0, 1].map(|number: usize| {
            let schema::Kind::Text(field) = &schema.fields[number].kind else { unreachable!() };
            let text = text.as_bytes();
            let out = Highlighter::new(&node).highlight(text, field, &schema, language, &synonyms, TAGS);
            String::from_utf8(out).unwrap()
        })
    }

    #[test]
    fn words_of_all_kinds() {
        for (query, text, expected) in [
            ("dog", "my Dog sleeps", "my <b>Dog</b> sleeps"),
            ("dog", "", ""),
            ("dog", " ", " "),
            ("run", "Running, runs; ran!", "<b>Running</b>, <b>runs</b>; ran!"),
            ("\"run\"", "run running", "<b>run</b> running"),
            ("wor*", "words, work the WORLD", "<b>words</b>, <b>work</b> the <b>WORLD</b>"),
            ("*ld *or*", "world hold form", "<b>world</b> <b>hold</b> <b>form</b>"),
            ("w'w?rd'", "word ward world", "<b>word</b> <b>ward</b> world"),
            ("%word%", "word ward world woe", "<b>word</b> <b>ward</b> <b>world</b> woe"),
            ("child", "a boy and a girl", "a <b>boy</b> and a girl"),
            ("cat -dog", "cat dog", "<b>cat</b> dog"),
            ("(cat|dog) ~bird", "cat dog bird cow", "<b>cat</b> <b>dog</b> <b>bird</b> cow"),
            ("größe", "die Größe; ", "die <b>Größe</b>; "),
        ] {
            assert_eq!(highlighted(query, text)[0], expected, "{query}");
        }
        assert_eq!(highlighted("@t:cat", "cat"), ["<b>cat</b>", "<b>cat</b>"]);
        assert_eq!(highlighted("jon", "John"), ["John", "<b>John</b>"]);
    }
}
