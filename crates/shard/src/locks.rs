//! Keys held by multi-hop operations, and who waits for them.
//!
//! Every waiter stands in the queue of each thing it needs, in mailbox order, and goes when it is at the front of all of them. Because
//! multi-shard operations arrive in the same order on every shard, waiting cannot go round in a circle.
//!
//! Things are keys, held alone, and the whole shard: operations that hold keys share it, commands that look at
//! all keys (DBSIZE, SCAN, FLUSHALL …) need it alone, for a key that is held is out of the keyspace. Ordinary commands take part only
//! when one of their keys has a queue, or when a command that needs the whole shard waits; then they share the shard, so that neither
//! overtakes the other. And the gate: an operation that does not know yet which keys it will need (see `multi::open`) holds it alone, and
//! what other operations ask for after it queues there; commands of this shard's own pass.
//!
//! What such an operation asks for *late* it gets as if it had asked when it came: before all who came after and have not begun.

use base::hash::{HashSeed, QuickMap};
use std::collections::{HashSet, VecDeque};

/// What can be waited for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Thing {
    Key(u16, Vec<u8>),
    Shard,
    Gate,
}

pub type WaiterId = u64;

/// A place in the order of those who came: behind the one it names first, whoever asked first. One that came by itself names itself.
type Place = (WaiterId, WaiterId);

/// Waiters whose things have all been granted, in that order, with what they are to do.
pub type Ready<W> = VecDeque<(WaiterId, W)>;

struct Waiter<W> {
    what: Option<W>,
    place: Place,
    things: Vec<Thing>,
    missing: usize,
}

/// Who holds a thing and who waits for it. Nobody waits unless somebody holds it.
#[derive(Default)]
struct Queue {
    /// How many hold it: one alone, or any number that share it.
    holders: usize,
    is_shared: bool,
    /// In the order of their places.
    waiting: VecDeque<(Place, bool)>,
    /// Those that hold it alone or wait to.
    alone: usize,
    /// Who came last.
    last: WaiterId,
}

impl Queue {
    /// Whether the one who comes now holds it at once.
    fn enqueue(&mut self, id: WaiterId, shared: bool) -> bool {
        self.last = id;
        self.alone += usize::from(!shared);
        let granted = self.holders == 0 || shared && self.is_shared && self.waiting.is_empty();
        if granted {
            (self.holders, self.is_shared) = (self.holders + 1, shared);
        } else {
            self.waiting.push_back(((id, id), shared));
        }
        granted
    }

    /// One of the holders goes; those who hold it from now on are given to `grant`.
    fn release(&mut self, grant: impl FnMut(WaiterId)) {
        self.alone -= usize::from(!self.is_shared);
        self.holders -= 1;
        if self.holders == 0 {
            self.grant(grant);
        }
    }

    /// Lets those hold it who can now: one that needs it alone, or all up to the first that does.
    fn grant(&mut self, mut grant: impl FnMut(WaiterId)) {
        while let Some(&((_, id), shared)) =
            self.waiting.front().filter(|_| self.holders == 0 || self.is_shared)
        {
            if self.holders > 0 && !shared {
                break;
            }
            self.waiting.pop_front();
            (self.holders, self.is_shared) = (self.holders + 1, shared);
            grant(id);
        }
    }
}

/// `W` is what is to be done once everything is granted.
pub struct Locks<W> {
    queues: QuickMap<Thing, Queue>,
    waiters: QuickMap<WaiterId, Waiter<W>>,
    next: WaiterId,
}

impl<W> Locks<W> {
    pub fn new(seed: &HashSeed) -> Self {
        let queues = QuickMap::with_hasher(seed.clone());
        Self { queues, waiters: QuickMap::with_hasher(seed.clone()), next: 1 }
    }

    /// Nothing is held: every command may run.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Those who wait and are to do something of a kind, in the order of their numbers.
    pub fn waiting(&self, is_meant: impl Fn(&W) -> bool) -> Vec<WaiterId> {
        let waiting = self.waiters.iter().filter(|(_, waiter)| waiter.what.as_ref().is_some_and(&is_meant));
        let mut waiting: Vec<_> = waiting.map(|(id, _)| *id).collect();
        waiting.sort_unstable();
        waiting
    }

