//! When the next sync begins while others wait for it: at once, or when those are back who were let go by the last.
//!
//! Clients that wait for each reply come back after a moment. If that is not much longer than a sync, to wait for them is worth it: a sync that begins
//! with the first of them makes all others wait for two, and each sync costs wake-ups. If it is, it is not, for a sync that is under way meanwhile costs
//! nobody anything. So both are measured, and nobody is waited for longer than some syncs take; if they do not come, no more before it has been seen
//! again that they do.

/// Nobody is waited for longer, ns.
const WAIT_NS_MAX: u64 = 20_000_000;
/// Who takes longer than so many syncs is not waited for. Measured: 50 clients that are back after two syncs get an eighth more together than in turns.
const SYNCS_MAX: u64 = 3;
/// Of so many syncs, about, the average is known.
const SYNCS_KNOWN: u64 = 32;
/// Somebody may be late by so much, ns.
const LATE_NS: u64 = 20_000;

/// How long syncs and clients take, and who is expected.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// Replies that have begun to wait, ever; and how many had when the last sync began, and the one before.
    arrived: u64,
    at_last: u64,
    at_one_before: u64,
    /// With so many, as many wait as did when the last sync ended, those included that it let go.
    expected: u64,
    /// How many it let go, and how many waited already.
    released: u64,
    waited: u64,
    ended_ns: u64,
    /// How long a sync takes, on the average: where only so many may be asked for in a second most take no time, and then one takes all of it.
    sync_ns: u64,
    /// How long it takes until all are there, if it is known: rather too short, for what is longer is tried.
    back_ns: Option<u64>,
}

impl Patience {
    /// A sync begins.
    pub fn begin(&mut self) {
        self.at_one_before = std::mem::replace(&mut self.at_last, self.arrived);
    }

    /// It has ended.
    pub fn end(&mut self, begun_ns: u64, now_ns: u64) {
        let took_ns = now_ns.saturating_sub(begun_ns);
        self.sync_ns = match self.sync_ns {
            0 => took_ns,
            known => known - known / SYNCS_KNOWN + took_ns / SYNCS_KNOWN,
        };
        self.released = self.at_last - self.at_one_before;
        self.waited = self.arrived - self.at_last;
        self.expected = self.arrived + self.released;
        self.ended_ns = now_ns;
    }

    /// So many more replies wait. Whether all are there who were expected, and were not before.
    pub fn arrive(&mut self, count: usize, now_ns: impl FnOnce() -> u64) -> bool {
        let missed = self.arrived < self.expected;
        self.arrived += count as u64;
        let are_there = missed && self.arrived >= self.expected;
        if are_there {
            // So many have come in that time; the question is how long all would take.
            let took_ns = now_ns().saturating_sub(self.ended_ns);
            let took_ns = took_ns.saturating_mul(self.released + self.waited) / self.released.max(1);
            self.back_ns = Some(self.back_ns.map_or(took_ns, |known| took_ns.min(known + known / 4 + 1)));
        }
        are_there
    }

    /// Until when it is worth waiting for the others; `None`: it is not.
    pub fn until_ns(&self) -> Option<u64> {
        let syncs_ns = SYNCS_MAX * self.sync_ns;
        let back_ns = self.back_ns.filter(|back_ns| *back_ns <= syncs_ns)?;
        let most_ns = syncs_ns.min(2 * back_ns + LATE_NS).min(WAIT_NS_MAX);
        (self.arrived < self.expected).then(|| self.ended_ns + most_ns)
    }

