//! A multi-producer, single-consumer FIFO: producers push onto a list, the consumer takes all of it and turns it round.
//!
//! The order in which pushes take effect is the order in which the consumer sees them, across all producers. A push is
//! one compare-and-swap; a drain is one swap however many messages there are.

use crate::sync::{AtomicPtr, Ordering};
use std::collections::VecDeque;
use std::ptr;

struct Node<T> {
    value: T,
    next: *mut Node<T>,
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
    /// Appends a message.
    pub fn push(&self, value: T) {
        let node = Box::into_raw(Box::new(Node { value, next: ptr::null_mut() }));
        let mut newest = self.newest.load(Ordering::Relaxed);
        loop {
            // SAFETY: the node was just allocated and is not shared before the exchange below succeeds.
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

    /// Takes all that was pushed before the call, oldest first; returns how many.
    pub fn drain(&self, out: &mut VecDeque<T>) -> usize {
        if self.newest.load(Ordering::Relaxed).is_null() {
            // Nothing there; the acquire fence of a swap is not needed to see nothing, but the load must not be older
            // than what the caller has already observed through other messages.
            if self.newest.load(Ordering::SeqCst).is_null() {
                return 0;
            }
        }
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
            let node = unsafe { Box::from_raw(oldest) };
            oldest = node.next;
            out.push_back(node.value);
            count += 1;
        }
        count
    }
}

impl<T> Drop for Queue<T> {
    fn drop(&mut self) {
        self.drain(&mut VecDeque::new());
    }
}
