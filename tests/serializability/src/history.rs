//! What clients did and saw, with the times between which it happened.
//!
//! Whatever is written is a number that nobody else writes, so that who reads it knows who wrote it. There are six kinds of
//! keys, chosen so that the order of versions follows from the replies:
//! - *lists* only grow (RPUSH); whoever reads one sees all versions before, and a length tells a version, too;
//! - *streams* only grow, too (XADD); what an entry holds counts, its id only ascends;
//! - *owned* registers are written by one connection only: its order is theirs;
//! - *shared* registers are written only by operations that tell the value they replace (SET … GET; a GET and a SET in one
//!   transaction);
//! - *queues* are filled by one connection only and emptied from the left: elements leave in the order in which they came;
//! - *groups* are queues, too: streams to which one connection adds, and what no consumer of their group has got.

use std::fmt;

/// Something that is unique among all that is written. 0 is never written.
pub type Number = u32;

/// A key, by kind and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    List(u32),
    Stream(u32),
    Owned(u32),
    Shared(u32),
    Queue(u32),
    Group(u32),
}

impl Key {
    /// Whether elements leave it.
    pub fn is_queue(self) -> bool {
        matches!(self, Key::Queue(_) | Key::Group(_))
    }

    /// Whether it holds a row of elements that only grows.
    pub fn is_row(self) -> bool {
        matches!(self, Key::List(_) | Key::Stream(_))
    }
}

/// What an operation did to a key or saw of it, in the order in which it did so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A list or stream grew; with the length that the reply told.
    Append { key: Key, element: Number, length: Option<u32> },
    /// A list or stream was read as a whole; or, at the end, what is left in a queue.
    List { key: Key, elements: Box<[Number]> },
    /// A register was set.
    Put { key: Key, value: Number },
    /// A register was read; `None`: it had never been set.
    Got { key: Key, value: Option<Number> },
    /// Whether a register had ever been set.
    Exists { key: Key, is_there: bool },
    /// A queue got another element at its end.
    Push { key: Key, element: Number },
    /// A queue lost its first element.
    Pop { key: Key, element: Number },
    /// A queue was looked into before another, or for some time, and there was nothing.
    Nothing { key: Key },
    /// Without a reply: it may have taken the first element of one of these queues, and if so put it at the end of a list.
    MayMove { from: Box<[Key]>, to: Option<Key> },
}

impl Effect {
    /// The key, or the first that it may have taken something from.
    pub fn key(&self) -> Key {
        match *self {
            Effect::MayMove { ref from, .. } => from[0],
            Effect::Append { key, .. } | Effect::List { key, .. } | Effect::Put { key, .. } => key,
            Effect::Got { key, .. } | Effect::Exists { key, .. } | Effect::Push { key, .. } => key,
            Effect::Pop { key, .. } | Effect::Nothing { key } => key,
        }
    }

    /// Whether it changes the key.
    pub fn is_write(&self) -> bool {
        matches!(self, Effect::Append { .. } | Effect::Put { .. } | Effect::Push { .. } | Effect::Pop { .. })
    }

    /// What it wrote.
    pub fn written(&self) -> Option<Number> {
        match *self {
            Effect::Append { element, .. } | Effect::Push { element, .. } => Some(element),
            Effect::Put { value, .. } => Some(value),
            _ => None,
        }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered, and has happened.
    Done,
    /// The answer was that it has not happened. Its effects are what it would have written.
    Refused,
    /// No answer was seen. It may have happened, wholly, or not.
    Unknown,
}

/// A time that never comes.
pub const NEVER: u64 = u64::MAX;

/// One operation.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Operations of a connection stand in the history in the order it sent them. A client that loses its connection goes on with another.
    pub connection: u32,
    /// What kind of request it was.
    pub name: &'static str,
    /// Just before it was sent, and just after its reply was read, in ns since the start. Without a reply: when it could not happen
    /// any more, or [`NEVER`].
    pub invoked_ns: u64,
    pub completed_ns: u64,
    pub outcome: Outcome,
    /// Without a reply, it may have been refused.
    pub is_conditional: bool,
    /// It asks for keys while it runs, and goes on when its connection has been killed.
    pub asks_late: bool,
    pub effects: Vec<Effect>,
}

/// Numbers of a list that are written out: its end matters most.
const SHOWN_MAX: usize = 12;

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::List(id) => write!(f, "list {id}"),
            Key::Stream(id) => write!(f, "stream {id}"),
            Key::Owned(id) => write!(f, "owned register {id}"),
            Key::Shared(id) => write!(f, "shared register {id}"),
            Key::Queue(id) => write!(f, "queue {id}"),
            Key::Group(id) => write!(f, "group {id}"),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Append { key, element, length: None } => write!(f, "appends {element} to {key}"),
            Effect::Append { key, element, length: Some(length) } => {
                write!(f, "appends {element} to {key} as number {length}")
            }
            Effect::List { key, elements } => {
                let skipped = elements.len().saturating_sub(SHOWN_MAX);
                let shown: Vec<String> = elements[skipped..].iter().map(Number::to_string).collect();
                let more = if skipped > 0 { format!("({skipped} more) ") } else { String::new() };
                write!(f, "reads {key}: [{more}{}]", shown.join(" "))
            }
            Effect::Put { key, value } => write!(f, "sets {key} to {value}"),
            Effect::Got { key, value: Some(value) } => write!(f, "reads {key}: {value}"),
            Effect::Got { key, value: None } => write!(f, "reads {key}: nothing"),
            Effect::Exists { key, is_there: true } => write!(f, "finds {key}"),
            Effect::Exists { key, is_there: false } => write!(f, "does not find {key}"),
            Effect::Push { key, element } => write!(f, "puts {element} into {key}"),
            Effect::Pop { key, element } => write!(f, "takes {element} from {key}"),
            Effect::Nothing { key } => write!(f, "finds {key} empty"),
            Effect::MayMove { from, to } => {
                let from: Vec<String> = from.iter().map(Key::to_string).collect();
                write!(f, "asks for an element of {}", from.join(" or "))?;
                to.iter().try_for_each(|to| write!(f, ", to be put into {to}"))
            }
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let effects: Vec<String> = self.effects.iter().map(Effect::to_string).collect();
        let end = match self.completed_ns {
            NEVER => "?".to_owned(),
            end => end.to_string(),
        };
        write!(f, "connection {}, {}..{end} ns: {}", self.connection, self.invoked_ns, self.name)?;
        match self.outcome {
            Outcome::Done => {}
            Outcome::Refused => write!(f, " (refused)")?,
            Outcome::Unknown => write!(f, " (no reply)")?,
        }
        write!(f, " {}", effects.join("; "))
    }
}
