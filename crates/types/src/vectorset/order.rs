//! Numbers in the order of the names that belong to them: blocks of a few hundred. The names are the caller's.

/// A block that has become larger is divided.
const BLOCK_MAX: usize = 512;

/// Where a number stands: its block, and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot(usize, usize);

#[derive(Clone, Debug, Default)]
pub struct Order {
    /// None is empty.
    blocks: Vec<Vec<u32>>,
    len: usize,
    /// Heap bytes of the blocks.
    block_bytes: usize,
}

fn bytes(block: &Vec<u32>) -> usize {
    block.capacity() * size_of::<u32>()
}

impl Order {
    /// Of numbers that are in order already.
    pub fn of_sorted(numbers: &[u32]) -> Order {
        let blocks: Vec<Vec<u32>> = numbers.chunks(BLOCK_MAX / 2).map(<[u32]>::to_vec).collect();
        Order { block_bytes: blocks.iter().map(bytes).sum(), blocks, len: numbers.len() }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn bytes(&self) -> usize {
        self.block_bytes + self.blocks.capacity() * size_of::<Vec<u32>>()
    }

    /// Where the first number is that is not before what is looked for. `is_before` says so of a number.
    pub fn find(&self, is_before: impl Fn(u32) -> bool) -> Spot {
        let block = self.blocks.partition_point(|block| block.last().is_some_and(|last| is_before(*last)));
        let at = self.blocks.get(block).map_or(0, |block| block.partition_point(|number| is_before(*number)));
        Spot(block, at)
    }

    pub fn get(&self, spot: Spot) -> Option<u32> {
        self.blocks.get(spot.0)?.get(spot.1).copied()
    }

    /// All from a place on.
    pub fn from(&self, spot: Spot) -> impl Iterator<Item = u32> + '_ {
        let rest = self.blocks.get(spot.0..).unwrap_or_default();
        rest.iter().flatten().skip(spot.1).copied()
    }

    /// All.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.from(Spot(0, 0))
    }

    /// Puts a number in front of what stands at a place that was found.
    pub fn insert(&mut self, spot: Spot, number: u32) {
        self.len += 1;
        // Behind all others: at the end of the last block.
        let Spot(mut at, mut place) = spot;
        if at == self.blocks.len() {
            match self.blocks.last() {
                Some(last) => (at, place) = (at - 1, last.len()),
                None => self.blocks.push(Vec::new()),
            }
        }
        let block = &mut self.blocks[at];
        self.block_bytes -= bytes(block);
        block.insert(place, number);
        if block.len() > BLOCK_MAX {
            let upper = block.split_off(BLOCK_MAX / 2);
            block.shrink_to_fit();
            self.block_bytes += bytes(block) + bytes(&upper);
            self.blocks.insert(at + 1, upper);
        } else {
            self.block_bytes += bytes(block);
        }
    }

    /// Takes out what stands at a place.
    pub fn remove(&mut self, spot: Spot) {
        let Some(block) = self.blocks.get_mut(spot.0).filter(|block| spot.1 < block.len()) else { return };
        self.len -= 1;
        self.block_bytes -= bytes(block);
        block.remove(spot.1);
        if block.is_empty() {
            self.blocks.remove(spot.0);
            if self.blocks.len() * 4 < self.blocks.capacity() {
                self.blocks.shrink_to_fit();
            }
            return;
        }
        if block.len() * 4 < block.capacity() {
            block.shrink_to(block.len() * 2);
        }
        self.block_bytes += bytes(block);
    }

    /// How many stand before each block: for [`Order::at`].
    pub fn starts(&self) -> Vec<usize> {
        let mut before = 0;
        let start = |block: &Vec<u32>| {
            before += block.len();
            before - block.len()
        };
        self.blocks.iter().map(start).collect()
    }

    /// The `rank`th number, with what [`Order::starts`] has given.
    pub fn at(&self, starts: &[usize], rank: usize) -> Option<u32> {
        let block = starts.partition_point(|start| *start <= rank).checked_sub(1)?;
        self.get(Spot(block, rank - starts[block]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, rounds};
    use std::collections::BTreeSet;

    #[test]
    fn it_is_as_a_sorted_set() {
        let mut random = Sample::new(11);
        let (mut order, mut set) = (Order::default(), BTreeSet::new());
        for round in 0..rounds(30_000) {
            // Numbers are their own names.
            let number = random.below(5000) as u32;
            let spot = order.find(|other| other < number);
            assert_eq!(order.get(spot), set.range(number..).next().copied());
            // It grows first, and shrinks then.
            let grows = random.below(10) < if round % 20_000 < 10_000 { 7 } else { 2 };
            match (order.get(spot) == Some(number), grows) {
                (false, true) => {
                    order.insert(spot, number);
                    set.insert(number);
                }
                (true, false) => {
                    order.remove(spot);
                    set.remove(&number);
                }
                _ => {}
            }
            assert_eq!(order.len(), set.len());
        }
        for block in &order.blocks {
            assert!(!block.is_empty() && block.len() <= BLOCK_MAX);
        }
        assert_eq!(order.block_bytes, order.blocks.iter().map(bytes).sum::<usize>());
        assert!(order.iter().eq(set.iter().copied()));
        let starts = order.starts();
        for (rank, number) in set.iter().enumerate() {
            assert_eq!(order.at(&starts, rank), Some(*number));
        }
        assert_eq!(order.at(&starts, set.len()), None);
        let all: Vec<u32> = set.iter().copied().collect();
        assert!(Order::of_sorted(&all).iter().eq(all.iter().copied()));
        for number in all {
            order.remove(order.find(|other| other < number));
        }
        assert_eq!((order.len(), order.block_bytes, order.blocks.len()), (0, 0, 0));
    }
}