    /// Whether one of those who wait is to do something of a kind, or more than `looks_max` wait.
    pub fn may_have_waiting(&self, looks_max: usize, is_meant: impl Fn(&W) -> bool) -> bool {
        let is_meant = |waiter: &Waiter<W>| waiter.what.as_ref().is_some_and(&is_meant);
        self.waiters.len() > looks_max || self.waiters.values().any(is_meant)
    }

    /// Whether somebody holds or waits for this.
    pub fn is_contended(&self, thing: &Thing) -> bool {
        self.queues.contains_key(thing)
    }

    /// Whether somebody holds this alone, or waits to.
    pub fn is_wanted_alone(&self, thing: &Thing) -> bool {
        self.queues.get(thing).is_some_and(|queue| queue.alone > 0)
    }

    /// Queues for all of `things` (`shared`: beside others that also share); the work comes by `ready` at once or after
    /// releases.
    pub fn enqueue(&mut self, things: Vec<(Thing, bool)>, what: W, ready: &mut Ready<W>) -> WaiterId {
        let id = self.next;
        self.enqueue_at((id, id), things, what, ready)
    }

    /// As [`Locks::enqueue`] for one that came as `after` did, although it says only now what it needs: it goes before all who
    /// came later and have not begun. None of the things may be its own already.
    pub fn enqueue_late(
        &mut self,
        after: WaiterId,
        things: Vec<(Thing, bool)>,
        what: W,
        ready: &mut Ready<W>,
    ) -> WaiterId {
        debug_assert!(self.waiters[&after].missing == 0 && self.waiters[&after].place == (after, after));
        self.enqueue_at((after, self.next), things, what, ready)
    }

    /// As [`Locks::enqueue`], but before all who have not begun, whenever they came: for the sake of one who has waited for longer.
    pub fn seize(&mut self, things: Vec<(Thing, bool)>, what: W, ready: &mut Ready<W>) -> WaiterId {
        self.enqueue_at((0, self.next), things, what, ready)
    }

    fn enqueue_at(
        &mut self,
        place @ (after, id): Place,
        things: Vec<(Thing, bool)>,
        what: W,
        ready: &mut Ready<W>,
    ) -> WaiterId {
        self.next += 1;
        let mut missing = 0;
        let mut names = Vec::with_capacity(things.len());
        for (thing, shared) in things {
            let queue = self.queues.entry(thing.clone()).or_default();
            // The same thing may be named again.
            if queue.last == id {
                continue;
            }
            let granted = match after == id {
                true => queue.enqueue(id, shared),
                false => Self::enqueue_between(queue, &mut self.waiters, &thing, place, shared),
            };
            missing += usize::from(!granted);
            names.push(thing);
        }
        let mut waiter = Waiter { what: Some(what), place, things: names, missing };
        if missing == 0 {
            ready.extend(waiter.what.take().map(|what| (id, what)));
        }
        self.waiters.insert(id, waiter);
        id
    }

    /// Queues for one thing at a place among those who are there; whether it is held at once. What those were granted who have a later
    /// place and wait for something else is taken from them.
    fn enqueue_between(
        queue: &mut Queue,
        waiters: &mut QuickMap<WaiterId, Waiter<W>>,
        thing: &Thing,
        place: Place,
        shared: bool,
    ) -> bool {
        queue.last = place.1;
        queue.alone += usize::from(!shared);
        let index = queue.waiting.partition_point(|(other, _)| *other < place);
        if queue.holders > 0 && !(shared && queue.is_shared) {
            let waiting: HashSet<_> = queue.waiting.iter().map(|(other, _)| *other).collect();
            let begins_later = |waiter: &Waiter<W>| {
                waiter.place > place && waiter.missing > 0 && !waiting.contains(&waiter.place)
            };
            let idle = waiters.values_mut().filter(|waiter| begins_later(waiter));
            let mut taken = Vec::new();
            for waiter in idle.filter(|waiter| waiter.things.contains(thing)) {
                waiter.missing += 1;
                taken.push(waiter.place);
            }
            taken.sort_unstable();
            queue.holders -= taken.len();
            for other in taken.into_iter().rev() {
                queue.waiting.insert(index, (other, queue.is_shared));
            }
        }
        let granted = index == 0 && (queue.holders == 0 || shared && queue.is_shared);
        if granted {
            (queue.holders, queue.is_shared) = (queue.holders + 1, shared);
        } else {
            queue.waiting.insert(index, (place, shared));
        }
        granted
    }

