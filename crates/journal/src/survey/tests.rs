//! Files cut at every byte, torn in any way a disk may tear them, and damaged.

use super::*;
use crate::chunk::Chunk;
use crate::round::{FILLER_END, Piece, Tail, fill};
use base::random::Random;

const OURS: Form = Form { start: 0, is_ours: true };
const THEIRS: Form = Form { start: 0, is_ours: false };

fn look(bytes: &[u8], form: Form) -> (Survey, Vec<String>) {
    let mut commands = Vec::new();
    let found = survey(bytes, form, |at, words| {
        commands.push((at, words.join(&b' ').escape_ascii().to_string()));
    });
    let whole = commands.into_iter().filter(|(at, _)| (*at as u64) < found.whole_bytes);
    let whole = whole.map(|(_, command)| command).collect();
    (found, whole)
}

fn piece(chunk: Chunk) -> Piece {
    let (first_db, last_db) = (chunk.current.first_db, chunk.current.last_db);
    Piece { bytes: chunk.bytes, first_db, last_db, parts: Vec::new() }
}

fn filler(bytes: usize) -> Vec<u8> {
    let mut room = vec![0; bytes];
    fill(&mut room);
    room
}

/// Commands, blocks, parts of transactions and times.
fn chunk(random: &mut Random, longest: usize) -> Chunk {
    let mut chunk = Chunk::default();
    for _ in 0..1 + random.below(3) {
        let kind = random.below(4);
        match kind {
            0 => chunk.begin_part(TxId(random.next_u64())),
            1 => chunk.begin_block(),
            2 => chunk.timestamp(random.below(1 << 40)),
            _ => {}
        }
        for _ in 0..1 + random.below(3) {
            let value = "v".repeat(random.index(longest));
            chunk.command(random.below(2) as u16, [b"SET", b"k".as_slice(), value.as_bytes()]);
        }
        match kind {
            0 => chunk.end_part(),
            1 => chunk.end_block(),
            _ => {}
        }
    }
    chunk
}

/// A file of rounds.
struct Written {
    file: Vec<u8>,
    /// The lengths of the file between rounds.
    ends: Vec<usize>,
}

impl Written {
    /// Up to and with the round of this number, everything was safe when the next was written.
    fn new(random: &mut Random, rounds: usize, safe: usize, longest: usize) -> Self {
        let (mut tail, mut file, mut ends) = (Tail::default(), Vec::new(), vec![0]);
        for number in 0..rounds {
            tail.append(&[piece(chunk(random, longest))], &mut file);
            ends.push(file.len());
            if number < safe {
                tail.is_safe();
            }
        }
        Self { file, ends }
    }

    /// The longest run of rounds that is not longer.
    fn whole(&self, bytes: usize) -> usize {
        *self.ends.iter().rfind(|end| **end <= bytes).expect("nothing is whole")
    }
}

#[test]
fn what_is_whole() {
    let mut random = Random::from_seed(1);
    let written = Written::new(&mut random, 20, 20, 50);
    let (found, commands) = look(&written.file, OURS);
    assert_eq!((found.whole_bytes, &found.flaw), (written.file.len() as u64, &None));
    assert_eq!((found.rounds, found.safe_bytes), (20, written.ends[19] as u64));
    let others = commands.iter().filter(|command| !command.starts_with("SET "));
    assert!(others.clone().all(|command| matches!(&**command, "MULTI" | "EXEC" | "SELECT 0" | "SELECT 1")));
    assert_eq!(found.commands as usize + others.count(), commands.len());
    assert!(found.db.is_some() && !found.parts.is_empty() && found.times_unix_s.is_some());
    for part in &found.parts {
        assert!(written.file[part.offset as usize..].starts_with(b"#weft-round "));
    }
    // Filler, and a line that was being written, are no flaw.
    for behind in ["#\n#\n", "#", "##\n#\n", "#TS:12", "#weft-round 0123"] {
        let file = [&*written.file, behind.as_bytes()].concat();
        assert_eq!(look(&file, OURS).0, found, "{behind}");
    }
}

#[test]
fn cut_at_every_byte() {
    let mut random = Random::from_seed(2);
    let written = Written::new(&mut random, 12, 6, 40);
    let (_, all) = look(&written.file, OURS);
    for bytes in 0..=written.file.len() {
        let (found, commands) = look(&written.file[..bytes], OURS);
        assert_eq!(found.whole_bytes, written.whole(bytes) as u64, "cut at {bytes}");
        assert!(all.starts_with(&commands), "cut at {bytes}");
        assert!(matches!(found.flaw, None | Some(Found::Tail(_))), "cut at {bytes}: {:?}", found.flaw);
        assert_eq!(look(&written.file[..bytes], THEIRS).0, found, "it begins with a seal");
    }
}

