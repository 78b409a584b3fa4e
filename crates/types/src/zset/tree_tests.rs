//! The tree against a plain model, and its own invariants after every few steps.

use super::arena::NONE;
use super::bounds::{LexBound, LexRange, ScoreBound, ScoreRange};
use super::inner::Inner;
use super::tree::Tree;
use crate::sample::rounds;
use base::hash::HashSeed;
use base::random::Random;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

/// What a tree keeps when it has been emptied: a chunk of leaf and segment headers each.
const EMPTY_BYTES_MAX: usize = 24 << 10;

/// Scores order as their bits do after this, with -0 taken as 0.
fn order(score: f64) -> i64 {
    let bits = (score + 0.0).to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

#[derive(Default)]
struct Model {
    scores: HashMap<Vec<u8>, f64>,
    order: BTreeMap<(i64, Vec<u8>), f64>,
}

impl Model {
    fn insert(&mut self, member: &[u8], score: f64) -> Option<f64> {
        let old = self.scores.get(member).copied();
        if old == Some(score) {
            return old;
        }
        self.remove(member);
        self.scores.insert(member.to_vec(), score);
        self.order.insert((order(score), member.to_vec()), score);
        old
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = self.scores.remove(member)?;
        self.order.remove(&(order(score), member.to_vec()));
        Some(score)
    }

    fn list(&self) -> Vec<(Vec<u8>, f64)> {
        self.slice(0..self.order.len())
    }

    fn slice(&self, ranks: Range<usize>) -> Vec<(Vec<u8>, f64)> {
        let ranked = self.order.iter().skip(ranks.start).take(ranks.len());
        ranked.map(|((_, member), &score)| (member.clone(), score)).collect()
    }
}

impl Tree {
    /// Panics where an invariant does not hold.
    fn check(&self) {
        let (mut leaves, mut inner_bytes) = (Vec::new(), 0);
        let total = self.check_node(self.root, self.height, &mut leaves, &mut inner_bytes);
        assert_eq!(total, self.len as u64);
        assert_eq!(inner_bytes, self.inner_bytes);
        assert_eq!(self.leaves.iter().count(), leaves.len());
        assert_eq!(self.leaves.iter().map(|leaf| leaf.bytes()).sum::<usize>(), self.block_bytes);
        assert_eq!(self.outs.iter().map(|out| out.len()).sum::<usize>(), self.out_bytes);
        assert_eq!(self.index.check(), self.len);
        let (mut prev, mut last) = (NONE, None::<(f64, Vec<u8>)>);
        for &id in &leaves {
            let leaf = &self.leaves[id];
            assert_eq!(leaf.prev, prev);
            prev = id;
            let view = leaf.view();
            for at in 0..leaf.len() {
                let (score, member) = (view.score(at), view.member(at, &self.outs));
                if let Some((below, name)) = &last {
                    assert!(*below < score || (*below == score && name.as_slice() < member));
                }
                last = Some((score, member.to_vec()));
                let hash = self.hash(member);
                assert_eq!(leaf.tag(at), hash as u8);
                assert!(self.index.leaves(hash).any(|leaf| leaf == id));
            }
        }
        assert_eq!((self.first, self.last), (leaves[0], prev));
        assert_eq!(self.leaves[prev].next, NONE);
    }

    fn check_node(&self, id: u32, height: usize, leaves: &mut Vec<u32>, inner_bytes: &mut usize) -> u64 {
        if height == 0 {
            assert!(self.leaves[id].len() > 0 || self.height == 0);
            leaves.push(id);
            return self.leaves[id].len() as u64;
        }
        let node: &Inner = &self.inners[id];
        *inner_bytes += node.bytes();
        assert!(node.len() >= if id == self.root { 2 } else { 1 });
        for at in 0..node.len() {
            let first = leaves.len();
            let count = self.check_node(node.child(at), height - 1, leaves, inner_bytes);
            assert_eq!(count, node.count(at));
            let (low, high) =
                (&self.leaves[leaves[first]].view(), &self.leaves[leaves[leaves.len() - 1]].view());
            let top = high.scores.len() - 1;
            assert!(node.admits(at, (low.score(0), low.member(0, &self.outs))));
            assert!(node.admits(at, (high.score(top), high.member(top, &self.outs))));
        }
        node.total()
    }
}

fn tree() -> Tree {
    Tree::new(HashSeed::new(1, 2))
}

fn owned<'a>(walk: impl Iterator<Item = (&'a [u8], f64)>) -> Vec<(Vec<u8>, f64)> {
    walk.map(|(member, score)| (member.to_vec(), score)).collect()
}

