//! All data as a short form that can be compared: a number for each key. What has expired does not count, for it may be
//! removed at any time.

use crate::engine::Engine;
use keyspace::ValueRef;
use std::collections::BTreeMap;
use types::Stream;
use types::array::INDEX_MAX;
use types::stream::{Group, StreamId};

/// `(database, key)` and a number that stands for value and expiry.
pub type State = BTreeMap<(u16, Vec<u8>), u64>;

/// The state of all shards together; looks into every value.
///
/// # Errors
/// When a collection contradicts itself or a key is on a shard that is not its own.
pub fn of(engine: &Engine) -> Result<State, String> {
    let mut state = State::new();
    for shard in &engine.shards {
        for (db, it) in shard.cx.dbs.iter().enumerate() {
            for (key, value, expire) in it.iter() {
                if !shard.cx.has_key(db as u16, key) {
                    return Err(format!(
                        "key {} is not at home on shard {}",
                        key.escape_ascii(),
                        shard.cx.id
                    ));
                }
                if expire.is_some_and(|at_ms| at_ms <= engine.now_ms) {
                    continue;
                }
                let content = content(value, engine.now_ms)
                    .map_err(|what| format!("{}: {what}", key.escape_ascii()))?;
                if let Some(content) = content {
                    let number = mixed(content, expire.unwrap_or(0));
                    if state.insert((db as u16, key.to_vec()), number).is_some() {
                        return Err(format!("key {} is there twice", key.escape_ascii()));
                    }
                }
            }
        }
    }
    Ok(state)
}

/// The keys that differ.
pub fn changed(before: &State, after: &State) -> Vec<(u16, Vec<u8>)> {
    let gone_or_new = before.iter().filter(|(key, number)| after.get(*key) != Some(number));
    let new = after.keys().filter(|key| !before.contains_key(*key));
    gone_or_new.map(|(key, _)| key).chain(new).cloned().collect()
}

