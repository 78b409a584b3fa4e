//! Scores of documents, and why they are what they are (EXPLAINSCORE).
//!
//! The formulas are those that RediSearch's documentation gives and its explanations show. BM25STD is Okapi BM25 with k1 = 1.2 and b = 0.75
//! (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009) and the idf `ln(1 + (N - n + 0.5) / (n + 0.5))`; frequencies and
//! lengths are counted by the fields' weights.

use super::Statistics;
use super::cursor::{Cursor, CursorKind, Rarity};
use crate::DocumentId;
use crate::error::shown;
use crate::index::{Index, Record};

/// How documents are scored.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scorer {
    #[default]
    Bm25Std,
    /// Divided by the greatest score of all results; see [`super::Hits::normalize`].
    Bm25StdNorm,
    /// `tanh(score / factor)`.
    Bm25StdTanh {
        factor: u64,
    },
    /// The older formula.
    Bm25,
    TfIdf,
    TfIdfDocNorm,
    DisMax,
    DocScore,
    /// How many bits of the payloads are the same.
    Hamming {
        payload: Vec<u8>,
    },
}

impl Scorer {
    /// The scorer of that name. Its factor and payload are what the arguments beside SCORER say.
    pub fn parse(name: &[u8], tanh_factor: u64, payload: Option<&[u8]>) -> Option<Self> {
        Some(match name {
            b"BM25STD" => Self::Bm25Std,
            b"BM25STD.NORM" => Self::Bm25StdNorm,
            b"BM25STD.TANH" => Self::Bm25StdTanh { factor: tanh_factor },
            b"BM25" => Self::Bm25,
            b"TFIDF" => Self::TfIdf,
            b"TFIDF.DOCNORM" => Self::TfIdfDocNorm,
            b"DISMAX" => Self::DisMax,
            b"DOCSCORE" => Self::DocScore,
            b"HAMMING" => Self::Hamming { payload: payload.unwrap_or_default().to_vec() },
            _ => return None,
        })
    }
}

/// A line of an explanation, with what it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    pub text: String,
    pub children: Vec<Explanation>,
}

/// RediSearch keeps it in single precision, and its scores show it.
const K1: f64 = 1.2_f32 as f64;

/// Scores one document.
pub(super) struct Scoring<'a> {
    pub index: &'a Index,
    pub statistics: &'a Statistics,
    pub scorer: &'a Scorer,
    pub id: DocumentId,
    pub record: &'a Record,
    pub explains: bool,
}

/// A score and why.
type Scored = (f64, Option<Explanation>);

/// Which formula a part is scored by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Formula {
    Bm25Std,
    Bm25,
    TfIdf,
    DisMax,
}

