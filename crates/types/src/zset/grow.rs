//! Putting elements into the tree and moving them to new scores. A full leaf is first cut in two, which
//! changes no totals, and then the way down is gone again: so the insertion itself always finds room.

use super::arena::NONE;
use super::bounds::Cut;
use super::inner::{Inner, Separator};
use super::leaf::{INLINE_MAX, LEN_MAX, Leaf};
use super::tree::{HEIGHT_MAX, Path, Spot, Tree};
use std::ops::Range;

/// What an update found and left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    pub old: Option<f64>,
    pub new: Option<f64>,
}

impl Tree {
    /// Sets the score of a member, new or not.
    pub fn insert(&mut self, member: &[u8], score: f64) -> Change {
        assert!(!score.is_nan(), "a score is a number");
        let hash = self.hash(member);
        self.index.prefetch(hash);
        // While the index is on its way from memory, we walk to where the member will stand.
        let path = self.descend(&Cut::before(score, member));
        self.leaves[path.leaf].touch_all();
        let Some(spot) = self.find(hash, member) else {
            self.insert_new(hash, member, score, Some(path));
            return Change { old: None, new: Some(score) };
        };
        let old = self.leaves[spot.leaf].score(spot.at);
        if old == score {
            return Change { old: Some(old), new: Some(old) };
        }
        self.move_to(spot, hash, member, old, score);
        Change { old: Some(old), new: Some(score) }
    }

    /// Looks the member up once and sets the score that `decide` makes of the old one; `None` leaves all as
    /// it is. A score that equals the old one changes nothing. NaN must not come out of `decide`.
    pub fn update(&mut self, member: &[u8], decide: impl FnOnce(Option<f64>) -> Option<f64>) -> Change {
        let hash = self.hash(member);
        let spot = self.find(hash, member);
        let old = spot.map(|spot| self.leaves[spot.leaf].score(spot.at));
        let Some(new) = decide(old) else { return Change { old, new: old } };
        assert!(!new.is_nan(), "a score is a number");
        match (spot, old) {
            (Some(_), Some(old)) if old == new => return Change { old: Some(old), new: Some(old) },
            (Some(spot), Some(old)) => self.move_to(spot, hash, member, old, new),
            _ => self.insert_new(hash, member, new, None),
        }
        Change { old, new: Some(new) }
    }

    /// `path`: the way to where it will stand, if known.
    fn insert_new(&mut self, hash: u32, member: &[u8], score: f64, path: Option<Path>) {
        let leaf = if member.len() <= INLINE_MAX {
            self.place(score, member, hash as u8, member, false, path)
        } else {
            self.out_bytes += member.len();
            let id = self.outs.insert(member.into());
            self.place(score, member, hash as u8, &id.to_le_bytes(), true, path)
        };
        self.index.insert(hash, leaf);
        self.len += 1;
    }

    /// Puts an element where it belongs, which is at the end of `path` if that is given, and returns the leaf; the
    /// index and `len` are the caller's business.
    fn place(
        &mut self,
        score: f64,
        member: &[u8],
        tag: u8,
        raw: &[u8],
        out: bool,
        mut path: Option<Path>,
    ) -> u32 {
        let cut = Cut::before(score, member);
        loop {
            let path = path.take().unwrap_or_else(|| {
                let path = self.descend(&cut);
                self.leaves[path.leaf].touch_all();
                path
            });
            self.keep_leaf(path.leaf);
            let leaf = &self.leaves[path.leaf];
            let at = leaf.view().rank(&cut, &self.outs);
            if leaf.has_room(raw.len()) {
                self.edit(path.leaf, |leaf| leaf.insert(at, score, tag, raw, out));
                for &(node, child) in &path.steps[..self.height] {
                    *self.inners[node].count_mut(child as usize) += 1;
                }
                return path.leaf;
            }
            self.split_leaf(&path, at, (score, member));
        }
    }

    /// Changes a leaf and keeps count of its bytes.
    pub(super) fn edit<R>(&mut self, id: u32, change: impl FnOnce(&mut Leaf) -> R) -> R {
        let leaf = &mut self.leaves[id];
        let before = leaf.bytes();
        let result = change(leaf);
        self.block_bytes += leaf.bytes();
        self.block_bytes -= before;
        result
    }

    fn move_to(&mut self, spot: Spot, hash: u32, member: &[u8], old: f64, new: f64) {
        self.keep_leaf(spot.leaf);
        let leaf = &self.leaves[spot.leaf];
        let at = leaf.view().rank(&Cut::before(new, member), &self.outs);
        // Between two elements of this leaf there is no separator, so that no node above changes.
        let stays = (at > 0 || leaf.prev == NONE) && (at < leaf.len() || leaf.next == NONE);
        if stays && (at == spot.at || at == spot.at + 1) {
            self.leaves[spot.leaf].set_score(spot.at, new);
            return;
        }
        let raw = leaf.take(spot.at);
        if stays {
            let at = if at > spot.at { at - 1 } else { at };
            self.edit(spot.leaf, |leaf| {
                leaf.remove(spot.at..spot.at + 1);
                leaf.insert(at, new, raw.tag, raw.bytes(), raw.out);
            });
            return;
        }
        let path = self.descend(&Cut::before(old, member));
        self.take_out(&path, spot.at..spot.at + 1);
        let leaf = self.place(new, member, raw.tag, raw.bytes(), raw.out, None);
        self.index.relocate(hash, spot.leaf, leaf);
    }