    /// They have not come in time. After a few times nobody is waited for.
    pub fn give_up(&mut self) {
        self.back_ns = self.back_ns.map(|back_ns| 2 * back_ns + LATE_NS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many clients that ask again `think` after each reply, one after the other `step` apart, and syncs that take `sync`: replies in two
    /// hundred syncs, and the time, ns.
    fn play(clients: u64, think: u64, step: u64, sync: u64) -> (u64, u64) {
        play_with(clients, think, step, |_| sync)
    }

    /// The same; `sync` says of each by its number.
    fn play_with(clients: u64, think: u64, step: u64, sync: impl Fn(u64) -> u64) -> (u64, u64) {
        let (mut patience, mut now, mut replies) = (Patience::default(), 0, 0);
        // When each comes next.
        let mut coming: Vec<u64> = (0..clients).map(|client| client * step).collect();
        let mut waiting = 0;
        for number in 0..200 {
            let until = patience.until_ns();
            // Who comes before the sync begins.
            loop {
                coming.sort_unstable();
                let is_over = match (until, coming.first()) {
                    (_, None) => true,
                    (Some(until), Some(next)) if *next > until => {
                        now = now.max(until);
                        patience.give_up();
                        true
                    }
                    (Some(_), Some(_)) => patience.until_ns().is_none(),
                    (None, Some(next)) => waiting > 0 && *next > now,
                };
                if is_over && waiting > 0 {
                    break;
                }
                now = now.max(coming.remove(0));
                waiting += 1;
                patience.arrive(1, || now);
            }
            patience.begin();
            let (begun, covered) = (now, std::mem::take(&mut waiting));
            now += sync(number);
            while let Some(place) = coming.iter().position(|at| *at <= now) {
                let at = coming.remove(place);
                waiting += 1;
                patience.arrive(1, || at);
            }
            patience.end(begun, now);
            replies += covered;
            coming.extend((1..=covered).map(|place| now + think + place * step));
        }
        (replies, now)
    }

    #[test]
    fn who_comes_back_before_a_sync_would_have_ended_is_waited_for() {
        // 50 clients are back after 0.6 ms, and a sync takes 5: all of them share each.
        let (replies, took) = play(50, 20_000, 12_000, 5_000_000);
        assert!(replies * 5_900_000 / 50 > took, "{replies} replies in {took} ns");
    }

    #[test]
    fn nobody_is_waited_for_who_takes_much_longer_than_a_sync() {
        // A sync of 75 µs: while some are on their way the others are served.
        let (replies, took) = play(50, 20_000, 12_000, 75_000);
        assert!(replies * 14_000 > took, "{replies} replies in {took} ns");
        // Clients that think for longer than a sync takes: no worse than without waiting, in which each reply takes two syncs at most.
        let (replies, took) = play(50, 20_000_000, 1_000, 5_000_000);
        assert!(replies * 32_000_000 / 50 > took, "{replies} replies in {took} ns");
    }

    #[test]
    fn where_syncs_are_counted_all_share_each() {
        // Four hundred a second: twenty take a tenth of a millisecond each, then one waits for the next twentieth of a second.
        let (replies, _) =
            play_with(200, 20_000, 5_000, |number| if number % 20 == 19 { 48_000_000 } else { 100_000 });
        assert!(replies > 200 * 180, "{replies} replies");
    }

    #[test]
    fn one_client_waits_for_nobody() {
        let (replies, took) = play(1, 30_000, 0, 1_000_000);
        assert_eq!((replies, took), (200, 199 * 1_030_000 + 1_000_000));
    }

    #[test]
    fn who_does_not_come_is_given_up() {
        let (mut patience, mut now) = (Patience::default(), 0);
        let mut sync = |patience: &mut Patience| {
            patience.begin();
            patience.end(now, now + 1_000_000);
            now += 1_000_000;
            now
        };
        patience.arrive(50, || 0);
        let ended = sync(&mut patience);
        assert_eq!(patience.until_ns(), None, "nothing is known");
        assert!(patience.arrive(50, || ended + 100_000));
        // Not more than twice as long, and some.
        let ended = sync(&mut patience);
        assert_eq!(patience.until_ns(), Some(ended + 220_000));
        patience.arrive(1, || ended + 50_000);
        assert_eq!(patience.until_ns(), Some(ended + 220_000));
        let mut times = 0;
        while patience.until_ns().is_some() {
            patience.give_up();
            times += 1;
        }
        assert_eq!(times, 5, "given up");
        // Until it is seen that they are back soon.
        assert!(patience.arrive(49, || ended + 120_000));
        let ended = sync(&mut patience);
        assert_eq!(patience.until_ns(), Some(ended + 260_000));
    }
}
