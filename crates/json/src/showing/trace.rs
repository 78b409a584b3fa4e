//! What a large array or object knows of itself while its document is shown: what it had at the beginning and has no more.

use crate::Node;
use crate::node::{Elements, Members, Repr};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;

/// Of an array or object. A copy knows nothing.
#[derive(Default)]
pub(crate) struct Trace {
    /// The number of the showing that this is about; the others are over.
    showing: u32,
    /// `None` if nothing of it is still to be shown.
    state: Option<Box<State>>,
}

impl Clone for Trace {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// Elements are counted as they stood at the beginning of the showing ("then").
pub(crate) struct State {
    /// How many there were.
    pub len: usize,
    /// So many are shown.
    shown: usize,
    /// Runs of what has changed or gone and is not shown, each by the place then of its first.
    kept: BTreeMap<usize, VecDeque<Kept>>,
    places: Places,
    /// What the whole document keeps; only known of its root.
    pub kept_bytes: usize,
}

struct Kept {
    name: Option<Box<[u8]>>,
    node: Node,
    bytes: usize,
}

/// Where elements stood then, and stand now.
enum Places {
    /// Elements keep their order.
    Array(Vec<Run>),
    /// Members stay where they were, but for these: then of now, if it was there, and now of then.
    Object { then: HashMap<usize, Option<usize>>, now: HashMap<usize, usize> },
}

/// Elements that stand behind each other, then and now.
struct Run {
    then: usize,
    now: usize,
    len: usize,
}

/// Keeps what is about to change in a document, if that is being shown.
#[derive(Default)]
pub(crate) struct Keeper {
    /// The number of the showing; 0 for none.
    showing: u32,
    /// Bytes that were kept.
    pub bytes: usize,
}

impl Keeper {
    /// For changes of a document with this root.
    pub fn of(root: &mut Node) -> Self {
        let showing = root.trace_mut().filter(|trace| trace.state.is_some()).map_or(0, |trace| trace.showing);
        Self { showing, bytes: 0 }
    }

    #[inline]
    pub fn is_on(&self) -> bool {
        self.showing != 0
    }

    /// What was not there at the beginning, and all within it, is not to be shown.
    pub fn pass_over(&self, node: &mut Node) {
        if self.is_on()
            && let Some(trace) = node.trace_mut()
        {
            *trace = Trace { showing: self.showing, state: None };
            match &mut node.0 {
                Repr::Array(elements) => elements.nodes.iter_mut().for_each(|inner| self.pass_over(inner)),
                Repr::Object(members) => members.values_mut().for_each(|inner| self.pass_over(inner)),
                _ => {}
            }
        }
    }
}

impl Trace {
    /// Begins another showing, of an array or object that is a document's root.
    pub fn begin(&mut self, len: usize, is_array: bool) {
        self.showing += 1;
        self.state = Some(Box::new(State::new(len, is_array)));
    }

    pub fn end(&mut self) {
        self.state = None;
    }

    pub fn root_state(&mut self) -> Option<&mut State> {
        self.state.as_deref_mut()
    }

    pub fn showing(&self) -> u32 {
        self.showing
    }

    /// What is known of this showing, if anything is.
    pub fn state_of(&mut self, showing: u32) -> Option<&mut State> {
        self.state.as_deref_mut().filter(|_| self.showing == showing)
    }

    /// What is to be known of this showing from now on, unless all is shown. `len`: of the array or object, which has not changed before.
    pub fn enter(&mut self, showing: u32, len: usize, is_array: bool) -> Option<&mut State> {
        if self.showing != showing {
            *self = Self { showing, state: Some(Box::new(State::new(len, is_array))) };
        }
        self.state.as_deref_mut()
    }

    fn keeping(&mut self, keeper: &Keeper, len: usize, is_array: bool) -> Option<&mut State> {
        if keeper.is_on() { self.enter(keeper.showing, len, is_array) } else { None }
    }
}

impl State {
    fn new(len: usize, is_array: bool) -> Self {
        let places = if is_array {
            Places::Array(vec![Run { then: 0, now: 0, len }])
        } else {
            Places::Object { then: HashMap::new(), now: HashMap::new() }
        };
        Self { len, shown: 0, kept: BTreeMap::new(), places, kept_bytes: 0 }
    }

    /// Where the element that stands at `now` stood, if it is still to be shown as it is.
    fn then(&self, now: usize) -> Option<usize> {
        let then = match &self.places {
            Places::Array(runs) => {
                let run = runs.get(runs.partition_point(|run| run.now <= now).checked_sub(1)?)?;
                Some(run.then + now - run.now).filter(|_| now < run.now + run.len)
            }
            Places::Object { then, .. } => {
                then.get(&now).copied().unwrap_or_else(|| Some(now).filter(|&now| now < self.len))
            }
        };
        then.filter(|&then| then >= self.shown && !self.is_kept(then))
    }

