//! Listpack against a vector of strings, against known bytes, and against hostile bytes.

use super::*;
use base::random::Random;

fn strings(lp: &Listpack) -> Vec<Vec<u8>> {
    lp.iter().map(|item| item.to_vec()).collect()
}

fn random_string(rng: &mut Random) -> Vec<u8> {
    match rng.index(8) {
        0 => rng.index(200).to_string().into_bytes(),
        1 => (rng.next_u64() as i64 >> rng.index(64)).to_string().into_bytes(),
        2 => vec![b'x'; rng.index(300)],
        3 if rng.index(10) == 0 => vec![b'y'; rng.index(20_000)],
        _ => (0..rng.index(30)).map(|_| rng.next_u64() as u8).collect(),
    }
}

#[test]
fn known_bytes() {
    // What redis-server 7 writes for the same elements (format: listpack.md).
    let mut lp = Listpack::new();
    for text in ["hello", "0", "127", "128", "-1", "-4096", "4095", "32767", "-8388608", "2147483647"] {
        lp.append(Item::new(text.as_bytes()));
    }
    lp.append(Item::new(b"-9223372036854775808"));
    let mut expect = vec![0x85, b'h', b'e', b'l', b'l', b'o', 6, 0, 1, 127, 1, 0xC0, 0x80, 2];
    expect.extend([0xDF, 0xFF, 2, 0xD0, 0x00, 2, 0xCF, 0xFF, 2, 0xF1, 0xFF, 0x7F, 3, 0xF2, 0, 0, 0x80, 4]);
    expect.extend([0xF3, 0xFF, 0xFF, 0xFF, 0x7F, 5, 0xF4, 0, 0, 0, 0, 0, 0, 0, 0x80, 9, 0xFF]);
    assert_eq!(&lp.as_bytes()[6..], &expect[..]);
    assert_eq!(lp.as_bytes()[..6], [(expect.len() + 6) as u8, 0, 0, 0, 11, 0]);
}

#[test]
fn every_width_of_string_and_backlen_goes_and_returns() {
    let edges =
        [0, 63, 64, 125, 126, 127, 4095, 4096, 16_377, 16_378, 16_379, 2_097_145, 2_097_146, 2_097_147];
    for len in edges {
        let mut lp = Listpack::new();
        lp.append(Item::Str(&vec![b'a'; len]));
        lp.append(Item::Int(5));
        let back = Listpack::from_bytes(lp.as_bytes().to_vec()).expect("own bytes are valid");
        assert_eq!(back.iter().rev().map(|i| i.len()).collect::<Vec<_>>(), [1, len]);
        assert_eq!(back.get_index(0).map(|i| i.len()), Some(len));
    }
}

#[test]
fn every_integer_width_goes_and_returns() {
    let mut lp = Listpack::new();
    let mut model = Vec::new();
    for shift in 0..64 {
        for near in -2i64..=2 {
            for value in [(1i64 << shift).wrapping_add(near), (-1i64 << shift).wrapping_add(near)] {
                lp.append(Item::Int(value));
                model.push(value);
            }
        }
    }
    assert_eq!(lp.iter().map(|i| i.as_int().unwrap()).collect::<Vec<_>>(), model);
    assert_eq!(lp.iter().rev().map(|i| i.as_int().unwrap()).collect::<Vec<_>>().len(), model.len());
    assert!(Listpack::from_bytes(lp.into_bytes()).is_ok());
}

#[test]
fn behaves_like_a_vector() {
    for seed in 0..60 {
        let mut rng = Random::from_seed(seed);
        let (mut lp, mut model) = (Listpack::new(), Vec::<Vec<u8>>::new());
        for step in 0..300 {
            one_step(&mut rng, &mut lp, &mut model);
            assert_eq!(lp.len(), model.len(), "seed {seed} step {step}");
            if step % 16 == 0 {
                check_whole(&lp, &model, seed);
            }
        }
        check_whole(&lp, &model, seed);
    }
}

