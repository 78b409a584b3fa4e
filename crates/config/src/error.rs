//! Why the server cannot start with the configuration it was given, in redis-server's words.

use std::fmt;

/// What calls itself what, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// As in "Redis" of "Redis 7.0.15".
    pub title: &'a str,
    pub version: &'a str,
}

/// Where a line of configuration stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    File(String),
    Stdin,
    CommandLine,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => write!(f, " of {path}"),
            Place::Stdin => write!(f, " (from the standard input)"),
            // Its number counts on from the file, as in redis-server; its text says enough.
            Place::CommandLine => Ok(()),
        }
    }
}

/// The start is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// A line cannot be followed.
    Line { place: Place, number: usize, line: String, message: String },
    /// Every line is fine but they contradict each other.
    Contradiction(String),
    /// A file cannot be read.
    Unreadable { path: String, reason: String },
    /// A command line option that this server does not have.
    Option(String),
}

impl StartError {
    /// The text for the standard error. The server then ends with status 1.
    pub fn report(&self, program: Program<'_>) -> String {
        let head = format!("\n*** FATAL CONFIG FILE ERROR ({} {}) ***\n", program.title, program.version);
        match self {
            StartError::Line { place, number, line, message } => {
                format!(
                    "{head}Reading the configuration file, at line {number}{place}\n>>> '{line}'\n{message}\n"
                )
            }
            StartError::Contradiction(message) => format!("{head}{message}\n"),
            StartError::Unreadable { path, reason } => {
                format!("Fatal error, can't open config file '{path}': {reason}\n")
            }
            StartError::Option(message) => format!("{message}\n"),
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Line { place, number, message, .. } => write!(f, "line {number}{place}: {message}"),
            StartError::Contradiction(message) | StartError::Option(message) => f.write_str(message),
            StartError::Unreadable { path, reason } => write!(f, "{path}: {reason}"),
        }
    }
}

impl std::error::Error for StartError {}
