//! The whole configuration of the server, from one table of directives.
//!
//! A row of the table ([`table::SECTIONS`]) says a directive's name, aliases, kind, default, whether it may
//! change while the server runs, what this version makes of it, and one line of documentation. From the rows
//! derive: reading configuration files and the command line, `CONFIG GET`, `CONFIG SET`, `CONFIG REWRITE`,
//! the typed [`Settings`] the server reads, the warnings about settings that have no effect yet, and
//! `docs/configuration.md`.
//!
//! Names, values, messages and quirks are those of redis-server 7; where Redis 7.4 and 8 know more, theirs.
//!
//! This crate is pure. It opens no file (text comes in through [`Files`]), applies nothing (a caller of
//! [`Config::set`] gets the list of what changed) and keeps no global state: a [`Config`] is a value to clone
//! and hand around.
#![forbid(unsafe_code)]

mod access;
mod choice;
mod command_line;
mod directive;
mod error;
mod include;
mod load;
mod number;
pub mod page;
mod rewrite;
mod settings;
mod special;
pub mod table;
mod value;

pub use access::{Caller, Config, is_sensitive, set_failure};
pub use choice::{
    AppendFsync, CpuPinning, IoBackend, LogLevel, MaxmemoryPolicy, OnTimeout, OomScoreAdj, ScorerName,
    ShutdownFlags, WhoMay,
};
pub use command_line::{CommandLine, Invocation, usage};
pub use directive::{Directive, Kind, Support};
pub use error::{Place, Program, StartError};
pub use include::Files;
pub use load::{Loaded, Statement, Warning};
pub use number::memory;
pub use settings::Settings;
pub use special::{KeyEvents, OutputLimit, OutputLimits, Primary, SavePoint};
pub use table::DirectiveId;
pub use value::Value;