#[test]
fn files_of_others_cut_at_every_byte() {
    let text = "*2\r\n$6\r\nSELECT\r\n$1\r\n7\r\n*1\r\n$4\r\nPING\r\n#TS:5\r\n*1\r\n$5\r\nmulti\r\n\
                *1\r\n$1\r\nA\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n9\r\n*1\r\n$4\r\nEXEC\r\n";
    let wholes = [0, 23, 37, 44, text.len()];
    for bytes in 0..=text.len() {
        let (found, _) = look(&text.as_bytes()[..bytes], THEIRS);
        let whole = wholes.into_iter().rfind(|whole| *whole <= bytes).expect("nothing is whole");
        assert_eq!(found.whole_bytes, whole as u64, "cut at {bytes}");
        let db = if whole < 23 {
            0
        } else if whole < text.len() {
            7
        } else {
            9
        };
        assert_eq!(found.db, Some(db));
        let is_cut = bytes != whole && !text[whole..bytes].starts_with("#");
        assert_eq!(matches!(found.flaw, Some(Found::Tail(_))), is_cut, "cut at {bytes}");
    }
    let (found, _) = look(text.as_bytes(), THEIRS);
    assert_eq!((found.commands, found.times_unix_s), (2, Some((5, 5))));
    // As redis-check-aof says where a block has no end.
    let (found, _) = look(&text.as_bytes()[..70], THEIRS);
    let Some(Found::Tail(flaw)) = found.flaw else { panic!("it has no end") };
    assert_eq!((flaw.entry, flaw.reason), (44, Reason::EndsInBlock));
}

#[test]
fn damage_in_files_of_others() {
    let ping = "*1\r\n$4\r\nPING\r\n";
    let cases = [
        ("PING\r\n", 0),
        ("*1\r\n$5\r\nPING\r\n", 13),
        ("*1\r\n$4\r\nEXEC\r\n", 0),
        ("*1\r\n$5\r\nMULTI\r\n*1\r\n$5\r\nMULTI\r\n", 15),
        ("#weft-tx 0000000000000001 0002\r\n*1\r\n$4\r\nPING\r\n", 32),
        ("\0\0\0", 0),
    ];
    for (text, offset) in cases {
        let (found, commands) = look([ping, text, ping].concat().as_bytes(), THEIRS);
        assert_eq!((found.whole_bytes, commands.len()), (14, 1), "{text}");
        assert!(
            matches!(&found.flaw, Some(Found::Damage(flaw)) if flaw.offset == 14 + offset),
            "{text} {found:?}"
        );
    }
}

/// The sectors that a disk writes in any order, and how much of one it may tear apart.
const SECTOR: usize = 512;

#[test]
fn torn_in_any_way() {
    for seed in 0..600 {
        let mut random = Random::from_seed(seed);
        let (rounds, longest) = (2 + random.index(12), 1 + random.index(1500));
        // The last rounds were not synced; the first of them knows of all before it.
        let safe = random.index(rounds);
        let written = Written::new(&mut random, rounds, safe, longest);
        let from = written.ends[safe];
        // Either room was made ahead, or the file grew: then it may end anywhere, and have zeros in it.
        let mut disk = match random.below(2) {
            0 => filler(written.file.len() + random.index(3000)),
            _ => vec![0; written.file.len()],
        };
        let ahead = disk.first() == Some(&b'#');
        disk[..from].copy_from_slice(&written.file[..from]);
        let mut lost_from = written.file.len();
        let mut at = from;
        while at < written.file.len() {
            let end = (at / SECTOR * SECTOR + SECTOR).min(written.file.len());
            if random.below(4) != 0 {
                disk[at..end].copy_from_slice(&written.file[at..end]);
            } else if disk[at..end] != written.file[at..end] {
                lost_from = lost_from.min(at);
            }
            at = end;
        }
        if ahead && random.below(2) == 0 && lost_from == written.file.len() && disk.len() > lost_from {
            disk[lost_from] = FILLER_END;
        }
        if !ahead {
            disk.truncate(from + random.index(disk.len() - from + 1));
        }
        let (_, all) = look(&written.file, OURS);
        let (found, commands) = look(&disk, OURS);
        let whole = written.whole(lost_from.min(disk.len()));
        assert!(matches!(found.flaw, None | Some(Found::Tail(_))), "seed {seed}: {:?}", found.flaw);
        assert_eq!(found.whole_bytes, whole as u64, "seed {seed}");
        assert!(all.starts_with(&commands), "seed {seed}");
        // What is written there next stands behind what is whole.
        let mut tail = Tail { db: found.db, ..Tail::of_file(found.whole_bytes) };
        disk.truncate(whole);
        tail.append(&[piece(chunk(&mut random, 10))], &mut disk);
        assert_eq!(look(&disk, OURS).0.whole_bytes, disk.len() as u64, "seed {seed}");
    }
}

