//! FT.SEARCH and what it shares with the other commands that ask an index.

mod ahead;
pub mod arguments;
pub mod deadline;
pub mod gather;
pub mod load;
pub mod options;
mod present;
pub mod question;
pub mod reply;
pub mod request;
pub mod search;
pub mod settings;
mod show;
pub mod vectors;
pub mod warnings;
pub mod words;

pub use search::Search;
