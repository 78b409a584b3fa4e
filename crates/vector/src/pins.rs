//! Who still looks at what has been taken out.
//!
//! Epoch-based reclamation (Fraser, "Practical lock-freedom", 2004) with two counters: who searches counts itself in under the epoch that is
//! now, and out when it is done. The epoch may move on only when nobody is left of the one before. So who was there when something was
//! taken out in epoch `e` has gone when the epoch is `e + 2`, and nobody who came later can have met it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;

/// The epoch, and how many are there of the even and the odd one.
#[derive(Default)]
pub(crate) struct Pins {
    epoch: AtomicU64,
    counts: [AtomicU64; 2],
}

/// One who looks. What has been taken out since it came stays until it is dropped.
pub(crate) struct Pin {
    pins: Arc<Pins>,
    parity: usize,
}

impl Pins {
    /// Counts one in.
    pub(crate) fn pin(self: &Arc<Self>) -> Pin {
        loop {
            let epoch = self.epoch.load(SeqCst);
            let parity = epoch as usize % 2;
            self.counts[parity].fetch_add(1, SeqCst);
            // If the epoch has moved on in between, this count may have come too late to be seen.
            if self.epoch.load(SeqCst) == epoch {
                return Pin { pins: Arc::clone(self), parity };
            }
            self.counts[parity].fetch_sub(1, SeqCst);
        }
    }

    /// When something is taken out now: for [`Pins::is_over`].
    pub(crate) fn now(&self) -> u64 {
        self.epoch.load(SeqCst)
    }

    /// Moves on as far as possible and says whether nobody is left who may know what was taken out at `then`. For the owner alone.
    pub(crate) fn is_over(&self, then: u64) -> bool {
        loop {
            let epoch = self.epoch.load(SeqCst);
            if epoch >= then + 2 {
                return true;
            }
            if self.counts[(epoch as usize + 1) % 2].load(SeqCst) > 0 {
                return false;
            }
            self.epoch.store(epoch + 1, SeqCst);
        }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.pins.counts[self.parity].fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_there_is_waited_for() {
        let pins = Arc::new(Pins::default());
        assert!(pins.is_over(pins.now()));
        let first = pins.pin();
        let then = pins.now();
        assert!(!pins.is_over(then));
        let second = pins.pin();
        assert!(!pins.is_over(then));
        drop(first);
        // The second came before anything could move past the first one's epoch for good.
        let later = pins.pin();
        drop(second);
        assert!(pins.is_over(then));
        assert!(!pins.is_over(pins.now()));
        drop(later);
        assert!(pins.is_over(pins.now()));
    }
}