impl Scoring<'_> {
    pub fn score(&self, root: &Cursor) -> Scored {
        let own = self.record.score();
        match self.scorer {
            Scorer::Bm25Std | Scorer::Bm25StdNorm => self.bm25_std(root),
            Scorer::Bm25StdTanh { factor } => {
                let (score, why) = self.bm25_std(root);
                let text = format!(
                    "Final Normalized BM25 : tanh(stretch factor 1/{factor} * Final BM25 {score:.2})"
                );
                ((score / *factor as f64).tanh(), self.explain(|| text, why))
            }
            Scorer::Bm25 => {
                let (words, why) = self.part(root, Formula::Bm25);
                let slop = self.slop(root);
                let text =
                    || format!("Final BM25 : words BM25 {words:.2} * document score {own:.2} / slop {slop}");
                (words * own / f64::from(slop), self.explain(text, why))
            }
            Scorer::TfIdf | Scorer::TfIdfDocNorm => {
                let (norm, what) = match self.scorer {
                    Scorer::TfIdf => (self.record.frequency_max(), "max frequency"),
                    _ => (self.record.length(), "length"),
                };
                if norm == 0 {
                    return (0.0, self.explain(|| format!("Document {what} is 0"), None));
                }
                let (words, why) = self.part(root, Formula::TfIdf);
                let slop = self.slop(root);
                let text = || {
                    format!(
                        "Final TFIDF : words TFIDF {words:.2} * document score {own:.2} / norm {norm} / slop {slop}"
                    )
                };
                (words * own / f64::from(norm) / f64::from(slop), self.explain(text, why))
            }
            Scorer::DisMax => self.part(root, Formula::DisMax),
            Scorer::DocScore => (own, self.explain(|| format!("Document's score is {own:.2}"), None)),
            Scorer::Hamming { payload } => {
                let score = hamming(payload, self.record.payload().unwrap_or_default());
                (score, self.explain(|| format!("Inverse Hamming distance is {score:.2}"), None))
            }
        }
    }

    fn bm25_std(&self, root: &Cursor) -> Scored {
        let (words, why) = self.part(root, Formula::Bm25Std);
        let own = self.record.score();
        let text = || format!("Final BM25 : words BM25 {words:.2} * document score {own:.2}");
        (words * own, self.explain(text, why))
    }

    fn explain(&self, text: impl FnOnce() -> String, why: Option<Explanation>) -> Option<Explanation> {
        self.explains.then(|| Explanation { text: text(), children: why.into_iter().collect() })
    }

    /// Scores a part that found the document.
    fn part(&self, cursor: &Cursor, formula: Formula) -> Scored {
        match &cursor.kind {
            CursorKind::Term(term) => self.leaf(cursor, Some(&term.rarity), term.frequency(), formula),
            CursorKind::Ids(ids) if ids.is_all => self.leaf(cursor, None, 1, formula),
            CursorKind::Ids(ids) => match &ids.tag {
                Some(rarity) => self.leaf(cursor, Some(rarity), 1, formula),
                None => self.other(cursor, formula),
            },
            CursorKind::Range(_) => self.other(cursor, formula),
            CursorKind::Union(union) => self.sum(cursor, union.scored(self.id), 0, formula),
            CursorKind::Intersection(all) => {
                let children = all.required.iter().chain(&all.optional);
                self.sum(cursor, children, all.checks(), formula)
            }
            CursorKind::Optional(inner, _) if inner.is_at(self.id) => {
                let (score, why) = self.part(inner, formula);
                (score * cursor.weight, why)
            }
            CursorKind::Empty | CursorKind::Not(..) | CursorKind::Optional(..) => (0.0, None),
        }
    }

    fn sum<'a>(
        &self,
        cursor: &Cursor,
        children: impl Iterator<Item = &'a Cursor>,
        checks: usize,
        formula: Formula,
    ) -> Scored {
        let takes_most = formula == Formula::DisMax && matches!(cursor.kind, CursorKind::Union(_));
        let (mut total, mut lines) = (0.0f64, Vec::new());
        let mut add = |(score, why): Scored| {
            total = if takes_most { total.max(score) } else { total + score };
            lines.extend(why);
        };
        for child in children.filter(|child| child.is_at(self.id)) {
            add(self.part(child, formula));
        }
        for _ in 0..checks {
            add(self.other(&Cursor::empty(), formula));
        }
        let weight = cursor.weight;
        let text = || match formula {
            Formula::Bm25Std | Formula::Bm25 => format!("(Weight {weight:.2} * children BM25 {total:.2})"),
            Formula::TfIdf => format!("(Weight {weight:.2} * total children TFIDF {total:.2})"),
            Formula::DisMax => {
                format!("{:.2} = Weight {weight:.2} * children DISMAX {total:.2}", weight * total)
            }
        };
        let why = self.explains.then(|| Explanation { text: text(), children: lines });
        (weight * total, why)
    }

    /// A word, a tag, or the star, which has no rarity.
    fn leaf(&self, cursor: &Cursor, rarity: Option<&Rarity>, frequency: u32, formula: Formula) -> Scored {
        let (weight, f) = (cursor.weight, f64::from(frequency));
        let average = self.statistics.length_average();
        match formula {
            Formula::Bm25Std => {
                const B: f64 = 0.75;
                let idf = rarity.map_or(1.0, |rarity| rarity.bm25_std);
                let length = self.record.length();
                if average == 0.0 {
                    // No document has words: nothing tells one from another.
                    return (0.0, self.explain(|| "Average Doc Len is 0".to_owned(), None));
                }
                let share = f64::from(length) / average;
                let score = weight * idf * (f * (K1 + 1.0)) / (f + K1 * (1.0 - B + B * share));
                let text = || {
                    let word = rarity.map_or("*".to_owned(), |rarity| shown(&rarity.word));
                    format!(
                        "{word}: ({score:.2} = Weight {weight:.2} * IDF {idf:.2} * (F {f:.2} * (k1 1.2 + 1)) / (F {f:.2} + k1 1.2 * \
                         (1 - b 0.75 + b 0.75 * Doc Len {length} / Average Doc Len {average:.2})))"
                    )
                };
                (score, self.explain(text, None))
            }
            Formula::Bm25 => {
                const B: f64 = 0.5;
                let idf = rarity.map_or(1.0, |rarity| rarity.tf_idf);
                let score = weight * idf * f / (f + K1 * (1.0 - B + B * average));
                let text = || {
                    format!(
                        "({score:.2} = Weight {weight:.2} * IDF {idf:.2} * F {frequency} / (F {frequency} + k1 1.2 * (1 - b 0.5 + b 0.5 * \
                         Average Len {average:.2})))"
                    )
                };
                (score, self.explain(text, None))
            }
            Formula::TfIdf => {
                let Some(rarity) = rarity else { return self.other(cursor, formula) };
                let idf = rarity.tf_idf;
                let score = weight * f * idf;
                let text =
                    || format!("(TFIDF {score:.2} = Weight {weight:.2} * TF {frequency} * IDF {idf:.2})");
                (score, self.explain(text, None))
            }
            Formula::DisMax => {
                let score = weight * f;
                let text = || format!("DISMAX {score:.2} = Weight {weight:.2} * Frequency {frequency}");
                (score, self.explain(text, None))
            }
        }
    }

    /// What is found without words: it says nothing in BM25, and counts as one in the others.
    fn other(&self, cursor: &Cursor, formula: Formula) -> Scored {
        let weight = cursor.weight;
        match formula {
            Formula::Bm25Std | Formula::Bm25 => (0.0, None),
            Formula::TfIdf => {
                let text = || format!("(TFIDF {weight:.2} = Weight {weight:.2} * Frequency 1)");
                (weight, self.explain(text, None))
            }
            Formula::DisMax => {
                let text = || format!("DISMAX {weight:.2} = Weight {weight:.2} * Frequency 1");
                (weight, self.explain(text, None))
            }
        }
    }

    /// The penalty for words that stand far apart: the root of the summed squares of the least distances of neighbours, as a whole number.
    /// Where there are no distances it follows what RediSearch is seen to do.
    fn slop(&self, root: &Cursor) -> u32 {
        let children: Vec<&Cursor> = match &root.kind {
            CursorKind::Union(union) => union.scored(self.id).collect(),
            CursorKind::Intersection(all) => all.required.iter().chain(&all.optional).collect(),
            _ => return 1,
        };
        let mut count = match &root.kind {
            CursorKind::Intersection(all) => all.checks(),
            _ => 0,
        };
        let (mut squares, mut before, mut is_silent) = (0u64, Vec::new(), count > 0);
        for child in children.into_iter().filter(|child| child.is_at(self.id)) {
            count += 1;
            let mut positions = Vec::new();
            child.positions(self.index, self.id, &mut positions);
            positions.sort_unstable();
            if positions.is_empty() {
                is_silent = true;
                continue;
            }
            if !before.is_empty() {
                squares += u64::from(nearest(&before, &positions)).pow(2);
            }
            before = positions;
        }
        if count < 2 {
            return 1;
        }
        match squares {
            0 if is_silent => count as u32,
            0 => count as u32 - 1,
            _ => (squares as f64).sqrt() as u32,
        }
    }
}

/// The least distance between positions of two ascending lists.
fn nearest(left: &[u32], right: &[u32]) -> u32 {
    let (mut l, mut r, mut least) = (0, 0, u32::MAX);
    while let (Some(a), Some(b)) = (left.get(l), right.get(r)) {
        least = least.min(a.abs_diff(*b));
        if a < b { l += 1 } else { r += 1 }
    }
    least
}

/// `1 / (1 + d)` where `d` bits differ; 0 if the lengths do, or nothing is there.
fn hamming(left: &[u8], right: &[u8]) -> f64 {
    if left.len() != right.len() || left.is_empty() {
        return 0.0;
    }
    let differing: u32 = left.iter().zip(right).map(|(left, right)| (left ^ right).count_ones()).sum();
    1.0 / f64::from(differing + 1)
}
