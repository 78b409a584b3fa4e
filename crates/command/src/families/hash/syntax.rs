//! The arguments of the commands on expire times of fields: `FIELDS numfields field …` and the times.
//!
//! The older commands want FIELDS at one place and nothing behind it; HEXPIRE and its kin, HGETEX and HSETEX take their
//! options before or behind it (Redis 8.4).

use crate::expiry::TimeForm;
use crate::{Args, Error};
use base::number::parse_i64;
use std::ops::Range;

/// The latest expire time of a field (Redis: HFE_MAX_ABS_TIME_MSEC), unix ms.
const EXPIRE_MS_MAX: i64 = (1 << 46) - 1;

/// The fields of `FIELDS numfields field …` that stands at argument `index` and takes all the rest.
///
/// # Errors
/// The words of Redis.
pub fn fields_at(args: Args<'_>, index: usize) -> Result<Range<usize>, Error> {
    if !args.is(index, "FIELDS") {
        return Err(Error::err("Mandatory argument FIELDS is missing or not at the right position"));
    }
    let count = args.int(index + 1).ok().filter(|&count| count > 0);
    let count = count.ok_or_else(|| Error::err("Number of fields must be a positive integer"))?;
    let first = index + 2;
    if count as u64 != (args.len().saturating_sub(first)) as u64 {
        return Err(Error::err("The `numfields` parameter must match the number of arguments"));
    }
    Ok(first..args.len())
}

/// `FIELDS numfields …` among other options.
pub struct FieldsOption {
    /// Arguments to each field: itself, and its value if it has one.
    pub step: usize,
    /// What to say of a count that is not positive.
    pub bad_count: &'static str,
    /// What to say if the arguments end before there can be a field.
    pub too_short: Error,
}

impl FieldsOption {
    /// Reads the option that begins at argument `index`, and returns where its fields are.
    ///
    /// # Errors
    /// The words of Redis.
    pub fn read(&self, args: Args<'_>, index: usize, earlier: bool) -> Result<Range<usize>, Error> {
        if earlier {
            return Err(Error::err("FIELDS keyword specified multiple times"));
        }
        let first = index + 2;
        if first + self.step > args.len() {
            return Err(self.too_short.clone());
        }
        let count = args.int(index + 1).ok().filter(|count| (1..=i64::from(i32::MAX)).contains(count));
        let count = count.ok_or_else(|| Error::err(self.bad_count))? as usize;
        let end = first + count * self.step;
        if end > args.len() {
            return Err(Error::err("wrong number of arguments"));
        }
        Ok(first..end)
    }
}

/// An argument that is none of the options.
pub fn unknown(arg: &[u8]) -> Error {
    Error::naming("unknown argument: ", arg, "")
}

/// The unix time in ms that `text` stands for, as the time of a field; it may be over.
///
/// # Errors
/// Not an integer; negative; beyond what a field can have.
pub fn field_time(form: TimeForm, text: &[u8], now_ms: u64, command: &str) -> Result<u64, Error> {
    let given = parse_i64(text).ok_or_else(|| Error::NOT_AN_INTEGER)?;
    if given < 0 {
        return Err(Error::err("invalid expire time, must be >= 0"));
    }
    let seconds = matches!(form, TimeForm::Seconds | TimeForm::UnixSeconds);
    let millis = if seconds { given.checked_mul(1000) } else { Some(given) };
    let from = if form.is_absolute() { 0 } else { now_ms as i64 };
    let at_ms = millis.and_then(|millis| millis.checked_add(from)).filter(|&at| at <= EXPIRE_MS_MAX);
    at_ms.map(|at_ms| at_ms as u64).ok_or_else(|| Error::invalid_expire(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_bounded() {
        let at = |text: &str, form| {
            field_time(form, text.as_bytes(), 1000, "HEXPIRE")
                .map_err(|error| String::from_utf8_lossy(error.line()).into_owned())
        };
        assert_eq!(at("5", TimeForm::Seconds), Ok(6000));
        assert_eq!(at("0", TimeForm::UnixMillis), Ok(0));
        assert_eq!(at("70368744177663", TimeForm::UnixMillis), Ok((1 << 46) - 1));
        for (text, form) in [
            ("70368744177664", TimeForm::UnixMillis),
            ("70368744176664", TimeForm::Millis),
            ("9223372036854775807", TimeForm::UnixSeconds),
        ] {
            assert_eq!(at(text, form).unwrap_err(), "ERR invalid expire time in 'hexpire' command");
        }
        assert_eq!(at("-1", TimeForm::Seconds).unwrap_err(), "ERR invalid expire time, must be >= 0");
        assert_eq!(at("1.5", TimeForm::Seconds).unwrap_err(), "ERR value is not an integer or out of range");
    }
}
