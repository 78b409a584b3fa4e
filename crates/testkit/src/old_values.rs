//! Values in the forms that servers of old have written into data files and that no server of today writes, put together byte by
//! byte from the descriptions of the formats: what reads them must not be what wrote them.
//!
//! A value is the byte of its type and what stands behind the key in a file, or the front of a DUMP payload.

const LIST: u8 = 1;
const SET: u8 = 2;
const ZSET_TEXT: u8 = 3;
const HASH: u8 = 4;
const ZSET: u8 = 5;
const HASH_ZIPMAP: u8 = 9;
const LIST_ZIPLIST: u8 = 10;
const SET_INTSET: u8 = 11;
const ZSET_ZIPLIST: u8 = 12;
const HASH_ZIPLIST: u8 = 13;
const LIST_QUICKLIST: u8 = 14;
const STREAM: u8 = 15;
const STREAM_2: u8 = 19;
const HASH_METADATA_EARLY: u8 = 22;
const HASH_LISTPACK_EX_EARLY: u8 = 23;

/// In the year 2603, unix ms: nothing expires while a test runs.
const FAR_MS: u64 = 20_000_000_000_000;

/// A value in an old form.
#[derive(Clone, Debug)]
pub struct OldValue {
    /// What it is, and fit to be the name of a key.
    pub name: &'static str,
    /// Type and value.
    pub bytes: Vec<u8>,
    /// The version of files from which on servers read it.
    pub since: u16,
}

fn length(out: &mut Vec<u8>, len: usize) {
    match len {
        0..64 => out.push(len as u8),
        64..16384 => out.extend_from_slice(&(0x4000 | len as u16).to_be_bytes()),
        _ => {
            out.push(0x80);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    length(out, text.len());
    out.extend_from_slice(text);
}

/// The number that a text is, if it is written just so.
fn number(text: &[u8]) -> Option<i64> {
    let number = std::str::from_utf8(text).ok()?.parse::<i64>().ok()?;
    (number.to_string().as_bytes() == text).then_some(number)
}

/// A ziplist: each entry with the length of the one before it, numbers in the fewest bytes.
pub fn ziplist(texts: &[&[u8]]) -> Vec<u8> {
    let (mut entries, mut before, mut last) = (Vec::new(), 0usize, 0);
    for text in texts {
        last = entries.len();
        match before {
            0..254 => entries.push(before as u8),
            _ => {
                entries.push(254);
                entries.extend_from_slice(&(before as u32).to_le_bytes());
            }
        }
        match number(text) {
            Some(small @ 0..=12) => entries.push(0xF1 + small as u8),
            Some(number) => {
                let bytes = number.to_le_bytes();
                let fits = |bits: u32| (number << (64 - bits)) >> (64 - bits) == number;
                let (mark, width) = match () {
                    () if fits(8) => (0xFE, 1),
                    () if fits(16) => (0xC0, 2),
                    () if fits(24) => (0xF0, 3),
                    () if fits(32) => (0xD0, 4),
                    () => (0xE0, 8),
                };
                entries.push(mark);
                entries.extend_from_slice(&bytes[..width]);
            }
            None => {
                match text.len() {
                    0..64 => entries.push(text.len() as u8),
                    64..16384 => entries.extend_from_slice(&(0x4000 | text.len() as u16).to_be_bytes()),
                    _ => {
                        entries.push(0x80);
                        entries.extend_from_slice(&(text.len() as u32).to_be_bytes());
                    }
                }
                entries.extend_from_slice(text);
            }
        }
        before = entries.len() - last;
    }
    let mut out = ((10 + entries.len() + 1) as u32).to_le_bytes().to_vec();
    out.extend_from_slice(&((10 + last) as u32).to_le_bytes());
    out.extend_from_slice(&(texts.len() as u16).to_le_bytes());
    out.extend(entries);
    out.push(255);
    out
}

/// A zipmap; every value is followed by `free` unused bytes.
pub fn zipmap(pairs: &[(&[u8], &[u8])], free: u8) -> Vec<u8> {
    let put_len = |out: &mut Vec<u8>, len: usize| match len {
        0..254 => out.push(len as u8),
        _ => {
            out.push(254);
            out.extend_from_slice(&(len as u32).to_le_bytes());
        }
    };
    let mut out = vec![pairs.len() as u8];
    for (field, value) in pairs {
        put_len(&mut out, field.len());
        out.extend_from_slice(field);
        put_len(&mut out, value.len());
        out.push(free);
        out.extend_from_slice(value);
        out.resize(out.len() + usize::from(free), b'?');
    }
    out.push(255);
    out
}

/// A listpack of short texts and numbers.
fn listpack(texts: &[&[u8]]) -> Vec<u8> {
    let mut entries = Vec::new();
    for text in texts {
        let from = entries.len();
        match number(text) {
            Some(small @ 0..128) => entries.push(small as u8),
            Some(number) => {
                entries.push(0xF4);
                entries.extend_from_slice(&number.to_le_bytes());
            }
            None => {
                assert!(text.len() < 64, "longer texts are not made here");
                entries.push(0x80 | text.len() as u8);
                entries.extend_from_slice(text);
            }
        }
        entries.push((entries.len() - from) as u8);
    }
    let mut out = ((6 + entries.len() + 1) as u32).to_le_bytes().to_vec();
    out.extend_from_slice(&(texts.len() as u16).to_le_bytes());
    out.extend(entries);
    out.push(255);
    out
}

/// Numbers in ascending order, each in so many bytes.
fn intset(width: usize, numbers: &[i64]) -> Vec<u8> {
    let mut out = (width as u32).to_le_bytes().to_vec();
    out.extend_from_slice(&(numbers.len() as u32).to_le_bytes());
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()[..width]));
    out
}