fn mixed(a: u64, b: u64) -> u64 {
    (a.rotate_left(23) ^ b).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn hashed(bytes: &[u8]) -> u64 {
    base::xxh3::xxh3_64(bytes)
}

/// A number for a value; `None` for a hash whose fields have all expired.
///
/// # Errors
/// When a collection contradicts itself.
pub fn content(value: ValueRef<'_>, now_ms: u64) -> Result<Option<u64>, String> {
    let (mut sum, mut count) = (0u64, 0usize);
    let len = match value {
        ValueRef::Str { bytes, .. } => return Ok(Some(hashed(bytes.bytes()))),
        ValueRef::List(list) => {
            for item in list.iter() {
                item.with_text(|text| sum = mixed(sum, hashed(text)));
                count += 1;
            }
            list.len()
        }
        ValueRef::VectorSet(set) => {
            for number in set.iter() {
                let kept = set.kept(number).ok_or("an element without a vector")?;
                let vector = mixed(hashed(&kept.bytes), kept.norm.to_bits().into());
                let text = hashed(set.attributes(number).unwrap_or_default());
                let name = hashed(set.name(number).ok_or("an element without a name")?);
                sum = mixed(sum, mixed(name, mixed(vector, text)));
                count += 1;
            }
            set.len()
        }
        ValueRef::Suggestions(suggestions) => {
            for suggestion in
                (0..suggestions.numbers_end()).filter_map(|number| suggestions.suggestion(number))
            {
                let content = mixed(hashed(suggestion.text), suggestion.score.to_bits().into());
                sum = mixed(sum, mixed(content, hashed(suggestion.payload.unwrap_or_default())));
                if suggestions.search(suggestion.text, false, usize::MAX).is_empty() {
                    return Err(format!("{suggestion:?} is not found"));
                }
                count += 1;
            }
            suggestions.len()
        }
        ValueRef::Set(set) => {
            for item in set.iter() {
                item.with_text(|text| sum = sum.wrapping_add(mixed(1, hashed(text))));
                count += 1;
            }
            set.len()
        }
        ValueRef::Hash(hash) => {
            for entry in hash.iter(now_ms) {
                let field = entry.field.with_text(hashed);
                let content = mixed(entry.value.with_text(hashed), entry.expire.unwrap_or(0));
                sum = sum.wrapping_add(mixed(field, content));
                count += 1;
            }
            if count == 0 && !hash.is_empty() {
                return Ok(None);
            }
            hash.live_len(now_ms)
        }
        ValueRef::Stream(stream) => return checked_stream(stream).map(Some),
        ValueRef::ZSet(zset) => {
            let mut last = f64::NEG_INFINITY;
            for (member, score) in zset.iter() {
                if score.is_nan() || score < last {
                    return Err(format!("score {score} stands behind {last}"));
                }
                last = score;
                member.with_text(|text| sum = mixed(sum, mixed(hashed(text), score.to_bits())));
                count += 1;
            }
            zset.len()
        }
        ValueRef::Json(json) => {
            let mut text = Vec::new();
            json::write(json.view(), &json::Format::default(), &mut text);
            let again = json::parse(&text, None).map_err(|error| format!("{error} in {json:?}"))?;
            if again.view() != json.view() || json.bytes() != json.root().heap_bytes() {
                return Err(format!("not what is parsed, or wrongly accounted: {json:?}"));
            }
            return Ok(Some(hashed(&text)));
        }
        ValueRef::Array(array) => {
            let mut next = 0;
            array.visit(0, INDEX_MAX, |index, element| {
                element.with_text(|text| sum = mixed(sum, mixed(hashed(text), index)));
                count += usize::from(index >= next);
                next = index + 1;
                true
            });
            if next != array.end() {
                return Err(format!("an array that ends at {next} says {}", array.end()));
            }
            sum = mixed(sum, array.cursor().unwrap_or(u64::MAX));
            array.len() as usize
        }
    };
    if count != len || len == 0 {
        return Err(format!("a {} with {count} elements says it has {len}", value.kind().name()));
    }
    Ok(Some(mixed(sum, len as u64)))
}

/// The sum of a stream, whose entries and groups must agree with what it says of them.
fn checked_stream(stream: &Stream) -> Result<u64, String> {
    let (mut sum, mut count, mut last) = (0, 0, None);
    for entry in stream.range(StreamId::MIN, StreamId::MAX) {
        if last.is_some_and(|last| last >= entry.id) || entry.id > stream.last_id() {
            return Err(format!("entry {} stands where it must not", entry.id));
        }
        last = Some(entry.id);
        sum = mixed(sum, mixed(entry.id.ms, entry.id.seq));
        for (field, value) in entry.fields {
            sum = mixed(sum, mixed(field.with_text(hashed), value.with_text(hashed)));
        }
        count += 1;
    }
    if count != stream.len() {
        return Err(format!("a stream with {count} entries says it has {}", stream.len()));
    }
    for id in [stream.first_id(), stream.last_id(), stream.max_deleted_id] {
        sum = mixed(sum, mixed(id.ms, id.seq));
    }
    sum = mixed(sum, stream.entries_added);
    for group in stream.groups.iter() {
        sum = mixed(sum, checked_group(group)?);
    }
    Ok(sum)
}

/// The sum of a consumer group, whose counts must agree with its entries.
fn checked_group(group: &Group) -> Result<u64, String> {
    let mut sum = mixed(hashed(group.name()), mixed(group.last_id.ms, group.last_id.seq));
    sum = mixed(sum, group.entries_read.unwrap_or(u64::MAX));
    let mut last = None;
    for (id, delivery) in group.pending().iter_from(StreamId::MIN) {
        if last.is_some_and(|last| last >= id) {
            return Err(format!("pending entry {id} stands where it must not"));
        }
        last = Some(id);
        let name = delivery.consumer.map_or(&b""[..], |consumer| group.consumer(consumer).name());
        sum = mixed(sum, mixed(mixed(id.ms, id.seq), mixed(hashed(name), delivery.count)));
    }
    let mut count = group.pending().iter_of(None, StreamId::MIN).count();
    if count != group.given_back() {
        return Err(format!("{count} entries were given back, not {}", group.given_back()));
    }
    for (id, consumer) in group.consumers() {
        let own = group.pending().iter_of(Some(id), StreamId::MIN).count();
        if own != consumer.pending() {
            return Err(format!("a consumer has {own} entries and says {}", consumer.pending()));
        }
        count += own;
    }
    match count == group.pending().len() {
        true => Ok(sum),
        false => Err(format!("{count} of {} pending entries have an owner", group.pending().len())),
    }
}
