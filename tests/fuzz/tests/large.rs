//! Large arguments come in pieces and are kept outside the input: it makes no difference to what commands do.
#![forbid(unsafe_code)]

use base::random::Random;
use fuzz::engine::Engine;
use testkit::client::encode;

const LENGTHS: [usize; 8] = [0, 5, 32_767, 32_768, 32_769, 40_000, 200_000, 1 << 20];
const PIECES: [usize; 6] = [1, 2, 30, 5_000, 33_000, 300_000];

fn text(random: &mut Random) -> Vec<u8> {
    let first = random.next_u64();
    (0..LENGTHS[random.index(LENGTHS.len())] as u64).map(|at| (first ^ at ^ (at >> 7)) as u8).collect()
}

fn key(random: &mut Random) -> Vec<u8> {
    // A key may be large itself.
    let len = if random.index(10) == 0 { 50_000 } else { 1 };
    vec![b'a' + random.index(4) as u8; len]
}

fn request(random: &mut Random) -> Vec<Vec<u8>> {
    const FORMS: &[&str] = &[
        "SET k v",
        "SET k v GET",
        "SET k v NX",
        "SET k v PX 100000",
        "SETEX k 100 v",
        "PSETEX k 100000 v",
        "SETNX k v",
        "GETSET k v",
        "APPEND k v",
        "APPEND k v",
        "SETRANGE k 3 v",
        "MSET k v k v k v",
        "MSETNX k v k v",
        "MSETEX 2 k v k v EX 100",
        "GET k",
        "GET k",
        "STRLEN k",
        "DEL k",
        "HSET k f v f v",
        "HGETALL k",
        "RPUSH k v v",
        "LRANGE k 0 -1",
        "SADD k v v",
        "SISMEMBER k v",
        "ECHO v",
        "COPY k k",
        "RENAME k k",
        "NOSUCH v",
        "SET k",
        "SET k v NOSUCH v",
        "LPOS k v",
        "SORT k BY v",
        "PING",
        "CLIENT PAUSE 10",
        "OBJECT ENCODING k",
        "DUMP k",
    ];
    let form = FORMS[random.index(FORMS.len())];
    let word = |word: &str, random: &mut Random| match word {
        "k" => key(random),
        "v" => text(random),
        other => other.as_bytes().to_vec(),
    };
    form.split(' ').map(|it| word(it, random)).collect()
}

/// Requests in a row, any of which may be a pause.
const REQUESTS: usize = 12;

/// Sends the bytes in one go or in pieces; all that comes back.
fn play(shards: u16, bytes: &[u8], mut cuts: Option<Random>) -> Vec<u8> {
    let mut engine = Engine::new(shards, 7, false);
    let mut rest = bytes;
    while !rest.is_empty() {
        let longest = cuts.as_mut().map_or(rest.len(), |random| {
            let piece = PIECES[random.index(PIECES.len())];
            1 + random.index(piece)
        });
        let (piece, later) = rest.split_at(longest.min(rest.len()));
        engine.run_bytes(vec![piece.to_vec()]).expect("there is an end to it");
        rest = later;
    }
    // Pauses end, one after the other.
    for _ in 0..REQUESTS {
        engine.pass(1000);
        engine.run_bytes(vec![Vec::new()]).expect("there is an end to it");
    }
    engine.check_quiet().expect("all has been answered and all accounts hold");
    engine.received(0).bytes
}

#[test]
fn pieces_make_no_difference() {
    for seed in 0..60 {
        let mut random = Random::from_seed(seed);
        let requests: Vec<_> = (0..REQUESTS).map(|_| request(&mut random)).collect();
        let bytes: Vec<u8> = requests.iter().flat_map(|words| encode(words)).collect();
        for shards in [1, 4] {
            let whole = play(shards, &bytes, None);
            let pieces = play(shards, &bytes, Some(random.clone()));
            assert!(
                whole == pieces,
                "seed {seed}, {shards} shards: {} and {} bytes",
                whole.len(),
                pieces.len()
            );
        }
    }
}
