//! The configuration as a value: defaults, `CONFIG GET`, `CONFIG SET`.
//! Setting changes values only; what follows from a change (listening elsewhere, resizing) is the caller's to
//! do.

use std::ops::Deref;

use crate::choice::WhoMay;
use crate::directive::{Kind, Support};
use crate::load::Warning;
use crate::settings::Settings;
use crate::special::OutputLimits;
use crate::table::DirectiveId;
use crate::value::Value;
use base::glob;
use base::words::split_words;

/// The value of every directive. Reads like its [`Settings`]; changes through [`Config::set`] and
/// [`Config::assign`]. Invariant: `settings` is what `values` says.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// By [`DirectiveId::index`].
    values: Vec<Value>,
    settings: Settings,
}

/// Who sends `CONFIG SET`, and when.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller {
    /// The client is on this machine: over the loopback or the Unix socket.
    pub local: bool,
    /// Data is still loading.
    pub loading: bool,
}

impl Deref for Config {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl Default for Config {
    fn default() -> Self {
        Config::from_values(DirectiveId::all().map(default_value).collect())
    }
}

/// The value a directive has when nobody sets it.
pub(crate) fn default_value(id: DirectiveId) -> Value {
    known_value(id, id.row().default)
}

/// The value of a text from the table, which is always good.
fn known_value(id: DirectiveId, text: &str) -> Value {
    let row = id.row();
    let base = match row.kind {
        Kind::OutputLimits => Value::OutputLimits(OutputLimits::NONE),
        Kind::SavePoints => Value::SavePoints(Vec::new()),
        Kind::Primary if text.is_empty() => return Value::Primary(None),
        _ => Value::None,
    };
    let words = if row.kind.takes_many() {
        split_words(text.as_bytes()).expect("no quotes in the table")
    } else {
        vec![text.as_bytes().to_vec()]
    };
    Value::parse(row, &words, &base).unwrap_or_else(|message| panic!("{} in the table: {message}", row.name))
}

impl Config {
    fn from_values(values: Vec<Value>) -> Self {
        let settings = Settings::read(&values);
        Config { values, settings }
    }

    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    pub(crate) fn replace(&mut self, values: Vec<Value>) {
        *self = Config::from_values(values);
    }

    /// A directive's value.
    pub fn value(&self, id: DirectiveId) -> &Value {
        &self.values[id.index()]
    }

    /// A directive's value as `CONFIG GET` shows it.
    pub fn text(&self, id: DirectiveId) -> Vec<u8> {
        self.value(id).text(id.row().kind)
    }

    /// Whether a directive has its default value.
    pub fn is_default(&self, id: DirectiveId) -> bool {
        *self.value(id) == default_value(id)
    }

    /// `CONFIG GET`: names and values for all patterns, each name once, in the order of the table for a
    /// pattern. A name without a pattern comes back as the client wrote it and also finds hidden directives.
    pub fn get<P: AsRef<[u8]>>(&self, patterns: &[P]) -> Vec<(String, Vec<u8>)> {
        let mut found: Vec<(String, Vec<u8>)> = Vec::new();
        let add = |found: &mut Vec<(String, Vec<u8>)>, name: String, id: DirectiveId| {
            if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(&name)) {
                found.push((name, self.text(id)));
            }
        };
        for pattern in patterns.iter().map(AsRef::as_ref) {
            if !pattern.iter().any(|b| matches!(b, b'[' | b'*' | b'?')) {
                if let Some(id) = find_setting(pattern) {
                    add(&mut found, String::from_utf8_lossy(pattern).into_owned(), id);
                }
                continue;
            }
            for id in DirectiveId::all() {
                let row = id.row();
                let names = std::iter::once(&row.name).chain(row.aliases);
                for name in names.filter(|_| row.kind.is_setting() && !row.is_hidden()) {
                    if glob::matches_nocase(pattern, name.as_bytes()) {
                        add(&mut found, (*name).to_owned(), id);
                    }
                }
            }
        }
        found
    }