    fn now(&self, then: usize) -> usize {
        match &self.places {
            Places::Array(runs) => {
                let run = &runs[runs.partition_point(|run| run.then <= then) - 1];
                run.now + then - run.then
            }
            Places::Object { now, .. } => now.get(&then).copied().unwrap_or(then),
        }
    }

    fn is_kept(&self, then: usize) -> bool {
        let run = self.kept.range(..=then).next_back();
        run.is_some_and(|(first, run)| then - first < run.len())
    }

    fn kept_mut(&mut self, then: usize) -> &mut Kept {
        let (first, run) = self.kept.range_mut(..=then).next_back().expect("it is kept");
        &mut run[then - first]
    }

    fn keep(&mut self, then: usize, name: Option<Box<[u8]>>, node: Node, keeper: &mut Keeper) {
        let bytes = size_of::<Kept>() + node.heap_bytes();
        keeper.bytes += bytes;
        let kept = Kept { name, node, bytes };
        match self.kept.range_mut(..then).next_back() {
            Some((first, run)) if first + run.len() == then => run.push_back(kept),
            _ => _ = self.kept.insert(then, VecDeque::from([kept])),
        }
    }

    /// The next one is shown: what was kept of it goes; its bytes.
    pub fn pass(&mut self) -> usize {
        let then = self.shown;
        self.shown += 1;
        let Some(mut run) = self.kept.remove(&then) else { return 0 };
        let kept = run.pop_front().map_or(0, |kept| kept.bytes);
        if !run.is_empty() {
            self.kept.insert(self.shown, run);
        }
        kept
    }
}

impl Elements {
    /// An element that is about to change where it is.
    pub fn child_mut(&mut self, index: usize, keeper: &mut Keeper) -> Option<&mut Node> {
        let len = self.nodes.len();
        let node = self.nodes.get_mut(index)?;
        if !node.is_traced()
            && let Some(state) = self.trace.keeping(keeper, len, true)
            && let Some(then) = state.then(index)
        {
            state.keep(then, None, node.clone(), keeper);
        }
        Some(node)
    }

    /// Takes elements out, and puts others in their place; shows what has gone.
    pub fn splice(
        &mut self,
        range: Range<usize>,
        added: Vec<Node>,
        keeper: &mut Keeper,
        mut gone: impl FnMut(&Node),
    ) {
        let (len, count) = (self.nodes.len(), added.len());
        let mut state = self.trace.keeping(keeper, len, true);
        for (now, node) in (range.start..).zip(self.nodes.splice(range.clone(), added)) {
            gone(&node);
            if let Some(state) = &mut state
                && let Some(then) = state.then(now)
            {
                state.keep(then, None, node, keeper);
            }
        }
        if let Some(Places::Array(runs)) = state.map(|state| &mut state.places) {
            let cut = |run: &Run| {
                let front = Run { len: range.start.saturating_sub(run.now).min(run.len), ..*run };
                let passed = range.end.saturating_sub(run.now).min(run.len);
                let now = (run.now + passed + count).saturating_sub(range.len());
                [front, Run { then: run.then + passed, now, len: run.len - passed }]
            };
            *runs = runs.iter().flat_map(cut).filter(|run| run.len > 0).collect();
        }
    }

    /// Takes out the elements with these numbers, which ascend; shows them.
    pub fn take(&mut self, indexes: &[usize], keeper: &mut Keeper, mut gone: impl FnMut(&Node)) {
        let (len, mut at) = (self.nodes.len(), 0);
        let mut state = self.trace.keeping(keeper, len, true);
        let mut taken = indexes.iter().copied().peekable();
        self.nodes.retain_mut(|element| {
            let goes = taken.next_if_eq(&at).is_some();
            if goes {
                gone(element);
                if let Some(state) = &mut state
                    && let Some(then) = state.then(at)
                {
                    state.keep(then, None, std::mem::replace(element, Node::null()), keeper);
                }
            }
            at += 1;
            !goes
        });
        if let Some(Places::Array(runs)) = state.map(|state| &mut state.places) {
            let (mut left, mut taken, mut count) = (Vec::new(), indexes.iter().copied().peekable(), 0);
            for &mut Run { mut then, mut now, len } in runs.iter_mut() {
                let end = now + len;
                while taken.next_if(|&index| index < now).is_some() {
                    count += 1;
                }
                while let Some(index) = taken.next_if(|&index| index < end) {
                    left.push(Run { then, now: now - count, len: index - now });
                    (then, now, count) = (then + index - now + 1, index + 1, count + 1);
                }
                left.push(Run { then, now: now - count, len: end - now });
            }
            left.retain(|run| run.len > 0);
            *runs = left;
        }
    }

