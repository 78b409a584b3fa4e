//! FT.GET, FT.MGET and FT.DEL: documents by their keys. They come from RediSearch's first versions; no documentation has them any more, but the
//! module and redis-py still do, and RediSearch's tests show what they answer.

use super::on_all;
use super::query::load::{self, Manner, Selection, Shown};
use crate::parts::Part;
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome, ShardCx};
use keyspace::Free;
use resp::Reply;
use search::query::Dialect;
use std::sync::Arc;

pub const COMMANDS: &[Command] = &[
    keyed("FT.GET", get)
        .arity(3)
        .keys(&[KeySpec::at(2, RO | ACCESS)])
        .flags(READONLY | UPPER_CASE)
        .complexity("O(N) where N is the number of fields.")
        .summary("Returns a document of an index.")
        .syntax("index:string key:key"),
    on_all("FT.MGET", get_many, merge, READONLY)
        .arity(-3)
        .complexity("O(N) where N is the number of fields of all the documents.")
        .summary("Returns documents of an index.")
        .syntax("index:string document:string*"),
    keyed("FT.DEL", delete)
        .arity(-3)
        .keys(&[KeySpec::at(2, RM | DELETE)])
        .flags(WRITE | UPPER_CASE)
        .deprecated("2.0.0", "`DEL`")
        .complexity("O(1)")
        .summary("Deletes a document, and its key.")
        .syntax("index:string key:key delete_document(delete_document=DD)?"),
];

const fn keyed(name: &'static str, handler: crate::spec::Handler) -> Command {
    Command::new(name, handler).acl(acl::SEARCH).group("search").since("1.0.0")
}

/// What a hash keeps for the index itself.
const SPECIAL: [&[u8]; 3] = [b"__score", b"__language", b"__payload"];

/// FT.GET index key
fn get(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    write_document(cx, args.at(1), args.at(2), out)
}

/// FT.MGET index key [key …]
fn get_many(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.array(args.len() - 2);
    args.from(2).try_for_each(|key| write_document(cx, args.at(1), key, out))
}

/// Each document is one shard's, and null for the others.
fn merge(_: &mut ShardCx, args: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let mut parts: Vec<Part<'_>> = parts.iter().map(|part| Part::new(part)).collect();
    let count = args.len() - 2;
    out.array(count);
    parts.iter_mut().for_each(|part| assert_eq!(part.array(), count, "shards answer for all keys"));
    for _ in 0..count {
        let mut elements = parts.iter_mut().map(Part::element);
        let first = elements.next().expect("there is a shard");
        let found = elements.fold(first, |found, element| if is_null(found) { element } else { found });
        out.raw(found);
    }
    Ok(())
}

fn is_null(reply: &[u8]) -> bool {
    matches!(reply, b"$-1\r\n" | b"_\r\n")
}

/// The fields and values of a document as an array, or null.
fn write_document(cx: &mut Cx<'_>, name: &[u8], key: &[u8], out: &mut Reply) -> Outcome {
    let index = cx.shard.index(name)?;
    if index.documents.id_of(key).is_none() {
        out.null();
        return Ok(());
    }
    let definition = Arc::clone(&index.definition);
    let Some(source) = load::document(cx, key, definition.schema.on) else {
        out.null();
        return Ok(());
    };
    let manner = Manner { dialect: Dialect::One, expands: false, schema: &definition.schema };
    let mut fields = source.shown(key, &Selection::All(None), manner);
    fields.retain(|(name, _)| !SPECIAL.contains(&&name[..]));
    out.array(2 * fields.len());
    for (name, value) in &fields {
        out.bulk(name);
        match value {
            Shown::Text(text) => out.bulk(text),
            Shown::Reply(reply) => out.raw(reply),
        }
    }
    Ok(())
}

/// FT.DEL index key [DD]. The key goes with DD and without it, whether it is a document of the index or not.
fn delete(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 4 {
        return Err(Error::wrong_arity("FT.DEL"));
    }
    cx.shard.index(args.at(1))?;
    let key = args.key(2);
    let is_there = cx.discard(key, Free::later_if(cx.shard.config.lazyfree_lazy_user_del));
    if is_there {
        cx.event(Event::Generic, "del", key.bytes);
        cx.log(key.bytes, &[b"DEL", key.bytes]);
    }
    out.count(usize::from(is_there));
    Ok(())
}