/// What a run draws its elements from.
#[derive(Clone, Copy, Debug)]
struct Shape {
    members: usize,
    scores: usize,
    long: bool,
}

impl Shape {
    fn member(&self, random: &mut Random) -> Vec<u8> {
        let mut member = format!("member:{:06}", random.index(self.members)).into_bytes();
        if self.long {
            // The length follows from the name, so that names come again: 0, inline, at the limit, and out of
            // line.
            let number =
                member.iter().fold(0usize, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte as usize));
            member.resize([0, 9, 40, 255, 256, 700][number % 6].max(member.len()), b'x');
        }
        member
    }

    fn score(&self, random: &mut Random) -> f64 {
        match random.index(self.scores * 8) {
            0 => f64::INFINITY,
            1 => f64::NEG_INFINITY,
            2 => -0.0,
            n => (n / 8) as f64 * 0.25 - self.scores as f64 / 8.0,
        }
    }
}

fn compare(tree: &Tree, model: &Model, shape: Shape, random: &mut Random) {
    tree.check();
    let list = model.list();
    assert_eq!(tree.len(), list.len());
    assert_eq!(owned(tree.iter()), list);
    let reversed: Vec<_> = list.iter().rev().cloned().collect();
    assert_eq!(owned(tree.range_back(0..list.len())), reversed);
    for (rank, (member, score)) in list.iter().enumerate().step_by(7) {
        assert_eq!(tree.rank(member), Some((rank, *score)));
        assert_eq!(tree.get(rank), Some((member.as_slice(), *score)));
    }
    assert_eq!(tree.get(list.len()), None);
    for _ in 0..8 {
        let (a, b) = (random.index(list.len() + 2), random.index(list.len() + 2));
        let cut = a.min(list.len())..b.clamp(a.min(list.len()), list.len());
        assert_eq!(owned(tree.range(a..b)), list[cut.clone()]);
        let mut walked = Vec::new();
        tree.range(a..b).for_each(|(member, score)| walked.push((member.to_vec(), score)));
        assert_eq!(walked, list[cut.clone()], "a leaf at a time");
        assert_eq!(owned(tree.range_back(a..b)), list[cut].iter().rev().cloned().collect::<Vec<_>>());
        let range = score_range(shape, random);
        let ranks = tree.score_ranks(&range);
        let inside: Vec<_> = list.iter().filter(|(_, score)| range.contains(*score)).cloned().collect();
        assert_eq!(owned(tree.range(ranks)), inside, "{range:?}");
    }
    let mut scanned = HashSet::new();
    let mut cursor = 0;
    loop {
        cursor = tree.scan(cursor, 10, |member, score| {
            assert_eq!(model.scores.get(member), Some(&score));
            assert!(scanned.insert(member.to_vec()), "an unchanged set is scanned without repeats");
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(scanned.len(), list.len());
}

fn score_range(shape: Shape, random: &mut Random) -> ScoreRange {
    let mut bound = || {
        let score = shape.score(random);
        if random.index(2) == 0 { ScoreBound::Inclusive(score) } else { ScoreBound::Exclusive(score) }
    };
    ScoreRange { min: bound(), max: bound() }
}

fn step(tree: &mut Tree, model: &mut Model, shape: Shape, growing: bool, random: &mut Random) {
    let len = tree.len();
    match random.index(100) {
        0 if len > 0 => {
            let start = random.index(len);
            let end = start + random.index(if growing { 3 } else { 100 });
            let mut gone = Vec::new();
            tree.remove_ranks(start..end, |member, score| gone.push((member.to_vec(), score)));
            assert_eq!(gone, model.slice(start..end));
            gone.iter().for_each(|(member, _)| assert!(model.remove(member).is_some()));
        }
        1 if len > 0 => {
            let at = if random.index(2) == 0 { 0 } else { len - 1 };
            let mut gone = Vec::new();
            assert_eq!(tree.remove_ranks(at..at + 1, |member, _| gone.push(member.to_vec())), 1);
            assert!(model.remove(&gone[0]).is_some());
        }
        2 => {
            let member = shape.member(random);
            let old = model.scores.get(&member).copied();
            let change = tree.update(&member, |score| score.map(|score| score + 0.25));
            let new = old.map(|score| score + 0.25);
            assert_eq!((change.old, change.new), (old, new));
            new.into_iter().for_each(|new| _ = model.insert(&member, new));
        }
        n => {
            let member = shape.member(random);
            assert_eq!(tree.score(&member), model.scores.get(&member).copied());
            if (n < 75) == growing {
                let score = shape.score(random);
                assert_eq!(tree.insert(&member, score).old, model.insert(&member, score));
            } else {
                assert_eq!(tree.remove(&member), model.remove(&member));
            }
        }
    }
}

fn run(shape: Shape, steps: usize, seed: u64) {
    println!("{shape:?} seed {seed}");
    let (mut tree, mut model, mut random) = (tree(), Model::default(), Random::from_seed(seed));
    for nth in 0..steps {
        step(&mut tree, &mut model, shape, nth * 2 < steps, &mut random);
        if nth % (steps / 12) == 0 {
            compare(&tree, &model, shape, &mut random);
        }
    }
    compare(&tree, &model, shape, &mut random);
    let copy = tree.clone();
    assert_eq!(tree.remove_ranks(0..usize::MAX, |_, _| ()), copy.len());
    compare(&tree, &Model::default(), shape, &mut random);
    compare(&copy, &model, shape, &mut random);
    assert!(tree.bytes() < EMPTY_BYTES_MAX, "{}", tree.bytes());
}

#[test]
fn random_steps_as_the_model_does_them() {
    let base = std::env::var("ZSET_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0x5eed);
    for seed in base..base + rounds(3) {
        run(Shape { members: 30_000, scores: 10_000, long: false }, 60_000, seed);
        run(Shape { members: 30_000, scores: 3, long: false }, 60_000, seed);
        run(Shape { members: 4_000, scores: 50, long: true }, 12_000, seed);
        run(Shape { members: 4_000, scores: 1, long: true }, 12_000, seed);
        run(Shape { members: 100, scores: 10, long: true }, 12_000, seed);
    }
}

#[test]
fn ranges_of_members_as_the_model_has_them() {
    let (mut tree, mut random) = (tree(), Random::from_seed(7));
    let mut members: Vec<Vec<u8>> = (0..5000).map(|n| format!("m{n:04}").into_bytes()).collect();
    members.push(Vec::new());
    for member in &members {
        tree.insert(member, 1.5);
    }
    members.sort();
    tree.check();
    let ends: Vec<Vec<u8>> = ["", "m", "m1", "m25", "m2500", "m25000", "n", "\u{ff}", "m4999", "a"]
        .iter()
        .map(|end| end.as_bytes().to_vec())
        .collect();
    let mut bounds = vec![LexBound::Min, LexBound::Max];
    bounds.extend(ends.iter().flat_map(|end| [LexBound::Inclusive(end), LexBound::Exclusive(end)]));
    for &min in &bounds {
        for &max in &bounds {
            let range = LexRange { min, max };
            let inside: Vec<_> = members.iter().filter(|member| range.contains(member)).cloned().collect();
            let ranks = tree.lex_ranks(&range);
            assert_eq!(ranks.len(), inside.len(), "{range:?}");
            assert!(tree.range(ranks).map(|(member, _)| member.to_vec()).eq(inside), "{range:?}");
        }
    }
    let range = LexRange { min: LexBound::Exclusive(b"m1"), max: LexBound::Inclusive(b"m3") };
    assert_eq!(tree.remove_lex(&range, |member, _| assert!(range.contains(member))), 2000);
    tree.check();
    let range = ScoreRange {
        min: ScoreBound::Inclusive(1.5),
        max: ScoreBound::Inclusive(random.index(9) as f64 + 2.0),
    };
    assert_eq!(tree.remove_scores(&range, |_, _| ()), 3001);
    tree.check();
}

#[test]
fn a_scan_meets_all_that_stays_whatever_else_changes() {
    let (mut tree, mut random) = (tree(), Random::from_seed(11));
    let stays = |n: usize| format!("stays:{n}").into_bytes();
    for n in 0..2000 {
        tree.insert(&stays(n), n as f64);
    }
    let mut seen = HashSet::new();
    let (mut cursor, mut calls, mut added) = (0, 0, 0);
    loop {
        cursor = tree.scan(cursor, 25, |member, _| _ = seen.insert(member.to_vec()));
        calls += 1;
        if cursor == 0 {
            break;
        }
        // Grows to many segments and falls back to few, more than once in the time of a scan.
        for _ in 0..700 {
            if calls % 30 < 15 {
                tree.insert(format!("goes:{added}").as_bytes(), random.index(3000) as f64);
                added += 1;
            } else if added > 0 {
                added -= 1;
                assert!(tree.remove(format!("goes:{added}").as_bytes()).is_some());
            }
        }
        let moved = stays(random.index(2000));
        tree.insert(&moved, random.index(3000) as f64);
    }
    assert!(calls > 60, "{calls}");
    assert!((0..2000).all(|n| seen.contains(&stays(n))));
    tree.check();
}

#[test]
fn members_in_order_fill_their_leaves_and_popped_ones_leave_nothing() {
    for up in [true, false] {
        let mut tree = tree();
        for n in 0..100_000u32 {
            let score = if up { f64::from(n) } else { -f64::from(n) };
            tree.insert(format!("{n:016}").as_bytes(), score);
        }
        tree.check();
        assert!(tree.bytes() < 42 * 100_000, "{}", tree.bytes());
        for n in 0..100_000u32 {
            let popped = if up { 0 } else { tree.len() - 1 };
            tree.remove_ranks(popped..popped + 1, |member, _| {
                assert_eq!(member, format!("{n:016}").as_bytes())
            });
            if n % 9_999 == 0 {
                tree.check();
                assert!(tree.bytes() < 48 * tree.len() + 16_384, "{} {}", tree.len(), tree.bytes());
            }
        }
        tree.check();
        assert!(tree.is_empty() && tree.bytes() < EMPTY_BYTES_MAX, "{}", tree.bytes());
    }
}

#[test]
fn huge_members_are_members_too() {
    let mut tree = tree();
    let huge = vec![b'h'; 64 << 20];
    for n in 0..200u8 {
        let mut member = vec![n; 300];
        member.extend_from_slice(&[n; 5]);
        tree.insert(&member, 1.0);
    }
    tree.insert(&huge, 1.0);
    tree.check();
    assert_eq!(tree.rank(&huge), Some((105, 1.0)));
    tree.insert(&huge, -1.0);
    assert_eq!(tree.rank(&huge), Some((0, -1.0)));
    assert!(tree.bytes() > huge.len());
    assert_eq!(tree.remove(&huge), Some(-1.0));
    assert!(tree.bytes() < 200_000);
    tree.check();
}

#[test]
fn minus_zero_is_zero_and_keeps_its_sign() {
    let mut tree = tree();
    tree.insert(b"a", -0.0);
    assert_eq!(tree.insert(b"a", 0.0).old, Some(0.0));
    assert!(tree.score(b"a").is_some_and(|score| score.is_sign_negative()));
    tree.insert(b"0", 0.0);
    assert_eq!(tree.rank(b"a").map(|(rank, _)| rank), Some(1));
}

#[test]
fn a_tree_may_go_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&tree());
}
