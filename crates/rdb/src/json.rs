//! JSON documents, as RedisJSON has them in files: values of the module type `ReJSON-RL`.
//!
//! | version | fields |
//! |---|---|
//! | 0 | nodes (RedisJSON 1): see [`node`] |
//! | 2, 3 | the document as JSON text: one string |
//! | 4 | a binary form of which nothing is published; refused |
//!
//! Version 3 is written: every RedisJSON since 2.0 loads it. The text of a large document is measured first, then written, both in steps.

use crate::encode::Room;
use crate::module::{FieldReader, FieldWriter, ModuleId};
use crate::{Error, Reader};
use json::write::{Format, Piecewise};
use json::{Document, write};

const ID: ModuleId = ModuleId::new(b"ReJSON-RL", 3);

/// Documents of no more heap bytes are written at once.
const AT_ONCE_BYTES_MAX: usize = 64 << 10;
/// As deep as documents may be.
const DEPTH_MAX: usize = 128;
/// Elements for which there is room at once, whatever is announced.
const ROOM_MAX: u64 = 1 << 10;

/// How far the writing of a large document has come.
#[derive(Clone, Debug, Default)]
pub struct JsonSteps {
    place: Piecewise,
    /// Of the text, as far as it is known.
    bytes: u64,
    is_measured: bool,
}

/// Appends some of a document; whether something is left.
pub fn step_of_json(
    out: &mut Vec<u8>,
    json: &Document,
    steps: &mut Option<Box<JsonSteps>>,
    room: Room,
) -> bool {
    if steps.is_none() && (json.bytes() <= AT_ONCE_BYTES_MAX || room.budget_bytes == usize::MAX) {
        let mut text = Vec::new();
        write(json.view(), &Format::default(), &mut text);
        let mut fields = FieldWriter::begin(out, ID, room.compress);
        fields.string(&text);
        fields.end();
        return false;
    }
    let steps = steps.get_or_insert_default();
    if !steps.is_measured {
        let mut text = Vec::new();
        let is_over = steps.place.write(json.view(), room.budget_bytes, &mut text);
        steps.bytes += text.len() as u64;
        if !is_over {
            return true;
        }
        begin_text(out, steps.bytes);
        **steps = JsonSteps { is_measured: true, bytes: steps.bytes, place: Piecewise::default() };
    }
    let before = out.len();
    let is_over = steps.place.write(json.view(), room.until, out);
    steps.bytes = steps.bytes.checked_sub((out.len() - before) as u64).expect("it does not change meanwhile");
    if is_over {
        assert!(steps.bytes == 0, "it does not change meanwhile");
        end_text(out);
    }
    !is_over
}

/// Appends what stands in front of the text of a document.
pub fn begin_text(out: &mut Vec<u8>, bytes: u64) {
    FieldWriter::begin(out, ID, false).begin_string(bytes);
}

/// Appends what stands behind it.
pub fn end_text(out: &mut Vec<u8>) {
    FieldWriter::resume(out, false).end();
}

/// Reads a document.
pub fn read(reader: &mut Reader<'_>) -> Result<Document, Error> {
    let id = ModuleId::read(reader)?;
    let mut fields = FieldReader::new(reader);
    let text = match id.version() {
        0 => {
            let mut text = Vec::new();
            node(&mut fields, 0, &mut text)?;
            text
        }
        2 | 3 => fields.string()?.into_vec(),
        version => return Err(Error::ModuleVersion(id.name(), version)),
    };
    fields.end()?;
    json::parse(&text, None).map(Document::new).map_err(|_| Error::Corrupt("JSON text"))
}

