//! What FT.SEARCH and FT.AGGREGATE may say alike of how a query is read, scored and limited.

use super::words::{Words, bad_arguments, shown};
use crate::Error;
use base::number::parse_u64;
use search::query::{Dialect, Forms, Parameters};
use search::text::Language;

/// Options of a query.
#[derive(Clone, Debug, Default)]
pub struct QueryOptions {
    pub verbatim: bool,
    /// NOSTOPWORDS.
    pub keeps_stop_words: bool,
    pub in_keys: Option<Vec<Vec<u8>>>,
    pub in_fields: Option<Vec<Vec<u8>>>,
    pub slop: Option<i64>,
    pub in_order: bool,
    pub language: Option<Language>,
    /// The name given to SCORER.
    pub scorer: Option<Vec<u8>>,
    pub payload: Option<Vec<u8>>,
    /// BM25STD_TANH_FACTOR.
    pub tanh_factor: Option<u64>,
    /// EXPANDER.
    pub expander: Forms,
    /// WITHSCORES, ADDSCORES.
    pub with_scores: bool,
    pub explains: bool,
    pub timeout_ms: Option<u64>,
    pub parameters: Parameters,
    pub dialect: Option<Dialect>,
    /// FORMAT EXPAND.
    pub expands: bool,
    /// PARAMS was there.
    pub has_parameters: bool,
}

impl QueryOptions {
    /// Takes the next words if they are such an option; whether they were.
    ///
    /// # Errors
    /// In RediSearch's words.
    pub fn take(&mut self, words: &mut Words<'_>) -> Result<bool, Error> {
        let Some(word) = words.peek() else { return Ok(false) };
        match word.to_ascii_uppercase().as_slice() {
            b"VERBATIM" => self.verbatim = words.next().is_some(),
            b"NOSTOPWORDS" => self.keeps_stop_words = words.next().is_some(),
            b"INORDER" => self.in_order = words.next().is_some(),
            b"EXPLAINSCORE" => self.explains = words.next().is_some(),
            b"TIMEOUT"
            | b"PARAMS"
            | b"DIALECT"
            | b"FORMAT"
            | b"SLOP"
            | b"LANGUAGE"
            | b"SCORER"
            | b"PAYLOAD"
            | b"EXPANDER"
            | b"BM25STD_TANH_FACTOR"
            | b"INKEYS"
            | b"INFIELDS" => self.valued(words)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn valued(&mut self, words: &mut Words<'_>) -> Result<(), Error> {
        let name = words.next().unwrap_or_default().to_ascii_uppercase();
        let what = shown(&name);
        let owned = |words: Vec<&[u8]>| Some(words.into_iter().map(<[u8]>::to_vec).collect());
        match name.as_slice() {
            b"INKEYS" => self.in_keys = owned(words.counted(&what)?),
            b"INFIELDS" => self.in_fields = owned(words.counted(&what)?),
            b"SLOP" => self.slop = Some(slop(words)?),
            b"PAYLOAD" => self.payload = Some(words.argument(&what)?.to_vec()),
            b"EXPANDER" => {
                self.expander = match words.argument(&what)?.to_ascii_uppercase().as_slice() {
                    b"DEFAULT" => Forms::All,
                    b"SBSTEM" => Forms::Stems,
                    b"PHONETIC" => Forms::Sounds,
                    b"SYNONYM" => Forms::Synonyms,
                    _ => Forms::None,
                }
            }
            b"BM25STD_TANH_FACTOR" => self.tanh_factor = Some(tanh_factor(words)?),
            b"SCORER" => self.scorer = Some(words.argument(&what)?.to_vec()),
            b"LANGUAGE" => {
                let language = words.argument(&what)?;
                let known = Language::parse(language);
                self.language = Some(known.ok_or_else(|| {
                    Error::text(format!("SEARCH_QUERY_BAD No such language {}", shown(language)))
                })?);
            }
            b"TIMEOUT" => {
                let given = words.next().ok_or_else(|| bad_arguments("Need an argument for TIMEOUT"))?;
                let timeout = parse_u64(given);
                self.timeout_ms =
                    Some(timeout.ok_or_else(|| bad_arguments("TIMEOUT requires a non negative integer"))?);
            }
            b"PARAMS" => {
                if std::mem::replace(&mut self.has_parameters, true) {
                    return Err(Error::text(
                        "SEARCH_ADD_ARGS Multiple PARAMS are not allowed. Parameters can be defined only once",
                    ));
                }
                let pairs = words.counted(&what)?;
                self.parameters = Parameters::new(&pairs).map_err(Error::search)?;
            }
            b"DIALECT" => {
                self.dialect = Some(dialect(words)?);
            }
            _ => {
                let given = words.next().ok_or_else(|| bad_arguments("Need an argument for FORMAT"))?;
                self.expands = match given.to_ascii_uppercase().as_slice() {
                    b"STRING" => false,
                    b"EXPAND" => true,
                    _ => return Err(bad_arguments(format_args!("FORMAT {} is not supported", shown(given)))),
                };
            }
        }
        Ok(())
    }
}

/// What stands behind DIALECT.
///
/// # Errors
/// It is none.
pub fn dialect(words: &mut Words<'_>) -> Result<Dialect, Error> {
    let given = words.next().ok_or_else(|| bad_arguments("Need an argument for DIALECT"))?;
    let dialect = parse_u64(given).and_then(Dialect::from_number);
    dialect.ok_or_else(|| bad_arguments("DIALECT requires a non negative integer >=1 and <= 4"))
}

fn tanh_factor(words: &mut Words<'_>) -> Result<u64, Error> {
    const MOST: u64 = 10_000;
    let given = words.next().ok_or_else(|| bad_arguments("Need an argument for BM25STD_TANH_FACTOR"))?;
    parse_u64(given).filter(|factor| (1..=MOST).contains(factor)).ok_or_else(|| {
        bad_arguments(format_args!("BM25STD_TANH_FACTOR must be between 1 and {MOST} inclusive"))
    })
}

fn slop(words: &mut Words<'_>) -> Result<i64, Error> {
    let slop = words.number("SLOP")?;
    if slop.fract() != 0.0 || slop.abs() > f64::from(i32::MAX) {
        return Err(bad_arguments("Bad arguments for SLOP: Could not convert argument to expected type"));
    }
    Ok(slop as i64)
}
