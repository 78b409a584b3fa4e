//! FT.SPELLCHECK: the words of a query that no document has, and what else they may have been meant to be.
//!
//! Each shard looks through its own words ([`Spelling`]); what they have found is added up ([`Spellings`]), so scores are those of one index that had all
//! documents. Words are found as fuzzy look-ups find them, by rows of the table of distances over the sorted dictionary.

use crate::DocumentId;
use crate::index::{Index, Lookup, Wanted, Word};
use crate::query::{Kind, Node};
use crate::schema::FieldMask;
use crate::text::{Levenshtein, Near};
use std::collections::{BTreeMap, BTreeSet};

/// DISTANCE is not more.
pub const DISTANCE_MAX: usize = 4;
/// What looking at a block of postings costs.
const BLOCK_FUEL: usize = 2;

/// A word that a query asks for, and in which fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub word: Vec<u8>,
    pub fields: FieldMask,
}

/// The words of a query that was not expanded, in their order.
pub fn words(query: &Node) -> Vec<Asked> {
    let own = match &query.kind {
        Kind::Term(term) if !term.expanded => Some(Asked { word: term.word.clone(), fields: query.fields }),
        _ => None,
    };
    let children = if let Kind::Tag { .. } = query.kind { &[][..] } else { query.children() };
    own.into_iter().chain(children.iter().flat_map(words)).collect()
}

/// What is known of a word that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Findings {
    is_known: bool,
    /// Words near to it that are in the fields, on some shard; in how many documents words are.
    near: BTreeSet<Vec<u8>>,
    documents: BTreeMap<Vec<u8>, u64>,
}

/// What shards have found, word by word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spellings {
    documents: u64,
    words: Vec<Findings>,
}

/// A word and what speaks for it: the share of the documents that have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Suggestion {
    pub score: f64,
    pub word: Vec<u8>,
}

impl Spellings {
    /// Adds what another shard has found for the same query.
    pub fn merge(&mut self, other: Self) {
        self.documents += other.documents;
        self.words.resize_with(self.words.len().max(other.words.len()), Findings::default);
        for (own, theirs) in self.words.iter_mut().zip(other.words) {
            own.is_known |= theirs.is_known;
            own.near.extend(theirs.near);
            for (word, count) in theirs.documents {
                *own.documents.entry(word).or_default() += count;
            }
        }
    }

    /// Whether a document has the word at `place` of those that were asked for.
    pub fn is_known(&self, place: usize) -> bool {
        self.words.get(place).is_some_and(|findings| findings.is_known)
    }

    /// What the word at `place` may have been meant to be, best first: words of the index, then those of `more` that it has not.
    pub fn suggestions(&self, place: usize, more: impl Iterator<Item = Vec<u8>>) -> Vec<Suggestion> {
        let Some(findings) = self.words.get(place) else { return Vec::new() };
        let score = |word: &Vec<u8>| {
            let count = findings.documents.get(word).copied().unwrap_or(0);
            if self.documents == 0 { 0.0 } else { count as f64 / self.documents as f64 }
        };
        let own = findings.near.iter().map(|word| Suggestion { score: score(word), word: word.clone() });
        let mut all: Vec<Suggestion> = own.collect();
        let added: BTreeSet<Vec<u8>> = more.filter(|word| !findings.near.contains(word)).collect();
        all.extend(added.into_iter().map(|word| Suggestion { score: 0.0, word }));
        // Stable: of equals the first in the alphabet, and words of the index, come first.
        all.sort_by(|left, right| right.score.total_cmp(&left.score));
        all
    }
}

/// Words of a dictionary that are near to a word.
pub fn near<'a>(
    word: &[u8],
    distance: usize,
    dictionary: impl Iterator<Item = &'a [u8]>,
) -> impl Iterator<Item = Vec<u8>> {
    let mut levenshtein = std::str::from_utf8(word).ok().map(|word| Levenshtein::new(word, distance));
    let near = dictionary.filter(move |other| match (&mut levenshtein, std::str::from_utf8(other)) {
        (Some(levenshtein), Ok(other)) => levenshtein.look(other) == Near::Yes,
        _ => false,
    });
    near.map(<[u8]>::to_vec).collect::<Vec<_>>().into_iter()
}

