//! Taking elements out of the tree. A leaf or node that gets small joins a neighbour under the same parent
//! when both together leave room; one that gets empty goes. The first and the last leaf are left to drain, so
//! that popping does not pay for joins that the next pops would undo.

use super::arena::NONE;
use super::bounds::{Cut, LexRange, ScoreRange};
use super::inner::FANOUT;
use super::leaf::{LEN_MAX, MEMBER_BYTES_MAX, out_id};
use super::tree::{Path, Tree};
use std::ops::Range;

/// Fewer elements than this make a leaf look for a neighbour to join,
const LEAF_SMALL: usize = LEN_MAX / 5;
/// which must leave at most this many in one leaf.
const LEAF_JOINED_MAX: usize = LEN_MAX * 5 / 8;
const INNER_SMALL: usize = FANOUT / 4;
const INNER_JOINED_MAX: usize = FANOUT * 3 / 4;

impl Tree {
    /// Takes a member out and returns its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let hash = self.hash(member);
        let spot = self.find(hash, member)?;
        let score = self.leaves[spot.leaf].score(spot.at);
        let path = self.descend(&Cut::before(score, member));
        debug_assert_eq!(path.leaf, spot.leaf);
        self.keep_leaf(spot.leaf);
        self.index.remove(hash, spot.leaf);
        self.drop_outs(spot.leaf, spot.at..spot.at + 1);
        self.take_out(&path, spot.at..spot.at + 1);
        self.len -= 1;
        Some(score)
    }

    /// Takes the elements of these ranks out, a leaf at a time, showing each before it goes.
    pub fn remove_ranks(&mut self, ranks: Range<usize>, mut visit: impl FnMut(&[u8], f64)) -> usize {
        let ranks = ranks.start..ranks.end.min(self.len);
        let mut left = ranks.len();
        while left > 0 {
            let (path, at) = self.descend_rank(ranks.start);
            self.keep_leaf(path.leaf);
            let view = self.leaves[path.leaf].view();
            let range = at..view.scores.len().min(at + left);
            for at in range.clone() {
                let member = view.member(at, &self.outs);
                visit(member, view.score(at));
                let hash = (self.seed.hash(member) >> 32) as u32;
                self.index.remove(hash, path.leaf);
            }
            left -= range.len();
            self.len -= range.len();
            self.drop_outs(path.leaf, range.clone());
            self.take_out(&path, range);
        }
        ranks.len()
    }

    pub fn remove_scores(&mut self, range: &ScoreRange, visit: impl FnMut(&[u8], f64)) -> usize {
        self.remove_ranks(self.score_ranks(range), visit)
    }

    pub fn remove_lex(&mut self, range: &LexRange, visit: impl FnMut(&[u8], f64)) -> usize {
        self.remove_ranks(self.lex_ranks(range), visit)
    }

    fn drop_outs(&mut self, leaf: u32, range: Range<usize>) {
        if self.out_bytes == 0 {
            return;
        }
        let view = self.leaves[leaf].view();
        for at in range {
            if let (raw, true) = view.raw(at) {
                self.out_bytes -= self.outs.remove(out_id(raw)).len();
            }
        }
    }

    /// Takes elements out of the leaf at the end of the path and puts the tree in order above; the index, the
    /// members out of line and `len` are the caller's business.
    pub(super) fn take_out(&mut self, path: &Path, range: Range<usize>) {
        let count = range.len() as u64;
        for &(node, child) in &path.steps[..self.height] {
            *self.inners[node].count_mut(child as usize) -= count;
        }
        let left = self.edit(path.leaf, |leaf| {
            leaf.remove(range);
            leaf.len()
        });
        if left >= LEAF_SMALL || self.height == 0 {
            return;
        }
        if left == 0 {
            self.drop_leaf(path.leaf);
            return self.remove_child(path, self.height - 1, path.steps[self.height - 1].1 as usize);
        }
        let leaf = &self.leaves[path.leaf];
        if leaf.prev == NONE || leaf.next == NONE {
            return;
        }
        let (parent, at) = path.steps[self.height - 1];
        let at = at as usize;
        for left_at in [at.wrapping_sub(1), at] {
            if left_at != usize::MAX
                && left_at + 1 < self.inners[parent].len()
                && self.join_leaves(parent, left_at)
            {
                return self.remove_child(path, self.height - 1, left_at + 1);
            }
        }
    }

    /// Unlinks a leaf and frees its id and memory.
    fn drop_leaf(&mut self, id: u32) {
        let leaf = self.leaves.remove(id);
        self.block_bytes -= leaf.bytes();
        self.link(leaf.prev, leaf.next);
    }

    /// Makes two leaves neighbours; `NONE` is the end of the set.
    fn link(&mut self, prev: u32, next: u32) {
        if prev == NONE {
            self.first = next;
        } else {
            self.leaves[prev].next = next;
        }
        if next == NONE {
            self.last = prev;
        } else {
            self.leaves[next].prev = prev;
        }
    }

    /// Joins the leaves `left_at` and `left_at + 1` of a parent if they fit well; the caller then takes the
    /// second out of the parent. The larger of the two keeps its id, so that the index hears of the fewer
    /// elements.
    fn join_leaves(&mut self, parent: u32, left_at: usize) -> bool {
        let node = &self.inners[parent];
        let (left_id, right_id) = (node.child(left_at), node.child(left_at + 1));
        let (left, right) = (&self.leaves[left_id], &self.leaves[right_id]);
        let (left_len, len) = (left.len(), left.len() + right.len());
        let member_bytes = left.member_bytes() + right.member_bytes();
        if len > LEAF_JOINED_MAX || member_bytes > MEMBER_BYTES_MAX * 3 / 4 {
            return false;
        }
        self.keep_leaf(left_id);
        self.keep_leaf(right_id);
        let (left, right) = (&self.leaves[left_id], &self.leaves[right_id]);
        let both = left.join(right);
        let (prev, next) = (left.prev, right.next);
        let (keeper, gone, moved) = if left_len * 2 >= len {
            (left_id, right_id, left_len..len)
        } else {
            (right_id, left_id, 0..left_len)
        };
        self.block_bytes += both.bytes();
        self.block_bytes -= self.leaves.remove(gone).bytes() + self.leaves[keeper].bytes();
        self.leaves[keeper] = both;
        self.link(prev, keeper);
        self.link(keeper, next);
        self.relocate(keeper, moved, gone, keeper);
        let node = &mut self.inners[parent];
        node.set_child(left_at, keeper);
        *node.count_mut(left_at) += node.count(left_at + 1);
        true
    }

    /// Takes child `at` out of the node at `level` of the path, and what gets too small above with it.
    fn remove_child(&mut self, path: &Path, level: usize, at: usize) {
        let id = path.steps[level].0;
        let node = &mut self.inners[id];
        let before = node.bytes();
        node.remove(at);
        self.inner_bytes += node.bytes();
        self.inner_bytes -= before;
        let len = node.len();
        if level == 0 {
            return self.lower_root();
        }
        let (parent, place) = (path.steps[level - 1].0, path.steps[level - 1].1 as usize);
        if len == 0 {
            self.inner_bytes -= self.inners.remove(id).bytes();
            return self.remove_child(path, level - 1, place);
        }
        if len >= INNER_SMALL {
            return;
        }
        for left_at in [place.wrapping_sub(1), place] {
            if left_at != usize::MAX
                && left_at + 1 < self.inners[parent].len()
                && self.join_inners(parent, left_at)
            {
                return self.remove_child(path, level - 1, left_at + 1);
            }
        }
    }

    /// A root with one child gives way to it.
    fn lower_root(&mut self) {
        while self.height > 0 && self.inners[self.root].len() == 1 {
            let root = self.inners.remove(self.root);
            self.inner_bytes -= root.bytes();
            self.root = root.child(0);
            self.height -= 1;
        }
        if self.height > 0 && self.inners[self.root].len() == 0 {
            unreachable!("the last leaf never goes: a root has two children");
        }
    }

    fn join_inners(&mut self, parent: u32, left_at: usize) -> bool {
        let node = &self.inners[parent];
        let (left_id, right_id) = (node.child(left_at), node.child(left_at + 1));
        if self.inners[left_id].len() + self.inners[right_id].len() > INNER_JOINED_MAX {
            return false;
        }
        let separator = node.separator(left_at + 1);
        let right = self.inners.remove(right_id);
        let left = &mut self.inners[left_id];
        let before = left.bytes() + right.bytes();
        left.join(separator, &right);
        self.inner_bytes += left.bytes();
        self.inner_bytes -= before;
        let node = &mut self.inners[parent];
        *node.count_mut(left_at) += node.count(left_at + 1);
        true
    }
}
