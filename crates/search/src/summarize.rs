//! SUMMARIZE: some fragments of a text in place of the whole.
//!
//! How RediSearch chooses them is told by its documentation and, for the lengths, by what its tests show: wanted words with at most [`GAP_MAX`] words from
//! one to the next are in one fragment; the fragments with the most (different, rare) words are shown, of equals the first, in the order of the text. A fragment is
//! continued to both sides if it has fewer words than LEN asks for, a word being taken to have [`WORD_BYTES`] bytes. Where nothing is
//! found the beginning of the text is shown.

use crate::highlight::{Context, Highlighter, Sighting};
use crate::text::is_separator;
use std::ops::Range;

/// How many words on a wanted one may be of the same fragment.
const GAP_MAX: usize = 8;
/// Of a word and the blank behind it, estimated.
const WORD_BYTES: usize = 6;

/// What SUMMARIZE asks for; the usual if it says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// FRAGS: how many fragments there are at most.
    pub fragments: usize,
    /// LEN: how many words one should have.
    pub words: usize,
    /// SEPARATOR: what stands behind each.
    pub separator: Vec<u8>,
}

impl Default for Summary {
    fn default() -> Self {
        Self { fragments: 3, words: 20, separator: b"... ".to_vec() }
    }
}

/// Wanted words that are near each other.
#[derive(Clone, Debug)]
struct Fragment {
    /// Where they are, in bytes.
    found: Vec<Range<usize>>,
    /// Which of the wanted ones are among them, each once.
    wanted: Vec<usize>,
    /// The first of them, and the words between them.
    words: usize,
}

impl Fragment {
    fn start(&self) -> usize {
        self.found.first().map_or(0, |found| found.start)
    }

    fn end(&self) -> usize {
        self.found.last().map_or(0, |found| found.end)
    }
}

impl Highlighter {
    /// What is shown of a text, with tags around each word that the query looks for if there are any.
    pub fn summarize(
        &mut self,
        text: &[u8],
        of: Context<'_>,
        summary: &Summary,
        tags: Option<(&[u8], &[u8])>,
    ) -> Vec<u8> {
        let fragments = fragments(self.sightings(text, of));
        if fragments.is_empty() {
            return beginning(text, summary);
        }
        let mut order: Vec<usize> = (0..fragments.len()).collect();
        let score =
            |fragment: &Fragment| fragment.wanted.iter().map(|&wanted| self.weight(wanted)).sum::<f64>();
        // Stable: of equals the first come first.
        order.sort_by(|&left, &right| score(&fragments[right]).total_cmp(&score(&fragments[left])));
        order.truncate(summary.fragments);
        order.sort_unstable();
        let (mut out, mut shown_to) = (Vec::new(), 0);
        for index in order {
            let next = fragments.get(index + 1).map_or(text.len(), Fragment::start);
            let fragment = &fragments[index];
            let around = around(text, fragment, summary.words, shown_to, next);
            shown_to = around.end;
            show(text, fragment, around, tags, &mut out);
            out.extend_from_slice(&summary.separator);
        }
        out
    }
}

fn fragments(sightings: impl Iterator<Item = Sighting>) -> Vec<Fragment> {
    let mut fragments: Vec<Fragment> = Vec::new();
    let mut last = 0;
    for (place, sighting) in sightings.enumerate() {
        let Some(wanted) = sighting.wanted else { continue };
        if place - last > GAP_MAX || fragments.is_empty() {
            fragments.push(Fragment { found: Vec::new(), wanted: Vec::new(), words: 1 });
        } else if let Some(fragment) = fragments.last_mut() {
            fragment.words += (place - last).saturating_sub(1);
        }
        last = place;
        if let Some(fragment) = fragments.last_mut() {
            fragment.found.push(sighting.start..sighting.end);
            if !fragment.wanted.contains(&wanted) {
                fragment.wanted.push(wanted);
            }
        }
    }
    fragments
}

