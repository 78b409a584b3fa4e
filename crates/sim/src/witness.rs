//! An order of operations, from what the simulator saw the shards execute.
//!
//! Operations on the same key stand in the order in which they were executed; then there are the constraints that any order must
//! keep. Sorting them topologically takes polynomial time. What comes out is a proposal: the check verifies it.

use crate::model::State;
use crate::nodes::Node;
use crate::op::{Key, Op};
use command::{Args, ShardCx};
use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use testkit::Value;

/// One execution of a command, or of a shard's share of one.
#[derive(Clone, Debug)]
pub struct Execution {
    /// The step of the run, on the scale of [`crate::history::Record::invoked`].
    pub at: u64,
    pub shard: usize,
    /// The shard's clock.
    pub now_ms: u64,
    pub args: Vec<Vec<u8>>,
    /// Of GET and MGET: the strings under the keys.
    pub shown: Vec<Option<Vec<u8>>>,
}

/// What was seen in a run.
pub struct Witness<'a> {
    pub executions: &'a [Execution],
    pub names: &'a [String],
    /// The shard of each key.
    pub owners: &'a [usize],
}

thread_local! {
    static RAN: RefCell<Vec<Execution>> = const { RefCell::new(Vec::new()) };
}

/// For [`command::platform::Platform::ran`].
pub fn note(cx: &ShardCx, args: Args<'_>) {
    let args: Vec<_> = args.from(0).map(<[u8]>::to_vec).collect();
    let shown = match &args[0][..] {
        b"GET" | b"MGET" => args[1..].iter().map(|key| string_under(cx, key)).collect(),
        _ => Vec::new(),
    };
    let execution = Execution { at: 0, shard: usize::from(cx.id), now_ms: cx.now_ms, args, shown };
    RAN.with_borrow_mut(|ran| ran.push(execution));
}

/// Looks at all there is: that is little.
fn string_under(cx: &ShardCx, key: &[u8]) -> Option<Vec<u8>> {
    let (_, value, _) = cx.dbs[0].iter().find(|(name, ..)| *name == key)?;
    value.string().map(<[u8]>::to_vec)
}

/// What has been executed on this thread since the last call.
pub fn take(at: u64) -> Vec<Execution> {
    let mut ran = RAN.take();
    ran.iter_mut().for_each(|execution| execution.at = at);
    ran
}

/// Where keys came from several shards, several clocks have been looked at, and one was seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Clocks {
    /// That one decided.
    One,
    /// Another may have decided.
    Several,
}

/// The order; `None` if what was seen goes round in a circle.
pub fn order(nodes: &[Node<'_>], witness: &Witness<'_>, clocks: Clocks) -> Option<Vec<usize>> {
    let mut graph = Graph::new(nodes, witness, clocks);
    let parts = graph.parts();
    // What has run may be taken back and run again: the last time counts.
    let mut last = HashMap::new();
    for (number, execution) in witness.executions.iter().enumerate() {
        if let Some((index, part)) = parts.get(&execution.args) {
            last.insert((*index, part.args(witness.names)), number);
        }
    }
    for (number, execution) in witness.executions.iter().enumerate() {
        if let Some((index, part)) = parts.get(&execution.args) {
            if last[&(*index, part.args(witness.names))] == number {
                graph.note_part(*index, part, number, execution);
            }
        } else if let Some(index) = graph.recognise(execution) {
            graph.note(index, number, execution);
        }
    }
    graph.add_constraints();
    graph.sorted()
}

/// The same order, but what has waited in vain stands as early as there was nothing for it: it seems to have been executed when its
/// time was over, when something may have come that had to wait itself.
pub fn wait_earlier(nodes: &[Node<'_>], order: Vec<usize>) -> Vec<usize> {
    let in_vain = |index: &usize| nodes[*index].record.op.waits() && nodes[*index].reply == Some(Value::Null);
    let (mut waits, mut order): (Vec<usize>, Vec<usize>) = order.into_iter().partition(in_vain);
    waits.sort_unstable();
    let keys = nodes.iter().filter_map(|node| node.record.op.keys()).flatten().max().map_or(0, |key| key + 1);
    for wait in waits {
        let node = &nodes[wait];
        let is_before = |other: &usize| nodes[*other].returned < node.invoked || node.before.contains(other);
        let first = order.iter().rposition(is_before).map_or(0, |at| at + 1);
        let mut state = State::new(keys);
        order[..first].iter().for_each(|index| _ = state.apply(&nodes[*index].record.op));
        let mut place = first;
        while place < order.len() && !finds_nothing(&mut state, &node.record.op) {
            state.apply(&nodes[order[place]].record.op);
            place += 1;
        }
        order.insert(place, wait);
    }
    order
}

/// Whether an operation would find nothing now.
fn finds_nothing(state: &mut State, op: &Op) -> bool {
    let mark = state.mark();
    let reply = state.apply(op);
    state.rewind(mark);
    reply == Value::Null
}

/// What has touched a key last.
#[derive(Default)]
struct Traffic {
    write: Option<usize>,
    reads: Vec<usize>,
}

struct Graph<'a> {
    nodes: &'a [Node<'a>],
    witness: &'a Witness<'a>,
    /// Operations by the name they were asked under, in the order they were sent.
    by_name: HashMap<&'a [u8], Vec<usize>>,
    /// What each consists of: keys, with values if it has such; and how much of it has been executed.
    done: Vec<Vec<Vec<u8>>>,
    /// When it was executed, or seems to have been.
    time: Vec<(u64, usize)>,
    traffic: Vec<Traffic>,
    strikes: Vec<usize>,
    clocks: Clocks,
    after: Vec<Vec<usize>>,
}