#[test]
fn damage_in_what_was_safe() {
    let mut random = Random::from_seed(5);
    let written = Written::new(&mut random, 10, 8, 60);
    let (whole, all) = look(&written.file, OURS);
    for at in 0..whole.safe_bytes as usize {
        let mut file = written.file.clone();
        file[at] ^= 1 << random.below(8);
        let (found, commands) = look(&file, OURS);
        match &found.flaw {
            Some(Found::Damage(_)) => {
                assert_eq!(found.whole_bytes, written.whole(at) as u64, "byte {at}");
                assert!(all.starts_with(&commands), "byte {at}");
            }
            // The name of a seal: what it seals is what it was.
            None => assert_eq!(commands, all, "byte {at}"),
            Some(Found::Tail(flaw)) => panic!("byte {at}: {flaw}"),
        }
    }
    // Behind what was safe nobody can say.
    let mut file = written.file.clone();
    file[whole.safe_bytes as usize + 100] ^= 1;
    assert!(matches!(look(&file, OURS).0.flaw, Some(Found::Tail(_))));
}

/// A round is whole or worth nothing: what goes on behind a cut must not be taken for its rest.
#[test]
fn a_file_goes_on_where_a_transaction_was_cut() {
    for seed in 0..50 {
        let mut random = Random::from_seed(seed);
        let mut written = Written::new(&mut random, 5, 3, 30);
        let (found, _) = look(&written.file, OURS);
        let Some(part) = found.parts.last() else { continue };
        written.file.truncate(part.offset as usize);
        let mut tail = Tail { db: None, ..Tail::of_file(part.offset) };
        for _ in 0..3 {
            tail.append(&[piece(chunk(&mut random, 30))], &mut written.file);
            tail.is_safe();
        }
        let (again, _) = look(&written.file, OURS);
        assert_eq!((again.flaw, again.whole_bytes), (None, written.file.len() as u64), "seed {seed}");
    }
}

#[test]
fn redis_may_go_on_with_a_file_of_ours() {
    let mut random = Random::from_seed(6);
    let written = Written::new(&mut random, 3, 2, 30);
    let behind = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$4\r\nPING\r\n";
    for room in [0, 700] {
        let mut file = [&*written.file, &filler(room), behind].concat();
        let (found, commands) = look(&file, OURS);
        assert_eq!((found.whole_bytes, &found.flaw), (file.len() as u64, &None));
        assert_eq!(commands.last().map(|command| &**command), Some("PING"));
        // What it was writing when it ended is cut, as with files of its own.
        let (cut, _) = look(&file[..file.len() - 1], OURS);
        assert_eq!(cut.whole_bytes, file.len() as u64 - 14);
        assert!(matches!(cut.flaw, Some(Found::Tail(_))));
        // But behind filler, it may be what is left of a round of ours.
        file.extend(b"PING\r\n");
        let (damaged, _) = look(&file, OURS);
        if room == 0 {
            assert!(matches!(damaged.flaw, Some(Found::Damage(_))));
        } else {
            assert_eq!(damaged.whole_bytes, written.file.len() as u64);
            assert!(matches!(damaged.flaw, Some(Found::Tail(_))));
        }
    }
}

#[test]
fn many_false_seals_cost_little() {
    let line = format!("#weft-round {:016x} {:012x} {:012x}\r\n", 0, 20, 1 << 17);
    let file = ["*1\r\n$1\r\nA", &line.repeat(1 << 13)].concat();
    let (found, _) = look(file.as_bytes(), OURS);
    assert!(matches!(found.flaw, Some(Found::Damage(_) | Found::Tail(_))));
}
