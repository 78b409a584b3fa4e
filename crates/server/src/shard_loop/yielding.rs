//! Offering the processor to others between slices of work for which the shard does not sleep: a save, links of vectors, parts of searches.

use super::ShardLoop;
use runtime::clock;

/// Clients on the same processor give it back before that; who computes takes his whole time slice, 3 ms or more.
const AWAY_NS_MAX: u64 = 2_000_000;
/// Others get no more than one part in so many of it.
const AWAY_SHARE: u64 = 32;

impl ShardLoop {
    /// A client on this processor would else wait for the end of the time slice of a shard that never sleeps. Clients give it back at once; who does not is not offered it again for
    /// a while.
    pub(super) fn offer_processor(&mut self) {
        let now_ns = clock::monotonic_ns();
        if now_ns >= self.offers_processor_at_ns {
            std::thread::yield_now();
            let away_ns = clock::monotonic_ns() - now_ns;
            if away_ns > AWAY_NS_MAX {
                self.offers_processor_at_ns = now_ns + away_ns * AWAY_SHARE;
            }
        }
    }
}
