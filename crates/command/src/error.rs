//! What goes wrong by the client's doing: the exact texts of Redis, all in one place.

use crate::blocking::Wait;
use crate::change::DbKey;
use crate::shipping::Shipment;
use std::borrow::Cow;

/// Bytes of a name, and of all arguments together, that an error text repeats.
const SHOWN_BYTES_MAX: usize = 128;

/// An error reply without the leading `-`, or a reason to run the command differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    Reply(Cow<'static, [u8]>),
    /// The command needs these keys of other shards beside those it was run with; the `shard` crate brings them and
    /// runs it again. Nothing has been changed yet.
    NeedKeys(Vec<DbKey>),
    /// There is nothing to do yet: the `shard` crate runs the command again when there may be. Nothing has been changed.
    Wait(Box<Wait>),
    /// This is to be carried to another server; then the command runs again, with what has come of it. Nothing has been changed.
    Away(Box<Shipment>),
    /// It takes long: the `shard` crate has it done in steps ([`crate::Command::in_steps`]). Nothing has been changed.
    Long,
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl Error {
            $($(#[$doc])* pub const $name: Error = Error::Reply(Cow::Borrowed($text.as_bytes()));)*
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
    TIMEOUT_NOT_INTEGER = "ERR timeout is not an integer or out of range";
    TIMEOUT_OUT_OF_RANGE = "ERR timeout is out of range";
    UNBLOCKED = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
    TIMEOUT_NEGATIVE = "ERR timeout is negative";
    HASH_VALUE_NOT_INTEGER = "ERR hash value is not an integer";
    HASH_VALUE_NOT_FLOAT = "ERR hash value is not a float";
    MIN_MAX_NOT_FLOAT = "ERR min or max is not a float";
    MIN_MAX_NOT_STRING_RANGE = "ERR min or max not valid string range item";
    BUSY_KEY = "BUSYKEY Target key name already exists.";
    BAD_DUMP = "ERR DUMP payload version or checksum are wrong";
    BAD_DATA_FORMAT = "ERR Bad data format";
    LOADING = "LOADING Redis is loading the dataset in memory";
    BUSY = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
    BUSY_FUNCTION = "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";
    NO_SCRIPT = "NOSCRIPT No matching script. Please use EVAL.";
    NO_AUTH = "NOAUTH Authentication required.";
    WRONG_PASS = "WRONGPASS invalid username-password pair or user is disabled.";
    CANNOT_SAVE = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";
    NO_SCRIPT_CAN_SAVE = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read only scripts.";
    CANNOT_END = "ERR Errors trying to SHUTDOWN. Check logs.";
    OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
    NOT_ALLOWED_IN_SUBSCRIBE = "ERR only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
}

impl Error {
    /// `ERR ` and a text made on the spot.
    pub fn err(text: impl std::fmt::Display) -> Self {
        Self::text(format!("ERR {text}"))
    }

    /// A whole error line made on the spot, its code in front.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Reply(Cow::Owned(text.into().into_bytes()))
    }

    /// An error of searches, in its own words.
    pub fn search(error: search::Error) -> Self {
        Self::text(error.to_string())
    }

    /// A whole error line, its code in front, with an argument of the client's at the end.
    pub fn coded(before: &str, argument: &[u8]) -> Self {
        let shown: Vec<u8> =
            argument.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect();
        Self::Reply(Cow::Owned([before.as_bytes(), &shown].concat()))
    }

    /// A text with an argument of the client's in it: its bytes as they are, up to a zero.
    pub fn naming(before: &str, argument: &[u8], after: &str) -> Self {
        Self::Reply(Cow::Owned(
            [b"ERR ", before.as_bytes(), Self::shown(argument), after.as_bytes()].concat(),
        ))
    }

    /// As much of an argument as Redis shows in a text: up to a zero.
    pub fn shown(argument: &[u8]) -> &[u8] {
        argument.split(|&byte| byte == 0).next().unwrap_or_default()
    }

    /// As much of a name as is shown.
    fn beginning(name: &[u8]) -> &[u8] {
        &name[..name.len().min(SHOWN_BYTES_MAX)]
    }

    /// A name that no command has, with the arguments to it, as far as there is room.
    pub fn unknown_command<'a>(name: &[u8], arguments: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut shown = Vec::new();
        for argument in arguments {
            if shown.len() >= SHOWN_BYTES_MAX {
                break;
            }
            let room = argument.len().min(SHOWN_BYTES_MAX - shown.len());
            shown.extend([b"'", Self::shown(&argument[..room]), b"' "].concat());
        }
        let name = Self::naming("unknown command '", Self::beginning(name), "', with args beginning with: ");
        Self::Reply(Cow::Owned([name.line(), &shown].concat()))
    }

    /// `name` as clients see it.
    pub fn wrong_arity(name: &str) -> Self {
        Self::err(format_args!("wrong number of arguments for '{name}' command"))
    }

    pub fn invalid_expire(name: &str) -> Self {
        Self::err(format_args!("invalid expire time in '{}' command", name.to_ascii_lowercase()))
    }

    /// `container`: the command as the client wrote it; `sub`: the subcommand as the client wrote it.
    pub fn unknown_subcommand(container: &str, sub: &[u8]) -> Self {
        let after = format!("'. Try {} HELP.", container.to_ascii_uppercase());
        Self::naming("unknown subcommand '", Self::beginning(sub), &after)
    }

    /// A subcommand that exists, with too many arguments. `container` in upper case; `sub` as the client wrote it.
    pub fn subcommand_syntax(container: &str, sub: &[u8]) -> Self {
        let before = "unknown subcommand or wrong number of arguments for '";
        Self::naming(before, Self::beginning(sub), &format!("'. Try {container} HELP."))
    }

    /// The line to send.
    pub fn line(&self) -> &[u8] {
        match self {
            Self::Reply(text) => text,
            Self::NeedKeys(_) => b"ERR command needs keys that could not be brought together",
            Self::Wait(_) | Self::Away(_) | Self::Long => b"ERR command may not wait here",
        }
    }

    /// The code in front, as INFO errorstats counts them.
    pub fn code(&self) -> &str {
        let code = self.line().split(|&byte| byte == b' ').next().unwrap_or_default();
        std::str::from_utf8(code).unwrap_or("ERR")
    }
}
