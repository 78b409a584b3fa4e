//! Arbitrary bytes, and valid files with something changed, for the readers of append-only files and of their manifests.
#![forbid(unsafe_code)]

use base::random::Random;
use journal::TxId;
use journal::chunk::Chunk;
use journal::manifest::Manifest;
use journal::queue::{Added, Queue};
use journal::reader::Reader;
use journal::recovery::cuts;
use journal::round::{Step, Tail, fill};
use journal::survey::{Form, Found, survey};
use std::time::{Duration, Instant};

fn from_env(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Seeds to try: one of the environment's, or as many as fit into its seconds.
fn seeds(mut each: impl FnMut(u64)) {
    if let Some(seed) = from_env("WEFT_FUZZ_SEED") {
        return each(seed);
    }
    let until = Instant::now() + Duration::from_secs(from_env("WEFT_FUZZ_SECONDS").unwrap_or(3));
    for seed in 0.. {
        if Instant::now() >= until {
            break;
        }
        each(seed);
    }
}

/// What files are made of, so that arbitrary ones get far.
const PIECES: [&[u8]; 18] = [
    b"*1\r\n",
    b"*3\r\n",
    b"$1\r\nA\r\n",
    b"$5\r\nMULTI\r\n",
    b"$4\r\nEXEC\r\n",
    b"$6\r\nSELECT\r\n",
    b"$2\r\n12\r\n",
    b"#\n",
    b"##\n",
    b"#\n#\n#\n#\n",
    b"#TS:17\r\n",
    b"#weft-tx 0000000000000001 0002\r\n",
    b"#weft-round 0000000000000000 000000000000 000000000010\r\n",
    b"*1\r\n$5\r\nMULTI\r\n",
    b"*1\r\n$4\r\nEXEC\r\n",
    b"\r\n",
    b"$999999999999\r\n",
    b"\0\0\0\0",
];

fn arbitrary(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.index(40) {
        if random.below(6) == 0 {
            bytes.push(random.next_u64() as u8);
        } else {
            bytes.extend_from_slice(PIECES[random.index(PIECES.len())]);
        }
    }
    bytes
}

/// Files as they are written, by shard.
fn valid(random: &mut Random) -> Vec<Vec<u8>> {
    let shards = 1 + random.below(3) as u16;
    let mut queue = Queue::new(shards);
    let mut files = vec![(Tail::default(), Vec::new()); usize::from(shards)];
    for turn in 0..random.below(12) {
        let mut chunks = Vec::new();
        for shard in 0..shards {
            let mut chunk = queue.chunk();
            chunk.begin_part(TxId(turn));
            for _ in 0..random.below(3) {
                let value = vec![b'#'; random.index(300)];
                chunk.command(random.below(3) as u16, [b"SET", b"key".as_slice(), &value]);
            }
            chunk.end_part();
            chunks.push((shard, chunk));
        }
        let mut single = Chunk::default();
        single.command(0, [b"DEL".as_slice(), b"key"]);
        chunks.push((random.below(u64::from(shards)) as u16, single));
        queue.hand_over(Added { chunks, closed: vec![TxId(turn)] });
        let Some(round) = queue.take_round() else { continue };
        for step in &round.steps {
            if let Step::Append { shard, pieces } = step {
                let (tail, file) = &mut files[usize::from(*shard)];
                tail.append(pieces, file);
            }
        }
        if random.below(2) == 0 {
            files.iter_mut().for_each(|(tail, _)| tail.is_safe());
        }
        queue.done(round);
    }
    files.into_iter().map(|(_, file)| file).collect()
}

fn change(random: &mut Random, bytes: &mut Vec<u8>) {
    for _ in 0..random.below(4) {
        let at = random.index(bytes.len() + 1);
        let end = (at + random.index(100)).min(bytes.len());
        match random.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..end)),
            3 => bytes.extend_from_within(at..end),
            4 => fill(&mut bytes[at..end]),
            _ => drop(bytes.splice(at..at, PIECES[random.index(PIECES.len())].iter().copied())),
        }
    }
}

