//! What a directive is set to: read from words as its kind says, shown as `CONFIG GET` shows it.

use crate::choice::{SHUTDOWN_NOSAVE, SHUTDOWN_SAVE};
use crate::directive::{Directive, Kind};
use crate::number::{c_int, memory};
use crate::special::{
    KeyEvents, OutputLimits, Primary, SavePoint, oom_scores, percentile_text, percentiles, primary,
    save_points,
};
use base::number::parse_i64;

/// A directive's value; the variant follows from the directive's [`Kind`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Statements and obsolete directives have none.
    None,
    Bool(bool),
    Int(i64),
    Bytes(u64),
    /// Of `maxmemory`, 1 to 100.
    Percent(u64),
    /// The number of a choice, or the bits of flags.
    Choice(u32),
    Text(Vec<u8>),
    Addresses(Vec<Vec<u8>>),
    SavePoints(Vec<SavePoint>),
    OutputLimits(OutputLimits),
    OomScores([i32; 3]),
    KeyEvents(KeyEvents),
    Percentiles(Vec<f64>),
    Primary(Option<Primary>),
}

/// The most addresses `bind` takes.
const ADDRESSES_MAX: usize = 16;

impl Value {
    /// Reads the arguments of a directive. `base` is what the arguments add to where a directive accumulates
    /// (`save`) or names only a part (`client-output-buffer-limit`). On failure, redis-server's message.
    pub(crate) fn parse(row: &Directive, words: &[Vec<u8>], base: &Value) -> Result<Value, String> {
        // One empty argument stands for no argument where a list may be empty.
        let list = if matches!(words, [only] if only.is_empty()) { &[] } else { words };
        match (row.kind, base) {
            (Kind::Statement { .. } | Kind::Obsolete, _) => Ok(Value::None),
            (Kind::Addresses, _) if words.len() > ADDRESSES_MAX => {
                Err("Too many bind addresses specified.".to_owned())
            }
            (Kind::Addresses, _) => Ok(Value::Addresses(list.to_vec())),
            (Kind::SavePoints, Value::SavePoints(base)) => {
                // An explicit empty text forgets what was said before.
                let mut points = if list.len() == words.len() { base.clone() } else { Vec::new() };
                points.extend(save_points(list)?);
                Ok(Value::SavePoints(points))
            }
            (Kind::OutputLimits, Value::OutputLimits(base)) => Ok(Value::OutputLimits(base.with(words)?)),
            (Kind::OomScores, _) => Ok(Value::OomScores(oom_scores(words)?)),
            (Kind::Percentiles, _) => Ok(Value::Percentiles(percentiles(list)?)),
            (Kind::Primary, _) => Ok(Value::Primary(primary(words)?)),
            (Kind::Flags(names), _) => flags(names, words),
            _ => match words {
                [word] => Value::parse_one(row, word),
                _ => Err("wrong number of arguments".to_owned()),
            },
        }
    }

    fn parse_one(row: &Directive, word: &[u8]) -> Result<Value, String> {
        match row.kind {
            Kind::YesNo if word.eq_ignore_ascii_case(b"yes") => Ok(Value::Bool(true)),
            Kind::YesNo if word.eq_ignore_ascii_case(b"no") => Ok(Value::Bool(false)),
            Kind::YesNo => Err("argument must be 'yes' or 'no'".to_owned()),
            Kind::Int { min, max } => {
                let value = within(int(word)?, min, max)?;
                if let Some(check) = row.check {
                    check(word)?;
                }
                Ok(Value::Int(value))
            }
            Kind::Clamped { low, high } => {
                Ok(Value::Int(within(int(word)?, 0, i64::from(i32::MAX))?.clamp(low, high)))
            }
            Kind::Bytes { min, max } => {
                let bytes = memory(word).ok_or("argument must be a memory value")?;
                Ok(Value::Bytes(within(bytes, min, max)?))
            }
            Kind::BytesOrPercent => bytes_or_percent(word),
            Kind::Octal { max } => {
                let value = c_int(word, 8).ok_or("argument couldn't be parsed as an octal number")?;
                if !(0..=i64::from(max)).contains(&value) {
                    return Err(format!("argument must be between 0 and {max:o} inclusive"));
                }
                Ok(Value::Int(value))
            }
            Kind::Choice(names) => pick(names, word).map(Value::Choice).ok_or_else(|| names_message(names)),
            Kind::KeyEvents => Ok(Value::KeyEvents(KeyEvents::parse(word)?)),
            Kind::Text { .. } | Kind::Directory => {
                if let Some(check) = row.check {
                    check(word)?;
                }
                Ok(Value::Text(word.to_vec()))
            }
            _ => unreachable!("{} takes a list", row.name),
        }
    }