fn one_step(rng: &mut Random, lp: &mut Listpack, model: &mut Vec<Vec<u8>>) {
    let text = random_string(rng);
    let index = rng.index(model.len().max(1));
    let at = lp.seek(index as i64);
    match (rng.index(10), at) {
        (0..=2, _) | (_, None) => {
            lp.append(Item::new(&text));
            model.push(text);
        }
        (3, _) => {
            lp.prepend(Item::new(&text));
            model.insert(0, text);
        }
        (4, Some(at)) => {
            lp.insert(at, Item::new(&text));
            model.insert(index, text);
        }
        (5, Some(at)) => {
            let at = lp.insert_after(at, Item::new(&text));
            assert!(lp.get(at).eq_bytes(&text));
            model.insert(index + 1, text);
        }
        (6, Some(at)) => {
            lp.replace(at, Item::new(&text));
            model[index] = text;
        }
        (7, Some(at)) => {
            let after = lp.remove(at, 1);
            model.remove(index);
            assert_eq!(after.map(|at| lp.get(at).to_vec()), model.get(index).cloned());
        }
        (8, _) => {
            let count = rng.index(4);
            lp.remove_range(index as i64 - model.len() as i64, count);
            model.drain(index..(index + count).min(model.len()));
        }
        (_, Some(_)) => {
            let wanted = model[rng.index(model.len())].clone();
            let found = lp.find_first(&wanted, 0).expect("present");
            let first = model.iter().position(|m| *m == wanted).unwrap();
            assert_eq!(Some(found), lp.seek(first as i64));
            let pairs = lp.find_first(&wanted, 1);
            let even = model.iter().step_by(2).position(|m| *m == wanted);
            assert_eq!(pairs, even.and_then(|index| lp.seek(2 * index as i64)));
        }
    }
}

fn check_whole(lp: &Listpack, model: &[Vec<u8>], seed: u64) {
    assert_eq!(strings(lp), model, "seed {seed}");
    let mut backwards: Vec<_> = lp.iter().rev().map(|item| item.to_vec()).collect();
    backwards.reverse();
    assert_eq!(backwards, model, "seed {seed}");
    assert!(lp.bytes() >= lp.total_bytes());
    assert_eq!(Listpack::from_bytes(lp.as_bytes().to_vec()).as_ref(), Ok(lp), "seed {seed}");
}

#[test]
fn counts_beyond_the_header_field() {
    let mut lp = Listpack::new();
    for index in 0..65_540 {
        lp.append(Item::Int(index & 7));
    }
    assert_eq!(lp.as_bytes()[4..6], [0xFF, 0xFF]);
    assert_eq!((lp.len(), lp.seek(65_539), lp.seek(65_540)), (65_540, lp.last(), None));
    lp.remove_range(-10, 10);
    assert_eq!(lp.len(), 65_530);
    assert_eq!(lp.as_bytes()[4..6], 65_530u16.to_le_bytes());
}

#[test]
fn hostile_bytes_are_refused_or_readable() {
    let mut rng = Random::from_seed(7);
    for _ in 0..40_000 {
        let mut lp = Listpack::new();
        for _ in 0..rng.index(6) {
            lp.append(Item::new(&random_string(&mut rng)));
        }
        let mut raw = lp.into_bytes();
        for _ in 0..=rng.index(3) {
            let index = rng.index(raw.len());
            raw[index] = rng.next_u64() as u8;
        }
        if rng.index(4) == 0 {
            raw.truncate(rng.index(raw.len() + 1));
            let total = (raw.len() as u32).to_le_bytes();
            let n = raw.len().min(4);
            raw[..n].copy_from_slice(&total[..n]);
        }
        if let Ok(lp) = Listpack::from_bytes(raw) {
            assert_eq!(lp.iter().rev().count(), lp.len());
            assert_eq!(lp.find_first(b"absent element", 1), None);
        }
    }
}

#[test]
fn foreign_integers_kept_as_strings_are_found() {
    let raw = vec![10, 0, 0, 0, 1, 0, 0x81, b'5', 2, 0xFF];
    let lp = Listpack::from_bytes(raw).unwrap();
    assert_eq!(lp.find_first(b"5", 0), lp.first());
    assert_eq!(lp.get_index(0).and_then(|i| i.as_int()), Some(5));
}

#[test]
fn short_texts_are_written_as_all_items_are() {
    let mut seen = 0;
    for first in [&b""[..], b"x", b"5", b"-", b"0", b"\xff"] {
        for len in 0..200 {
            let text: Vec<u8> =
                first.iter().copied().chain((0..len).map(|at| b'a' + at as u8 % 26)).collect();
            let mut usual = vec![0; entry::bytes(Item::new(&text))];
            entry::write(Item::new(&text), &mut usual);
            let Some(bytes) = entry::short_text_bytes(&text) else { continue };
            let mut short = vec![0; bytes];
            entry::write_short_text(&text, &mut short);
            assert_eq!(short, usual, "{len}");
            seen += 1;
        }
    }
    assert!(seen > 600);
    for number in ["0", "-1", "9223372036854775807", "-9223372036854775808"] {
        assert_eq!(entry::short_text_bytes(number.as_bytes()), None);
    }
}