/// Appends the text of a node as RedisJSON 1 has written it: its kind, then what the kind has.
///
/// | kind | what follows |
/// |---|---|
/// | 1 | nothing: null |
/// | 2 | a string |
/// | 4 | a double |
/// | 8 | an integer |
/// | 16 | a string: 0 or 1 |
/// | 32 | the number of members, each a node of kind 128 |
/// | 64 | the number of elements, these |
/// | 128 | a string, its name, and a node |
fn node(fields: &mut FieldReader<'_, '_>, depth: usize, text: &mut Vec<u8>) -> Result<(), Error> {
    if depth > DEPTH_MAX {
        return Err(Error::Corrupt("depth of a document"));
    }
    match fields.unsigned()? {
        1 => text.extend_from_slice(b"null"),
        2 => string(fields, text)?,
        4 => match json::Number::finite(fields.double()?) {
            Some(number) => number.write(text),
            None => return Err(Error::Corrupt("number of a document")),
        },
        8 => json::Number::Int(fields.unsigned()? as i64).write(text),
        16 => match &*fields.string()? {
            b"0" => text.extend_from_slice(b"false"),
            b"1" => text.extend_from_slice(b"true"),
            _ => return Err(Error::Corrupt("truth value of a document")),
        },
        32 => nodes(fields, depth, b"{}", text)?,
        64 => nodes(fields, depth, b"[]", text)?,
        128 => {
            string(fields, text)?;
            text.push(b':');
            node(fields, depth, text)?;
        }
        _ => return Err(Error::Corrupt("kind of a node")),
    }
    Ok(())
}

fn nodes(
    fields: &mut FieldReader<'_, '_>,
    depth: usize,
    brackets: &[u8; 2],
    text: &mut Vec<u8>,
) -> Result<(), Error> {
    let count = fields.unsigned()?;
    text.reserve(count.min(ROOM_MAX) as usize);
    text.push(brackets[0]);
    for at in 0..count {
        if at > 0 {
            text.push(b',');
        }
        node(fields, depth + 1, text)?;
    }
    text.push(brackets[1]);
    Ok(())
}

