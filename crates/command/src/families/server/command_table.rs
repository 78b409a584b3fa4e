//! COMMAND INFO: a row in the form clients know.

use crate::Command;
use crate::spec::{Begin, Find, KeySpec, access, acl, flag};
use resp::Reply;

/// Flags with those that follow from the row.
fn flags(row: &Command) -> u64 {
    let (_, is_movable) = legacy_range(row.keys);
    row.flags | if is_movable { flag::MOVABLEKEYS } else { 0 }
}

/// ACL categories with those that follow from the flags, as in Redis.
pub fn categories(row: &Command) -> u32 {
    let implied = [
        (row.flags & flag::WRITE != 0, acl::WRITE),
        (row.flags & flag::READONLY != 0 && row.group != "scripting", acl::READ),
        (row.flags & flag::ADMIN != 0, acl::ADMIN | acl::DANGEROUS),
        (row.flags & flag::PUBSUB != 0, acl::PUBSUB),
        (row.flags & flag::BLOCKING != 0, acl::BLOCKING),
        (row.flags & flag::FAST != 0, acl::FAST),
        (row.flags & flag::FAST == 0, acl::SLOW),
    ];
    implied.iter().filter(|(holds, _)| *holds).fold(row.acl, |all, (_, category)| all | category)
}

/// `(first, last, step)` of the keys for clients that know no key specifications, and whether those do not tell all.
fn legacy_range(keys: &[KeySpec]) -> ((i64, i64, i64), bool) {
    if let [KeySpec { begin: Begin::Index(first), find: Find::Range { last, step, .. }, .. }] = keys {
        let (first, last) = (i64::from(*first), i64::from(*last));
        return ((first, if last >= 0 { first + last } else { last }, i64::from(*step)), false);
    }
    let (mut range, mut is_movable) = (None, false);
    for spec in keys {
        let KeySpec { begin: Begin::Index(first), find: Find::Range { last, step: 1, .. }, .. } = spec else {
            is_movable = true;
            continue;
        };
        let (first, last) = (i64::from(*first), i64::from(*last));
        let last = if last >= 0 { first + last } else { last };
        range = match range {
            None => Some((first, last)),
            Some((low, high)) if high == first - 1 => Some((low, last)),
            known => {
                is_movable = true;
                known
            }
        };
    }
    let (first, last) = range.unwrap_or_default();
    ((first, last, i64::from(range.is_some())), is_movable)
}

fn write_names<T: Copy>(names: &[(T, &str)], is_set: impl Fn(T) -> bool, prefix: &str, out: &mut Reply) {
    let set: Vec<&str> = names.iter().filter(|(bit, _)| is_set(*bit)).map(|(_, name)| *name).collect();
    out.set(set.len());
    set.iter().for_each(|name| out.status(&format!("{prefix}{name}")));
}

/// The description of one command, its subcommands included.
pub fn reply(row: &Command, out: &mut Reply) {
    let (flags, categories) = (flags(row), categories(row));
    let ((first, last, step), _) = legacy_range(row.keys);
    out.array(10);
    out.bulk(row.full_name.as_bytes());
    out.int(i64::from(row.arity));
    write_names(&flag::NAMES, |bit| flags & bit != 0, "", out);
    out.int(first);
    out.int(last);
    out.int(step);
    write_names(&acl::NAMES, |bit| categories & bit != 0, "@", out);
    out.set(row.tips.len());
    row.tips.iter().for_each(|tip| out.bulk(tip.as_bytes()));
    out.set(row.keys.len());
    row.keys.iter().for_each(|spec| write_key_spec(spec, out));
    let subcommands = if row.flags & flag::ONE_NAME != 0 { &[] } else { row.subcommands };
    // Redis writes the empty list as a set, a list with elements as an array.
    if subcommands.is_empty() {
        out.set(0)
    } else {
        out.array(subcommands.len())
    }
    subcommands.iter().for_each(|sub| reply(sub, out));
}

/// The names of what a command does with a key.
pub fn write_access(bits: u16, out: &mut Reply) {
    write_names(&access::NAMES, |bit| bits & bit != 0, "", out);
}

fn write_key_spec(spec: &KeySpec, out: &mut Reply) {
    out.map(3 + usize::from(!spec.notes.is_empty()));
    if !spec.notes.is_empty() {
        out.bulk(b"notes");
        out.bulk(spec.notes.as_bytes());
    }
    out.bulk(b"flags");
    write_access(spec.access, out);
    out.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(index) => write_search("index", &[("index", i64::from(index))], None, out),
        Begin::Keyword(word, from) => {
            write_search("keyword", &[("startfrom", i64::from(from))], Some(word), out);
        }
        Begin::Unknown => write_search("unknown", &[], None, out),
    }
    out.bulk(b"find_keys");
    match spec.find {
        Find::Range { last, step, limit } => write_search(
            "range",
            &[("lastkey", i64::from(last)), ("keystep", i64::from(step)), ("limit", i64::from(limit))],
            None,
            out,
        ),
        Find::KeyNum { index, first, step } => write_search(
            "keynum",
            &[("keynumidx", i64::from(index)), ("firstkey", i64::from(first)), ("keystep", i64::from(step))],
            None,
            out,
        ),
        Find::Unknown => write_search("unknown", &[], None, out),
    }
}

fn write_search(kind: &str, numbers: &[(&str, i64)], keyword: Option<&str>, out: &mut Reply) {
    out.map(2);
    out.bulk(b"type");
    out.bulk(kind.as_bytes());
    out.bulk(b"spec");
    out.map(numbers.len() + usize::from(keyword.is_some()));
    if let Some(word) = keyword {
        out.bulk(b"keyword");
        out.bulk(word.as_bytes());
    }
    for (name, number) in numbers {
        out.bulk(name.as_bytes());
        out.int(*number);
    }
}
