//! FT.CREATE's arguments behind the name of the index, and FT.ALTER's fields.

use super::arguments::{Arguments, double, signed, unsigned};
use super::field::{self, Kind};
use super::{
    DocumentKind, Economies, FIELDS_MAX, PREFIXES_MAX, STOP_WORDS_MAX, Schema, TEXT_FIELDS_MAX, TextOptions,
};
use crate::error::{Code, Error, NONE_LEFT, NOT_CONVERTED, OUT_OF_BOUNDS, shown};
use crate::text::{Language, StopWords};

impl Schema {
    /// Reads what stands behind the index's name in FT.CREATE.
    ///
    /// # Errors
    /// Anything that RediSearch refuses, in its words as far as its documentation and tests show them.
    pub fn parse(arguments: &[&[u8]]) -> Result<Self, Error> {
        let mut arguments = Arguments::new(arguments);
        let mut schema = Self {
            on: DocumentKind::Hash,
            prefixes: Vec::new(),
            filter: None,
            language: Language::English,
            language_field: None,
            score: 1.0,
            score_field: None,
            payload_field: None,
            max_text_fields: false,
            temporary_seconds: None,
            economies: Economies::default(),
            stop_words: StopWords::default(),
            skip_initial_scan: false,
            index_all: false,
            fields: Vec::new(),
        };
        while !arguments.take("SCHEMA") {
            schema.parse_option(&mut arguments)?;
        }
        if schema.prefixes.is_empty() {
            schema.prefixes.push(Vec::new());
        }
        if schema.economies.no_fields && schema.max_text_fields {
            return Err(Error::new(Code::Arguments, "MAXTEXTFIELDS cannot be used with NOFIELDS"));
        }
        schema.economies.no_highlighting |= schema.economies.no_offsets;
        schema.parse_fields(&mut arguments)?;
        Ok(schema)
    }

    /// This schema with the fields that stand behind `SCHEMA ADD` in FT.ALTER.
    ///
    /// # Errors
    /// As for FT.CREATE; the schema is what it was.
    pub fn with_fields(&self, arguments: &[&[u8]]) -> Result<Self, Error> {
        let mut schema = self.clone();
        schema.parse_fields(&mut Arguments::new(arguments))?;
        Ok(schema)
    }

    fn parse_option(&mut self, arguments: &mut Arguments<'_>) -> Result<(), Error> {
        let Some(name) = arguments.next() else {
            return Err(Error::new(Code::Arguments, "No schema found"));
        };
        match name.to_ascii_uppercase().as_slice() {
            b"ON" => self.on = document_kind(arguments.next())?,
            b"PREFIX" => self.prefixes = prefixes(arguments)?,
            b"FILTER" => self.filter = Some(required(arguments, "FILTER")?),
            b"LANGUAGE" => self.language = language(arguments.next())?,
            b"LANGUAGE_FIELD" => self.language_field = Some(required(arguments, "LANGUAGE_FIELD")?),
            b"SCORE" => self.score = score(arguments.next())?,
            b"SCORE_FIELD" => self.score_field = Some(required(arguments, "SCORE_FIELD")?),
            b"PAYLOAD_FIELD" => self.payload_field = Some(required(arguments, "PAYLOAD_FIELD")?),
            b"MAXTEXTFIELDS" => self.max_text_fields = true,
            b"TEMPORARY" => self.temporary_seconds = Some(seconds(arguments.next())?),
            b"NOOFFSETS" => self.economies.no_offsets = true,
            b"NOHL" => self.economies.no_highlighting = true,
            b"NOFIELDS" => self.economies.no_fields = true,
            b"NOFREQS" => self.economies.no_frequencies = true,
            b"STOPWORDS" => self.stop_words = stop_words(arguments)?,
            b"SKIPINITIALSCAN" => self.skip_initial_scan = true,
            // From the time when indexing could be done by a thread of its own; what is written is found at once here.
            b"ASYNC" => {}
            b"INDEXALL" => self.index_all = index_all(arguments.next())?,
            _ => return Err(Error::new(Code::Unrecognized, format!("Unknown argument `{}`", shown(name)))),
        }
        Ok(())
    }

