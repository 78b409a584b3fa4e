//! What a client did wrong, in RediSearch's words: a code, as its newer versions put in front, and a sentence.

use std::fmt;

/// The word in front of an error's sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// `SEARCH_SYNTAX`: a query that cannot be read.
    Syntax,
    /// `SEARCH_PARSE_ARGS`: arguments of a command.
    Arguments,
    /// `SEARCH_ARG_UNRECOGNIZED`: an argument that the command does not know.
    Unrecognized,
    /// `SEARCH_PARAM_NOT_FOUND`: `$name` without a value in PARAMS.
    ParameterMissing,
    /// `SEARCH_NUMERIC_VALUE_INVALID`: a parameter that should have been a number.
    Number,
    /// `SEARCH_VALUE_BAD`: the value of an attribute.
    Value,
    /// `SEARCH_OPTION_INVALID`: an attribute that the clause does not have.
    Option,
    /// `SEARCH_ADD_ARGS`: parameters that are no pairs.
    Parameters,
    /// `SEARCH_PARAM_DUP`: an attribute given twice.
    Duplicate,
    /// `SEARCH_QUERY_BAD`: a query that can be read and makes no sense.
    Query,
    /// `SEARCH_EXPR`: an expression that cannot be read.
    Expression,
    /// `SEARCH_VALUE_NOT_FOUND`: a property that a row does not have.
    ValueMissing,
    /// `SEARCH_PROP_NOT_FOUND`: a property that no step before has made.
    PropertyMissing,
    /// `SEARCH_VECTOR_BLOB_SIZE_MISMATCH`: a document's vector with too many or too few bytes.
    BlobSize,
    /// `SEARCH_VECTOR_LEN_BAD`: a document's array with too many or too few numbers.
    VectorLength,
    /// `SEARCH_HYBRID_ATTR_NON_HYBRID`: what is about filters, where there is none.
    NotHybrid,
    /// `SEARCH_RANGE_ATTR_NON_RANGE`: what is about ranges, of the nearest.
    NotRange,
    /// `SEARCH_ADHOC_BATCH_SIZE_IRRELEVANT`: a size of batches, and no batches.
    NoBatches,
    /// `SEARCH_ADHOC_EF_RUNTIME_IRRELEVANT`: how to walk, and no walk.
    NoWalk,
    /// `SEARCH_GEO_COORDINATES_INVALID`: a place that is none.
    Place,
    /// `SEARCH_JSON_TYPE_INVALID`: a value of JSON that its field cannot have.
    JsonType,
    /// `SEARCH_LIMIT_OVER`: more than a setting allows.
    Limit,
    /// `SEARCH_GENERIC`: anything else.
    Generic,
}

impl Code {
    /// The word itself.
    pub fn word(self) -> &'static str {
        match self {
            Self::Syntax => "SEARCH_SYNTAX",
            Self::Arguments => "SEARCH_PARSE_ARGS",
            Self::Unrecognized => "SEARCH_ARG_UNRECOGNIZED",
            Self::ParameterMissing => "SEARCH_PARAM_NOT_FOUND",
            Self::Number => "SEARCH_NUMERIC_VALUE_INVALID",
            Self::Value => "SEARCH_VALUE_BAD",
            Self::Option => "SEARCH_OPTION_INVALID",
            Self::Parameters => "SEARCH_ADD_ARGS",
            Self::Duplicate => "SEARCH_PARAM_DUP",
            Self::Query => "SEARCH_QUERY_BAD",
            Self::Expression => "SEARCH_EXPR",
            Self::ValueMissing => "SEARCH_VALUE_NOT_FOUND",
            Self::PropertyMissing => "SEARCH_PROP_NOT_FOUND",
            Self::BlobSize => "SEARCH_VECTOR_BLOB_SIZE_MISMATCH",
            Self::VectorLength => "SEARCH_VECTOR_LEN_BAD",
            Self::NotHybrid => "SEARCH_HYBRID_ATTR_NON_HYBRID",
            Self::NotRange => "SEARCH_RANGE_ATTR_NON_RANGE",
            Self::NoBatches => "SEARCH_ADHOC_BATCH_SIZE_IRRELEVANT",
            Self::NoWalk => "SEARCH_ADHOC_EF_RUNTIME_IRRELEVANT",
            Self::Place => "SEARCH_GEO_COORDINATES_INVALID",
            Self::JsonType => "SEARCH_JSON_TYPE_INVALID",
            Self::Limit => "SEARCH_LIMIT_OVER",
            Self::Generic => "SEARCH_GENERIC",
        }
    }
}

/// An error of a client; shown as the error reply reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The word in front.
    pub code: Code,
    /// The sentence behind it.
    pub text: String,
}

impl Error {
    /// An error of that kind, in those words.
    pub fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    /// `Bad arguments for WHAT: WHY`, with the reasons that RediSearch's argument parser knows.
    pub(crate) fn bad_argument(what: &str, why: &str) -> Self {
        Self::new(Code::Arguments, format!("Bad arguments for {what}: {why}"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code.word(), self.text)
    }
}

impl std::error::Error for Error {}

/// Why an argument is bad: nothing is left.
pub(crate) const NONE_LEFT: &str = "Expected an argument, but none provided";
/// Why an argument is bad: it is not of the type.
pub(crate) const NOT_CONVERTED: &str = "Could not convert argument to expected type";
/// Why an argument is bad: it is of the type and out of range.
pub(crate) const OUT_OF_BOUNDS: &str = "Value is outside acceptable bounds";

/// Bytes of a client inside a sentence.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
