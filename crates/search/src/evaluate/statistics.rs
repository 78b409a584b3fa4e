//! The first round of a search: what the documents of a shard say of a query's words. Shards' answers are added up, so the words that a
//! prefix stands for, and how rare each word is, are those of one index that had all documents.

use super::Settings;
use crate::error::{Code, Error};
use crate::index::{Index, Lookup, Wanted, Word};
use crate::query::{Affix, Kind, Node, SOUND_MARK, STEM_MARK, SYNONYM_MARK, Term};
use crate::schema::{self, FieldNumber};
use crate::text::{Levenshtein, Pattern, fold, unescape};
use std::collections::HashMap;
use std::sync::Arc;

/// Where a word is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Words,
    /// Stems, sounds and synonyms, with their marks.
    Forms,
    Tags(FieldNumber),
}

/// What shards know of a query.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// How many documents there are.
    pub documents: u64,
    /// Their words, each counted by its field's weight.
    pub length_sum: u64,
    /// In how many documents words are.
    frequencies: HashMap<(Source, Word), u64>,
    /// The words that each prefix, pattern and so on stands for, in the order of the query.
    pub(super) expansions: Vec<Vec<Word>>,
    /// Whether there were more of them than are looked for.
    pub is_cut: bool,
}

impl Statistics {
    /// Adds what another shard knows of the same query.
    pub fn merge(&mut self, other: Self, settings: &Settings) {
        self.documents += other.documents;
        self.length_sum += other.length_sum;
        for (word, count) in other.frequencies {
            *self.frequencies.entry(word).or_default() += count;
        }
        self.is_cut |= other.is_cut;
        self.expansions.resize_with(other.expansions.len().max(self.expansions.len()), Vec::new);
        for (own, words) in self.expansions.iter_mut().zip(other.expansions) {
            own.extend(words);
            own.sort();
            own.dedup();
            self.is_cut |= own.len() > settings.expansions_max;
            own.truncate(settings.expansions_max);
        }
    }

    /// In how many documents a word is.
    pub(super) fn frequency(&self, source: Source, word: &Word) -> u64 {
        self.frequencies.get(&(source, Arc::clone(word))).copied().unwrap_or(0)
    }

    /// The idf of a word, as TF-IDF has it.
    pub(crate) fn idf(&self, source: Source, word: &[u8]) -> f64 {
        tf_idf(self.documents as f64, self.frequency(source, &Word::from(word)) as f64)
    }

    /// How long a document is on average.
    pub fn length_average(&self) -> f64 {
        if self.documents == 0 { 0.0 } else { self.length_sum as f64 / self.documents as f64 }
    }
}

/// The whole part of `log2(1 + (N + 1) / n)`.
pub(super) fn tf_idf(documents: f64, with: f64) -> f64 {
    (1.0 + (documents + 1.0) / with.max(1.0)).log2().floor()
}

/// The round on one shard, in steps.
#[derive(Debug)]
pub struct StatisticsRound {
    statistics: Statistics,
    lookups: Vec<(Source, Lookup)>,
    /// How many look-ups are done.
    done: usize,
    words: Vec<(Source, Word)>,
    expansions_max: usize,
}

impl StatisticsRound {
    /// Begins.
    ///
    /// # Errors
    /// A part of a word, or a pattern of words, that is too long to be looked for.
    pub fn new(query: &Node, index: &Index, settings: &Settings) -> Result<Self, Error> {
        let mut gathering = Self {
            statistics: Statistics::default(),
            lookups: Vec::new(),
            done: 0,
            words: Vec::new(),
            expansions_max: settings.expansions_max,
        };
        gathering.walk(query, index, settings, Source::Words)?;
        gathering.statistics.expansions = vec![Vec::new(); gathering.lookups.len()];
        Ok(gathering)
    }

    fn walk(&mut self, node: &Node, index: &Index, settings: &Settings, source: Source) -> Result<(), Error> {
        if source == Source::Words {
            check_length(node)?;
        }
        if let Some(wanted) = wanted(node, index, settings, source) {
            self.lookups.push((source, Lookup::new(wanted)));
        } else if let Some((source, word)) = word(node, index, source) {
            self.words.push((source, word));
        }
        let inner = if let Kind::Tag { field, .. } = node.kind { Source::Tags(field) } else { source };
        node.children().iter().try_for_each(|child| self.walk(child, index, settings, inner))
    }

