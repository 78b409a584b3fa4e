//! A field of a schema: `path [AS name] TYPE [options of the type] [SORTABLE [UNF]] [NOINDEX]`.

use super::arguments::{Arguments, double};
use super::vector::{self, VectorOptions};
use super::{DocumentKind, FieldMask};
use crate::error::{Code, Error, NONE_LEFT, NOT_CONVERTED, shown};

/// One field.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// Where a document has it: the name of a hash's field, or a JSONPath.
    pub path: Vec<u8>,
    /// What queries call it: AS, else the path.
    pub name: Vec<u8>,
    /// Its type with the type's options.
    pub kind: Kind,
    /// SORTABLE.
    pub sortable: Option<Sortable>,
    /// NOINDEX.
    pub no_index: bool,
    /// INDEXMISSING: `ismissing(@name)` can be asked.
    pub index_missing: bool,
    /// INDEXEMPTY: the empty text can be asked for. TEXT and TAG only.
    pub index_empty: bool,
}

/// SORTABLE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sortable {
    /// UNF: the text is kept as it is, not folded. Always so for JSON.
    pub unnormalized: bool,
}

/// What kind of values a field has.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Text(TextOptions),
    Tag(TagOptions),
    Numeric,
    Geo,
    Geoshape(Coordinates),
    Vector(VectorOptions),
}

impl Kind {
    /// The type's name, as FT.INFO and errors have it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Text(_) => "TEXT",
            Self::Tag(_) => "TAG",
            Self::Numeric => "NUMERIC",
            Self::Geo => "GEO",
            Self::Geoshape(_) => "GEOSHAPE",
            Self::Vector(_) => "VECTOR",
        }
    }
}

/// Options of TEXT.
#[derive(Clone, Debug, PartialEq)]
pub struct TextOptions {
    /// Which bit of a [`FieldMask`] it has.
    pub bit: u8,
    /// WEIGHT; 1 if none was given.
    pub weight: f64,
    /// NOSTEM.
    pub no_stem: bool,
    /// PHONETIC.
    pub phonetic: Option<Phonetic>,
    /// WITHSUFFIXTRIE.
    pub suffixes: bool,
}

impl TextOptions {
    /// The mask of this field alone.
    pub fn mask(&self) -> FieldMask {
        1 << self.bit
    }
}

/// A matcher of PHONETIC. The algorithm, double metaphone, is one for all languages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phonetic {
    English,
    French,
    Portuguese,
    Spanish,
}

/// Options of TAG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagOptions {
    /// SEPARATOR; a comma for hashes and none for JSON if none was given.
    pub separator: Option<u8>,
    /// CASESENSITIVE.
    pub case_sensitive: bool,
    /// WITHSUFFIXTRIE.
    pub suffixes: bool,
}

/// What a GEOSHAPE's numbers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Coordinates {
    /// Longitude and latitude in degrees.
    #[default]
    Spherical,
    /// x and y.
    Flat,
}

/// Reads one field. `text_count` is how many TEXT fields there are before it.
pub(super) fn parse(
    arguments: &mut Arguments<'_>,
    on: DocumentKind,
    text_count: usize,
) -> Result<Field, Error> {
    let path = arguments.next().expect("there is an argument left");
    let name = if arguments.take("AS") {
        arguments.next().ok_or_else(|| Error::new(Code::Arguments, "AS requires an argument"))?
    } else {
        path
    };
    check_name(path, name)?;
    let type_name = arguments.next().ok_or_else(|| {
        Error::new(Code::Arguments, format!("Field `{}` does not have a type", shown(name)))
    })?;
    let mut field = Field {
        path: path.to_vec(),
        name: name.to_vec(),
        kind: Kind::Numeric,
        sortable: None,
        no_index: false,
        index_missing: false,
        index_empty: false,
    };
    match type_name.to_ascii_uppercase().as_slice() {
        b"TEXT" => field.kind = Kind::Text(text(arguments, &mut field, text_count)?),
        b"TAG" => field.kind = Kind::Tag(tag(arguments, &mut field, on)?),
        b"NUMERIC" => {}
        b"GEO" => field.kind = Kind::Geo,
        b"GEOSHAPE" => field.kind = Kind::Geoshape(coordinates(arguments)),
        b"VECTOR" => field.kind = Kind::Vector(vector::parse(arguments)?),
        _ => {
            let text = format!("Invalid field type for field `{}`", shown(name));
            return Err(Error::new(Code::Arguments, text));
        }
    }
    common_options(arguments, &mut field, on);
    if field.no_index && field.index_missing {
        let name = shown(name);
        let text = format!("Field cannot be defined with both `NOINDEX` and `INDEXMISSING` `{name}`");
        return Err(Error::new(Code::Arguments, text));
    }
    Ok(field)
}

