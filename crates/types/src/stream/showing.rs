//! Showing a stream as it is now, block by block from the first, while it changes: see [`crate::showing`]. As the order matters, what
//! changes before it is its turn is kept until then. What is known of the log as a whole, and the groups, are not shown: whoever begins
//! writes them down at once, or, if many entries are pending or much is known of producers, a copy of both when the blocks are written.

use super::Stream;
use super::block::Block;
use super::id::StreamId;
use super::log::Log;
use super::nodes::Node;
use crate::showing::{Element, Show};
use std::collections::BTreeMap;

/// Groups with more pending entries than this are too much to be written down at once, and so are producers that take more bytes.
const PENDING_MAX: usize = 4096;
const PRODUCERS_BYTES_MAX: usize = 64 * 1024;
/// Bytes of blocks that are shown in one step.
const STEP_BYTES: usize = 64 * 1024;

/// A copy is not being shown.
#[derive(Debug, Default)]
pub struct LogShowing(Option<Box<State>>);

impl Clone for LogShowing {
    fn clone(&self) -> Self {
        Self(None)
    }
}

/// Blocks up to `shown` have been shown; those behind, up to `last`, are in the log as they were, or kept.
#[derive(Debug)]
struct State {
    kept: BTreeMap<StreamId, Block>,
    kept_bytes: usize,
    shown: StreamId,
    last: StreamId,
    /// Groups and producers as they were, if that is much.
    rest: Option<Box<Stream>>,
}

impl LogShowing {
    /// A block is about to change or to go.
    #[inline]
    pub fn keep(&mut self, block: &Block) {
        if let Some(state) = &mut self.0 {
            state.keep(block);
        }
    }
}

impl State {
    fn keep(&mut self, block: &Block) {
        let master = block.master;
        if master > self.shown && master <= self.last && !self.kept.contains_key(&master) {
            let block = block.clone();
            self.kept_bytes += block.bytes();
            self.kept.insert(master, block);
        }
    }

    /// Shows the next block; its bytes, or `None` after the last.
    fn show_next(&mut self, log: &Log, show: Show<'_>) -> Option<usize> {
        let live = log.behind(self.shown).map(|place| log.get(place));
        let live = live.filter(|block| block.master <= self.last);
        let kept = self.kept.first_key_value().map(|(&master, _)| master);
        match (live, kept) {
            (Some(block), kept) if kept.is_none_or(|kept| block.master < kept) => {
                self.shown = block.master;
                show(Element::Block(Node::of(block)));
                Some(block.bytes())
            }
            // What is in the log beside it is what has become of it.
            (_, Some(_)) => {
                let (master, block) = self.kept.pop_first()?;
                self.shown = master;
                self.kept_bytes -= block.bytes();
                show(Element::Block(Node::of(&block)));
                Some(block.bytes())
            }
            _ => None,
        }
    }
}

impl Stream {
    /// Whether its groups and producers are too much to be written down at once. They are written behind all blocks then.
    pub fn has_long_rest(&self) -> bool {
        self.groups.iter().map(|group| group.pending().len()).sum::<usize>() > PENDING_MAX
            || self.producers().is_some_and(|producers| producers.bytes() > PRODUCERS_BYTES_MAX)
    }

    /// See [`crate::showing::Showable::begin`].
    pub(crate) fn begin_showing(&mut self) {
        let rest = self.has_long_rest().then(|| {
            let (groups, producers) = (self.groups.clone(), self.producers.clone());
            Box::new(Self { groups, producers, ..Self::default() })
        });
        let last = self.log.last().map_or(StreamId::MIN, |block| block.master);
        let showing = &mut self.log.showing.0;
        assert!(showing.is_none(), "a collection is shown to one at a time");
        let (kept, kept_bytes) = (BTreeMap::new(), 0);
        *showing = Some(Box::new(State { kept, kept_bytes, shown: StreamId::MIN, last, rest }));
    }

    /// Shows some blocks; false if there are no more.
    pub(crate) fn show_on(&mut self, show: Show<'_>) -> bool {
        let Some(mut state) = self.log.showing.0.take() else { return false };
        let (mut bytes, mut has_more) = (0, true);
        while has_more && bytes < STEP_BYTES {
            let shown = state.show_next(&self.log, show);
            has_more = shown.is_some();
            bytes += shown.unwrap_or(0);
        }
        self.log.showing.0 = Some(state);
        has_more
    }

    /// What is left to be written behind the blocks: groups and producers as they were, in a stream that has nothing else.
    pub(crate) fn take_rest(&mut self) -> Option<Box<Self>> {
        self.log.showing.0.as_mut()?.rest.take()
    }

    pub(crate) fn kept_bytes(&self) -> usize {
        self.log.showing.0.as_ref().map_or(0, |state| state.kept_bytes)
    }

    pub(crate) fn end_showing(&mut self) {
        self.log.showing.0 = None;
    }
}
