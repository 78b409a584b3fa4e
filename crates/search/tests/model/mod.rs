//! A model of an index: documents as they were given, each looked at for each part of a query. Scores are BM25STD by its written-out formula.

use search::index::{Document, Place, Value};
use search::query::{Affix, Kind, Node, Term};
use search::schema::Schema;
use search::text::{Language, Pattern, StopWords, stem};
use std::collections::{BTreeMap, BTreeSet};

/// A document of the fields `a TEXT b TEXT WEIGHT 3 NOSTEM tag TAG n NUMERIC g GEO`.
#[derive(Clone, Debug)]
pub struct Doc {
    pub texts: [Option<Vec<String>>; 2],
    pub tags: BTreeSet<String>,
    pub number: Option<f64>,
    pub place: Option<(f64, f64)>,
}

const WEIGHTS: [u32; 2] = [1, 3];

impl Doc {
    /// What the index gets.
    pub fn with_document<T>(&self, schema: &Schema, then: impl FnOnce(&Document<'_>) -> T) -> T {
        let texts = self.texts.clone().map(|words| words.map(|words| words.join(" ")));
        let tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
        let tags = (!tags.is_empty()).then(|| tags.join(" , "));
        let number = self.number.map(|number| number.to_string());
        let place = self.place.map(|(longitude, latitude)| format!("{longitude},{latitude}"));
        let [a, b] = texts;
        let values = [("a", a), ("b", b), ("tag", tags), ("n", number), ("g", place)];
        let values = values.iter().filter_map(|(name, text)| {
            let number = schema.field(name.as_bytes()).unwrap();
            text.as_ref().map(|text| (number, Value::Text(text.as_bytes())))
        });
        then(&Document { score: 1.0, language: Language::English, payload: None, values: values.collect() })
    }

    /// Its words: field, position, word.
    fn words(&self) -> Vec<(usize, u32, &str)> {
        let stop_words = StopWords::default();
        let (mut words, mut position) = (Vec::new(), 0);
        for (field, text) in self.texts.iter().enumerate() {
            let Some(text) = text else { continue };
            for word in text.iter().filter(|word| !stop_words.contains(word.as_bytes())) {
                position += 1;
                words.push((field, position, &word[..]));
            }
        }
        words
    }

    fn length(&self) -> u32 {
        self.words().iter().map(|(field, ..)| WEIGHTS[*field]).sum()
    }

    /// The places of a word, or of a stem with its mark: only field `a` has stems.
    fn places(&self, wanted: &str) -> Vec<(usize, u32)> {
        let is_it = |field: usize, word: &str| match wanted.strip_prefix('+') {
            None => word == wanted,
            Some(root) => {
                let found = stem(Language::English, word.as_bytes(), 4).filter(|found| *found != word);
                field == 0 && found.is_some_and(|found| found == root)
            }
        };
        let words = self.words();
        let places = words.iter().filter(|(field, _, word)| is_it(*field, word));
        places.map(|(field, position, _)| (*field, *position)).collect()
    }
}

/// All documents.
#[derive(Default)]
pub struct World {
    pub docs: BTreeMap<u32, Doc>,
}

/// What a part says of a document: its score and where its words are.
type Found = Option<(f64, BTreeSet<u32>)>;

impl World {
    /// All documents that a query finds, with their scores.
    pub fn search(&self, schema: &Schema, node: &Node) -> BTreeMap<u32, f64> {
        let found = self.docs.iter().filter_map(|(id, doc)| Some((*id, self.look(schema, node, doc)?.0)));
        found.collect()
    }

    fn bm25(&self, doc: &Doc, frequency: f64, documents_with: usize) -> f64 {
        let (n, with) = (self.docs.len() as f64, documents_with as f64);
        let average = self.docs.values().map(|doc| f64::from(doc.length())).sum::<f64>() / n;
        if average == 0.0 {
            return 0.0;
        }
        let share = f64::from(doc.length()) / average;
        let idf = (1.0 + (n - with + 0.5) / (with + 0.5)).ln();
        let k1 = f64::from(1.2_f32);
        idf * frequency * (k1 + 1.0) / (frequency + k1 * (0.25 + 0.75 * share))
    }

    fn word(&self, doc: &Doc, word: &str, mask: u128) -> Found {
        let places = doc.places(word);
        let wanted = places.iter().filter(|(field, _)| mask & (1 << field) != 0);
        let positions: BTreeSet<u32> = wanted.map(|(_, position)| *position).collect();
        if positions.is_empty() {
            return None;
        }
        let frequency: u32 = places.iter().map(|(field, _)| WEIGHTS[*field]).sum();
        let with = self.docs.values().filter(|doc| !doc.places(word).is_empty()).count();
        Some((self.bm25(doc, f64::from(frequency), with), positions))
    }

    fn tag(&self, doc: &Doc, tag: &str) -> Found {
        let with = self.docs.values().filter(|doc| doc.tags.contains(tag)).count();
        doc.tags.contains(tag).then(|| (self.bm25(doc, 1.0, with), BTreeSet::new()))
    }

    /// Words, or tags, of all documents.
    fn vocabulary(&self, of_tags: bool) -> BTreeSet<String> {
        let docs = self.docs.values();
        if of_tags {
            docs.flat_map(|doc| doc.tags.iter().cloned()).collect()
        } else {
            docs.flat_map(|doc| {
                doc.words().into_iter().map(|(_, _, word)| word.to_owned()).collect::<Vec<_>>()
            })
            .collect()
        }
    }

