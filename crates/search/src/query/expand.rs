//! Words of a query with their other forms. A word is searched for together with its stem, with the words that have this stem (which
//! the index keeps under the stem with a `+` in front), with those that sound like it (`<`) and with its synonyms (`~`).

use super::{Attributes, Kind, Node, Term};
use crate::schema::{ALL_FIELDS, FieldMask, Schema};
use crate::text::{Language, fold, metaphone, stem};
use std::collections::HashMap;

/// Groups of words that stand for each other.
#[derive(Clone, Debug, Default)]
pub struct Synonyms {
    groups_of: HashMap<Vec<u8>, Vec<Vec<u8>>>,
}

impl Synonyms {
    /// Adds a word to a group, in any case.
    pub fn add(&mut self, group: &[u8], word: &[u8]) {
        let groups = self.groups_of.entry(fold(word).into_owned()).or_default();
        if !groups.iter().any(|known| known == group) {
            groups.push(group.to_vec());
        }
    }

    /// The groups of a folded word.
    pub fn groups(&self, word: &[u8]) -> &[Vec<u8>] {
        self.groups_of.get(word).map_or(&[], Vec::as_slice)
    }

    /// All words with their groups, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[Vec<u8>])> {
        self.groups_of.iter().map(|(word, groups)| (&word[..], &groups[..]))
    }
}

/// How words are expanded.
#[derive(Clone, Copy, Debug)]
pub struct Expansion<'a> {
    /// In which language their stems are looked for.
    pub language: Language,
    /// How many letters a word with a stem has at least.
    pub stem_letters_min: usize,
    /// The index's synonyms.
    pub synonyms: &'a Synonyms,
}

/// EXPANDER: which other forms of words are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forms {
    #[default]
    All,
    Stems,
    Sounds,
    Synonyms,
    /// None: the expander is one that nobody knows.
    None,
}

impl Forms {
    /// Leaves the other forms out of a query that [`expand`] has been at.
    pub fn keep(self, node: &mut Node) {
        let is_kept = |node: &Node| match &node.kind {
            Kind::Term(Term { word, expanded: true, .. }) => match word.first() {
                Some(&SOUND_MARK) => self == Self::Sounds,
                Some(&SYNONYM_MARK) => self == Self::Synonyms,
                _ => self == Self::Stems,
            },
            _ => true,
        };
        if self == Self::All {
            return;
        }
        if let Kind::Union(nodes) = &mut node.kind {
            nodes.retain(is_kept);
        }
        node.children_mut().iter_mut().for_each(|child| self.keep(child));
    }
}

/// The mark in front of what the index keeps beside the words themselves.
pub(crate) const STEM_MARK: u8 = b'+';
pub(crate) const SOUND_MARK: u8 = b'<';
pub(crate) const SYNONYM_MARK: u8 = b'~';

/// Puts unions of forms in the place of words. VERBATIM leaves this out.
pub fn expand(node: &mut Node, schema: &Schema, expansion: &Expansion<'_>) {
    let masks = Masks {
        stemmed: schema.mask(|_, text| !text.no_stem),
        phonetic: schema.mask(|_, text| text.phonetic.is_some()),
    };
    walk(node, expansion, &masks, None);
}

struct Masks {
    stemmed: FieldMask,
    phonetic: FieldMask,
}

fn walk(node: &mut Node, expansion: &Expansion<'_>, masks: &Masks, phonetic: Option<bool>) {
    let phonetic = node.attributes.phonetic.or(phonetic);
    match &node.kind {
        Kind::Term(Term { verbatim: false, expanded: false, word }) => {
            let forms = forms(node, word, expansion, masks, phonetic.unwrap_or(true));
            if !forms.is_empty() {
                let fields = node.fields;
                let own = std::mem::replace(node, Node::new(Kind::Empty));
                let nodes = std::iter::once(own).chain(forms).collect();
                *node = Node { kind: Kind::Union(nodes), fields, attributes: Attributes::default() };
            }
        }
        Kind::Exact(_) | Kind::Tag { .. } => {}
        _ => node.children_mut().iter_mut().for_each(|child| walk(child, expansion, masks, phonetic)),
    }
}

fn forms(node: &Node, word: &[u8], expansion: &Expansion<'_>, masks: &Masks, phonetic: bool) -> Vec<Node> {
    let mut forms = Vec::new();
    let attributes = Attributes { weight: node.attributes.weight, ..Attributes::default() };
    // Without a field named, a mask says nothing: the index has these forms only where they belong.
    let within = |mask: FieldMask| if node.fields == ALL_FIELDS { ALL_FIELDS } else { node.fields & mask };
    let mut add = |word: Vec<u8>, mask: FieldMask| {
        let term = Term { word, expanded: true, verbatim: false };
        forms.push(Node { kind: Kind::Term(term), fields: within(mask), attributes: attributes.clone() });
    };
    let marked = |mark: u8, word: &[u8]| [&[mark], word].concat();
    if phonetic
        && node.fields & masks.phonetic != 0
        && let Some(sound) = std::str::from_utf8(word).ok().and_then(metaphone)
    {
        add(marked(SOUND_MARK, sound.as_bytes()), masks.phonetic);
    }
    for group in expansion.synonyms.groups(word) {
        add(marked(SYNONYM_MARK, group), ALL_FIELDS);
    }
    if node.fields & masks.stemmed != 0
        && let Some(stem) = stemmed(expansion, word)
    {
        add(marked(STEM_MARK, &stem), masks.stemmed);
        if stem != word {
            add(stem, masks.stemmed);
        }
    }
    forms
}

fn stemmed(expansion: &Expansion<'_>, word: &[u8]) -> Option<Vec<u8>> {
    if !expansion.language.has_stems() {
        return None;
    }
    // FT.EXPLAIN shows short words expanded, too: their stem is the word itself.
    let known = stem(expansion.language, word, expansion.stem_letters_min);
    Some(known.map_or_else(|| word.to_vec(), |stem| stem.into_owned().into_bytes()))
}
