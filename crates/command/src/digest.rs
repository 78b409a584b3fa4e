//! Digests of values and of all data, equal to those of Redis 7.0 (DEBUG DIGEST, DEBUG DIGEST-VALUE): two servers with the same digest
//! have the same keys, values and elements. What is without order is summed without order, so each shard sums its own keys.
//!
//! As there: that a key or a field expires counts, not when; of a stream only the entries count.

use base::number::{I64Buf, format_g17};
use base::sha1::sha1;
use json::View;
use keyspace::ValueRef;
use types::array::INDEX_MAX;
use types::stream::StreamId;
use types::{Hash, Suggestions, VectorSet, ZSet};

/// A digest in the making.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest(pub [u8; 20]);

impl Digest {
    /// Adds what is one of several, in any order.
    pub fn add(&mut self, bytes: &[u8]) {
        self.combine(Self(sha1(bytes)));
    }

    /// Adds what has its place among others.
    pub fn mix(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = sha1(&self.0);
    }

    /// Adds a digest of others.
    pub fn combine(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(byte, other)| *byte ^= other);
    }

    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What a key adds to the digest of its database.
pub fn of_key(key: &[u8], value: ValueRef<'_>, expires: bool) -> Digest {
    let (mut digest, mut sum) = (Digest::default(), Digest::default());
    digest.mix(key);
    mix_value(&mut digest, value, expires);
    sum.add(&digest.0);
    sum
}

/// The digest of a value.
pub fn of_value(value: ValueRef<'_>, expires: bool) -> Digest {
    let mut digest = Digest::default();
    mix_value(&mut digest, value, expires);
    digest
}

/// The number that Redis has for a type; of arrays, which 7.0 has not, none is known.
fn number_of(value: ValueRef<'_>) -> u32 {
    match value {
        ValueRef::Str { .. } => 0,
        ValueRef::List(_) => 1,
        ValueRef::Set(_) => 2,
        ValueRef::ZSet(_) => 3,
        ValueRef::Hash(_) => 4,
        ValueRef::Stream(_) => 6,
        ValueRef::Array(_) => 7,
        // OBJ_MODULE
        ValueRef::Json(_) => 5,
        // Types of modules.
        ValueRef::VectorSet(_) | ValueRef::Suggestions(_) => 5,
    }
}

fn mix_value(digest: &mut Digest, value: ValueRef<'_>, expires: bool) {
    digest.mix(&number_of(value).to_be_bytes());
    match value {
        ValueRef::Str { bytes, .. } => digest.mix(bytes.bytes()),
        ValueRef::List(list) => {
            list.range(0, list.len()).for_each(|item| item.with_text(|text| digest.mix(text)));
        }
        ValueRef::Set(set) => set.iter().for_each(|member| member.with_text(|text| digest.add(text))),
        ValueRef::ZSet(zset) => add_scored(digest, zset),
        ValueRef::Hash(hash) => add_fields(digest, hash),
        ValueRef::Stream(stream) => {
            for entry in stream.range(StreamId::MIN, StreamId::MAX) {
                digest.mix(format!("{}.{}", entry.id.ms, entry.id.seq).as_bytes());
                for (field, value) in entry.fields {
                    field.with_text(|text| digest.mix(text));
                    value.with_text(|text| digest.mix(text));
                }
            }
        }
        ValueRef::Array(array) => array.visit(0, INDEX_MAX, |index, element| {
            digest.mix(I64Buf::from_u64(index).as_bytes());
            element.with_text(|text| digest.mix(text));
            true
        }),
        ValueRef::Json(json) => add_json(digest, json.view()),
        ValueRef::VectorSet(set) => add_vectors(digest, set),
        ValueRef::Suggestions(suggestions) => add_suggestions(digest, suggestions),
    }
    if expires {
        digest.add(b"!!expire!!");
    }
}

/// RedisJSON has no digest of its values; here members count in any order.
fn add_json(digest: &mut Digest, view: View<'_>) {
    match view {
        View::Array(array) => {
            digest.mix(b"[");
            array.iter().for_each(|element| {
                let mut inner = Digest::default();
                add_json(&mut inner, element);
                digest.mix(&inner.0);
            });
        }
        View::Object(object) => {
            digest.mix(b"{");
            for (name, value) in object.iter() {
                let mut member = Digest::default();
                member.mix(name);
                add_json(&mut member, value);
                digest.add(&member.0);
            }
        }
        scalar => {
            let mut text = Vec::new();
            json::write(scalar, &json::Format::default(), &mut text);
            digest.mix(&text);
        }
    }
}

fn add_scored(digest: &mut Digest, zset: &ZSet) {
    for (member, score) in zset.iter() {
        let mut element = Digest::default();
        member.with_text(|text| element.mix(text));
        element.mix(format_g17(score).as_bytes());
        digest.add(&element.0);
    }
}

fn add_fields(digest: &mut Digest, hash: &Hash) {
    for entry in hash.iter_all() {
        let mut element = Digest::default();
        entry.field.with_text(|text| element.mix(text));
        entry.value.with_text(|text| element.mix(text));
        if entry.expire.is_some() {
            element.add(b"!!hexpire!!");
        }
        digest.add(&element.0);
    }
}

/// In the order in which they came, for it tells those with the same score.
fn add_suggestions(digest: &mut Digest, suggestions: &Suggestions) {
    for suggestion in (0..suggestions.numbers_end()).filter_map(|number| suggestions.suggestion(number)) {
        digest.mix(suggestion.text);
        digest.mix(format_g17(suggestion.score.into()).as_bytes());
        digest.mix(suggestion.payload.unwrap_or_default());
    }
}

/// Vectors in any order, for the order of a graph says nothing.
fn add_vectors(digest: &mut Digest, set: &VectorSet) {
    digest.mix(format!("{} {}", set.len(), set.shape().dimension).as_bytes());
    for number in set.iter() {
        let mut element = Digest::default();
        element.mix(&set.kept(number).map(|kept| kept.bytes).unwrap_or_default());
        element.mix(set.name(number).unwrap_or_default());
        if let Some(attributes) = set.attributes(number) {
            element.mix(attributes);
        }
        digest.add(&element.0);
    }
}

/// The digest of databases, each by its number with the sum of its keys, ascending and without those that are empty.
pub fn of_databases(sums: impl Iterator<Item = (u32, Digest)>) -> Digest {
    sums.fold(Digest::default(), |mut digest, (number, sum)| {
        digest.mix(&number.to_be_bytes());
        digest.combine(sum);
        digest
    })
}