/// Looks at a file in every way, and holds what is found against itself.
fn look(bytes: &[u8], seed: u64) {
    for is_ours in [false, true] {
        let form = Form { start: 0, is_ours };
        let mut count = 0;
        let found = survey(bytes, form, |_, words| count += words.len());
        assert!(found.whole_bytes <= bytes.len() as u64, "seed {seed}");
        assert!(found.parts.iter().all(|part| part.offset < found.whole_bytes), "seed {seed}");
        // What is cut where it stops being whole is whole.
        let whole = &bytes[..found.whole_bytes as usize];
        let again = survey(whole, form, |_, _| ());
        assert_eq!((again.whole_bytes, &again.flaw), (found.whole_bytes, &None), "seed {seed}");
        assert_eq!((&again.parts, again.commands), (&found.parts, found.commands), "seed {seed}");
        if let Some(Found::Tail(flaw) | Found::Damage(flaw)) = &found.flaw {
            assert!(flaw.offset <= bytes.len() as u64 && !flaw.to_string().is_empty(), "seed {seed}");
        }
        let mut reader = Reader::new(whole, 0);
        while reader.next_entry().expect("it is whole").is_some() {}
        let remains = [(&found).into(), (&again).into()];
        if let Ok(cuts) = cuts(&remains) {
            assert!(cuts.iter().all(|cut| *cut <= found.whole_bytes), "seed {seed}");
        }
    }
}

#[test]
fn arbitrary_files() {
    seeds(|seed| {
        let mut random = Random::from_seed(seed);
        look(&arbitrary(&mut random), seed);
    });
}

#[test]
fn valid_files_with_something_changed() {
    seeds(|seed| {
        let mut random = Random::from_seed(seed);
        for mut file in valid(&mut random) {
            let found = survey(&file, Form { start: 0, is_ours: true }, |_, _| ());
            assert_eq!((found.whole_bytes, found.flaw), (file.len() as u64, None), "seed {seed}");
            change(&mut random, &mut file);
            look(&file, seed);
        }
    });
}

#[test]
fn manifests() {
    const WORDS: [&str; 16] = [
        "file",
        "seq",
        "type",
        "b",
        "h",
        "i",
        "1",
        "2",
        "0",
        "-1",
        "a.aof",
        "\"a b\"",
        "weft-generation",
        "weft-shard",
        "#",
        "\n",
    ];
    seeds(|seed| {
        let mut random = Random::from_seed(seed);
        let mut text = String::new();
        for line in 0..random.below(6) {
            if random.below(2) == 0 {
                text += &format!("file a.{line} seq {} type {}", line + 1, ["i", "h", "b"][random.index(3)]);
            }
            for _ in 0..random.below(5) {
                text += [" ", "\t", ""][random.index(3)];
                text += WORDS[random.index(WORDS.len())];
            }
            text += "\n";
        }
        let mut bytes = text.into_bytes();
        if random.below(3) == 0 && !bytes.is_empty() {
            let at = random.index(bytes.len());
            bytes[at] = random.next_u64() as u8;
        }
        match Manifest::parse("a.aof", &bytes) {
            Err(wrong) => assert!(!wrong.to_string().is_empty()),
            Ok(mut manifest) => {
                let text = manifest.text();
                if !text.is_empty() {
                    let again = Manifest::parse("a.aof", text.as_bytes());
                    assert_eq!(again.as_ref().map(Manifest::text), Ok(text), "seed {seed}");
                }
                let (rewrite, names) = manifest.begin_rewrite(2);
                assert_eq!(names.len(), 2);
                manifest.end_rewrite(rewrite, true);
                assert_eq!(manifest.generations().flatten().count(), 2, "seed {seed}");
            }
        }
    });
}
