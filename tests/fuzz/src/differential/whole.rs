//! The data of two servers, key by key: what there is, of which type and encoding, how long it lives and what is in it, and
//! that the DUMP of either is understood by the other.

use super::rules::NEWEST;
use super::{Peer, Reply, Request, Rules};
use crate::episode::shown;

/// Databases looked at.
const DATABASES: usize = 4;
const COPY: &[u8] = b"{t}copy-of-the-other";

/// What differs.
pub struct Difference {
    pub what: String,
    pub kind: String,
    pub answers: [String; 2],
}

type Peers<'a> = &'a mut [Box<dyn Peer>; 2];

/// The first difference, if any.
pub fn compare(peers: Peers<'_>, resp3: bool, rules: &Rules) -> Option<Difference> {
    (0..DATABASES).find_map(|db| of_database(peers, db, resp3, rules))
}

fn of_database(peers: Peers<'_>, db: usize, resp3: bool, rules: &Rules) -> Option<Difference> {
    let select = request(&["SELECT", &db.to_string()], &[]);
    let all = request(&["KEYS", "*"], &[]);
    let keys = peers.each_mut().map(|peer| peer.answers(&[select.clone(), all.clone()]).pop());
    let [Some(first), Some(second)] = &keys else { return Some(different("KEYS", &all, keys)) };
    if !rules.same(&all, resp3, first, second) {
        let only_one: Vec<String> = [(first, second), (second, first)]
            .iter()
            .flat_map(|(one, other)| one.items.iter().filter(|key| !other.items.contains(key)))
            .map(|key| key.to_string())
            .collect();
        let kind = format!("KEYS {}", only_one.join(" "));
        let keys = keys.map(|keys| keys.map(|keys| keys.sorted(false)));
        return Some(different(&kind, &all, keys));
    }
    let keys: Vec<Vec<u8>> = first.items.iter().map(|key| key.text.clone()).collect();
    let types: Vec<Request> = keys.iter().map(|key| request(&["TYPE"], &[key])).collect();
    let looks: Vec<Request> =
        keys.iter().zip(peers[0].answers(&types)).flat_map(|(key, kind)| looks(key, &kind, rules)).collect();
    let answers = peers.each_mut().map(|peer| peer.answers(&looks));
    for (index, look) in looks.iter().enumerate() {
        match answers.each_ref().map(|answers| answers.get(index)) {
            [Some(first), Some(second)] if rules.same(look, resp3, first, second) => {}
            pair => return Some(different("data", look, pair.map(|reply| reply.cloned()))),
        }
    }
    keys.iter().enumerate().find_map(|(index, _)| {
        let of_key = |of: usize| &answers[of][index * LOOKS..][..LOOKS];
        exchanged(peers, &looks[index * LOOKS..][..LOOKS], [of_key(0), of_key(1)], resp3, rules)
    })
}

/// Requests about each key.
const LOOKS: usize = 8;

/// TYPE, OBJECT ENCODING, PTTL, expiry of fields, digest, content, DUMP.
fn looks(key: &[u8], kind: &Reply, rules: &Rules) -> [Request; LOOKS] {
    let content = match kind.text.as_slice() {
        b"list" => request(&["LRANGE"], &[key, b"0", b"-1"]),
        b"set" => request(&["SMEMBERS"], &[key]),
        b"hash" => request(&["HGETALL"], &[key]),
        b"zset" => request(&["ZRANGE"], &[key, b"0", b"-1", b"WITHSCORES"]),
        _ => request(&["GET"], &[key]),
    };
    let fields = match kind.text == b"hash" && rules.version >= (7, 4) {
        true => {
            request(&["HPTTL"], &[key, b"FIELDS", b"8", b"a", b"b", b"c", b"d", b"e", b"1", b"2", b"hello"])
        }
        false => request(&["EXISTS"], &[key]),
    };
    // From 7.2 on Redis takes another text of a score.
    let digest = match rules.version < (7, 2) || rules.version == NEWEST {
        true => request(&["DEBUG", "DIGEST-VALUE"], &[key]),
        false => request(&["EXISTS"], &[key]),
    };
    [
        request(&["TYPE"], &[key]),
        request(&["OBJECT", "ENCODING"], &[key]),
        request(&["PTTL"], &[key]),
        request(&["OBJECT", "IDLETIME"], &[key]),
        fields,
        digest,
        content,
        request(&["DUMP"], &[key]),
    ]
}

/// Each payload restored on the other side.
fn exchanged(
    peers: Peers<'_>,
    looks: &[Request],
    answers: [&[Reply]; 2],
    resp3: bool,
    rules: &Rules,
) -> Option<Difference> {
    let (content, dump) = (LOOKS - 2, LOOKS - 1);
    let mut look = looks[content].clone();
    look[1] = COPY.to_vec();
    for to in 0..2 {
        let payload = &answers[1 - to][dump].text;
        let restore = request(&["RESTORE"], &[COPY, b"0", payload]);
        let replies = peers[to].answers(&[restore.clone(), look.clone(), request(&["DEL"], &[COPY])]);
        let restored = replies.first().cloned();
        if restored.as_ref().is_some_and(|reply| rules.may_refuse(reply)) {
            continue;
        }
        if restored.as_ref().is_none_or(|reply| reply.is_error()) {
            let side = ["first", "second"][to];
            return Some(different(&format!("RESTORE by the {side}"), &restore, [restored, None]));
        }
        let expected = &answers[to][content];
        // A score of -0 has its sign in a skiplist only.
        let unsigned = |reply: &Reply| {
            reply.clone().map(&|mut reply| {
                if reply.text == b"-0" {
                    reply.text = b"0".to_vec();
                }
                reply
            })
        };
        if replies.get(1).is_none_or(|copy| !rules.same(&look, resp3, &unsigned(copy), &unsigned(expected))) {
            return Some(different(
                "exchange",
                &looks[dump],
                [replies.get(1).cloned(), Some(expected.clone())],
            ));
        }
    }
    None
}

fn request(words: &[&str], more: &[&[u8]]) -> Request {
    words.iter().map(|word| word.as_bytes()).chain(more.iter().copied()).map(<[u8]>::to_vec).collect()
}

fn different(kind: &str, request: &Request, answers: [Option<Reply>; 2]) -> Difference {
    let names: Vec<String> = request.iter().take(1).map(|word| word.escape_ascii().to_string()).collect();
    let subcommand =
        if request[0] == b"OBJECT" { request[1].escape_ascii().to_string() } else { String::new() };
    Difference {
        what: format!("at the end, {kind}: {}", shown(request)),
        kind: format!("{kind} {} {subcommand}", names[0]),
        answers: answers.map(|answer| answer.map_or("(none)".into(), |reply| reply.to_string())),
    }
}