    /// `CONFIG SET`: all pairs or none. Returns the directives whose value changed (or that are read anew,
    /// such as certificates). On failure the error reply without its leading `-`.
    ///
    /// When applying a change fails, put the former configuration back and answer with [`set_failure`].
    pub fn set<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        &mut self,
        pairs: &[(N, V)],
        caller: Caller,
    ) -> Result<Vec<DirectiveId>, String> {
        let mut targets: Vec<(DirectiveId, String)> = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            let id = self.settable(name.as_ref(), caller)?;
            let lower = String::from_utf8_lossy(name.as_ref()).to_ascii_lowercase();
            // As in Redis 8.10, under whatever name.
            if targets.iter().any(|(known, _)| *known == id) {
                return Err(set_failure(&String::from_utf8_lossy(name.as_ref()), "duplicate parameter"));
            }
            targets.push((id, lower));
        }
        let mut values = self.values.clone();
        for ((id, name), (_, text)) in targets.iter().zip(pairs) {
            let value = parse_argument(*id, text.as_ref(), &values[id.index()]);
            values[id.index()] = value.map_err(|message| set_failure(name, &message))?;
            if let Some(beside) = id.row().beside {
                beside(&values).map_err(|message| set_failure(name, message))?;
            }
        }
        let mut changed: Vec<DirectiveId> = targets.into_iter().map(|(id, _)| id).collect();
        changed.sort_unstable();
        changed.dedup();
        changed.retain(|id| id.row().is_volatile() || values[id.index()] != self.values[id.index()]);
        for id in &changed {
            if let Value::Bytes(bytes) = &mut values[id.index()] {
                *bytes = (*bytes).max(id.row().set_bytes_min);
            }
        }
        self.replace(values);
        Ok(changed)
    }

    /// The directive that a client may set by this name.
    fn settable(&self, name: &[u8], caller: Caller) -> Result<DirectiveId, String> {
        let shown = String::from_utf8_lossy(name);
        let Some(id) = find_setting(name) else {
            return Err(format!("ERR Unknown option or number of arguments for CONFIG SET - '{shown}'"));
        };
        let row = id.row();
        let may_protected = match self.enable_protected_configs {
            WhoMay::Everybody => true,
            WhoMay::Local => caller.local,
            WhoMay::Nobody => false,
        };
        if row.is_immutable() {
            return Err(set_failure(&shown, "can't set immutable config"));
        }
        if row.is_protected() && !may_protected {
            return Err(set_failure(&shown, "can't set protected config"));
        }
        if row.is_fixed_while_loading() && caller.loading {
            return Err("LOADING Redis is loading the dataset in memory".to_owned());
        }
        Ok(id)
    }

    /// Sets a directive to what the server found out, immutable or not: the directory it works in, the number
    /// of clients the system allows, the primary that REPLICAOF named. The message says what is wrong with
    /// the value.
    pub fn assign(&mut self, id: DirectiveId, text: &[u8]) -> Result<(), String> {
        let mut values = self.values.clone();
        values[id.index()] = parse_argument(id, text, &values[id.index()])?;
        self.replace(values);
        Ok(())
    }

    /// Which of these directives are set to something that has no effect in this version.
    pub fn warnings(&self, ids: &[DirectiveId]) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for &id in ids {
            let row = id.row();
            let Support::Later(work) = row.support else { continue };
            let neutral = row.neutral.map_or_else(|| default_value(id), |text| known_value(id, text));
            if *self.value(id) != neutral {
                warnings.push(Warning { directive: row.name.to_owned(), work });
            }
        }
        warnings
    }
}

/// The error reply (without its leading `-`) for a `CONFIG SET` that failed because of `name`; also for a
/// change that could not be applied, such as a port that is taken.
pub fn set_failure(name: &str, reason: &str) -> String {
    format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {reason}")
}

/// Whether the value of this directive must not appear in the slow log or to MONITOR.
pub fn is_sensitive(name: &[u8]) -> bool {
    DirectiveId::find(name).is_some_and(|id| id.row().is_sensitive())
}

fn find_setting(name: &[u8]) -> Option<DirectiveId> {
    DirectiveId::find(name).filter(|id| id.row().kind.is_setting())
}

/// The value of one argument of `CONFIG SET`; lists are separated by single spaces.
fn parse_argument(id: DirectiveId, text: &[u8], old: &Value) -> Result<Value, String> {
    let row = id.row();
    let words: Vec<Vec<u8>> = match row.kind.takes_many() {
        true if text.is_empty() => Vec::new(),
        true => text.split(|b| *b == b' ').map(<[u8]>::to_vec).collect(),
        false => vec![text.to_vec()],
    };
    let base = if let Value::SavePoints(_) = old { Value::SavePoints(Vec::new()) } else { old.clone() };
    refuse(row.support, Value::parse(row, &words, &base)?, id)
}

/// Keeps a refused directive at its default.
pub(crate) fn refuse(support: Support, value: Value, id: DirectiveId) -> Result<Value, String> {
    match support {
        Support::Refused(reason) if value != default_value(id) => Err(reason.to_owned()),
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests;
