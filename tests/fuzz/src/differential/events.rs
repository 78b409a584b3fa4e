//! Events of keys, as two servers have published them: those of each key in their order, on both kinds of channels.
//!
//! What is left out: that a key or a field has expired, which is found out at other moments; and the order between different keys, which
//! servers of several shards do not promise.

use super::Reply;
use std::collections::BTreeMap;

/// Names of events by database and key, those of `__keyspace@…` and those of `__keyevent@…`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Events {
    of_keys: BTreeMap<String, [Vec<String>; 2]>,
}

/// Events that come when somebody finds out.
const UNTIMELY: [&str; 2] = ["expired", "hexpired"];

impl Events {
    /// Adds a message; others than events do no harm.
    pub fn add(&mut self, message: &Reply) {
        let [_, _, channel, payload] = message.items.as_slice() else { return };
        let [channel, payload] = [channel, payload].map(|part| part.text.escape_ascii().to_string());
        let Some((head, rest)) = channel.split_once("__:") else { return };
        let Some((kind, db)) = head.split_once('@') else { return };
        let (place, key, name) = match kind {
            "__keyspace" => (0, rest, payload.as_str()),
            _ => (1, payload.as_str(), rest),
        };
        if !UNTIMELY.contains(&name) {
            self.of_keys.entry(format!("{db} {key}")).or_default()[place].push(name.to_owned());
        }
    }

    /// The first key whose events differ, with those of both.
    pub fn difference(&self, other: &Self) -> Option<(String, [Vec<String>; 2])> {
        let nothing: [Vec<String>; 2] = Default::default();
        let keys = self.of_keys.keys().chain(other.of_keys.keys());
        for key in keys {
            let [one, two] = [self, other].map(|events| events.of_keys.get(key).unwrap_or(&nothing));
            let place = (0..2).find(|place| one[*place] != two[*place]);
            if let Some(place) = place {
                return Some((key.clone(), [one[place].clone(), two[place].clone()]));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(messages: &[(&str, &str)]) -> Events {
        let mut events = Events::default();
        for (channel, payload) in messages {
            let words = ["pmessage", "__key*", channel, payload];
            let bulk = |word: &&str| format!("${}\r\n{word}\r\n", word.len());
            let text = format!("*4\r\n{}", words.iter().map(bulk).collect::<String>());
            events.add(&Reply::parse(text.as_bytes()).unwrap().unwrap().0);
        }
        events
    }

    #[test]
    fn keys_are_compared_one_by_one() {
        let one =
            events(&[("__keyspace@0__:a", "set"), ("__keyspace@0__:b", "del"), ("__keyevent@0__:set", "a")]);
        let other = [("__keyevent@0__:set", "a"), ("__keyspace@0__:b", "del"), ("__keyspace@0__:a", "set")];
        assert_eq!(one.difference(&events(&other)), None);
        let more = [&other[..], &[("__keyspace@0__:a", "expired"), ("__keyevent@0__:del", "a")]].concat();
        let found = one.difference(&events(&more)).expect("there is one");
        assert_eq!(found.0, "0 a");
        assert_eq!(found.1[1], ["set", "del"]);
    }
}
