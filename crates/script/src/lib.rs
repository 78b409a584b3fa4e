//! Lua 5.1 scripts and libraries of functions, as Redis runs them: the only crate that knows Lua.
//!
//! A running script is a generator: it never calls into the server. [`Run::resume`] runs it until it wants something (a
//! command run, a line logged, the time), hands that out as a [`Step`], and is called again with the answer. So a script can
//! be suspended for as long as it takes, several can be under way on one [`Engine`] and go on in any order, and one can be
//! dropped at any time. The crate does no I/O and reads no clock.
//!
//! `docs/decisions/lua.md` has the reasons, the patches to Lua and the security history.

mod api;
mod base_library;
mod bit;
mod bytecode;
mod cjson;
mod clock;
mod cmsgpack;
mod declared;
mod engine;
mod fiber;
mod library;
mod lua;
mod number_text;
mod packing;
mod random;
mod reply_in;
mod reply_out;
mod run;
mod sandbox;
pub mod shebang;
mod vm;

#[cfg(test)]
mod tests;

pub use declared::KeyPlaces;
pub use engine::{Call, Done, Engine, Env, Function, Kind, Limits, Resume, Run, Script, Step, Words};
pub use shebang::Flags;
