//! That whatever comes and goes, everything that is there is in reach: on the graph itself after every step, and for searches that last.

use super::links::slots;
use super::{Hnsw, Parameters, Saved, Search, Wish};
use crate::{Element, Metric, Slot, Space};
use base::random::Random;
use std::collections::{HashMap, HashSet};

const DIMENSION: usize = 4;
/// More than there ever are: a search that keeps so many goes everywhere.
const EVERYTHING: usize = 4096;

/// Crowds that are far from one another, and some that stand alone.
fn crowded(random: &mut Random) -> Vec<u8> {
    let far = random.index(12) as f64;
    let spread = if random.below(30) == 0 { 300.0 } else { 0.2 };
    let number = |at: usize| {
        100.0 * (far * (at as f64 + 1.3)).sin() + spread * (random.unit_f64() + random.unit_f64())
    };
    Element::F32.bytes(&(0..DIMENSION).map(number).collect::<Vec<_>>())
}

/// Who can be come to from a slot.
fn reached(next: &HashMap<u32, Vec<u32>>, from: u32) -> HashSet<u32> {
    let mut reached = HashSet::from([from]);
    let mut left = vec![from];
    while let Some(slot) = left.pop() {
        left.extend(next.get(&slot).into_iter().flatten().copied().filter(|other| reached.insert(*other)));
    }
    reached
}

/// What is linked and there.
fn linked(index: &Hnsw) -> Vec<u32> {
    let graph = &index.graph;
    let is_linked = |slot: &u32| graph.store.label(*slot).is_some() && !graph.tail.contains(*slot);
    (0..graph.store.end()).filter(is_linked).collect()
}

/// Walks come everywhere from where they begin, and from everywhere back.
fn check(index: &Hnsw, told: &str) {
    let linked = linked(index);
    let graph = &index.graph;
    let Some((entry, _)) = graph.links.entry() else {
        assert!(linked.is_empty(), "{told}: no entry");
        return;
    };
    let (mut forth, mut back) = (HashMap::<u32, Vec<u32>>::new(), HashMap::<u32, Vec<u32>>::new());
    for slot in 0..graph.store.end() {
        for other in graph.links.row(0, slot).into_iter().flat_map(slots) {
            forth.entry(slot).or_default().push(other);
            back.entry(other).or_default().push(slot);
        }
    }
    let from_entry = reached(&forth, entry);
    let lost: Vec<u32> = linked.iter().copied().filter(|slot| !from_entry.contains(slot)).collect();
    assert!(lost.is_empty(), "{told}: nothing leads from {entry} to {lost:?} of {}", linked.len());
    if let Some(first) = linked.first() {
        let to_first = reached(&back, *first);
        let stuck: Vec<u32> = linked.iter().copied().filter(|slot| !to_first.contains(slot)).collect();
        assert!(stuck.is_empty(), "{told}: nothing leads from {stuck:?} to {first} of {}", linked.len());
    }
}

/// A search that takes its time, and what was there when it began.
struct Lasting {
    search: Search,
    there: Vec<u32>,
}

struct Trial {
    index: Hnsw,
    here: Vec<(u32, Slot, Vec<u8>)>,
    label: u32,
    lasting: Vec<Lasting>,
    random: Random,
    told: String,
}

impl Trial {
    fn new(seed: u64, m: usize, by_codes: bool) -> Trial {
        let parameters = Parameters {
            m,
            ef_construction: 4 + seed as usize % 9,
            tail_max: 8,
            seed,
            by_codes,
            ..Parameters::default()
        };
        let index = Hnsw::new(Space::new(Element::F32, Metric::L2, DIMENSION).unwrap(), parameters).unwrap();
        let told = format!("seed {seed}, M {m}");
        let random = Random::from_seed(seed);
        Trial { index, here: Vec::new(), label: 0, lasting: Vec::new(), random, told }
    }

    fn add(&mut self) {
        let vector = crowded(&mut self.random);
        let slot = self.index.insert(self.label, &vector).unwrap();
        self.here.push((self.label, slot, vector));
        self.label += 1;
    }

    fn remove(&mut self, at: usize) {
        let (_, slot, _) = self.here.swap_remove(at);
        self.index.remove(slot).unwrap();
    }

    /// Removes what is in one crowd, or nearly everything, or everything.
    fn remove_many(&mut self) {
        let crowd = self.here[self.random.index(self.here.len())].2.clone();
        let crowd = Element::F32.numbers(&crowd);
        let share = [0, 0, 90, 97, 100][self.random.index(5)];
        for at in (0..self.here.len()).rev() {
            let numbers = Element::F32.numbers(&self.here[at].2);
            let is_in_crowd = share == 0 && Metric::L2.distance(&crowd, &numbers) < 50.0;
            if is_in_crowd || self.random.below(100) < share {
                self.remove(at);
            }
        }
    }

    fn begin_search(&mut self) {
        let wish = Wish::Nearest { k: EVERYTHING, ef: Some(EVERYTHING) };
        let search = self.index.reader().search(&crowded(&mut self.random), wish, false).unwrap();
        self.lasting.push(Lasting { search, there: self.here.iter().map(|it| it.0).collect() });
    }

