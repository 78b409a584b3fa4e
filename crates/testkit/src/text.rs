//! The readable text of a [`Value`], close to what redis-cli prints, and the escapes of quoted strings.
//!
//! It is unambiguous: two different replies never have the same text, save a status line that imitates another
//! form, which is shown as `(status) "…"`. Dialogue files are written in it and read back by the `spec` crate.

use crate::Value;
use std::fmt;

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&lines(self).join("\n"))
    }
}

/// The text of a value, line by line.
pub fn lines(value: &Value) -> Vec<String> {
    match value {
        Value::Simple(text) if is_plain(text) => vec![String::from_utf8_lossy(text).into_owned()],
        Value::Simple(text) => vec![format!("(status) {}", quote(text))],
        Value::Error(text) if is_plain_error(text) => {
            vec![format!("(error) {}", String::from_utf8_lossy(text))]
        }
        Value::Error(text) => vec![format!("(error) {}", quote(text))],
        Value::Integer(number) => vec![format!("(integer) {number}")],
        Value::Natural(number) => vec![format!("(integer) {number}")],
        Value::Bulk(bytes) => vec![quote(bytes)],
        Value::Null => vec!["(nil)".into()],
        Value::NullArray => vec!["(nil array)".into()],
        Value::Boolean(truth) => vec![format!("({truth})")],
        Value::Double(number) => vec![format!("(double) {}", double(*number))],
        Value::BigNumber(digits) => vec![format!("(big number) {digits}")],
        Value::BlobError(text) => vec![format!("(blob error) {}", quote(text))],
        Value::Verbatim { format, text } => vec![format!("(verbatim {format}) {}", quote(text))],
        Value::Array(items) => items_lines(items, ')', "(empty array)"),
        Value::Set(items) => items_lines(items, '~', "(empty set)"),
        Value::Push(items) => items_lines(items, '>', "(empty push)"),
        Value::Map(pairs) => pairs_lines(pairs, '#', "(empty map)"),
        Value::Attributed { attributes, value } => {
            let mut all = pairs_lines(attributes, '|', "(empty attributes)");
            all.extend(lines(value));
            all
        }
    }
}

/// The bytes in double quotes, with everything that is not printable ASCII escaped.
pub fn quote(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for &byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'\\' | b'"' => out.extend(['\\', byte as char]),
            0x20..=0x7e => out.push(byte as char),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
    out
}

/// The shortest text that reads back as the same number.
pub fn double(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    let plain = number.to_string();
    if plain.len() > 20 { format!("{number:e}") } else { plain }
}

/// The inverse of the escapes: `\n \r \t \a \b \\ \" \' \xHH`. An unknown escape stands for its letter.
pub fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' || at + 1 == bytes.len() {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        let hex = bytes.get(at + 2..at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
        match (bytes[at + 1], hex.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'x', Some(byte)) => {
                out.push(byte);
                at += 4;
                continue;
            }
            (b'n', _) => out.push(b'\n'),
            (b'r', _) => out.push(b'\r'),
            (b't', _) => out.push(b'\t'),
            (b'a', _) => out.push(7),
            (b'b', _) => out.push(8),
            (other, _) => out.push(other),
        }
        at += 2;
    }
    out
}

/// True for an error that can stand bare: printable, and without blanks at the end that an editor would take away.
fn is_plain_error(text: &[u8]) -> bool {
    let printable = text.iter().all(|&byte| (0x20..=0x7e).contains(&byte));
    printable && text.first().is_some_and(|first| !b"\" ".contains(first)) && text.last() != Some(&b' ')
}

/// True for a status line that can stand bare without being taken for something else.
fn is_plain(text: &[u8]) -> bool {
    let printable = text.iter().all(|&byte| (0x20..=0x7e).contains(&byte));
    let marked = text.first().is_none_or(|&first| b"(\" -?".contains(&first) || first.is_ascii_digit());
    printable && !marked && text.last() != Some(&b' ') && !text.windows(4).any(|four| four == b" => ")
}

fn items_lines(items: &[Value], mark: char, empty: &str) -> Vec<String> {
    if items.is_empty() {
        return vec![empty.into()];
    }
    let width = items.len().to_string().len();
    let mut out = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let marker = format!("{:>width$}{mark} ", index + 1);
        push_indented(&mut out, &marker, width + 2, lines(item));
    }
    out
}

fn pairs_lines(pairs: &[(Value, Value)], mark: char, empty: &str) -> Vec<String> {
    if pairs.is_empty() {
        return vec![empty.into()];
    }
    let width = pairs.len().to_string().len();
    let mut out = Vec::new();
    for (index, (key, value)) in pairs.iter().enumerate() {
        let marker = format!("{:>width$}{mark} ", index + 1);
        let mut all = lines(key);
        let value_lines = lines(value);
        let last = all.last_mut().expect("a text has a line");
        if value_lines.len() == 1 && !is_aggregate(value) {
            last.push_str(&format!(" => {}", value_lines[0]));
        } else {
            last.push_str(" =>");
            all.extend(value_lines);
        }
        push_indented(&mut out, &marker, width + 2, all);
    }
    out
}

fn push_indented(out: &mut Vec<String>, marker: &str, width: usize, lines: Vec<String>) {
    for (index, line) in lines.into_iter().enumerate() {
        out.push(if index == 0 { format!("{marker}{line}") } else { format!("{:width$}{line}", "") });
    }
}

fn is_aggregate(value: &Value) -> bool {
    match value {
        Value::Array(items) | Value::Set(items) | Value::Push(items) => !items.is_empty(),
        Value::Map(pairs) => !pairs.is_empty(),
        Value::Attributed { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_arrays_are_indented_under_their_number() {
        let inner = Value::bulks(&["x", "y"]);
        let value = Value::Array(vec![Value::bulk("a"), Value::Array(vec![inner, Value::Null])]);
        assert_eq!(value.to_string(), "1) \"a\"\n2) 1) 1) \"x\"\n      2) \"y\"\n   2) (nil)");
    }

    #[test]
    fn numbers_are_aligned_to_the_right() {
        let text = Value::bulks(&["v"; 10]).to_string();
        assert!(text.starts_with(" 1) \"v\"\n 2) "), "{text}");
        assert!(text.ends_with("\n10) \"v\""), "{text}");
    }

    #[test]
    fn a_nested_value_of_a_map_stands_below_its_key() {
        let value = Value::Map(vec![
            (Value::bulk("k"), Value::bulks(&["v"])),
            (Value::bulk("e"), Value::Set(vec![])),
        ]);
        assert_eq!(value.to_string(), "1# \"k\" =>\n   1) \"v\"\n2# \"e\" => (empty set)");
    }

    #[test]
    fn escapes_are_undone_by_unescape() {
        let bytes: Vec<u8> = (0..=255).collect();
        let quoted = quote(&bytes);
        assert_eq!(unescape(&quoted[1..quoted.len() - 1]), bytes);
    }

    #[test]
    fn a_status_line_that_imitates_another_form_is_quoted() {
        assert_eq!(Value::simple("(nil)").to_string(), "(status) \"(nil)\"");
        assert_eq!(Value::simple("").to_string(), "(status) \"\"");
        assert_eq!(Value::simple("Background saving started").to_string(), "Background saving started");
    }
}