    /// The element that was `then` in its place, and whether it is only kept.
    pub fn then_mut(&mut self, then: usize, showing: u32) -> (&mut Node, bool) {
        match self.trace.state_of(showing) {
            Some(state) if state.is_kept(then) => (&mut state.kept_mut(then).node, true),
            Some(state) => (&mut self.nodes[state.now(then)], false),
            None => (&mut self.nodes[then], false),
        }
    }
}

impl Members {
    /// A member that is about to change where it is.
    pub(crate) fn child_mut(&mut self, name: &[u8], keeper: &mut Keeper) -> Option<&mut Node> {
        let len = self.len();
        if keeper.is_on() {
            let (index, node) = self.get_full_mut(name)?;
            let copy = (!node.is_traced()).then(|| node.clone());
            if let Some(copy) = copy
                && let Some(state) = self.trace.keeping(keeper, len, false)
                && let Some(then) = state.then(index)
            {
                state.keep(then, Some(name.into()), copy, keeper);
            }
        }
        self.get_full_mut(name).map(|(_, node)| node)
    }

    /// Sets a member; shows what was there.
    pub(crate) fn put(
        &mut self,
        name: Box<[u8]>,
        value: Node,
        keeper: &mut Keeper,
        gone: impl FnOnce(&Node),
    ) {
        if !keeper.is_on() {
            if let Some(old) = self.insert(name, value) {
                gone(&old);
            }
            return;
        }
        let (len, index) = (self.len(), self.place_of(&name));
        let old = self.insert(name.clone(), value);
        let state = self.trace.keeping(keeper, len, false);
        match (old, index, state) {
            (Some(old), Some(index), state) => {
                gone(&old);
                if let Some(state) = state
                    && let Some(then) = state.then(index)
                {
                    state.keep(then, Some(name), old, keeper);
                }
            }
            (_, _, Some(state)) => state.come(len),
            _ => {}
        }
    }

    /// Removes a member, whose place the last takes; shows it. Whether there was one.
    pub(crate) fn take(&mut self, name: &[u8], keeper: &mut Keeper, gone: impl FnOnce(&Node)) -> bool {
        let (len, index) = (self.len(), if keeper.is_on() { self.place_of(name) } else { None });
        let Some(old) = self.remove(name) else { return false };
        gone(&old);
        if let Some(index) = index
            && let Some(state) = self.trace.keeping(keeper, len, false)
        {
            if let Some(then) = state.then(index) {
                state.keep(then, Some(name.into()), old, keeper);
            }
            state.go(index, len - 1);
        }
        true
    }

    /// The member that was `then` in its place, with its name, and whether it is only kept.
    pub(crate) fn then_mut(&mut self, then: usize, showing: u32) -> (&[u8], &mut Node, bool) {
        let mut now = then;
        if let Some(state) = self.trace.state_of(showing) {
            if state.is_kept(then) {
                // Found anew, for what is returned is not to be borrowed where it is not.
                let state = self.trace.state_of(showing).expect("as before");
                let Kept { name, node, .. } = state.kept_mut(then);
                return (name.as_deref().unwrap_or_default(), node, true);
            }
            now = state.now(then);
        }
        let (name, node) = self.get_index_mut(now).expect("what has not changed is there");
        (name, node, false)
    }
}

impl State {
    /// A member has come to a place behind all others.
    fn come(&mut self, at: usize) {
        if let Places::Object { then, .. } = &mut self.places
            && at < self.len
        {
            then.insert(at, None);
        }
    }

    /// The member at `index` has gone, and the last has taken its place.
    fn go(&mut self, index: usize, last: usize) {
        let Places::Object { then, now } = &mut self.places else { return };
        let moved = then.remove(&last).unwrap_or_else(|| Some(last).filter(|&last| last < self.len));
        if index != last {
            then.insert(index, moved);
            if let Some(moved) = moved {
                now.insert(moved, index);
            }
        }
    }
}

impl Node {
    /// Whether it knows by itself what changes within it.
    pub(crate) fn is_traced(&self) -> bool {
        matches!(self.0, Repr::Array(_) | Repr::Object(_))
    }

    pub(crate) fn trace_mut(&mut self) -> Option<&mut Trace> {
        match &mut self.0 {
            Repr::Array(elements) => Some(&mut elements.trace),
            Repr::Object(members) => Some(&mut members.trace),
            _ => None,
        }
    }
}