/// A fragment with what stands around it, from `least` to `most`, in whole words.
fn around(text: &[u8], fragment: &Fragment, words: usize, least: usize, most: usize) -> Range<usize> {
    let (start, end) = (fragment.start(), fragment.end());
    let bytes_before = words.saturating_sub(fragment.words) * WORD_BYTES / 2;
    let bytes_behind = (words + 1).saturating_sub(fragment.words) / 2 * WORD_BYTES;
    let mut from = start.saturating_sub(bytes_before).max(least);
    if from > least {
        // What is cut is left out.
        from += text[from..start].iter().position(|byte| is_separator(*byte)).unwrap_or(start - from);
    }
    from += text[from..start].iter().position(|byte| !is_separator(*byte)).unwrap_or(start - from);
    let mut to = end + bytes_behind.min(most - end);
    if to < text.len() {
        let behind = &text[end..to];
        to = end + behind.iter().rposition(|byte| is_separator(*byte)).unwrap_or(0);
    }
    while to > end && text[to - 1].is_ascii_whitespace() {
        to -= 1;
    }
    from..to
}

fn show(
    text: &[u8],
    fragment: &Fragment,
    shown: Range<usize>,
    tags: Option<(&[u8], &[u8])>,
    out: &mut Vec<u8>,
) {
    let (open, close) = tags.unwrap_or_default();
    let mut at = shown.start;
    for found in &fragment.found {
        append_spaced(&text[at..found.start], out);
        out.extend_from_slice(open);
        append_spaced(&text[found.clone()], out);
        out.extend_from_slice(close);
        at = found.end;
    }
    append_spaced(&text[at..shown.end], out);
}

/// Appends a text with one blank in the place of all white space in a row.
fn append_spaced(text: &[u8], out: &mut Vec<u8>) {
    for (at, byte) in text.iter().enumerate() {
        if !byte.is_ascii_whitespace() {
            out.push(*byte);
        } else if at == 0 || !text[at - 1].is_ascii_whitespace() {
            out.push(b' ');
        }
    }
}

