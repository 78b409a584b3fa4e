//! JSON text, on one line or laid out.

use crate::View;
use crate::view::Array;

/// How text is laid out: what stands in front of each level, at the end of each line, behind each colon.
#[derive(Clone, Copy, Default)]
pub struct Format<'a> {
    pub indent: &'a [u8],
    pub newline: &'a [u8],
    pub space: &'a [u8],
}

/// Appends a value.
pub fn write(view: View<'_>, format: &Format<'_>, out: &mut Vec<u8>) {
    write_at(view, format, 0, out);
}

/// Appends a value that stands `depth` levels deep.
pub fn write_at(view: View<'_>, format: &Format<'_>, depth: usize, out: &mut Vec<u8>) {
    match view {
        View::Null => out.extend_from_slice(b"null"),
        View::Bool(true) => out.extend_from_slice(b"true"),
        View::Bool(false) => out.extend_from_slice(b"false"),
        View::Number(number) => number.write(out),
        View::String(text) => write_string(text, out),
        View::Array(Array::Numbers(numbers)) => {
            write_list(b"[]", 0..numbers.len(), format, depth, out, |index, out| numbers.write(index, out));
        }
        View::Array(array) => {
            write_list(b"[]", array.iter(), format, depth, out, |element, out| {
                write_at(element, format, depth + 1, out);
            });
        }
        View::Object(object) => {
            write_list(b"{}", object.iter(), format, depth, out, |(name, value), out| {
                write_string(name, out);
                out.push(b':');
                out.extend_from_slice(format.space);
                write_at(value, format, depth + 1, out);
            });
        }
    }
}

/// Appends a list in brackets that stands `depth` levels deep, whose items `item` writes.
pub fn write_list<T>(
    brackets: &[u8; 2],
    items: impl Iterator<Item = T>,
    format: &Format<'_>,
    depth: usize,
    out: &mut Vec<u8>,
    mut item: impl FnMut(T, &mut Vec<u8>),
) {
    let begin_line = |depth: usize, out: &mut Vec<u8>| {
        out.extend_from_slice(format.newline);
        (0..depth).for_each(|_| out.extend_from_slice(format.indent));
    };
    out.push(brackets[0]);
    let mut is_empty = true;
    for one in items {
        if !is_empty {
            out.push(b',');
        }
        is_empty = false;
        begin_line(depth + 1, out);
        item(one, out);
    }
    if !is_empty {
        begin_line(depth, out);
    }
    out.push(brackets[1]);
}

/// Appends a string in quotes.
pub fn write_string(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let mut plain = 0;
    for (at, &byte) in text.iter().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text[plain..at]);
        plain = at + 1;
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            _ => {
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.extend_from_slice(&text[plain..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn laid_out(text: &str, format: &Format<'_>) -> String {
        let node = parse(text.as_bytes(), None).expect("JSON");
        let mut out = Vec::new();
        write(node.view(), format, &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn layouts() {
        let text = r#"{"a":[1,{"b":[]}],"c":{},"numbers":[1,2,3,4]}"#;
        assert_eq!(laid_out(text, &Format::default()), text);
        let format = Format { indent: b"\t", newline: b"\n", space: b" " };
        let expected = "{\n\t\"a\": [\n\t\t1,\n\t\t{\n\t\t\t\"b\": []\n\t\t}\n\t],\n\t\"c\": {},\n\t\"numbers\": \
                        [\n\t\t1,\n\t\t2,\n\t\t3,\n\t\t4\n\t]\n}";
        assert_eq!(laid_out(text, &format), expected);
        let format = Format { indent: b"", newline: b"", space: b" " };
        assert_eq!(laid_out(r#"{"a":1,"b":2}"#, &format), r#"{"a": 1,"b": 2}"#);
    }

    #[test]
    fn strings() {
        let text = r#""\"\\/\b\f\n\r\t\u0001\u001f é 😀 \u007f""#;
        let expected = "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f é 😀 \u{7f}\"";
        assert_eq!(laid_out(text, &Format::default()), expected);
    }
}