impl<'a> Graph<'a> {
    fn new(nodes: &'a [Node<'a>], witness: &'a Witness<'a>, clocks: Clocks) -> Self {
        let mut by_name: HashMap<&[u8], Vec<usize>> = HashMap::new();
        for (index, node) in nodes.iter().enumerate() {
            by_name.entry(&node.record.request[0]).or_default().push(index);
        }
        // What touches no key may stand where it ended.
        let time = |node: &Node<'_>| match node.record.op {
            Op::Strike(..) => (node.returned, 0),
            _ => (node.returned, usize::MAX),
        };
        let is_strike = |index: &usize| matches!(nodes[*index].record.op, Op::Strike(..));
        Self {
            by_name,
            done: vec![Vec::new(); nodes.len()],
            time: nodes.iter().map(time).collect(),
            traffic: witness.names.iter().map(|_| Traffic::default()).collect(),
            strikes: (0..nodes.len()).filter(is_strike).collect(),
            after: vec![Vec::new(); nodes.len()],
            nodes,
            witness,
            clocks,
        }
    }

    /// What transactions and scripts consist of, as it is executed: each is in no other operation.
    fn parts(&self) -> HashMap<Vec<Vec<u8>>, (usize, Op)> {
        let mut parts = HashMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let op = &node.record.op;
            let mut add = |part: Op| parts.insert(part.args(self.witness.names), (index, part));
            op.parts().iter().for_each(|part| _ = add(part.clone()));
            if let Op::Follow { string, lists, text, number } = op {
                add(Op::Peek(*string, *number));
                lists.iter().for_each(|list| _ = add(Op::RPush(*list, text.clone())));
            }
        }
        parts
    }

    /// A part of an operation was executed.
    fn note_part(&mut self, index: usize, part: &Op, number: usize, execution: &Execution) {
        if self.done[index].is_empty() {
            self.time[index] = (execution.at, number);
        }
        self.done[index].extend_from_slice(&execution.args);
        for key in part.keys().unwrap_or_default() {
            self.touch(index, key, part.is_write());
            if self.clocks == Clocks::One || self.witness.owners[key] == execution.shard {
                self.relate_to_time(index, key, execution.now_ms);
            }
        }
    }

    /// The operation that an execution belongs to.
    fn recognise(&self, execution: &Execution) -> Option<usize> {
        let fits = |index: &&usize| {
            let (node, done) = (&self.nodes[**index], &self.done[**index]);
            let ended = node.record.returned.as_ref().map_or(u64::MAX, |(at, _)| *at);
            if node.invoked > execution.at || ended < execution.at || !shows(node, execution) {
                return false;
            }
            let request = &node.record.request;
            match node.record.op {
                Op::Block { .. } | Op::Script { .. } | Op::Follow { .. } | Op::Refused => false,
                Op::MGet(_) | Op::Del(_) => is_share(&request[1..], &execution.args[1..], 1, done),
                Op::MSet(_) => is_share(&request[1..], &execution.args[1..], 2, done),
                Op::DbSize | Op::FlushAll => !done.contains(&shard_mark(execution)),
                _ => done.is_empty() && *request == execution.args,
            }
        };
        // Of several that ask for the same, the one that was answered first: so each finds one that fits, if that is possible at all.
        let fitting = self.by_name.get(&execution.args[0][..])?.iter().filter(fits);
        fitting.min_by_key(|index| self.nodes[**index].returned).copied()
    }

    /// An operation was executed, or a share of it was.
    fn note(&mut self, index: usize, number: usize, execution: &Execution) {
        if self.done[index].is_empty() {
            self.time[index] = (execution.at, number);
        }
        let owners = self.witness.owners;
        let name = |key: &Key| self.witness.names[*key].as_bytes();
        let op = &self.nodes[index].record.op;
        let keys: Vec<Key> = match op.keys() {
            None => (0..owners.len()).filter(|key| owners[*key] == execution.shard).collect(),
            Some(keys) => keys
                .into_iter()
                .filter(|key| execution.args[1..].iter().any(|arg| *arg == *name(key)))
                .collect(),
        };
        match op {
            Op::DbSize | Op::FlushAll => self.done[index].push(shard_mark(execution)),
            _ => self.done[index].extend_from_slice(&execution.args),
        }
        let writes = op.is_write() && !self.nodes[index].is_inert;
        let has_one_clock =
            self.clocks == Clocks::One || keys.iter().all(|key| owners[*key] == execution.shard);
        for key in keys {
            self.touch(index, key, writes);
            if has_one_clock {
                self.relate_to_time(index, key, execution.now_ms);
            }
        }
    }

    fn touch(&mut self, index: usize, key: Key, writes: bool) {
        let traffic = &mut self.traffic[key];
        if let Some(write) = traffic.write.filter(|write| *write != index) {
            self.after[write].push(index);
        }
        if writes {
            let reads = std::mem::take(&mut traffic.reads);
            reads.into_iter().filter(|read| *read != index).for_each(|read| self.after[read].push(index));
            traffic.write = Some(index);
        } else {
            traffic.reads.push(index);
        }
    }

    /// A shard whose clock said so executed something on a key: before or after the times at which something expires.
    fn relate_to_time(&mut self, index: usize, key: Key, now_ms: u64) {
        for &strike in &self.strikes {
            let Op::Strike(its_key, at_ms) = self.nodes[strike].record.op else { continue };
            if its_key != key {
                continue;
            }
            let (first, second) = if now_ms < at_ms { (index, strike) } else { (strike, index) };
            self.after[first].push(second);
        }
    }

    fn is_done(&self, index: usize) -> bool {
        self.nodes[index].reply.is_some() || !self.done[index].is_empty()
    }

    fn add_constraints(&mut self) {
        let nodes = self.nodes;
        for (index, node) in nodes.iter().enumerate() {
            node.before.iter().for_each(|&other| self.after[other].push(index));
            node.ended_by.iter().for_each(|&end| self.after[index].push(end));
            for (other, earlier) in nodes.iter().enumerate() {
                if earlier.returned < node.invoked && other != index {
                    self.after[other].push(index);
                }
            }
        }
    }

    /// All that was done, those executed first as early as may be.
    fn sorted(&self) -> Option<Vec<usize>> {
        let done: Vec<usize> = (0..self.nodes.len()).filter(|&index| self.is_done(index)).collect();
        let mut before = vec![0; self.nodes.len()];
        done.iter().flat_map(|&index| &self.after[index]).for_each(|&index| before[index] += 1);
        let free = done.iter().filter(|&&index| before[index] == 0);
        let mut heap: BinaryHeap<_> = free.map(|&index| Reverse((self.time[index], index))).collect();
        let mut order = Vec::new();
        while let Some(Reverse((_, index))) = heap.pop() {
            order.push(index);
            for &other in &self.after[index] {
                before[other] -= 1;
                if before[other] == 0 && self.is_done(other) {
                    heap.push(Reverse((self.time[other], other)));
                }
            }
        }
        (order.len() == done.len()).then_some(order)
    }
}