    /// Ends what `id`, which was ready, held; whoever can go now is appended to `ready`.
    pub fn release(&mut self, id: WaiterId, ready: &mut Ready<W>) {
        let Some(waiter) = self.waiters.remove(&id) else { return };
        debug_assert!(waiter.missing == 0, "only those who are ready hold everything");
        waiter.things.into_iter().for_each(|thing| self.leave(id, thing, false, ready));
    }

    /// Takes one out that waits, with what it was to do; whoever can go now is appended to `ready`. `None` if it has been granted all it
    /// needs meanwhile: it goes on.
    pub fn withdraw(&mut self, id: WaiterId, ready: &mut Ready<W>) -> Option<W> {
        let what = self.waiters.get_mut(&id)?.what.take()?;
        let waiter = self.waiters.remove(&id)?;
        waiter.things.into_iter().for_each(|thing| self.leave(id, thing, true, ready));
        Some(what)
    }

    /// `id` no longer holds a thing; or, if it `may_wait`, no longer waits for it.
    fn leave(&mut self, id: WaiterId, thing: Thing, may_wait: bool, ready: &mut Ready<W>) {
        let queue = self.queues.get_mut(&thing).expect("what is held has a queue");
        let grant = |other: WaiterId| {
            let waiter = self.waiters.get_mut(&other).expect("whoever waits is known");
            waiter.missing -= 1;
            if waiter.missing == 0 {
                ready.extend(waiter.what.take().map(|what| (other, what)));
            }
        };
        let at = if may_wait { queue.waiting.iter().position(|(place, _)| place.1 == id) } else { None };
        match at.and_then(|at| queue.waiting.remove(at)) {
            Some((_, shared)) => {
                queue.alone -= usize::from(!shared);
                queue.grant(grant);
            }
            None => queue.release(grant),
        }
        if queue.holders == 0 {
            self.queues.remove(&thing);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Random;
    use std::collections::HashMap;

    fn locks<W>() -> Locks<W> {
        Locks::new(&HashSeed::new(1, 2))
    }

    fn key(name: &str) -> (Thing, bool) {
        (Thing::Key(0, name.as_bytes().to_vec()), false)
    }

    fn names(ready: &mut Ready<&'static str>) -> Vec<&'static str> {
        ready.drain(..).map(|(_, name)| name).collect()
    }

    #[test]
    fn first_come_first_served_per_key() {
        let (mut locks, mut ready) = (locks(), Ready::new());
        locks.enqueue(vec![key("a"), key("b")], "one", &mut ready);
        let (one, _) = ready.pop_front().unwrap();
        locks.enqueue(vec![key("b"), key("c")], "two", &mut ready);
        locks.enqueue(vec![key("c")], "three", &mut ready);
        locks.enqueue(vec![key("d")], "four", &mut ready);
        assert_eq!(names(&mut ready), ["four"]);
        locks.release(one, &mut ready);
        assert_eq!(ready.len(), 1);
        let (two, name) = ready.pop_front().unwrap();
        assert_eq!(name, "two");
        locks.release(two, &mut ready);
        assert_eq!(names(&mut ready), ["three"]);
    }

    #[test]
    fn who_withdraws_lets_others_go() {
        let (mut locks, mut ready) = (locks(), Ready::new());
        let shared = |thing| (thing, true);
        let first = locks.enqueue(vec![key("a"), shared(Thing::Shard)], "first", &mut ready);
        let all = locks.enqueue(vec![(Thing::Shard, false)], "all", &mut ready);
        locks.enqueue(vec![key("b"), shared(Thing::Shard)], "other", &mut ready);
        let both = locks.enqueue(vec![key("c"), key("a")], "both", &mut ready);
        locks.enqueue(vec![key("c")], "last", &mut ready);
        assert_eq!(names(&mut ready), ["first"]);
        assert!(locks.is_wanted_alone(&Thing::Shard));
        assert_eq!(locks.waiting(|what| *what != "last").len(), 3);
        assert_eq!(locks.withdraw(all, &mut ready), Some("all"));
        assert_eq!(names(&mut ready), ["other"]);
        assert!(!locks.is_wanted_alone(&Thing::Shard));
        // It holds one of its things, and waits for the other.
        assert_eq!(locks.withdraw(both, &mut ready), Some("both"));
        assert_eq!(names(&mut ready), ["last"]);
        locks.release(first, &mut ready);
        assert!(!locks.is_contended(&Thing::Key(0, b"a".to_vec())));
    }

    #[test]
    fn the_whole_shard_waits_for_holders_and_holds_up_later_ones() {
        let (mut locks, mut ready) = (locks(), Ready::new());
        let hold = |name| vec![key(name), (Thing::Shard, true)];
        locks.enqueue(hold("a"), "a", &mut ready);
        locks.enqueue(hold("b"), "b", &mut ready);
        let ids: Vec<_> = ready.drain(..).map(|(id, _)| id).collect();
        locks.enqueue(vec![(Thing::Shard, false)], "all", &mut ready);
        locks.enqueue(hold("c"), "c", &mut ready);
        locks.enqueue(vec![key("c")], "plain c", &mut ready);
        assert!(ready.is_empty());
        locks.release(ids[1], &mut ready);
        assert!(ready.is_empty());
        locks.release(ids[0], &mut ready);
        let (all, name) = ready.pop_front().unwrap();
        assert_eq!(name, "all");
        locks.release(all, &mut ready);
        let (c, name) = ready.pop_front().unwrap();
        assert_eq!(name, "c");
        locks.release(c, &mut ready);
        let (plain, name) = ready.pop_front().unwrap();
        assert_eq!(name, "plain c");
        locks.release(plain, &mut ready);
        assert!(locks.is_empty());
    }

    type Things = Vec<(Thing, bool)>;

    /// What the queues must come to: who is ready, by a look at everybody who came before.
    #[derive(Default)]
    struct Model {
        /// In the order they came: what they need, and whether they are ready.
        waiters: Vec<(WaiterId, Things, bool)>,
    }

    impl Model {
        /// Nobody who came before, and nobody who has begun, stands in the way.
        fn may_go(&self, at: usize) -> bool {
            self.waiters[at].1.iter().all(|(thing, shared)| {
                let others =
                    self.waiters.iter().enumerate().filter(|(other, waiter)| *other < at || waiter.2);
                let wanted = others.filter(|(other, _)| *other != at).flat_map(|(_, waiter)| &waiter.1);
                wanted.filter(|(other, _)| other == thing).all(|(_, other)| *shared && *other)
            })
        }

        fn newly_ready(&mut self) -> Vec<WaiterId> {
            let fresh: Vec<_> =
                (0..self.waiters.len()).filter(|&at| !self.waiters[at].2 && self.may_go(at)).collect();
            fresh.iter().for_each(|&at| self.waiters[at].2 = true);
            fresh.iter().map(|&at| self.waiters[at].0).collect()
        }
    }

    #[test]
    fn random_waiters_go_when_nobody_stands_before_them() {
        for seed in 0..200 {
            let mut random = Random::from_seed(seed);
            let (mut locks, mut ready, mut model) = (locks(), Ready::new(), Model::default());
            let mut late: HashMap<WaiterId, WaiterId> = HashMap::new();
            for id in 1..=120 {
                let mut things: Vec<_> =
                    (0..1 + random.below(4)).map(|_| key(&format!("{}", random.below(6)))).collect();
                if random.below(3) == 0 {
                    things.push((Thing::Shard, random.below(4) > 0));
                }
                // A thing counts as it is named first.
                let mut once = Things::new();
                for thing in &things {
                    if once.iter().all(|known| known.0 != thing.0) {
                        once.push(thing.clone());
                    }
                }
                let began: Vec<_> =
                    model.waiters.iter().filter(|waiter| waiter.2 && !late.contains_key(&waiter.0)).collect();
                let after = began.get(random.index(2 * began.len().max(1))).map(|waiter| waiter.0);
                if let Some(after) = after.filter(|_| seed % 2 == 0) {
                    // What it has itself, it does not ask for again.
                    let place = |other: &WaiterId| *late.get(other).unwrap_or(other);
                    let of_it = model.waiters.iter().filter(|waiter| place(&waiter.0) == after);
                    let own: Vec<_> =
                        of_it.flat_map(|waiter| waiter.1.iter().map(|(thing, _)| thing.clone())).collect();
                    once.retain(|(thing, _)| !own.contains(thing));
                    let at = model.waiters.iter().position(|waiter| place(&waiter.0) > after);
                    locks.enqueue_late(after, once.clone(), id, &mut ready);
                    model.waiters.insert(at.unwrap_or(model.waiters.len()), (id, once, false));
                    late.insert(id, after);
                } else {
                    model.waiters.push((id, once, false));
                    locks.enqueue(things, id, &mut ready);
                }
                while random.below(5) < 2 {
                    let going: Vec<_> = (0..model.waiters.len()).filter(|&at| model.waiters[at].2).collect();
                    let Some(&at) = going.get(random.index(going.len().max(1))) else { break };
                    let (id, ..) = model.waiters.remove(at);
                    locks.release(id, &mut ready);
                    check(&mut model, &mut ready, seed);
                }
                check(&mut model, &mut ready, seed);
            }
            while let Some(at) = model.waiters.iter().position(|waiter| waiter.2) {
                let (id, ..) = model.waiters.remove(at);
                locks.release(id, &mut ready);
                check(&mut model, &mut ready, seed);
            }
            assert!(model.waiters.is_empty() && locks.is_empty(), "seed {seed}");
        }
    }

    fn check(model: &mut Model, ready: &mut Ready<WaiterId>, seed: u64) {
        let mut got: Vec<_> = ready.drain(..).map(|(id, what)| (id == what).then_some(id)).collect();
        got.sort_unstable();
        let mut expected: Vec<_> = model.newly_ready().into_iter().map(Some).collect();
        expected.sort_unstable();
        assert_eq!(got, expected, "seed {seed}");
    }

    #[test]
    fn who_goes_because_another_is_withdrawn_is_not_withdrawn() {
        let (mut locks, mut ready) = (locks(), Ready::new());
        locks.enqueue(vec![key("a")], "holder", &mut ready);
        let first = locks.enqueue(vec![key("a"), key("b")], "first", &mut ready);
        let second = locks.enqueue(vec![key("b")], "second", &mut ready);
        assert_eq!(names(&mut ready), ["holder"]);
        assert_eq!(locks.withdraw(first, &mut ready), Some("first"));
        assert_eq!(locks.withdraw(second, &mut ready), None);
        assert_eq!(names(&mut ready), ["second"]);
        locks.release(second, &mut ready);
        assert!(!locks.is_contended(&key("b").0) && locks.is_contended(&key("a").0));
    }

    #[test]
    fn who_asks_late_goes_before_those_who_came_later_and_have_not_begun() {
        let (mut locks, mut ready) = (locks(), Ready::new());
        locks.enqueue(vec![key("a")], "earlier", &mut ready);
        let gate = locks.enqueue(vec![(Thing::Gate, false), key("b")], "gate", &mut ready);
        locks.enqueue(vec![key("b"), key("c")], "later", &mut ready);
        let ids: Vec<_> = ready.drain(..).map(|(id, _)| id).collect();
        // The later one has "c" and waits for "b".
        locks.enqueue_late(gate, vec![key("c"), (Thing::Shard, true)], "late", &mut ready);
        let (late, name) = ready.pop_front().unwrap();
        assert_eq!(name, "late");
        // Nobody goes before an earlier one.
        locks.enqueue_late(gate, vec![key("a")], "too late", &mut ready);
        assert!(ready.is_empty());
        locks.release(ids[0], &mut ready);
        let (too_late, name) = ready.pop_front().unwrap();
        assert_eq!(name, "too late");
        locks.release(late, &mut ready);
        locks.release(too_late, &mut ready);
        assert!(ready.is_empty());
        locks.release(gate, &mut ready);
        let (later, name) = ready.pop_front().unwrap();
        assert_eq!(name, "later");
        locks.release(later, &mut ready);
        assert!(locks.is_empty());
    }

    /// With work that grew with the square of their number, this would not end.
    #[test]
    fn many_things_and_many_waiters_take_their_time_only_once() {
        let (mut locks, mut ready) = (locks(), Ready::new());
        let many: Vec<_> = (0..100_000).map(|number| key(&format!("{}", number % 90_000))).collect();
        for round in 0..3 {
            locks.enqueue(many.clone(), round, &mut ready);
        }
        for number in 0..100_000 {
            locks.enqueue(vec![key("7"), (Thing::Shard, true)], 3 + number, &mut ready);
        }
        let mut order = 0;
        while let Some((id, what)) = ready.pop_front() {
            assert_eq!(what, order);
            order += 1;
            locks.release(id, &mut ready);
        }
        assert!(order == 100_003 && locks.is_empty());
    }
}
