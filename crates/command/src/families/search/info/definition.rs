//! What FT.CREATE and FT.ALTER have said.

use super::super::write_name;
use super::Info;
use crate::indexes::definition::Definition;
use search::schema::{Algorithm, Coordinates, DocumentKind, Field, Kind, Schema, VectorOptions};
use search::text::Language;

impl Info<'_> {
    /// The first entries: name, options, definition, attributes.
    pub(super) fn definition(&mut self, definition: &Definition) {
        self.name("index_name");
        write_name(&definition.name, self.out);
        self.options(&definition.schema);
        self.rule(&definition.schema);
        self.name("attributes");
        self.out.array(definition.schema.fields.len());
        definition.schema.fields.iter().for_each(|field| self.attribute(field));
    }

    fn options(&mut self, schema: &Schema) {
        let economies = schema.economies;
        let options = [
            (economies.no_frequencies, "NOFREQS"),
            (economies.no_fields, "NOFIELDS"),
            (schema.max_text_fields, "MAXTEXTFIELDS"),
            (economies.no_offsets, "NOOFFSETS"),
            (economies.no_highlighting, "NOHL"),
        ];
        self.name("index_options");
        self.words(&options);
    }

    /// Those of the words that hold.
    fn words(&mut self, words: &[(bool, &str)]) {
        let holding = || words.iter().filter(|(holds, _)| *holds);
        self.out.array(holding().count());
        holding().for_each(|(_, word)| self.out.status(word));
    }

    fn rule(&mut self, schema: &Schema) {
        let kind = match schema.on {
            DocumentKind::Hash => "HASH",
            DocumentKind::Json => "JSON",
        };
        let language = (schema.language != Language::English).then(|| schema.language.name());
        let optional: [(&str, Option<&[u8]>); 5] = [
            ("filter", schema.filter.as_deref()),
            ("default_language", language.map(str::as_bytes)),
            ("language_field", schema.language_field.as_deref()),
            ("score_field", schema.score_field.as_deref()),
            ("payload_field", schema.payload_field.as_deref()),
        ];
        let given = optional.iter().filter(|(_, text)| text.is_some()).count();
        self.name("index_definition");
        self.out.map(4 + given);
        self.name("key_type");
        self.out.status(kind);
        self.name("prefixes");
        self.out.array(schema.prefixes.len());
        schema.prefixes.iter().for_each(|prefix| self.out.bulk(prefix));
        let mut texts = optional.into_iter();
        let mut write = |info: &mut Self, count: usize| {
            for (name, text) in texts.by_ref().take(count) {
                if let Some(text) = text {
                    info.name(name);
                    info.out.bulk(text);
                }
            }
        };
        write(self, 3);
        self.number("default_score", schema.score);
        write(self, 2);
        self.name("indexes_all");
        self.out.status(if schema.index_all { "true" } else { "false" });
    }

    fn attribute(&mut self, field: &Field) {
        let (suffixes, case_sensitive, no_stem) = match &field.kind {
            Kind::Text(text) => (text.suffixes, false, text.no_stem),
            Kind::Tag(tag) => (tag.suffixes, tag.case_sensitive, false),
            _ => (false, false, false),
        };
        // Numbers and places are sorted as they are, and so are tags whose case counts.
        let is_plain = matches!(field.kind, Kind::Numeric | Kind::Geo) || case_sensitive;
        let flags = [
            (field.sortable.is_some(), "SORTABLE"),
            (field.sortable.is_some_and(|sortable| sortable.unnormalized || is_plain), "UNF"),
            (no_stem, "NOSTEM"),
            (field.no_index, "NOINDEX"),
            (suffixes, "WITHSUFFIXTRIE"),
            (field.index_empty, "INDEXEMPTY"),
            (field.index_missing, "INDEXMISSING"),
        ];
        let resp3 = self.out.resp3;
        let shown: Vec<&str> = std::iter::once((case_sensitive, "CASESENSITIVE"))
            .chain(flags)
            .filter(|(holds, _)| *holds)
            .map(|(_, word)| word)
            .collect();
        let pairs = 3 + self.pairs_of(&field.kind);
        match resp3 {
            true => self.out.map(pairs + 1),
            false => self.out.array(2 * pairs + shown.len()),
        }
        self.name("identifier");
        write_name(&field.path, self.out);
        self.name("attribute");
        write_name(&field.name, self.out);
        self.name("type");
        self.out.status(field.kind.name());
        self.kind(&field.kind);
        if resp3 {
            self.name("flags");
            self.out.array(shown.len());
        }
        shown.into_iter().for_each(|flag| self.out.status(flag));
    }

    /// Entries that only fields of this type have.
    fn pairs_of(&self, kind: &Kind) -> usize {
        match kind {
            Kind::Text(_) | Kind::Tag(_) | Kind::Geoshape(_) => 1,
            Kind::Numeric | Kind::Geo => 0,
            Kind::Vector(options) => 4 + vector_numbers(options).len(),
        }
    }

    fn kind(&mut self, kind: &Kind) {
        match kind {
            Kind::Text(text) => self.number("WEIGHT", text.weight),
            Kind::Tag(tag) => {
                self.name("SEPARATOR");
                self.out.bulk(tag.separator.as_slice());
            }
            Kind::Geoshape(coordinates) => {
                self.name("coord_system");
                self.out.status(match coordinates {
                    Coordinates::Spherical => "SPHERICAL",
                    Coordinates::Flat => "FLAT",
                });
            }
            Kind::Vector(options) => self.vector(options),
            Kind::Numeric | Kind::Geo => {}
        }
    }

    fn vector(&mut self, options: &VectorOptions) {
        self.name("algorithm");
        self.out.status(options.algorithm.name());
        self.name("data_type");
        self.out.status(options.element.name());
        self.int("dim", options.dimension as u64);
        self.name("distance_metric");
        self.out.status(options.metric.name());
        for (name, value) in vector_numbers(options) {
            match value {
                Shown::Int(value) => self.int(name, value),
                Shown::Word(word) => {
                    self.name(name);
                    self.out.status(word);
                }
            }
        }
    }
}

/// What is shown of TRAINING_THRESHOLD if it was not given; nothing is learnt here.
const TRAINING_THRESHOLD: u64 = 10_240;

enum Shown {
    Int(u64),
    Word(&'static str),
}

/// What only fields with this algorithm have.
fn vector_numbers(options: &VectorOptions) -> Vec<(&'static str, Shown)> {
    match &options.algorithm {
        Algorithm::Flat { .. } => Vec::new(),
        Algorithm::Hnsw { m, ef_construction, ef_runtime, .. } => vec![
            ("M", Shown::Int(*m as u64)),
            ("ef_construction", Shown::Int(*ef_construction as u64)),
            ("ef_runtime", Shown::Int(*ef_runtime as u64)),
        ],
        Algorithm::Vamana { degree, construction_window, compression, training_threshold, .. } => {
            // Whatever compression is asked for, it is a byte for each element, as RediSearch has without Intel's library.
            let shown = if compression.is_some() { "GlobalSQ8" } else { "NO_COMPRESSION" };
            let mut entries = vec![
                ("graph_max_degree", Shown::Int(*degree as u64)),
                ("construction_window_size", Shown::Int(*construction_window as u64)),
                ("compression", Shown::Word(shown)),
            ];
            let threshold = compression.map(|_| training_threshold.unwrap_or(TRAINING_THRESHOLD));
            entries.extend(threshold.map(|threshold| ("training_threshold", Shown::Int(threshold))));
            entries
        }
    }
}
