//! Keys held by multi-hop operations, and who waits for them.
//!
//! Every waiter stands in the queue of each thing it needs, in mailbox order, and goes when it is at the front of all of them. Because
//! multi-shard operations arrive in the same order on every shard, waiting cannot go round in a circle.
//!
//! Things are keys, held alone, and the whole shard: operations that hold keys share it, commands that look at
//! all keys (DBSIZE, SCAN, FLUSHALL …) need it alone, for a key that is held is out of the keyspace. Ordinary commands take part only
//! when one of their keys has a queue, or when a command that needs the whole shard waits; then they share the shard, so that neither
//! overtakes the other.

use std::collections::{HashMap, VecDeque};

/// What can be waited for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Thing {
    Key(u16, Vec<u8>),
    Shard,
}

pub type WaiterId = u64;

struct Waiter<W> {
    what: Option<W>,
    things: Vec<Thing>,
    missing: usize,
}

/// `W` is what is to be done once everything is granted.
pub struct Locks<W> {
    queues: HashMap<Thing, VecDeque<(WaiterId, bool)>>,
    waiters: HashMap<WaiterId, Waiter<W>>,
    next: WaiterId,
}

impl<W> Default for Locks<W> {
    fn default() -> Self {
        Self { queues: HashMap::new(), waiters: HashMap::new(), next: 1 }
    }
}

impl<W> Locks<W> {
    /// Nothing is held: every command may run.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Whether somebody holds or waits for this.
    pub fn is_contended(&self, thing: &Thing) -> bool {
        self.queues.contains_key(thing)
    }

    /// Whether somebody holds this alone, or waits to.
    pub fn is_wanted_alone(&self, thing: &Thing) -> bool {
        self.queues.get(thing).is_some_and(|queue| queue.iter().any(|&(_, shares)| !shares))
    }

    /// Queues for all of `things` (`shared`: beside others that also share) and returns who it is now; the work comes back
    /// from [`Locks::ready`] at once or after releases.
    pub fn enqueue(&mut self, things: Vec<(Thing, bool)>, what: W, ready: &mut Vec<(WaiterId, W)>) {
        let id = self.next;
        self.next += 1;
        let mut missing = 0;
        let mut names = Vec::with_capacity(things.len());
        for (thing, shared) in things {
            if names.contains(&thing) {
                continue;
            }
            let queue = self.queues.entry(thing.clone()).or_default();
            let granted = queue.is_empty() || shared && queue.iter().all(|&(_, shares)| shares);
            queue.push_back((id, shared));
            missing += usize::from(!granted);
            names.push(thing);
        }
        let mut waiter = Waiter { what: Some(what), things: names, missing };
        if missing == 0 {
            ready.extend(waiter.what.take().map(|what| (id, what)));
        }
        self.waiters.insert(id, waiter);
    }

    /// Ends what `id` held; whoever can go now is appended to `ready`.
    pub fn release(&mut self, id: WaiterId, ready: &mut Vec<(WaiterId, W)>) {
        let Some(waiter) = self.waiters.remove(&id) else { return };
        for thing in waiter.things {
            let Some(queue) = self.queues.get_mut(&thing) else { continue };
            let before = granted_len(queue);
            let Some(at) = queue.iter().position(|&(other, _)| other == id) else { continue };
            queue.remove(at);
            // Those granted before stay so (one less if `id` was among them); the rest of the new front is new.
            let known = before - usize::from(at < before);
            let now = granted_len(queue);
            let fresh: Vec<WaiterId> = queue.iter().take(now).skip(known).map(|&(other, _)| other).collect();
            if queue.is_empty() {
                self.queues.remove(&thing);
            }
            for other in fresh {
                let Some(waiter) = self.waiters.get_mut(&other) else { continue };
                waiter.missing -= 1;
                if waiter.missing == 0 {
                    ready.extend(waiter.what.take().map(|what| (other, what)));
                }
            }
        }
    }
}

/// How many at the front hold what the queue is for: one that needs it alone, or all that share up to the first that does not.
fn granted_len(queue: &VecDeque<(WaiterId, bool)>) -> usize {
    match queue.front() {
        None => 0,
        Some((_, false)) => 1,
        Some(_) => queue.iter().take_while(|(_, shared)| *shared).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> (Thing, bool) {
        (Thing::Key(0, name.as_bytes().to_vec()), false)
    }

    fn names(ready: &mut Vec<(WaiterId, &'static str)>) -> Vec<&'static str> {
        ready.drain(..).map(|(_, name)| name).collect()
    }

    #[test]
    fn first_come_first_served_per_key() {
        let (mut locks, mut ready) = (Locks::default(), Vec::new());
        locks.enqueue(vec![key("a"), key("b")], "one", &mut ready);
        let (one, _) = ready.pop().unwrap();
        locks.enqueue(vec![key("b"), key("c")], "two", &mut ready);
        locks.enqueue(vec![key("c")], "three", &mut ready);
        locks.enqueue(vec![key("d")], "four", &mut ready);
        assert_eq!(names(&mut ready), ["four"]);
        locks.release(one, &mut ready);
        assert_eq!(ready.len(), 1);
        let (two, name) = ready.pop().unwrap();
        assert_eq!(name, "two");
        locks.release(two, &mut ready);
        assert_eq!(names(&mut ready), ["three"]);
    }

    #[test]
    fn the_whole_shard_waits_for_holders_and_holds_up_later_ones() {
        let (mut locks, mut ready) = (Locks::default(), Vec::new());
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
        let (all, name) = ready.pop().unwrap();
        assert_eq!(name, "all");
        locks.release(all, &mut ready);
        let (c, name) = ready.pop().unwrap();
        assert_eq!(name, "c");
        locks.release(c, &mut ready);
        let (plain, name) = ready.pop().unwrap();
        assert_eq!(name, "plain c");
        locks.release(plain, &mut ready);
        assert!(locks.is_empty());
    }
}