    /// Makes room in a full leaf in which `new` is to stand at `at`. At the two ends of the set a fresh leaf
    /// is put beside the full one, so that elements that come in order leave full leaves behind.
    fn split_leaf(&mut self, path: &Path, at: usize, new: (f64, &[u8])) {
        let left_id = path.leaf;
        let left = &self.leaves[left_id];
        let (prev, next, len) = (left.prev, left.next, left.len());
        let view = left.view();
        let element = |at| (view.score(at), view.member(at, &self.outs));
        if at == len && next == NONE {
            let separator = Separator::between(element(len - 1), new);
            let right = self.leaves.insert(Leaf::new(left_id, NONE, self.shows));
            self.leaves[left_id].next = right;
            self.last = right;
            return self.add_child(path, self.height, 1, right, [len as u64, 0], separator);
        }
        if at == 0 && prev == NONE {
            let separator = Separator::between(new, element(0));
            let fresh = self.leaves.insert(Leaf::new(NONE, left_id, self.shows));
            self.leaves[left_id].prev = fresh;
            self.first = fresh;
            return self.add_child(path, self.height, 0, fresh, [len as u64, 0], separator);
        }
        let middle = left.middle();
        let separator = Separator::between(element(middle - 1), element(middle));
        let mut right = self.edit(left_id, |leaf| leaf.split_off(middle));
        (right.prev, right.next) = (left_id, next);
        self.block_bytes += right.bytes();
        let right_id = self.leaves.insert(right);
        self.leaves[left_id].next = right_id;
        if next == NONE {
            self.last = right_id;
        } else {
            self.leaves[next].prev = right_id;
        }
        self.relocate(right_id, 0..len - middle, left_id, right_id);
        let counts = [middle as u64, (len - middle) as u64];
        self.add_child(path, self.height, 1, right_id, counts, separator);
    }

    /// Tells the index that the elements `range` of the leaf `holder` are now known under the id `to` instead
    /// of `from`.
    pub(super) fn relocate(&mut self, holder: u32, range: Range<usize>, from: u32, to: u32) {
        let view = self.leaves[holder].view();
        let mut hashes = [0; LEN_MAX];
        let hashes = &mut hashes[..range.len()];
        // The slots are all over the index: all are asked for before the first is needed.
        for (hash, at) in hashes.iter_mut().zip(range) {
            *hash = self.hash(view.member(at, &self.outs));
            self.index.prefetch(*hash);
        }
        hashes.iter().for_each(|&hash| self.index.relocate(hash, from, to));
    }

    /// Puts `child` beside the node that the path takes at `level` (the leaf, at the level of the height):
    /// behind it (`side` 1) or before it (0). `counts`: what the old node and the new one now hold.
    fn add_child(
        &mut self,
        path: &Path,
        level: usize,
        side: usize,
        child: u32,
        counts: [u64; 2],
        separator: Separator,
    ) {
        let Some(above) = level.checked_sub(1) else {
            let mut root = Box::new(Inner::new(self.root, counts[0]));
            root.insert(side, child, counts[1], separator);
            self.inner_bytes += root.bytes();
            self.root = self.inners.insert(root);
            self.height += 1;
            return assert!(self.height < HEIGHT_MAX, "a tree of this height cannot be filled");
        };
        let (id, taken) = (path.steps[above].0, path.steps[above].1 as usize);
        let node = &mut self.inners[id];
        let before = node.bytes();
        *node.count_mut(taken) = counts[0];
        let at = taken + side;
        if !node.is_full() {
            node.insert(at, child, counts[1], separator);
            self.inner_bytes += node.bytes();
            self.inner_bytes -= before;
            return;
        }
        let rightmost = path.steps[..above].iter().all(|&(id, at)| at as usize + 1 == self.inners[id].len());
        let node = &mut self.inners[id];
        let (up, right) = if at == node.len() && rightmost {
            (separator, Box::new(Inner::new(child, counts[1])))
        } else {
            let middle = node.len() / 2;
            let (up, mut right) = node.split_off(middle);
            if at > middle {
                right.insert(at - middle, child, counts[1], separator);
            } else {
                node.insert(at, child, counts[1], separator);
            }
            (up, right)
        };
        let totals = [node.total(), right.total()];
        self.inner_bytes += node.bytes() + right.bytes();
        self.inner_bytes -= before;
        let right = self.inners.insert(right);
        self.add_child(path, above, 1, right, totals, up);
    }
}