/// One string that is the whole value.
fn blob(kind: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    string(&mut out, bytes);
    out
}

/// So many elements, and all the strings of which they consist.
fn strings(kind: u8, count: usize, texts: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![kind];
    length(&mut out, count);
    texts.iter().for_each(|text| string(&mut out, text));
    out
}

fn scores_as_text() -> Vec<u8> {
    let mut out = vec![ZSET_TEXT, 5];
    for (member, score) in [("a", "1.5"), ("b", "-2"), ("c", "0.33333333333333331")] {
        string(&mut out, member.as_bytes());
        out.push(score.len() as u8);
        out.extend_from_slice(score.as_bytes());
    }
    for (member, infinity) in [(b"d", 254), (b"e", 255)] {
        string(&mut out, member);
        out.push(infinity);
    }
    out
}

fn quicklist() -> Vec<u8> {
    let mut out = vec![LIST_QUICKLIST, 3];
    string(&mut out, &ziplist(&[b"one", b"2", b"-3"]));
    string(&mut out, &ziplist(&[&[b'x'; 300], b"70000"]));
    string(&mut out, &ziplist(&[b""]));
    out
}

/// Three entries, of which the second is deleted, and a group with a consumer that has the third; `kind` says how much is known
/// beside.
fn stream(kind: u8) -> Vec<u8> {
    let block: &[&[u8]] = &[
        // Entries, deleted ones, and the fields that entries have unless they say otherwise.
        b"2", b"1", b"2", b"f", b"g", b"0",
        // Flags, difference of the id, the values, and how much there is to go back.
        b"2", b"0", b"0", b"a", b"12", b"5", b"3", b"0", b"1", b"x", b"y", b"5", b"0", b"1", b"0", b"1",
        b"other", b"-70000", b"6",
    ];
    let id = |ms: u64, seq: u64| [ms.to_be_bytes(), seq.to_be_bytes()].concat();
    let mut out = vec![kind, 1];
    string(&mut out, &id(5, 1));
    string(&mut out, &listpack(block));
    out.push(2);
    let put_id = |out: &mut Vec<u8>, ms: usize, seq: usize| {
        length(out, ms);
        length(out, seq);
    };
    put_id(&mut out, 6, 1);
    if kind == STREAM_2 {
        put_id(&mut out, 5, 1);
        put_id(&mut out, 5, 2);
        length(&mut out, 3);
    }
    out.push(1);
    string(&mut out, b"one");
    put_id(&mut out, 6, 1);
    if kind == STREAM_2 {
        length(&mut out, 3);
    }
    out.push(1);
    out.extend(id(6, 1));
    out.extend_from_slice(&1_700_000_000_000u64.to_le_bytes());
    out.push(4);
    out.push(1);
    string(&mut out, b"two");
    out.extend_from_slice(&1_700_000_000_500u64.to_le_bytes());
    out.push(1);
    out.extend(id(6, 1));
    out
}