    /// Goes on while `fuel` lasts; each word looked at costs one. Says whether that was all.
    pub fn step(&mut self, index: &Index, fuel: &mut usize) -> bool {
        while let Some((source, lookup)) = self.lookups.get_mut(self.done) {
            let found = &mut self.statistics.expansions[self.done];
            let dictionary = match source {
                Source::Tags(field) => index.tags(*field).map(|tags| &tags.dictionary),
                _ => Some(index.words()),
            };
            let Some(dictionary) = dictionary else {
                self.done += 1;
                continue;
            };
            // One more than wanted, to know whether there are more.
            let is_done = lookup.step(dictionary, found, self.expansions_max + 1, fuel);
            if !is_done && found.len() <= self.expansions_max {
                return false;
            }
            found.sort();
            self.statistics.is_cut |= found.len() > self.expansions_max;
            found.truncate(self.expansions_max);
            let source = *source;
            self.words.extend(found.iter().map(|word| (source, Arc::clone(word))));
            self.done += 1;
        }
        true
    }

    /// What this shard knows; all steps must be done.
    pub fn finish(mut self, index: &Index) -> Statistics {
        debug_assert_eq!(self.done, self.lookups.len());
        self.statistics.documents = index.len() as u64;
        self.statistics.length_sum = index.length_sum();
        for (source, word) in self.words {
            let count = match source {
                Source::Words => index.postings(&word, false).map_or(0, |postings| u64::from(postings.len())),
                Source::Forms => index.postings(&word, true).map_or(0, |postings| u64::from(postings.len())),
                Source::Tags(field) => {
                    index.tags(field).and_then(|tags| tags.get(&word)).map_or(0, roaring::RoaringBitmap::len)
                }
            };
            self.statistics.frequencies.insert((source, word), count);
        }
        self.statistics
    }
}

/// The word of a node that asks for one.
pub(super) fn word(node: &Node, index: &Index, source: Source) -> Option<(Source, Word)> {
    match (&node.kind, source) {
        (Kind::Term(term), _) => Some((term_source(term), (&term.word[..]).into())),
        (Kind::TagValue(words), Source::Tags(field)) => {
            Some((source, tag(&words.join(&b' '), index, field).into()))
        }
        _ => None,
    }
}

fn term_source(term: &Term) -> Source {
    let is_form =
        term.expanded && matches!(term.word.first(), Some(&(STEM_MARK | SOUND_MARK | SYNONYM_MARK)));
    if is_form { Source::Forms } else { Source::Words }
}

/// A tag as the index has it.
fn tag(written: &[u8], index: &Index, field: FieldNumber) -> Vec<u8> {
    let plain = unescape(written);
    match &index.schema().fields[usize::from(field)].kind {
        schema::Kind::Tag(options) if options.case_sensitive => plain.into_owned(),
        _ => fold(&plain).into_owned(),
    }
}

/// What a prefix, a suffix, a part or a pattern of words may have.
const LETTERS_MAX: usize = 1024;

fn check_length(node: &Node) -> Result<(), Error> {
    let (what, text) = match &node.kind {
        Kind::Affix(Affix { word, open_before: false, .. }) => ("PREFIX", word),
        Kind::Affix(Affix { word, open_behind: false, .. }) => ("SUFFIX", word),
        Kind::Affix(Affix { word, .. }) => ("INFIX", word),
        Kind::Wildcard(pattern) => ("Wildcard", pattern),
        _ => return Ok(()),
    };
    if String::from_utf8_lossy(text).chars().count() <= LETTERS_MAX {
        return Ok(());
    }
    let text = format!("{what} query string is too long. Maximum allowed length is {LETTERS_MAX}");
    Err(Error::new(Code::Limit, text))
}

/// The look-up of a node that stands for many words; `None` if it asks for none, or for too few letters.
pub(super) fn wanted(node: &Node, index: &Index, settings: &Settings, source: Source) -> Option<Wanted> {
    let read = |written: &[u8]| match source {
        Source::Tags(field) => tag(written, index, field),
        _ => written.to_vec(),
    };
    match &node.kind {
        Kind::Affix(Affix { word, open_before, open_behind }) => {
            let word = read(word);
            // RediSearch counts bytes.
            if word.len() < settings.prefix_letters_min {
                return None;
            }
            Some(match (open_before, open_behind) {
                (false, _) => Wanted::Prefix(word),
                (true, false) => Wanted::Suffix(word),
                (true, true) => Wanted::Infix(word),
            })
        }
        Kind::Wildcard(pattern) => {
            let folded = match source {
                Source::Tags(field) => match &index.schema().fields[usize::from(field)].kind {
                    schema::Kind::Tag(options) if options.case_sensitive => pattern.clone(),
                    _ => fold(pattern).into_owned(),
                },
                _ => pattern.clone(),
            };
            Some(Wanted::Pattern(Pattern::new(&folded)))
        }
        Kind::Fuzzy { word, distance } => {
            let word = std::str::from_utf8(word).ok()?;
            Some(Wanted::Near(Levenshtein::new(word, *distance)))
        }
        _ => None,
    }
}
