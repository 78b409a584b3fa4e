//! One row of the table: what a directive is called, what it takes, when it may change, what comes of it.
//! Rows are constants, built by the short functions here.

use crate::choice::SHUTDOWN_FLAGS;
use crate::value::Value;

/// What a directive's arguments are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `yes` or `no`.
    YesNo,
    /// A whole number in a range.
    Int {
        min: i64,
        max: i64,
    },
    /// A whole number; what lies outside `low..=high` is taken as the nearer of the two.
    Clamped {
        low: i64,
        high: i64,
    },
    /// A number of bytes, with or without a unit.
    Bytes {
        min: u64,
        max: u64,
    },
    /// A number of bytes, or a percentage of `maxmemory`.
    BytesOrPercent,
    /// A whole number in octal, 0 to `max`.
    Octal {
        max: u32,
    },
    /// One of a few names.
    Choice(&'static [(&'static str, u32)]),
    /// Several of a few names (bits).
    Flags(&'static [(&'static str, u32)]),
    /// Free text. With `empty_is_unset`, no line stands for the empty text in a file.
    Text {
        empty_is_unset: bool,
    },
    /// Addresses to listen on, 16 at most.
    Addresses,
    SavePoints,
    OutputLimits,
    OomScores,
    KeyEvents,
    Percentiles,
    Primary,
    /// The working directory.
    Directory,
    /// Not a setting but something to do while a file is read (`include`); takes `min..=max` arguments.
    Statement {
        min: usize,
        max: usize,
    },
    /// Of an older Redis; accepted with one argument and forgotten.
    Obsolete,
}

impl Kind {
    /// Whether the directive has a value that can be read back.
    pub fn is_setting(self) -> bool {
        !matches!(self, Kind::Statement { .. } | Kind::Obsolete)
    }

    /// Whether a line of a file may give several arguments.
    pub fn takes_many(self) -> bool {
        matches!(
            self,
            Kind::Flags(_)
                | Kind::Addresses
                | Kind::SavePoints
                | Kind::OutputLimits
                | Kind::OomScores
                | Kind::Percentiles
                | Kind::Primary
        )
    }
}

/// What this version makes of a directive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Support {
    /// It does what it says.
    Works,
    /// It is kept and shown but changes nothing, and nothing is missing without it.
    Accepted,
    /// It belongs to work that is not done yet: kept and shown; a warning names it when it is set to more
    /// than its default.
    Later(&'static str),
    /// It cannot be set, for this reason.
    Refused(&'static str),
}

const IMMUTABLE: u8 = 1;
const HIDDEN: u8 = 2;
const SENSITIVE: u8 = 4;
const PROTECTED: u8 = 8;
const NOT_WHILE_LOADING: u8 = 16;
const VOLATILE: u8 = 32;

/// A check beyond the kind: the message when the text will not do.
pub(crate) type Check = fn(&[u8]) -> Result<(), &'static str>;

/// A check of what `CONFIG SET` has given a directive beside the values of others, all as they have been set so far. (In a file they may stand in
/// any order.)
pub(crate) type Beside = fn(&[Value]) -> Result<(), &'static str>;

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Directive {
    pub name: &'static str,
    /// Older names, shown by `CONFIG GET` as well.
    pub aliases: &'static [&'static str],
    pub kind: Kind,
    /// The default as it would stand in a file.
    pub default: &'static str,
    /// A value that needs no warning although the work is to come; the default if `None`.
    pub neutral: Option<&'static str>,
    pub support: Support,
    pub doc: &'static str,
    pub(crate) check: Option<Check>,
    pub(crate) beside: Option<Beside>,
    /// Bytes that a client that sets less than them gets; what the start says stays as it is.
    pub(crate) set_bytes_min: u64,
    flags: u8,
}

impl Directive {
    /// Whether it can only be set at the start.
    pub fn is_immutable(&self) -> bool {
        self.flags & IMMUTABLE != 0
    }

    /// Whether patterns do not find it; its whole name does.
    pub fn is_hidden(&self) -> bool {
        self.flags & HIDDEN != 0
    }

    /// Whether its value has no place in logs.
    pub fn is_sensitive(&self) -> bool {
        self.flags & SENSITIVE != 0
    }

    /// Whether `CONFIG SET` needs `enable-protected-configs`.
    pub fn is_protected(&self) -> bool {
        self.flags & PROTECTED != 0
    }

    /// Whether it must not change while data is loading.
    pub fn is_fixed_while_loading(&self) -> bool {
        self.flags & NOT_WHILE_LOADING != 0
    }