    fn parse_fields(&mut self, arguments: &mut Arguments<'_>) -> Result<(), Error> {
        if arguments.len() == 0 {
            return Err(Error::new(Code::Arguments, "Fields arguments are missing"));
        }
        let mut text_count = self.fields.iter().filter(|field| matches!(field.kind, Kind::Text(_))).count();
        while arguments.len() > 0 {
            if self.fields.len() == FIELDS_MAX {
                let text = format!("Schema is limited to {FIELDS_MAX} fields");
                return Err(Error::new(Code::Arguments, text));
            }
            let field = field::parse(arguments, self.on, text_count.min(TEXT_FIELDS_MAX - 1))?;
            if matches!(field.kind, Kind::Text(TextOptions { .. })) {
                if text_count == TEXT_FIELDS_MAX {
                    let text = format!("Schema is limited to {TEXT_FIELDS_MAX} TEXT fields");
                    return Err(Error::new(Code::Arguments, text));
                }
                text_count += 1;
            }
            if self.field(&field.name).is_some() {
                let text = format!("Duplicate field in schema - {}", shown(&field.name));
                return Err(Error::new(Code::Arguments, text));
            }
            self.fields.push(field);
        }
        Ok(())
    }
}

fn required(arguments: &mut Arguments<'_>, what: &str) -> Result<Vec<u8>, Error> {
    arguments.next().map(<[u8]>::to_vec).ok_or_else(|| Error::bad_argument(what, NONE_LEFT))
}

fn document_kind(name: Option<&[u8]>) -> Result<DocumentKind, Error> {
    let name = name.ok_or_else(|| Error::bad_argument("ON", NONE_LEFT))?;
    match name.to_ascii_uppercase().as_slice() {
        b"HASH" => Ok(DocumentKind::Hash),
        b"JSON" => Ok(DocumentKind::Json),
        _ => Err(Error::new(Code::Arguments, format!("Invalid rule type: {}", shown(name)))),
    }
}

/// A count, and as many arguments behind it.
fn counted<'a>(arguments: &mut Arguments<'a>, what: &str) -> Result<&'a [&'a [u8]], Error> {
    let count = arguments.next().ok_or_else(|| Error::bad_argument(what, NONE_LEFT))?;
    let count = signed(count).ok_or_else(|| Error::bad_argument(what, NOT_CONVERTED))?;
    let count = usize::try_from(count).map_err(|_| Error::bad_argument(what, OUT_OF_BOUNDS))?;
    arguments.take_many(count).ok_or_else(|| Error::bad_argument(what, NONE_LEFT))
}

fn prefixes(arguments: &mut Arguments<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let prefixes = counted(arguments, "PREFIX")?;
    let count = prefixes.len();
    if count > PREFIXES_MAX {
        let text = format!("Number of prefixes ({count}) exceeds maximum allowed ({PREFIXES_MAX})");
        return Err(Error::new(Code::Arguments, text));
    }
    Ok(prefixes.iter().map(|prefix| if *prefix == b"*" { Vec::new() } else { prefix.to_vec() }).collect())
}

fn stop_words(arguments: &mut Arguments<'_>) -> Result<StopWords, Error> {
    let words = counted(arguments, "STOPWORDS")?;
    Ok(StopWords::new(words.iter().take(STOP_WORDS_MAX).copied()))
}

fn language(name: Option<&[u8]>) -> Result<Language, Error> {
    name.and_then(Language::parse).ok_or_else(|| Error::new(Code::Parameters, "Invalid language"))
}

fn score(number: Option<&[u8]>) -> Result<f64, Error> {
    number
        .and_then(double)
        .filter(|score| (0.0..=1.0).contains(score))
        .ok_or_else(|| Error::new(Code::Arguments, "Invalid score"))
}

fn seconds(number: Option<&[u8]>) -> Result<u64, Error> {
    let number = number.ok_or_else(|| Error::bad_argument("TEMPORARY", NONE_LEFT))?;
    unsigned(number).ok_or_else(|| Error::bad_argument("TEMPORARY", NOT_CONVERTED))
}

fn index_all(word: Option<&[u8]>) -> Result<bool, Error> {
    match word.unwrap_or_default().to_ascii_uppercase().as_slice() {
        b"ENABLE" => Ok(true),
        b"DISABLE" => Ok(false),
        _ => Err(Error::new(Code::Arguments, "Invalid argument for `INDEXALL`, use ENABLE/DISABLE")),
    }
}