    fn any(parts: impl Iterator<Item = Found>) -> Found {
        parts.flatten().reduce(|(score, mut positions), (more, others)| {
            positions.extend(others);
            (score + more, positions)
        })
    }

    /// Of the words that one part stands for the first counts, and where all of them stand.
    fn first(parts: impl Iterator<Item = Found>) -> Found {
        parts.flatten().reduce(|(score, mut positions), (_, others)| {
            positions.extend(others);
            (score, positions)
        })
    }

    fn look(&self, schema: &Schema, node: &Node, doc: &Doc) -> Found {
        let nothing = || Some((0.0, BTreeSet::new()));
        let weighted =
            |found: Found| found.map(|(score, positions)| (score * node.attributes.weight(), positions));
        weighted(match &node.kind {
            Kind::Term(Term { word, .. }) => self.word(doc, std::str::from_utf8(word).unwrap(), node.fields),
            Kind::Affix(_) | Kind::Wildcard(_) | Kind::Fuzzy { .. } => {
                let words = self.vocabulary(false).into_iter().filter(|word| matches(&node.kind, word));
                Self::first(words.map(|word| self.word(doc, &word, node.fields)))
            }
            Kind::Tag { values, .. } => Self::any(values.iter().map(|value| match &value.kind {
                Kind::TagValue(words) => {
                    let words: Vec<&str> =
                        words.iter().map(|word| std::str::from_utf8(word).unwrap()).collect();
                    self.tag(doc, &words.join(" "))
                }
                kind => {
                    let tags = self.vocabulary(true).into_iter().filter(|tag| matches(kind, tag));
                    Self::first(tags.map(|tag| self.tag(doc, &tag)))
                }
            })),
            Kind::Union(nodes) => Self::any(nodes.iter().map(|node| self.look(schema, node, doc))),
            Kind::Exact(nodes) => self.all(schema, nodes, doc, Some(0), true),
            Kind::Intersection(nodes) => {
                let slop = node.attributes.slop.map(|slop| slop as u32);
                self.all(schema, nodes, doc, slop, node.attributes.in_order.unwrap_or(false))
            }
            Kind::Not(inner) => match self.look(schema, inner, doc) {
                Some(_) => None,
                None => nothing(),
            },
            Kind::Optional(inner) => self.look(schema, inner, doc).or_else(nothing),
            Kind::Numeric { range, .. } => {
                doc.number.filter(|number| range.contains(*number)).and_then(|_| nothing())
            }
            Kind::Geo { circle, .. } => {
                let centre = Place { longitude: circle.longitude, latitude: circle.latitude };
                let is_in = |(longitude, latitude)| {
                    centre.distance_metres(Place { longitude, latitude }) <= circle.radius_metres()
                };
                doc.place.filter(|place| is_in(*place)).and_then(|_| nothing())
            }
            Kind::Missing { .. } => {
                if doc.place.is_none() {
                    nothing()
                } else {
                    None
                }
            }
            Kind::Empty => None,
            other => panic!("{other:?}"),
        })
    }

    /// All of these, standing as they should. What is behind `-` and `~` stands nowhere.
    fn all(&self, schema: &Schema, nodes: &[Node], doc: &Doc, slop: Option<u32>, in_order: bool) -> Found {
        let (mut score, mut positions, mut lists) = (0.0, BTreeSet::new(), Vec::new());
        for node in nodes {
            let (more, found) = self.look(schema, node, doc)?;
            score += more;
            positions.extend(found.iter().copied());
            if !matches!(node.kind, Kind::Not(_) | Kind::Optional(_)) && !found.is_empty() {
                lists.push(found);
            }
        }
        let asks = slop.is_some() || in_order;
        if asks && lists.len() > 1 && !stands(&lists, slop, in_order) {
            return None;
        }
        // The positions of optional words count in nothing around.
        let required = lists.into_iter().flatten().collect();
        Some((score, required))
    }
}

/// Whether some choice of positions is as it should be.
fn stands(lists: &[BTreeSet<u32>], slop: Option<u32>, in_order: bool) -> bool {
    let mut choices: Vec<Vec<u32>> = vec![Vec::new()];
    for list in lists {
        choices = choices
            .iter()
            .flat_map(|front| list.iter().map(move |at| [&front[..], &[*at]].concat()))
            .collect();
    }
    choices.iter().any(|choice| {
        let span = choice.iter().max().unwrap() - choice.iter().min().unwrap();
        let is_near = slop.is_none_or(|slop| i64::from(span) - (choice.len() as i64 - 1) <= i64::from(slop));
        is_near && (!in_order || choice.windows(2).all(|pair| pair[0] < pair[1]))
    })
}

fn matches(kind: &Kind, word: &str) -> bool {
    match kind {
        Kind::Affix(Affix { word: part, open_before, open_behind }) => {
            let part = std::str::from_utf8(part).unwrap();
            match (open_before, open_behind) {
                (true, true) => word.contains(part),
                (true, false) => word.ends_with(part),
                _ => word.starts_with(part),
            }
        }
        Kind::Wildcard(pattern) => Pattern::new(pattern).matches(word.as_bytes()),
        Kind::Fuzzy { word: near, distance } => {
            levenshtein(std::str::from_utf8(near).unwrap(), word) <= *distance
        }
        _ => false,
    }
}

fn levenshtein(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, letter) in left.chars().enumerate() {
        let mut next = vec![at + 1];
        for (column, other) in right.iter().enumerate() {
            let changed = row[column] + usize::from(letter != *other);
            next.push(changed.min(row[column + 1] + 1).min(next[column] + 1));
        }
        row = next;
    }
    row[right.len()]
}