    /// The text `CONFIG GET` shows.
    pub(crate) fn text(&self, kind: Kind) -> Vec<u8> {
        match self {
            Value::None => Vec::new(),
            Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
            Value::Int(n) if matches!(kind, Kind::Octal { .. }) => format!("{n:o}").into(),
            Value::Int(n) => n.to_string().into(),
            Value::Bytes(n) => n.to_string().into(),
            Value::Percent(n) => format!("{n}%").into(),
            Value::Choice(number) => match kind {
                Kind::Flags(names) | Kind::Choice(names) => names_of(names, *number).into(),
                _ => unreachable!("a choice has names"),
            },
            Value::Text(text) => text.clone(),
            Value::Addresses(list) => list.join(&b' '),
            Value::SavePoints(points) => {
                join(points.iter().map(|point| format!("{} {}", point.seconds, point.changes)))
            }
            Value::OutputLimits(limits) => join(limits.classes().iter().map(|(name, _, limit)| {
                format!("{name} {} {} {}", limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
            })),
            Value::OomScores(scores) => join(scores.iter().map(i32::to_string)),
            Value::KeyEvents(events) => events.text().into(),
            Value::Percentiles(list) => join(list.iter().map(|value| percentile_text(*value))),
            Value::Primary(None) => Vec::new(),
            Value::Primary(Some(primary)) => {
                [primary.host.as_slice(), format!(" {}", primary.port).as_bytes()].concat()
            }
        }
    }
}

fn join(parts: impl Iterator<Item = String>) -> Vec<u8> {
    parts.collect::<Vec<_>>().join(" ").into()
}

fn int(word: &[u8]) -> Result<i64, String> {
    parse_i64(word).ok_or_else(|| "argument couldn't be parsed into an integer".to_owned())
}

fn within<T: PartialOrd + std::fmt::Display>(value: T, min: T, max: T) -> Result<T, String> {
    if value < min || value > max {
        return Err(format!("argument must be between {min} and {max} inclusive"));
    }
    Ok(value)
}

fn bytes_or_percent(word: &[u8]) -> Result<Value, String> {
    if let Some(bytes) = memory(word) {
        return Ok(Value::Bytes(within(bytes, 0, i64::MAX as u64)?));
    }
    let percent = word.strip_suffix(b"%").and_then(parse_i64).and_then(|n| u64::try_from(n).ok());
    match percent {
        None => Err("argument must be a memory or percent value".to_owned()),
        Some(0) => Ok(Value::Bytes(0)),
        Some(n) if n <= 100 => Ok(Value::Percent(n)),
        Some(_) => Err("percentage argument must be less or equal to 100".to_owned()),
    }
}

fn pick(names: &[(&str, u32)], word: &[u8]) -> Option<u32> {
    names.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes())).map(|(_, number)| *number)
}

fn names_message(names: &[(&str, u32)]) -> String {
    let list: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
    format!("argument(s) must be one of the following: {}", list.join(", "))
}

fn flags(names: &[(&str, u32)], words: &[Vec<u8>]) -> Result<Value, String> {
    let mut bits = 0;
    for word in words {
        bits |= pick(names, word).ok_or_else(|| names_message(names))?;
    }
    if words.is_empty() {
        return Err(names_message(names));
    }
    if bits & SHUTDOWN_SAVE != 0 && bits & SHUTDOWN_NOSAVE != 0 {
        return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".to_owned());
    }
    Ok(Value::Choice(bits))
}

/// The name of a number, or of its bits.
fn names_of(names: &[(&'static str, u32)], number: u32) -> String {
    if let Some((name, _)) = names.iter().find(|(_, n)| *n == number) {
        return (*name).to_owned();
    }
    let set: Vec<&str> =
        names.iter().filter(|(_, n)| *n != 0 && number & n == *n).map(|(name, _)| *name).collect();
    set.join(" ")
}
