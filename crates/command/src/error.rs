//! What goes wrong by the client's doing: the exact texts of Redis, all in one place.

use std::borrow::Cow;

/// An error reply without the leading `-`, or a reason to run the command differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    Reply(Cow<'static, str>),
    /// The command needs these keys of other shards beside those it was run with; the `shard` crate brings them and
    /// runs it again. Nothing has been changed yet.
    NeedKeys(Vec<Vec<u8>>),
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl Error {
            $($(#[$doc])* pub const $name: Error = Error::Reply(Cow::Borrowed($text));)*
        }
    };
}

texts! {
    WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
    SYNTAX = "ERR syntax error";
    NOT_AN_INTEGER = "ERR value is not an integer or out of range";
    NOT_A_FLOAT = "ERR value is not a valid float";
    OUT_OF_RANGE = "ERR value is out of range";
    MUST_BE_POSITIVE = "ERR value is out of range, must be positive";
    NO_SUCH_KEY = "ERR no such key";
    INDEX_OUT_OF_RANGE = "ERR index out of range";
    OVERFLOW = "ERR increment or decrement would overflow";
    NAN_OR_INFINITY = "ERR increment would produce NaN or Infinity";
    STRING_TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    NO_MEMORY_FOR_STRING = "ERR Insufficient memory, failed allocating the string";
    OFFSET_OUT_OF_RANGE = "ERR offset is out of range";
    BIT_OFFSET = "ERR bit offset is not an integer or out of range";
    BIT_VALUE = "ERR bit is not an integer or out of range";
    INVALID_CURSOR = "ERR invalid cursor";
    DB_INDEX_OUT_OF_RANGE = "ERR DB index is out of range";
    SAME_OBJECT = "ERR source and destination objects are the same";
    TIMEOUT_NOT_FLOAT = "ERR timeout is not a float or out of range";
    TIMEOUT_NEGATIVE = "ERR timeout is negative";
    HASH_VALUE_NOT_INTEGER = "ERR hash value is not an integer";
    HASH_VALUE_NOT_FLOAT = "ERR hash value is not a float";
    MIN_MAX_NOT_FLOAT = "ERR min or max is not a float";
    MIN_MAX_NOT_STRING_RANGE = "ERR min or max not valid string range item";
    BUSY_KEY = "BUSYKEY Target key name already exists.";
    BAD_DUMP = "ERR DUMP payload version or checksum are wrong";
    BAD_DATA_FORMAT = "ERR Bad data format";
    NO_AUTH = "NOAUTH Authentication required.";
    WRONG_PASS = "WRONGPASS invalid username-password pair or user is disabled.";
    OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
    NOT_ALLOWED_IN_SUBSCRIBE = "ERR only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
}

impl Error {
    /// `ERR ` and a text made on the spot.
    pub fn err(text: impl std::fmt::Display) -> Self {
        Self::Reply(Cow::Owned(format!("ERR {text}")))
    }

    /// A whole error line made on the spot, its code in front.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Reply(Cow::Owned(text.into()))
    }

    pub fn wrong_arity(name: &str) -> Self {
        Self::err(format_args!("wrong number of arguments for '{}' command", name.to_ascii_lowercase()))
    }

    pub fn invalid_expire(name: &str) -> Self {
        Self::err(format_args!("invalid expire time in '{}' command", name.to_ascii_lowercase()))
    }

    /// `container`: the command as the client wrote it; `sub`: the subcommand as the client wrote it.
    pub fn unknown_subcommand(container: &str, sub: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(&sub[..sub.len().min(128)]).into_owned();
        Self::err(format_args!("unknown subcommand '{shown}'. Try {} HELP.", container.to_ascii_uppercase()))
    }

    /// A subcommand that exists, with too many arguments. `container` in upper case; `sub` as the client wrote it.
    pub fn subcommand_syntax(container: &str, sub: &[u8]) -> Self {
        let shown = String::from_utf8_lossy(&sub[..sub.len().min(128)]).into_owned();
        Self::err(format_args!(
            "unknown subcommand or wrong number of arguments for '{shown}'. Try {container} HELP."
        ))
    }

    /// The line to send.
    pub fn line(&self) -> &str {
        match self {
            Self::Reply(text) => text,
            Self::NeedKeys(_) => "ERR command needs keys that could not be brought together",
        }
    }

    /// The code in front, as INFO errorstats counts them.
    pub fn code(&self) -> &str {
        self.line().split(' ').next().unwrap_or("ERR")
    }
}