/// Fields with expire times, as release candidates of Redis 7.4 wrote them.
fn early_times() -> [Vec<u8>; 2] {
    let mut table = vec![HASH_METADATA_EARLY, 2];
    for (at_ms, field) in [(0u64, "f"), (FAR_MS, "g")] {
        table.push(0x81);
        table.extend_from_slice(&at_ms.to_be_bytes());
        string(&mut table, field.as_bytes());
        string(&mut table, b"value");
    }
    let far = FAR_MS.to_string();
    let packed = listpack(&[b"f", b"v", far.as_bytes(), b"g", b"12", b"0"]);
    [table, blob(HASH_LISTPACK_EX_EARLY, &packed)]
}

/// A value in each of the old forms.
pub fn old_values() -> Vec<OldValue> {
    let long = "long ".repeat(60);
    let long = long.as_bytes();
    let entries: &[&[u8]] = &[b"a", b"-1", b"12", b"13", b"300", b"-70000", b"9000000", b"5000000000", long];
    let entries = &[entries, &[b"", b"-9223372036854775808", b"007", b"after"]].concat()[..];
    let pairs: &[&[u8]] = &[b"f", b"1", b"g", b"2.5", b"h", long, b"12", b"-5"];
    let scores: &[&[u8]] = &[b"low", b"-1.5", b"a", b"2", b"b", b"2", b"high", b"70000"];
    let zipped = ziplist(entries);
    let [times, packed_times] = early_times();
    let mut scored = strings(ZSET, 1, &[b"m"]);
    scored.extend_from_slice(&2.5f64.to_le_bytes());
    let values = [
        ("list", strings(LIST, entries.len(), entries), 1),
        ("set", strings(SET, 3, &[b"a", b"12", long]), 1),
        ("zset-text", scores_as_text(), 1),
        ("zset", scored, 8),
        ("hash", strings(HASH, 4, pairs), 1),
        ("zipmap", blob(HASH_ZIPMAP, &zipmap(&[(b"f", b"v"), (b"12", long), (b"", b"")], 0)), 2),
        ("zipmap-free", blob(HASH_ZIPMAP, &zipmap(&[(b"f", b"v"), (b"g", b"w")], 3)), 2),
        ("list-ziplist", blob(LIST_ZIPLIST, &zipped), 2),
        ("zset-ziplist", blob(ZSET_ZIPLIST, &ziplist(scores)), 2),
        ("hash-ziplist", blob(HASH_ZIPLIST, &ziplist(pairs)), 4),
        ("intset-16", blob(SET_INTSET, &intset(2, &[-300, 0, 7, 32767])), 2),
        ("intset-32", blob(SET_INTSET, &intset(4, &[-70_000, 5, 70_000])), 2),
        ("intset-64", blob(SET_INTSET, &intset(8, &[i64::MIN, 1, i64::MAX])), 2),
        ("quicklist", quicklist(), 7),
        ("stream", stream(STREAM), 9),
        ("stream-2", stream(STREAM_2), 10),
        ("times", times, 12),
        ("packed-times", packed_times, 12),
    ];
    values.into_iter().map(|(name, bytes, since)| OldValue { name, bytes, since }).collect()
}

/// A file of a version, with these values under their names in database `db`, and times in seconds and milliseconds where the names say
/// so. It has no check sum.
pub fn old_file(version: u16, db: u8, values: &[OldValue]) -> Vec<u8> {
    let mut out = format!("REDIS{version:04}").into_bytes();
    out.extend_from_slice(&[254, db]);
    for (nth, value) in values.iter().enumerate() {
        match nth % 4 {
            1 => {
                out.push(253);
                out.extend_from_slice(&((FAR_MS / 10_000) as u32).to_le_bytes());
            }
            2 if version >= 3 => {
                out.push(252);
                out.extend_from_slice(&FAR_MS.to_le_bytes());
            }
            _ => {}
        }
        out.push(value.bytes[0]);
        string(&mut out, value.name.as_bytes());
        out.extend_from_slice(&value.bytes[1..]);
    }
    out.push(255);
    if version >= 5 {
        out.extend_from_slice(&[0; 8]);
    }
    out
}
