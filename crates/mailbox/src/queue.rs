//! A multi-producer, single-consumer FIFO: producers push onto a list, the consumer takes all of it and turns it round.
//!
//! The order in which pushes take effect is the order in which the consumer sees them, across all producers. A push is
//! one compare-and-swap; a drain is one swap however many messages there are. Who takes messages keeps what they stood in for those
//! that it sends, for the allocator would have to carry it back to the thread it came from.

use crate::sync::{AtomicPtr, Ordering};
use std::collections::VecDeque;
use std::ptr;

struct Node<T> {
    value: Option<T>,
    next: *mut Node<T>,
}

/// Nodes that carry nothing.
// Boxed as they stand in queues.
#[allow(clippy::vec_box)]
pub struct Nodes<T>(Vec<Box<Node<T>>>);

// SAFETY: a node in here points nowhere: it is reached by nobody else, and its `next` is written before it is read.
unsafe impl<T: Send> Send for Nodes<T> {}

impl<T> Default for Nodes<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Nodes<T> {
    /// More are given back to the allocator.
    const KEPT_MAX: usize = 128;

    #[inline]
    fn carry(&mut self, value: T) -> Box<Node<T>> {
        match self.0.pop() {
            Some(mut node) => {
                node.value = Some(value);
                node
            }
            None => Box::new(Node { value: Some(value), next: ptr::null_mut() }),
        }
    }

    #[inline]
    fn keep(&mut self, node: Box<Node<T>>) {
        if self.0.len() < Self::KEPT_MAX {
            self.0.push(node);
        }
    }
}

/// The queue. `drain` must be called by one thread at a time (it takes `&self`; [`crate::Port`] sees to it).
pub struct Queue<T> {
    newest: AtomicPtr<Node<T>>,
}

// SAFETY: nodes are owned by the list until `drain` takes them; values cross threads only by being moved.
unsafe impl<T: Send> Send for Queue<T> {}
// SAFETY: all shared access goes through the atomic pointer; no reference to a value is ever handed out.
unsafe impl<T: Send> Sync for Queue<T> {}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { newest: AtomicPtr::new(ptr::null_mut()) }
    }
}

impl<T> Queue<T> {
    /// Appends a message, in one of `nodes` if there are any.
    #[inline]
    pub fn push(&self, value: T, nodes: &mut Nodes<T>) {
        let node = Box::into_raw(nodes.carry(value));
        let mut newest = self.newest.load(Ordering::Relaxed);
        loop {
            // SAFETY: the node is live, and not shared before the exchange below succeeds.
            unsafe { (*node).next = newest };
            match self.newest.compare_exchange_weak(newest, node, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => newest = now,
            }
        }
    }

    /// Whether nothing has been pushed since the last drain.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.newest.load(Ordering::SeqCst).is_null()
    }

    /// Takes all that was pushed before the call, oldest first, and some of what it stood in; returns how many.
    #[inline]
    pub fn drain(&self, out: &mut VecDeque<T>, nodes: &mut Nodes<T>) -> usize {
        if self.newest.load(Ordering::Relaxed).is_null() {
            // Nothing there; the acquire fence of a swap is not needed to see nothing, but the load must not be older
            // than what the caller has already observed through other messages.
            if self.newest.load(Ordering::SeqCst).is_null() {
                return 0;
            }
        }
        self.drain_all(out, nodes)
    }

    fn drain_all(&self, out: &mut VecDeque<T>, nodes: &mut Nodes<T>) -> usize {
        let mut node = self.newest.swap(ptr::null_mut(), Ordering::SeqCst);
        let mut oldest: *mut Node<T> = ptr::null_mut();
        while !node.is_null() {
            // SAFETY: the swap made this list ours alone.
            let next = unsafe { (*node).next };
            // SAFETY: as above.
            unsafe { (*node).next = oldest };
            oldest = node;
            node = next;
        }
        let mut count = 0;
        while !oldest.is_null() {
            // SAFETY: every node came from `Box::into_raw` in `push` and is visited once.
            let mut node = unsafe { Box::from_raw(oldest) };
            oldest = node.next;
            if let Some(value) = node.value.take() {
                out.push_back(value);
                count += 1;
            }
            nodes.keep(node);
        }
        count
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        self.drain(&mut VecDeque::new(), &mut Nodes::default());
    }
}
