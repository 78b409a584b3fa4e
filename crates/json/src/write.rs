//! JSON text, on one line or laid out.

use crate::node::Members;
use crate::numbers::NumbersRef;
use crate::view::{Array, Object};
use crate::{Node, View};

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

/// Writing the text of a value piece by piece, on one line. Between two pieces the value must not change.
///
/// What is kept are the numbers of the elements that are being written, from the outermost array or object with nodes inwards, and how far a text is: what
/// else is packed is short, and written at once.
#[derive(Clone, Debug, Default)]
pub struct Piecewise {
    indexes: Vec<usize>,
    text: InText,
    is_begun: bool,
}

impl Piecewise {
    /// Appends text until there are about so many bytes, at least some; whether that was the last of it.
    pub fn write(&mut self, root: View<'_>, until_bytes: usize, out: &mut Vec<u8>) -> bool {
        if !self.is_begun {
            self.is_begun = true;
            if let Some(open) = large(root) {
                out.push(open.brackets()[0]);
                self.indexes.push(0);
            }
        }
        let mut around = self.around(root);
        if self.text.is_within() || around.is_empty() {
            let view = match (around.last(), self.indexes.last()) {
                (Some(outer), Some(next)) => outer.child(next - 1).1.view(),
                _ => root,
            };
            if !self.text.write(view, until_bytes, out) {
                return false;
            }
        }
        while let (Some(container), Some(index)) = (around.last(), self.indexes.last_mut()) {
            let at = *index;
            *index += 1;
            if at == container.len() {
                out.push(container.brackets()[1]);
                around.pop();
                self.indexes.pop();
                continue;
            }
            if at > 0 {
                out.push(b',');
            }
            let inner = match container {
                Large::Numbers(numbers) => {
                    numbers.write(at, out);
                    None
                }
                container => {
                    let (name, node) = container.child(at);
                    if let Some(name) = name {
                        write_string(name, out);
                        out.push(b':');
                    }
                    let inner = large(node.view());
                    if inner.is_none() && !self.text.write(node.view(), until_bytes, out) {
                        return false;
                    }
                    inner
                }
            };
            if let Some(inner) = inner {
                out.push(inner.brackets()[0]);
                around.push(inner);
                self.indexes.push(0);
            }
            if out.len() >= until_bytes {
                return false;
            }
        }
        true
    }

    /// The arrays and objects around the place.
    fn around<'a>(&self, root: View<'a>) -> Vec<Large<'a>> {
        let mut around: Vec<Large<'a>> = Vec::with_capacity(self.indexes.len());
        for depth in 0..self.indexes.len() {
            let view = match around.last() {
                None => root,
                // What is inside was begun when its number was counted.
                Some(outer) => outer.child(self.indexes[depth - 1] - 1).1.view(),
            };
            around.push(large(view).expect("it does not change meanwhile"));
        }
        around
    }
}

/// How far a long text is written, if one is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InText {
    /// Bytes of it that are written; 0 for none.
    at: usize,
}

/// Bytes of a text that are written at once.
const TEXT_PIECE_BYTES: usize = 16 << 10;

impl InText {
    pub fn is_within(self) -> bool {
        self.at > 0
    }

    /// Appends a value without nodes on one line, or a piece or more of it if it is a long text, until there are so many bytes; whether that was all.
    pub fn write(&mut self, view: View<'_>, until_bytes: usize, out: &mut Vec<u8>) -> bool {
        let View::String(text) = view else {
            write(view, &Format::default(), out);
            return true;
        };
        if self.at == 0 {
            out.push(b'"');
        }
        loop {
            let end = text.len().min(self.at + TEXT_PIECE_BYTES);
            escape(&text[self.at..end], out);
            if end == text.len() {
                break;
            }
            self.at = end;
            if out.len() >= until_bytes {
                return false;
            }
        }
        out.push(b'"');
        self.at = 0;
        true
    }
}

/// What may be long.
#[derive(Clone, Copy)]
enum Large<'a> {
    Numbers(NumbersRef<'a>),
    Elements(&'a [Node]),
    Members(&'a Members),
}

fn large(view: View<'_>) -> Option<Large<'_>> {
    match view {
        View::Array(Array::Numbers(numbers)) => Some(Large::Numbers(numbers)),
        View::Array(Array::Nodes(elements)) => Some(Large::Elements(elements)),
        View::Object(Object::Members(members)) => Some(Large::Members(members)),
        _ => None,
    }
}

impl<'a> Large<'a> {
    fn len(self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Elements(elements) => elements.len(),
            Self::Members(members) => members.len(),
        }
    }

    fn brackets(self) -> &'static [u8; 2] {
        if let Self::Members(_) = self { b"{}" } else { b"[]" }
    }

    /// An element or member that is there, with its name.
    fn child(self, index: usize) -> (Option<&'a [u8]>, &'a Node) {
        match self {
            Self::Numbers(_) => unreachable!("numbers are no nodes"),
            Self::Elements(elements) => (None, &elements[index]),
            Self::Members(members) => {
                let (name, node) = members.get_index(index).expect("the index is below the length");
                (Some(name), node)
            }
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
    out.push(b'"');
    escape(text, out);
    out.push(b'"');
}

/// Appends what stands between the quotes. Parts of a text, cut anywhere, may follow each other.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
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
    fn pieces_are_the_whole() {
        let numbers = format!("[{}1.5]", "2.5,".repeat(500));
        let member = format!(r#""{}":{numbers},"b":[{{"c":{numbers}}},1,"two"]"#, "a".repeat(3000));
        let text = format!("{{{member},\"d\":[[],{{}},[{numbers},{numbers}]]}}");
        let long = format!("\"{}\"", r#"a\\n\u0001ü"#.repeat(30_000));
        let texts = format!("[{long},{{\"{}\":{long}}},{long}]", "n".repeat(3000));
        for text in [&text, "[]", "1", r#"{"a":[1,2]}"#, &numbers, "\"\"", &long, &texts] {
            let node = parse(text.as_bytes(), None).expect("JSON");
            for piece_bytes in [1, 100, 5000, usize::MAX] {
                let (mut pieces, mut out) = (Piecewise::default(), Vec::new());
                while !pieces.write(node.view(), out.len().saturating_add(piece_bytes), &mut out) {}
                assert_eq!(String::from_utf8_lossy(&out), *text);
            }
        }
    }

    #[test]
    fn strings() {
        let text = r#""\"\\/\b\f\n\r\t\u0001\u001f é 😀 \u007f""#;
        let expected = "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f é 😀 \u{7f}\"";
        assert_eq!(laid_out(text, &Format::default()), expected);
    }
}
