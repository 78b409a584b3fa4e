//! What is left of a large sorted set that nobody looks anything up in any more: it is freed chunk by chunk.

use super::arena::Arena;
use super::index::Segment;
use super::inner::Inner;
use super::leaf::{Leaf, Outs};
use super::tree::Tree;

/// A tree on its way out.
pub(crate) struct TreeRemains {
    outs: Outs,
    leaves: Arena<Leaf>,
    index: Arena<Segment>,
    inners: Arena<Box<Inner>>,
    /// Heap bytes the tree had, and chunks it had and has.
    bytes: usize,
    chunks: usize,
    left: usize,
}

impl TreeRemains {
    pub fn new(tree: Tree) -> Self {
        let bytes = tree.bytes();
        let Tree { outs, leaves, index, inners, .. } = tree;
        let index = index.into_segments();
        let chunks = outs.chunks() + leaves.chunks() + index.chunks() + inners.chunks();
        Self { outs, leaves, index, inners, bytes, chunks, left: chunks }
    }

    /// Heap bytes not yet freed, as if all chunks were alike.
    pub fn bytes(&self) -> usize {
        (self.bytes as u128 * self.left as u128 / self.chunks.max(1) as u128) as usize
    }

    /// Frees one chunk; false if there was none.
    pub fn free_step(&mut self) -> bool {
        let freed = self.outs.free_chunk()
            || self.leaves.free_chunk()
            || self.index.free_chunk()
            || self.inners.free_chunk();
        self.left -= usize::from(freed);
        freed
    }
}