/// The first words of a text, as many bytes as its fragments would have.
fn beginning(text: &[u8], summary: &Summary) -> Vec<u8> {
    let bytes = summary.words.saturating_mul(summary.fragments).saturating_add(1).saturating_mul(WORD_BYTES);
    let mut end = text.len().min(bytes);
    // The last word may be cut, but no letter.
    while text.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    let text = &text[..end];
    let end = text.iter().rposition(|byte| is_separator(*byte)).map_or(text.len(), |last| last + 1);
    let mut out = Vec::with_capacity(end);
    append_spaced(text[..end].trim_ascii_end(), &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::{Dialect, Expansion, Parameters, Synonyms, expand, parse};
    use crate::schema::{self, Schema};
    use crate::text::{Language, STEM_LETTERS_MIN};

    fn summarized(query: &str, text: &str, summary: &Summary, tags: bool) -> String {
        let arguments: Vec<&[u8]> = "SCHEMA t TEXT".split(' ').map(str::as_bytes).collect();
        let schema = Schema::parse(&arguments).unwrap();
        let synonyms = Synonyms::default();
        let mut node = parse(query.as_bytes(), Dialect::Two, &schema, &Parameters::default(), true).unwrap();
        let language = Language::English;
        let expansion = Expansion { language, stem_letters_min: STEM_LETTERS_MIN, synonyms: &synonyms };
        expand(&mut node, &schema, &expansion);
        let schema::Kind::Text(field) = &schema.fields[0].kind else { unreachable!() };
        let of = Context { field, schema: &schema, language, synonyms: &synonyms };
        let tags = tags.then_some((&b"<b>"[..], &b"</b>"[..]));
        String::from_utf8(Highlighter::new(&node).summarize(text.as_bytes(), of, summary, tags)).unwrap()
    }

    fn of(fragments: usize, words: usize, separator: &str) -> Summary {
        Summary { fragments, words, separator: separator.as_bytes().to_vec() }
    }

    /// Texts and replies of RediSearch's `test_summarize.py`.
    #[test]
    fn fragments_are_those_of_its_tests() {
        let first = "Redis is an open-source in-memory database project implementing a networked, in-memory \
                     key-value store with optional durability. Redis supports different kinds of abstract data \
                     structures, such as strings, lists, maps, sets, sorted sets, hyperloglogs, bitmaps and spatial \
                     indexes. The project is mainly developed by Salvatore Sanfilippo and is currently sponsored by \
                     Redis Labs.[4] Redis Labs creates and maintains the official Redis Enterprise Pack.";
        let second = "Redis typically holds the whole dataset in memory. Versions up to 2.4 could be configured to \
                      use what they refer to as virtual memory[19] in which some of the dataset is stored on disk, but \
                      this feature is deprecated. Persistence is now achieved in two different ways: one is called \
                      snapshotting, and is a semi-persistent durability mode where the dataset is asynchronously \
                      transferred from memory to disk from time to time, written in RDB dump format. Since version \
                      1.1 the safer alternative is AOF, an append-only file (a journal) that is written as operations \
                      modifying the dataset in memory are processed. Redis is able to rewrite the append-only file in \
                      the background in order to avoid an indefinite growth of the journal.";
        let query = "memory persistence salvatore";
        let summary = of(3, 5, "... ");
        assert_eq!(
            summarized(query, first, &summary, false),
            // There with one more blank behind `in-memory`.
            "memory database project implementing a networked, in-memory... by Salvatore Sanfilippo... "
        );
        assert_eq!(
            summarized(query, second, &summary, false),
            "dataset in memory. Versions... as virtual memory[19] in... persistent durability mode where the \
             dataset is asynchronously transferred from memory... "
        );
        assert_eq!(summarized("pill", "pill", &Summary::default(), false), "pill... ");
        // From the tests of redis-py: words next to each other take the room of one.
        let play = "ACT I SCENE I. London. The palace. Enter KING HENRY, LORD JOHN OF LANCASTER, the EARL of \
                    WESTMORELAND, SIR WALTER BLUNT, and others";
        assert_eq!(
            summarized("\"king henry\"", play, &Summary::default(), false),
            "ACT I SCENE I. London. The palace. Enter KING HENRY, LORD JOHN OF LANCASTER, the EARL of WESTMORELAND, \
             SIR... "
        );
        let shop = "To change the use from a Restaurant to a Personal Service Shop (Great Clips)";
        assert_eq!(summarized("retail", shop, &Summary::default(), false), shop);
        assert_eq!(
            summarized("retail", &format!("{shop} at the end"), &Summary::default(), false),
            format!("{shop} at the")
        );
        assert_eq!(summarized("other", "world0", &of(1, 25, "... "), true), "world0");
        assert_eq!(summarized("world1", "world1", &of(1, 25, "... "), true), "<b>world1</b>... ");
    }

    #[test]
    fn white_space_is_one_blank() {
        let text = "some things\n\n  in front of\r\nthe  word\tand a few behind it which go on for long";
        let shown = summarized("word", text, &of(3, 7, "|"), true);
        assert_eq!(shown, "front of the <b>word</b> and a few behind|");
        assert_eq!(summarized("nothing", text, &of(1, 4, "|"), true), "some things in front of");
    }

    #[test]
    fn fragments_do_not_overlap() {
        let text = "one a1 a2 a3 a4 a5 a6 a7 a8 a9 two b1 b2 b3";
        let shown = summarized("one|two", text, &of(3, 30, "|"), true);
        assert_eq!(shown, "<b>one</b> a1 a2 a3 a4 a5 a6 a7 a8 a9|<b>two</b> b1 b2 b3|");
        assert_eq!(summarized("one|two", text, &of(1, 1, "|"), true), "<b>one</b>|");
        assert_eq!(summarized("one|two", text, &of(0, 1, "|"), true), "");
        assert_eq!(summarized("one", "", &Summary::default(), true), "");
        assert_eq!(summarized("one", text, &of(usize::MAX, usize::MAX / 8, ""), false), text);
    }

    #[test]
    fn any_text_and_any_length() {
        use proptest::prelude::*;
        use proptest::test_runner::TestRunner;
        let texts = ("[ab é\n,\\\\]{0,60}", 0..5usize, prop_oneof![0..9usize, Just(usize::MAX / 16)]);
        TestRunner::default()
            .run(&texts, |(text, fragments, words)| {
                let plain = summarized("a|ba*", &text, &of(fragments, words, "\u{1}"), false);
                let tagged = summarized("a|ba*", &text, &of(fragments, words, "\u{1}"), true);
                prop_assert_eq!(&plain, &tagged.replace("<b>", "").replace("</b>", ""));
                let count = plain.matches('\u{1}').count();
                prop_assert!(count <= fragments, "{} fragments", count);
                let spaced = |text: &str| text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
                for fragment in plain.split('\u{1}') {
                    prop_assert!(
                        spaced(&text).contains(spaced(fragment).as_str()),
                        "{} of {}",
                        fragment,
                        text
                    );
                }
                Ok(())
            })
            .unwrap();
    }
}