/// The look through a shard's words, in steps.
#[derive(Debug)]
pub struct Spelling {
    asked: Vec<Asked>,
    distance: usize,
    done: Spellings,
    stage: Stage,
}

/// What is done with the word that comes next.
#[derive(Debug)]
enum Stage {
    Begin,
    /// The words near to it are being found.
    LookUp(Lookup, Vec<Word>),
    /// Which of them are in the fields, the last first; of the last, documents from this one on.
    Fields(Vec<Word>, DocumentId, Findings),
}

impl Spelling {
    /// Begins.
    pub fn new(asked: Vec<Asked>, distance: usize) -> Self {
        Self { asked, distance, done: Spellings::default(), stage: Stage::Begin }
    }

    /// Goes on while `fuel` lasts. Says whether that was all.
    pub fn step(&mut self, index: &Index, fuel: &mut usize) -> bool {
        while let Some(asked) = self.asked.get(self.done.words.len()) {
            if *fuel == 0 {
                return false;
            }
            match &mut self.stage {
                Stage::Begin => {
                    *fuel -= 1;
                    let is_known = index.postings(&asked.word, false).is_some();
                    match std::str::from_utf8(&asked.word) {
                        Ok(text) if !is_known => {
                            let wanted = Wanted::Near(Levenshtein::new(text, self.distance));
                            self.stage = Stage::LookUp(Lookup::new(wanted), Vec::new());
                        }
                        _ => self.done.words.push(Findings { is_known, ..Findings::default() }),
                    }
                }
                Stage::LookUp(lookup, found) => {
                    if !lookup.step(index.words(), found, usize::MAX, fuel) {
                        return false;
                    }
                    self.stage = Stage::Fields(std::mem::take(found), 0, Findings::default());
                }
                Stage::Fields(words, from, findings) => {
                    while let Some(word) = words.last() {
                        let Some(is_there) = is_in_fields(index, word, asked.fields, from, fuel) else {
                            return false;
                        };
                        let count =
                            index.postings(word, false).map_or(0, |postings| u64::from(postings.len()));
                        if is_there {
                            findings.near.insert(word.to_vec());
                        }
                        findings.documents.insert(word.to_vec(), count);
                        words.pop();
                        *from = 0;
                    }
                    self.done.words.push(std::mem::take(findings));
                    self.stage = Stage::Begin;
                }
            }
        }
        true
    }

    /// What this shard knows; all steps must be done.
    pub fn finish(mut self, index: &Index) -> Spellings {
        debug_assert_eq!(self.done.words.len(), self.asked.len());
        self.done.documents = index.len() as u64;
        self.done
    }
}

