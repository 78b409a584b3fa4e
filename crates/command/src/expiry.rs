//! The options that give a key a time to live: `EX`, `PX`, `EXAT`, `PXAT`, and beside them `KEEPTTL` or `PERSIST`.
//! SET, GETEX, MSETEX, INCREX and HSETEX share them.

use crate::args::is_word;
use crate::{Args, Error};

/// How a time is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeForm {
    /// `EX`: seconds from now.
    Seconds,
    /// `PX`: milliseconds from now.
    Millis,
    /// `EXAT`: unix time in seconds.
    UnixSeconds,
    /// `PXAT`: unix time in milliseconds.
    UnixMillis,
}

impl TimeForm {
    /// The form that an option's name stands for.
    pub fn parse(word: &[u8]) -> Option<Self> {
        match word.len() {
            2 if is_word(word, "EX") => Some(Self::Seconds),
            2 if is_word(word, "PX") => Some(Self::Millis),
            4 if is_word(word, "EXAT") => Some(Self::UnixSeconds),
            4 if is_word(word, "PXAT") => Some(Self::UnixMillis),
            _ => None,
        }
    }

    /// Whether the time is given as such, not as a distance from now: it may be over already.
    pub fn is_absolute(self) -> bool {
        matches!(self, Self::UnixSeconds | Self::UnixMillis)
    }

    /// The unix time in milliseconds that `text` stands for.
    ///
    /// # Errors
    /// Not an integer; `ERR invalid expire time in '…' command` if it is not positive or beyond 64 bits.
    pub fn at_ms(self, text: &[u8], now_ms: u64, command: &str) -> Result<u64, Error> {
        let given = base::number::parse_i64(text).ok_or_else(|| Error::NOT_AN_INTEGER)?;
        let millis = match self {
            _ if given <= 0 => None,
            Self::Millis | Self::UnixMillis => Some(given),
            Self::Seconds | Self::UnixSeconds => given.checked_mul(1000),
        };
        let from = if self.is_absolute() { 0 } else { now_ms as i64 };
        let at_ms = millis.and_then(|millis| millis.checked_add(from));
        at_ms.map(|at_ms| at_ms as u64).ok_or_else(|| Error::invalid_expire(command))
    }
}

/// What a command's options say about the expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiration<'a> {
    #[default]
    Unspecified,
    /// `KEEPTTL`
    Keep,
    /// `PERSIST`
    Persist,
    /// A time, not yet checked.
    Time(TimeForm, &'a [u8]),
}

impl<'a> Expiration<'a> {
    /// Reads the option at `index` if it is one of these and agrees with what was read before, and returns how many
    /// arguments it has; 0 if not, which mostly is a syntax error. `other` is the one of `Keep` and `Persist`
    /// that the command has. The same option may come again; the last one counts.
    pub fn read(&mut self, args: Args<'a>, index: usize, other: Expiration<'static>) -> usize {
        let Some(word) = args.get(index) else { return 0 };
        let name = if other == Self::Keep { "KEEPTTL" } else { "PERSIST" };
        if is_word(word, name) && (*self == Self::Unspecified || *self == other) {
            *self = other;
            return 1;
        }
        let (Some(form), Some(text)) = (TimeForm::parse(word), args.get(index + 1)) else { return 0 };
        match *self {
            Self::Unspecified => {}
            Self::Time(earlier, _) if earlier == form => {}
            _ => return 0,
        }
        *self = Self::Time(form, text);
        2
    }

    /// The unix time in milliseconds, if one is given.
    ///
    /// # Errors
    /// As [`TimeForm::at_ms`].
    pub fn at_ms(&self, now_ms: u64, command: &str) -> Result<Option<u64>, Error> {
        match self {
            Self::Time(form, text) => form.at_ms(text, now_ms, command).map(Some),
            _ => Ok(None),
        }
    }

    /// Whether a time is given that is over: keys go at once.
    pub fn is_over(&self, at_ms: Option<u64>, now_ms: u64) -> bool {
        matches!((self, at_ms), (Self::Time(form, _), Some(at_ms)) if form.is_absolute() && at_ms <= now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::hash::HashSeed;
    use resp::Span;

    /// What reading all words gives, or `None` if one is refused.
    fn read(text: &str, other: Expiration<'static>) -> Option<String> {
        let mut spans = Vec::new();
        for word in text.split(' ') {
            let start = word.as_ptr() as usize - text.as_ptr() as usize;
            spans.push(Span { start: start as u32, len: word.len() as u32 });
        }
        let seed = HashSeed::new(1, 2);
        let args = Args::new(text.as_bytes(), &spans, &seed);
        let (mut index, mut expiration) = (0, Expiration::default());
        while index < args.len() {
            match expiration.read(args, index, other) {
                0 => return None,
                count => index += count,
            }
        }
        Some(match expiration {
            Expiration::Time(form, text) => format!("{form:?} {}", String::from_utf8_lossy(text)),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn options() {
        let set = |text| read(text, Expiration::Keep);
        assert_eq!(set("ex 5").as_deref(), Some("Seconds 5"));
        assert_eq!(set("PXAT x").as_deref(), Some("UnixMillis x"));
        assert_eq!(set("EX 5 EX 7").as_deref(), Some("Seconds 7"));
        assert_eq!(set("keepttl KEEPTTL").as_deref(), Some("Keep"));
        for refused in ["EX", "EX 5 PX 5", "EXAT 5 EX 5", "KEEPTTL EX 5", "EX 5 KEEPTTL", "PERSIST", "EXA 5"]
        {
            assert_eq!(set(refused), None, "{refused}");
        }
        assert_eq!(read("PERSIST", Expiration::Persist).as_deref(), Some("Persist"));
        assert_eq!(read("KEEPTTL", Expiration::Persist), None);
    }

    #[test]
    fn times() {
        let at = |form: TimeForm, text: &str| form.at_ms(text.as_bytes(), 1000, "SET").ok();
        assert_eq!(at(TimeForm::Seconds, "2"), Some(3000));
        assert_eq!(at(TimeForm::Millis, "2"), Some(1002));
        assert_eq!(at(TimeForm::UnixSeconds, "2"), Some(2000));
        assert_eq!(at(TimeForm::UnixMillis, "9223372036854775807"), Some(i64::MAX as u64));
        for text in
            ["0", "-1", "9223372036854775807", "9223372036854775", "-9223372036854775808", "nan", "1.0"]
        {
            assert_eq!(at(TimeForm::Seconds, text), None, "{text}");
        }
        assert_eq!(at(TimeForm::Millis, "9223372036854775000"), None);
        let error = TimeForm::Seconds.at_ms(b"0", 0, "SET").unwrap_err();
        assert_eq!(error.line(), b"ERR invalid expire time in 'set' command");
    }
}