    /// Whether setting it to the value it has is a change too (names of files that are read again).
    pub fn is_volatile(&self) -> bool {
        self.flags & VOLATILE != 0
    }

    const fn new(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Directive {
            name,
            aliases: &[],
            kind,
            default,
            neutral: None,
            support: Support::Works,
            doc: "",
            check: None,
            beside: None,
            set_bytes_min: 0,
            flags: 0,
        }
    }

    pub(crate) const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(crate) const fn check(mut self, check: Check) -> Self {
        self.check = Some(check);
        self
    }

    pub(crate) const fn beside(mut self, check: Beside) -> Self {
        self.beside = Some(check);
        self
    }

    pub(crate) const fn at_least_when_set(mut self, bytes: u64) -> Self {
        self.set_bytes_min = bytes;
        self
    }

    pub(crate) const fn neutral(mut self, value: &'static str) -> Self {
        self.neutral = Some(value);
        self
    }

    pub(crate) const fn immutable(mut self) -> Self {
        self.flags |= IMMUTABLE;
        self
    }

    pub(crate) const fn hidden(mut self) -> Self {
        self.flags |= HIDDEN;
        self
    }

    pub(crate) const fn sensitive(mut self) -> Self {
        self.flags |= SENSITIVE;
        self
    }

    pub(crate) const fn protected(mut self) -> Self {
        self.flags |= PROTECTED;
        self
    }

    pub(crate) const fn fixed_while_loading(mut self) -> Self {
        self.flags |= NOT_WHILE_LOADING;
        self
    }

    pub(crate) const fn volatile(mut self) -> Self {
        self.flags |= VOLATILE;
        self
    }

    /// The row is complete: the directive works.
    pub(crate) const fn works(self, doc: &'static str) -> Self {
        self.ends(Support::Works, doc)
    }

    /// The row is complete: the directive is kept for compatibility.
    pub(crate) const fn accepted(self, doc: &'static str) -> Self {
        self.ends(Support::Accepted, doc)
    }

    /// The row is complete: the directive waits for `work`.
    pub(crate) const fn later(self, work: &'static str, doc: &'static str) -> Self {
        self.ends(Support::Later(work), doc)
    }

    /// The row is complete: the directive cannot be set.
    pub(crate) const fn refused(self, reason: &'static str, doc: &'static str) -> Self {
        self.ends(Support::Refused(reason), doc)
    }

    const fn ends(mut self, support: Support, doc: &'static str) -> Self {
        self.support = support;
        self.doc = doc;
        self
    }
}

pub(crate) const I32_MAX: i64 = i32::MAX as i64;
pub(crate) const I64_MAX: i64 = i64::MAX;
pub(crate) const U32_MAX: i64 = u32::MAX as i64;
/// The largest size redis-server takes where it counts bytes with a sign.
pub(crate) const SIZE_MAX: u64 = i64::MAX as u64;

pub(crate) const fn yes_no(name: &'static str, default: &'static str) -> Directive {
    Directive::new(name, Kind::YesNo, default)
}

pub(crate) const fn int(name: &'static str, min: i64, max: i64, default: &'static str) -> Directive {
    Directive::new(name, Kind::Int { min, max }, default)
}

pub(crate) const fn bytes(name: &'static str, min: u64, max: u64, default: &'static str) -> Directive {
    Directive::new(name, Kind::Bytes { min, max }, default)
}

pub(crate) const fn choice(
    name: &'static str,
    names: &'static [(&'static str, u32)],
    default: &'static str,
) -> Directive {
    Directive::new(name, Kind::Choice(names), default)
}

pub(crate) const fn shutdown_flags(name: &'static str) -> Directive {
    Directive::new(name, Kind::Flags(SHUTDOWN_FLAGS), "default")
}

/// Free text for which empty is a value like others.
pub(crate) const fn text(name: &'static str, default: &'static str) -> Directive {
    Directive::new(name, Kind::Text { empty_is_unset: false }, default)
}

/// Free text that is unset unless given.
pub(crate) const fn optional(name: &'static str) -> Directive {
    Directive::new(name, Kind::Text { empty_is_unset: true }, "")
}

/// A directive of a kind of its own.
pub(crate) const fn special(name: &'static str, kind: Kind, default: &'static str) -> Directive {
    Directive::new(name, kind, default)
}

pub(crate) const fn statement(name: &'static str, min: usize, max: usize) -> Directive {
    Directive::new(name, Kind::Statement { min, max }, "")
}

pub(crate) const fn obsolete(name: &'static str) -> Directive {
    Directive::new(name, Kind::Obsolete, "").accepted("Of an older Redis: accepted and forgotten.")
}
