//! The log, in the form of redis-server's: `4711:M 21 Nov 2026 07:40:22.123 * text`.
//!
//! A file is opened anew for every line, so that it may be moved away at any time. A line that cannot be written is lost:
//! there is nowhere left to say so. Keys and values are never logged.

use config::{Config, DirectiveId, LogLevel};
use runtime::syslog::{self, Priority};
use std::fmt::{Arguments, Display};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// How important a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub enum Level {
    Debug,
    Verbose,
    Notice,
    Warning,
}

#[derive(Default)]
struct Target {
    /// `None` is the standard output.
    file: Option<PathBuf>,
    syslog: bool,
}

static TARGET: OnceLock<Target> = OnceLock::new();
static LEVEL: AtomicU8 = AtomicU8::new(Level::Notice as u8);

/// Logs as the configuration says from now on; before that, to the standard output.
///
/// # Errors
/// The log file cannot be opened.
pub fn configure(config: &Config) -> io::Result<()> {
    set_level(config.loglevel);
    if let Some(path) = &config.logfile {
        open(path)?;
    }
    if config.syslog_enabled {
        let text = |name| String::from_utf8_lossy(&config.text(DirectiveId::of(name))).into_owned();
        syslog::open(&text("syslog-ident"), &text("syslog-facility"));
    }
    let target = Target { file: config.logfile.clone(), syslog: config.syslog_enabled };
    assert!(TARGET.set(target).is_ok(), "the log is configured once");
    Ok(())
}

/// Logs lines of this level and above.
pub fn set_level(level: LogLevel) {
    let level = match level {
        LogLevel::Debug => Level::Debug as u8,
        LogLevel::Verbose => Level::Verbose as u8,
        LogLevel::Notice => Level::Notice as u8,
        LogLevel::Warning => Level::Warning as u8,
        LogLevel::Nothing => u8::MAX,
    };
    LEVEL.store(level, Ordering::Relaxed);
}

/// Writes a line of any level.
pub fn write(level: Level, text: impl Display) {
    line(level, format_args!("{text}"));
}

pub fn verbose(text: impl Display) {
    line(Level::Verbose, format_args!("{text}"));
}

pub fn notice(text: impl Display) {
    line(Level::Notice, format_args!("{text}"));
}

pub fn warning(text: impl Display) {
    line(Level::Warning, format_args!("{text}"));
}

/// Writes lines without time and process, if notices are wanted.
pub fn notice_as_is(text: &str) {
    if is_wanted(Level::Notice) {
        raw(text);
    }
}

/// Whether the log goes to a terminal, and nowhere else.
pub fn is_terminal() -> bool {
    let elsewhere = TARGET.get().is_some_and(|target| target.file.is_some() || target.syslog);
    !elsewhere && io::stdout().is_terminal()
}

fn is_wanted(level: Level) -> bool {
    level as u8 >= LEVEL.load(Ordering::Relaxed)
}

/// Writes one line, if lines of its level are wanted.
fn line(level: Level, text: Arguments<'_>) {
    if !is_wanted(level) {
        return;
    }
    let (mark, priority) = match level {
        Level::Debug => ('.', Priority::Debug),
        Level::Verbose => ('-', Priority::Info),
        Level::Notice => ('*', Priority::Notice),
        Level::Warning => ('#', Priority::Warning),
    };
    let (now_ms, _) = runtime::clock::now();
    let (pid, stamp) = (std::process::id(), runtime::clock::local_stamp(now_ms));
    raw(&format!("{pid}:M {stamp} {mark} {text}\n"));
    if TARGET.get().is_some_and(|target| target.syslog) {
        syslog::write(priority, &text.to_string());
    }
}

/// Writes text as it is, whatever level is wanted. For crash reports.
pub fn raw(text: &str) {
    let _ = match TARGET.get().and_then(|target| target.file.as_deref()) {
        Some(path) => open(path).and_then(|mut file| file.write_all(text.as_bytes())),
        None => {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        }
    };
}

fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}