/// Whether any document from `from` on has a word in one of the fields; `None` when `fuel` is used up before that is known.
fn is_in_fields(
    index: &Index,
    word: &Word,
    fields: FieldMask,
    from: &mut DocumentId,
    fuel: &mut usize,
) -> Option<bool> {
    let Some(postings) = index.postings(word, false) else { return Some(false) };
    loop {
        if *fuel == 0 {
            return None;
        }
        *fuel = fuel.saturating_sub(BLOCK_FUEL);
        let Some((mut reader, last)) = postings.block_with(*from, index.schema().economies) else {
            return Some(false);
        };
        while reader.next().is_some() {
            if reader.fields() & fields != 0 {
                return Some(true);
            }
        }
        match last.checked_add(1) {
            Some(next) => *from = next,
            None => return Some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{Document, Value};
    use crate::query::{Dialect, Parameters, Synonyms, parse};
    use crate::schema::Schema;
    use crate::text::Language;
    use std::sync::Arc;

    fn schema() -> Arc<Schema> {
        let arguments: Vec<&[u8]> = "SCHEMA name TEXT body TEXT".split(' ').map(str::as_bytes).collect();
        Arc::new(Schema::parse(&arguments).expect("right"))
    }

    fn index(documents: &[(u32, &str, &str)]) -> Index {
        let mut index = Index::new(schema());
        for (id, name, body) in documents {
            let values = vec![(0, Value::Text(name.as_bytes())), (1, Value::Text(body.as_bytes()))];
            let document = Document { score: 1.0, language: Language::English, payload: None, values };
            index.add(*id, &document, &Synonyms::default()).expect("right");
        }
        index
    }

    /// What two shards say together, with any fuel: the word with its suggestions, or nothing of one that is known.
    fn checked(shards: [&Index; 2], query: &str, distance: usize, more: &[&str]) -> Vec<(String, String)> {
        let node =
            parse(query.as_bytes(), Dialect::Two, &schema(), &Parameters::default(), true).expect("right");
        let asked = words(&node);
        let mut all: Vec<Vec<(String, String)>> = [1, 3, 1000]
            .into_iter()
            .map(|fuel| {
                let mut sum = Spellings::default();
                for index in shards {
                    let mut spelling = Spelling::new(asked.clone(), distance);
                    while !spelling.step(index, &mut { fuel }) {}
                    sum.merge(spelling.finish(index));
                }
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let unknown = asked.iter().enumerate().filter(|(place, _)| !sum.is_known(*place));
                let shown = unknown.map(|(place, asked)| {
                    let more = near(&asked.word, distance, more.iter().map(|word| word.as_bytes()));
                    let shown = sum
                        .suggestions(place, more)
                        .into_iter()
                        .map(|suggestion| format!("{:.3} {}", suggestion.score, text(&suggestion.word)));
                    (text(&asked.word), shown.collect::<Vec<_>>().join(", "))
                });
                shown.collect()
            })
            .collect();
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
        all.remove(0)
    }

    fn is(found: &[(String, String)], expected: &[(&str, &str)]) {
        let found: Vec<(&str, &str)> = found.iter().map(|(word, more)| (&**word, &**more)).collect();
        assert_eq!(found, expected);
    }

    /// RediSearch's `test_spell_check.py`.
    #[test]
    fn suggestions_are_those_of_its_tests() {
        let one = index(&[(1, "name1", "body1"), (2, "name2", "body2")]);
        let other = index(&[(3, "name2", "name2")]);
        let shards = [&one, &other];
        is(&checked(shards, "name", 1, &[]), &[("name", "0.667 name2, 0.333 name1")]);
        is(&checked(shards, "@body:name", 1, &[]), &[("name", "0.667 name2")]);
        is(&checked(shards, "somenotexiststext", 1, &[]), &[("somenotexiststext", "")]);
        is(&checked(shards, "name1 name2", 1, &[]), &[]);
        is(
            &checked(shards, "name", 1, &["name5", "name3", "name4", "name1", "other"]),
            &[("name", "0.667 name2, 0.333 name1, 0.000 name3, 0.000 name4, 0.000 name5")],
        );
        let hila = index(&[(1, "Elior", "body1"), (2, "Hila", "body2")]);
        let empty = index(&[]);
        is(
            &checked([&hila, &empty], "Elioh Hilh", 1, &[]),
            &[("elioh", "0.500 elior"), ("hilh", "0.500 hila")],
        );
        is(&checked([&empty, &empty], "tooni", 1, &["toonie"]), &[("tooni", "0.000 toonie")]);
        is(
            &checked([&hila, &empty], "(elioh|bo*) -hilh %xx%", 1, &[]),
            &[("elioh", "0.500 elior"), ("hilh", "0.500 hila")],
        );
    }

    #[test]
    fn only_documents_with_the_word_in_the_fields_count() {
        let documents: Vec<(u32, String)> = (0..1000).map(|id| (id, format!("word{}", id % 2))).collect();
        let mut all: Vec<(u32, &str, &str)> = documents.iter().map(|(id, word)| (*id, &**word, "")).collect();
        all[999].2 = "word1";
        let (index, empty) = (index(&all), index(&[]));
        is(&checked([&index, &empty], "@body:word", 1, &[]), &[("word", "0.500 word1")]);
        is(&checked([&index, &empty], "word", 1, &[]), &[("word", "0.500 word0, 0.500 word1")]);
    }
}