fn check_name(path: &[u8], name: &[u8]) -> Result<(), Error> {
    let refuse = |text: &str| Err(Error::new(Code::Arguments, text));
    if name.is_empty() || path.is_empty() {
        return refuse("Field name cannot be empty");
    }
    if name.contains(&0) {
        return refuse("Field name cannot contain null bytes");
    }
    if path.contains(&0) {
        return refuse("Field path cannot contain null bytes");
    }
    Ok(())
}

/// SORTABLE and what else stands behind the options of the type. RediSearch sorts no shapes and no vectors: there the word is the
/// name of a field that has no type.
fn common_options(arguments: &mut Arguments<'_>, field: &mut Field, on: DocumentKind) {
    let sorts = !matches!(field.kind, Kind::Geoshape(_) | Kind::Vector(_));
    let has_empty = matches!(field.kind, Kind::Text(_) | Kind::Tag(_));
    loop {
        if sorts && arguments.take("SORTABLE") {
            let unnormalized = arguments.take("UNF") || on == DocumentKind::Json;
            field.sortable = Some(Sortable { unnormalized });
        } else if arguments.take("NOINDEX") {
            field.no_index = true;
        } else if arguments.take("INDEXMISSING") {
            field.index_missing = true;
        } else if has_empty && arguments.take("INDEXEMPTY") {
            field.index_empty = true;
        } else {
            return;
        }
    }
}

fn text(arguments: &mut Arguments<'_>, field: &mut Field, text_count: usize) -> Result<TextOptions, Error> {
    let mut options =
        TextOptions { bit: text_count as u8, weight: 1.0, no_stem: false, phonetic: None, suffixes: false };
    loop {
        if arguments.take("NOSTEM") {
            options.no_stem = true;
        } else if arguments.take("WEIGHT") {
            let weight = arguments.next().ok_or_else(|| Error::bad_argument("weight", NONE_LEFT))?;
            options.weight = double(weight).ok_or_else(|| Error::bad_argument("weight", NOT_CONVERTED))?;
        } else if arguments.take("PHONETIC") {
            options.phonetic = Some(phonetic(arguments.next())?);
        } else if arguments.take("WITHSUFFIXTRIE") {
            options.suffixes = true;
        } else if arguments.take("INDEXEMPTY") {
            field.index_empty = true;
        } else if arguments.take("INDEXMISSING") {
            field.index_missing = true;
        } else {
            return Ok(options);
        }
    }
}

fn phonetic(matcher: Option<&[u8]>) -> Result<Phonetic, Error> {
    const SENTENCE: &str = "Matcher Format: <2 chars algorithm>:<2 chars language>. Support algorithms: double metaphone (dm). \
        Supported languages: English (en), French (fr), Portuguese (pt) and Spanish (es)";
    let Some(matcher) = matcher else {
        return Err(Error::new(Code::Arguments, "PHONETIC requires an argument"));
    };
    match matcher.to_ascii_lowercase().as_slice() {
        b"dm:en" => Ok(Phonetic::English),
        b"dm:fr" => Ok(Phonetic::French),
        b"dm:pt" => Ok(Phonetic::Portuguese),
        b"dm:es" => Ok(Phonetic::Spanish),
        _ => Err(Error::new(Code::Arguments, SENTENCE)),
    }
}

fn tag(arguments: &mut Arguments<'_>, field: &mut Field, on: DocumentKind) -> Result<TagOptions, Error> {
    let separator = (on == DocumentKind::Hash).then_some(b',');
    let mut options = TagOptions { separator, case_sensitive: false, suffixes: false };
    loop {
        if arguments.take("SEPARATOR") {
            let Some(separator) = arguments.next() else {
                return Err(Error::new(Code::Arguments, "SEPARATOR requires an argument"));
            };
            let [byte] = separator else {
                let text = format!("Tag separator must be a single character. Got `{}`", shown(separator));
                return Err(Error::new(Code::Arguments, text));
            };
            options.separator = Some(*byte);
        } else if arguments.take("CASESENSITIVE") {
            options.case_sensitive = true;
        } else if arguments.take("WITHSUFFIXTRIE") {
            options.suffixes = true;
        } else if arguments.take("INDEXEMPTY") {
            field.index_empty = true;
        } else if arguments.take("INDEXMISSING") {
            field.index_missing = true;
        } else {
            return Ok(options);
        }
    }
}

fn coordinates(arguments: &mut Arguments<'_>) -> Coordinates {
    if arguments.take("FLAT") {
        Coordinates::Flat
    } else {
        arguments.take("SPHERICAL");
        Coordinates::Spherical
    }
}
