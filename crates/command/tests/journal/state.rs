//! All data of a shard as text, whatever form it is stored in: with times, but without how long keys were idle, when consumers were last
//! seen, and what tells nothing but how often somebody asked.

use command::ShardCx;
use keyspace::ValueRef;
use std::collections::BTreeMap;
use types::Stream;
use types::array::INDEX_MAX;
use types::stream::{Group, StreamId};

/// What can be said of how often an entry was delivered.
const COUNT_MAX: u64 = i64::MAX as u64;

/// Each key, with its database, and what is under it at a time.
pub fn state(shard: &ShardCx, now_ms: u64) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (number, db) in shard.dbs.numbered() {
        for (key, value, expire) in db.iter() {
            all.insert(
                format!("{number}/{}", text(key)),
                format!("{expire:?} {}", value_text(value, now_ms)),
            );
        }
    }
    all
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn sorted(mut items: Vec<String>) -> String {
    items.sort_unstable();
    items.join(" ")
}

fn value_text(value: ValueRef<'_>, now_ms: u64) -> String {
    match value {
        ValueRef::Str { bytes, .. } => format!("string {}", text(bytes.bytes())),
        ValueRef::List(list) => {
            let items: Vec<_> = list.range(0, list.len()).map(|item| text(&item.to_vec())).collect();
            format!("list {}", items.join(" "))
        }
        ValueRef::Set(set) => {
            format!("set {}", sorted(set.iter().map(|item| text(&item.to_vec())).collect()))
        }
        ValueRef::Hash(hash) => {
            let field = |entry: types::hash::Entry<'_>| {
                let (field, value) = (text(&entry.field.to_vec()), text(&entry.value.to_vec()));
                format!("{field}={value}@{:?}", entry.expire)
            };
            format!("hash {}", sorted(hash.iter_all().map(field).collect()))
        }
        ValueRef::ZSet(zset) => {
            let items: Vec<_> =
                zset.iter().map(|(item, score)| format!("{}={score}", text(&item.to_vec()))).collect();
            format!("zset {}", items.join(" "))
        }
        ValueRef::Array(array) => {
            let mut items = vec![format!("array {:?}", array.cursor())];
            array.visit(0, INDEX_MAX, |index, element| {
                items.push(format!("{index}={}", text(&element.to_vec())));
                true
            });
            items.join(" ")
        }
        ValueRef::VectorSet(set) => {
            let mut items = vec![format!("vectorset {:?}", set.shape())];
            items.extend(set.iter().map(|number| {
                let name = set.name(number).map(text);
                format!("{name:?}={:?} {:?}", set.kept(number), set.attributes(number).map(text))
            }));
            items.join(" ")
        }
        ValueRef::Suggestions(suggestions) => {
            let numbers = 0..suggestions.numbers_end();
            let items = numbers.filter_map(|number| suggestions.suggestion(number)).map(|suggestion| {
                let payload = suggestion.payload.map(text);
                format!("{}={} {payload:?}", text(suggestion.text), suggestion.score)
            });
            format!("suggestions {}", items.collect::<Vec<_>>().join(" "))
        }
        ValueRef::Stream(stream) => stream_text(stream, now_ms),
        ValueRef::Json(json) => format!("json {:?}", json.view()),
    }
}

fn stream_text(stream: &Stream, now_ms: u64) -> String {
    let mut lines = vec![format!(
        "stream last {} deleted {} added {}",
        stream.last_id(),
        stream.max_deleted_id,
        stream.entries_added
    )];
    for entry in stream.range(StreamId::MIN, StreamId::MAX) {
        let pairs: Vec<_> = entry
            .fields
            .map(|(field, value)| format!("{}={}", text(&field.to_vec()), text(&value.to_vec())))
            .collect();
        lines.push(format!("{} {}", entry.id, pairs.join(" ")));
    }
    let mut groups: Vec<_> = stream.groups.iter().map(group_text).collect();
    groups.sort_unstable();
    lines.extend(groups);
    if let Some(producers) = stream.producers() {
        lines.push(format!("{:?}", producers.memory()));
        for (name, messages) in producers.iter() {
            // Those whose time is over count no longer, wherever they still stand.
            let known = messages.filter(|(message, _)| producers.get(name, message, now_ms).is_some());
            let known = sorted(known.map(|(message, id)| format!("{}={id}", text(message))).collect());
            if !known.is_empty() {
                lines.push(format!("producer {} {known}", text(name)));
            }
        }
    }
    lines.join("; ")
}

fn group_text(group: &Group) -> String {
    let mut text_of =
        format!("group {} at {} read {:?}", text(group.name()), group.last_id, group.entries_read);
    for (_, consumer) in group.consumers() {
        text_of += &format!(" {}", text(consumer.name()));
    }
    for (entry, delivery) in group.pending().iter_from(StreamId::MIN) {
        let owner = delivery.consumer.map(|id| text(group.consumer(id).name()));
        text_of += &format!(" {entry}:{owner:?}@{}x{}", delivery.at_ms(), delivery.count.min(COUNT_MAX));
    }
    let given_back = group.given_back_in_order();
    text_of + &format!(" given back {given_back:?}")
}