/// Whether a read has answered with what this execution found.
fn shows(node: &Node<'_>, execution: &Execution) -> bool {
    let is_shown = |value: &Value, found: &Option<Vec<u8>>| match value {
        Value::Bulk(text) => found.as_ref() == Some(text),
        Value::Null => found.is_none(),
        _ => true,
    };
    let mut found = execution.args[1..].iter().zip(&execution.shown);
    match (&node.record.op, &node.reply) {
        (Op::Get(_), Some(value)) => found.all(|(_, found)| is_shown(value, found)),
        (Op::MGet(_), Some(Value::Array(values))) => found.all(|(key, found)| {
            let asked = node.record.request[1..].iter().zip(values);
            asked.filter(|(asked, _)| *asked == key).all(|(_, value)| is_shown(value, found))
        }),
        _ => true,
    }
}

/// Whether these arguments, in groups, are among those asked, and have not been executed.
fn is_share(asked: &[Vec<u8>], args: &[Vec<u8>], step: usize, done: &[Vec<u8>]) -> bool {
    let is_asked =
        |group: &[Vec<u8>]| asked.chunks(step).any(|other| other == group) && !done.contains(&group[0]);
    args.len().is_multiple_of(step) && args.chunks(step).all(is_asked)
}

/// Stands for a shard's part of an operation on all of them.
fn shard_mark(execution: &Execution) -> Vec<u8> {
    execution.shard.to_le_bytes().to_vec()
}