    /// Ends a search: it has found all that was there when it began and is still there.
    fn end_search(&mut self) {
        let mut lasting = self.lasting.swap_remove(self.random.index(self.lasting.len()));
        while !lasting.search.step(1 + self.random.index(20), |_| true) {
            if self.random.below(3) == 0 {
                self.index.work(1 + self.random.index(20));
            }
        }
        let found: HashSet<u32> =
            self.index.reader().finish(lasting.search).iter().map(|found| found.label).collect();
        let here: HashSet<u32> = self.here.iter().map(|it| it.0).collect();
        let missed: Vec<&u32> =
            lasting.there.iter().filter(|label| here.contains(label) && !found.contains(label)).collect();
        assert!(missed.is_empty(), "{}: a search has missed {missed:?} of {}", self.told, here.len());
    }

    fn step(&mut self, most: usize) {
        match self.random.below(100) {
            0..30 if self.here.len() < most => self.add(),
            30..56 if !self.here.is_empty() => {
                let at = self.random.index(self.here.len());
                self.remove(at);
            }
            56 if !self.here.is_empty() && self.random.below(8) == 0 => self.remove_many(),
            57..60 if self.lasting.len() < 3 => self.begin_search(),
            60..63 if !self.lasting.is_empty() => self.end_search(),
            63..75 if !self.lasting.is_empty() => {
                let at = self.random.index(self.lasting.len());
                let budget = 1 + self.random.index(12);
                self.lasting[at].search.step(budget, |_| true);
            }
            75 if self.random.below(10) == 0 => self.index.finish(),
            _ => {
                let budget = 1 + self.random.index(60);
                self.index.work(budget);
            }
        }
        check(&self.index, &self.told);
    }

    /// Everything is linked, and is found by a walk that looks for it alone.
    fn end(mut self) {
        while !self.lasting.is_empty() {
            self.end_search();
        }
        self.index.finish();
        check(&self.index, &self.told);
        assert_eq!((self.index.len(), linked(&self.index).len()), (self.here.len(), self.here.len()));
        let mut reader = self.index.reader();
        for (label, _, vector) in &self.here {
            let found = reader.nearest(vector, 1, Some(self.here.len())).unwrap();
            assert_eq!(found.first().map(|found| found.label), Some(*label), "{}", self.told);
        }
        self.restored();
    }

    /// Read back with some vectors missing, and going on after that.
    fn restored(mut self) {
        for share in [0, 10, 70] {
            let mut bytes = Vec::new();
            self.index.save(&mut bytes);
            let read = Saved::read(&bytes, self.index.space().clone(), *self.index.parameters()).unwrap();
            let Trial { here, random, .. } = &mut self;
            let vector = |label| {
                let is_missing = random.below(100) < share;
                here.iter().find(|it| it.0 == label && !is_missing).map(|it| it.2.clone())
            };
            let (index, slots) = read.restore(vector).unwrap();
            check(&index, &self.told);
            assert_eq!((index.len(), linked(&index).len()), (slots.len(), slots.len()));
            let vector = |slot| index.vector(slot).unwrap();
            self.here = slots.into_iter().map(|(label, slot)| (label, slot, vector(slot))).collect();
            self.index = index;
            (0..200).for_each(|_| self.step(100));
            self.lasting.clear();
            self.index.finish();
        }
    }
}

#[test]
fn everything_is_in_reach_whatever_comes_and_goes() {
    let (seeds, steps) = if cfg!(miri) { (2, 60) } else { (20, 3000) };
    for seed in 0..seeds {
        for m in [2, 3, 5, 8] {
            let mut trial = Trial::new(seed, m, seed % 4 == 3);
            (0..steps).for_each(|_| trial.step(40 + 30 * m));
            trial.end();
        }
    }
}

#[test]
fn a_crowd_that_is_removed_hides_nobody() {
    let mut random = Random::from_seed(1);
    let mut index =
        Hnsw::new(Space::new(Element::F32, Metric::L2, 1).unwrap(), Parameters::default()).unwrap();
    let slots: Vec<Slot> = (0..3000)
        .map(|label| index.insert(label, &Element::F32.bytes(&[random.unit_f64()])).unwrap())
        .collect();
    index.finish();
    let number = |slot: &Slot| Element::F32.numbers(&index.vector(*slot).unwrap())[0];
    let crowd: Vec<Slot> = slots.iter().copied().filter(|slot| (number(slot) - 0.5).abs() < 0.009).collect();
    assert!(crowd.len() > 40 && crowd.len() * 50 < slots.len() * 2, "{}", crowd.len());
    crowd.iter().for_each(|slot| index.remove(*slot).unwrap());
    // No sweep has come by, and all that is nearest is not there any more.
    let found = index.reader().nearest(&Element::F32.bytes(&[0.5]), 10, Some(10)).unwrap();
    assert_eq!(found.len(), 10);
    assert!(found.iter().all(|found| found.distance < 0.012 * 0.012), "{found:?}");
}