/// A string that may be no UTF-8, which the parser finds out.
fn string(fields: &mut FieldReader<'_, '_>, text: &mut Vec<u8>) -> Result<(), Error> {
    json::write::write_string(&fields.string()?, text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dump::{Refused, restore, seal};
    use crate::encode::{Encoder, Options, Progress};
    use crate::{ModuleName, Shapes};
    use base::hash::HashSeed;
    use keyspace::{Value, ValueRef};
    use types::showing::Element;

    fn restored(payload: &[u8]) -> Result<String, Refused> {
        let seed = HashSeed::new(1, 2);
        match restore(payload, &Shapes::with_defaults(&seed))? {
            Value::Json(json) => Ok(format!("{json:?}")),
            _ => panic!("another type"),
        }
    }

    /// A payload of some version with these fields.
    fn payload(version: u16, write: impl FnOnce(&mut FieldWriter<'_>)) -> Vec<u8> {
        let mut out = vec![7];
        let mut fields = FieldWriter::begin(&mut out, ModuleId::new(b"ReJSON-RL", version), true);
        write(&mut fields);
        fields.end();
        seal(&mut out, 12);
        out
    }

    #[test]
    fn a_large_document_is_written_in_steps() {
        let member = format!("[\"{}\",[{}1]]", "x".repeat(3000), "1,".repeat(1000));
        let text = format!("{{\"a\":[{}],\"b\":null}}", vec![member; 200].join(","));
        let document = Document::new(json::parse(text.as_bytes(), None).expect("JSON"));
        let value = ValueRef::Json(&document);
        let mut encoder = Encoder::new(value, &Options::default());
        let (mut out, mut steps) = (vec![encoder.kind().byte()], 1);
        while encoder.step(value, &mut out, 10_000) == Progress::More {
            steps += 1;
            assert!(out.len() <= steps * 20_000);
        }
        assert!(steps > 2 * text.len() / 20_000, "{steps}");
        seal(&mut out, 12);
        assert!(restored(&out).expect("own bytes") == text);
        assert!(restored(&crate::dump::payload(value, &Options::default())).expect("own bytes") == text);
    }

    /// As a snapshot writes it: the length, then the text, while the document is another by now.
    #[test]
    fn a_document_that_changes_is_written_as_it_was() {
        let text = format!("[{}null]", "[1,\"two\"],".repeat(20_000));
        let mut document = Document::new(json::parse(text.as_bytes(), None).expect("JSON"));
        let mut encoder = Encoder::new(ValueRef::Json(&document), &Options::default());
        let mut out = vec![encoder.kind().byte()];
        assert!(document.begin_showing());
        encoder.begin_elements(ValueRef::Json(&document), &mut out);
        let mut reader = json::showing::Reader::default();
        while reader.show_on(&mut document, &mut |part| {
            let element = match part {
                json::showing::Part::Length(bytes) => Element::TextLen(bytes),
                json::showing::Part::Text(text) => Element::Text(text),
            };
            encoder.element(&mut out, element);
        }) {
            document.apply(&[], json::edit::Change::Splice(0..500, vec![]));
        }
        encoder.end_elements(&mut out);
        seal(&mut out, 12);
        assert!(restored(&out).expect("own bytes") == text);
    }

    #[test]
    fn versions_of_old_are_read() {
        let text = br#"{"a":[1,"two"]}"#;
        for version in [2, 3] {
            assert_eq!(
                restored(&payload(version, |fields| fields.string(text))).as_deref(),
                Ok(r#"{"a":[1,"two"]}"#)
            );
        }
        let nodes = payload(0, |fields| {
            fields.unsigned(32);
            fields.unsigned(3);
            for name in ["a", "b", "c"] {
                fields.unsigned(128);
                fields.string(name.as_bytes());
                match name {
                    "a" => {
                        fields.unsigned(64);
                        fields.unsigned(4);
                        fields.unsigned(8);
                        fields.unsigned(-7_i64 as u64);
                        fields.unsigned(4);
                        fields.double(0.5);
                        fields.unsigned(16);
                        fields.string(b"1");
                        fields.unsigned(1);
                    }
                    "b" => {
                        fields.unsigned(2);
                        fields.string(b"t\"xt");
                    }
                    _ => {
                        fields.unsigned(32);
                        fields.unsigned(0);
                    }
                }
            }
        });
        assert_eq!(restored(&nodes).as_deref(), Ok(r#"{"a":[-7,0.5,true,null],"b":"t\"xt","c":{}}"#));
    }

    #[test]
    fn what_is_no_document_is_refused() {
        let refused = |payload: &[u8]| match restored(payload) {
            Err(Refused::Value(error)) => error,
            other => panic!("{other:?}"),
        };
        let name = ModuleName::of(payload_id());
        assert_eq!(refused(&payload(4, |fields| fields.string(b"\0"))), Error::ModuleVersion(name, 4));
        for text in ["", "[1", "{\"a\":1}}", "1e999", "\"\\ud800\"", &"[".repeat(200)] {
            assert_eq!(
                refused(&payload(3, |fields| fields.string(text.as_bytes()))),
                Error::Corrupt("JSON text")
            );
        }
        assert_eq!(refused(&payload(3, |fields| fields.string(b"\"\xff\""))), Error::Corrupt("JSON text"));
        // An array that announces more than there is, and one that is too deep.
        let huge = payload(0, |fields| {
            fields.unsigned(64);
            fields.unsigned(1 << 62);
        });
        assert!(matches!(refused(&huge), Error::Corrupt(_)));
        let deep = payload(0, |fields| {
            for _ in 0..1000 {
                fields.unsigned(64);
                fields.unsigned(1);
            }
        });
        assert_eq!(refused(&deep), Error::Corrupt("depth of a document"));
    }

    fn payload_id() -> u64 {
        Reader::new(&payload(4, |_| {})[1..]).length().expect("an id")
    }
}
