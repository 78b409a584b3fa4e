//! Which operation must stand before which, and cycles in that.
//!
//! Nodes are numbers; the first of them are operations, the others stand for points between operations, so that a few edges
//! say what would else take many. An edge has a reason. [`Graph::order`] puts everything in an order, or [`Graph::shortest_cycle`]
//! finds a cycle of few operations, by strongly connected components (Tarjan, "Depth-first search and linear graph
//! algorithms", 1972) and a search in breadth within one.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

/// Why something stands before something else (Adya, "Weak consistency", 1999, and two more).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It wrote the version before.
    Ww,
    /// It wrote what the other has read.
    Wr,
    /// It read what the other has replaced.
    Rw,
    /// The same connection asked it before, and that must show.
    Line,
    /// It was over before the other began.
    Time,
}

#[derive(Clone, Copy)]
struct Edge {
    from: u32,
    to: u32,
    reason: Reason,
}

/// The graph. Nodes below `operations` are operations.
pub struct Graph {
    operations: u32,
    nodes: u32,
    edges: Vec<Edge>,
}

/// A cycle: operations, and why each stands before the next (the last before the first).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle {
    pub steps: Vec<(u32, Vec<Reason>)>,
}

/// Edges by where they begin.
struct Outgoing {
    first: Vec<u32>,
    targets: Vec<(u32, Reason)>,
}

impl Outgoing {
    fn new(nodes: usize, edges: &[Edge]) -> Outgoing {
        let mut first = vec![0u32; nodes + 1];
        edges.iter().for_each(|edge| first[edge.from as usize + 1] += 1);
        for node in 0..nodes {
            first[node + 1] += first[node];
        }
        let (mut fill, mut targets) = (first.clone(), vec![(0, Reason::Ww); edges.len()]);
        for edge in edges {
            let at = &mut fill[edge.from as usize];
            targets[*at as usize] = (edge.to, edge.reason);
            *at += 1;
        }
        Outgoing { first, targets }
    }

    fn of(&self, node: u32) -> &[(u32, Reason)] {
        &self.targets[self.first[node as usize] as usize..self.first[node as usize + 1] as usize]
    }
}

/// Of a component, at most so many nodes are tried as the beginning of a cycle, and of a large one so few that no more than so many nodes
/// are looked at.
const BEGINNINGS_MAX: usize = 400;
const LOOKED_AT_MAX: usize = 4_000_000;

impl Graph {
    /// No edges yet.
    pub fn new(operations: usize) -> Graph {
        let operations = u32::try_from(operations).expect("fewer than 2^32 operations");
        Graph { operations, nodes: operations, edges: Vec::new() }
    }

    /// A further node, which is no operation.
    pub fn add_point(&mut self) -> u32 {
        self.nodes += 1;
        self.nodes - 1
    }

    /// One stands before the other. Nothing is said of a node and itself.
    pub fn add(&mut self, from: u32, to: u32, reason: Reason) {
        if from != to {
            self.edges.push(Edge { from, to, reason });
        }
    }

    /// How many edges there are.
    pub fn edge_count(&self) -> usize {
        self.edges.len()
    }

    /// All operations in an order that keeps all edges, or the nodes that cannot be put in one.
    pub fn order(&self) -> Result<Vec<u32>, Vec<u32>> {
        let nodes = self.nodes as usize;
        let outgoing = Outgoing::new(nodes, &self.edges);
        let mut missing = vec![0u32; nodes];
        self.edges.iter().for_each(|edge| missing[edge.to as usize] += 1);
        let mut ready: VecDeque<u32> = (0..self.nodes).filter(|&node| missing[node as usize] == 0).collect();
        let (mut order, mut taken) = (Vec::with_capacity(self.operations as usize), 0);
        while let Some(node) = ready.pop_front() {
            taken += 1;
            if node < self.operations {
                order.push(node);
            }
            for &(target, _) in outgoing.of(node) {
                missing[target as usize] -= 1;
                if missing[target as usize] == 0 {
                    ready.push_back(target);
                }
            }
        }
        if taken == nodes {
            return Ok(order);
        }
        Err((0..self.nodes).filter(|&node| missing[node as usize] > 0).collect())
    }

    /// A cycle of as few operations as can be found among `rest`, which [`Graph::order`] has left over. Cycles for fewer reasons are
    /// shown first: only writes, then reads, then what connections and time demand.
    ///
    /// # Panics
    /// When there is no cycle.
    pub fn shortest_cycle(&self, rest: &[u32]) -> Cycle {
        let mut is_rest = vec![false; self.nodes as usize];
        rest.iter().for_each(|&node| is_rest[node as usize] = true);
        let among = |edge: &&Edge| is_rest[edge.from as usize] && is_rest[edge.to as usize];
        let edges: Vec<Edge> = self.edges.iter().filter(among).copied().collect();
        for most in [Reason::Ww, Reason::Wr, Reason::Rw, Reason::Line, Reason::Time] {
            let some: Vec<Edge> = edges.iter().filter(|edge| edge.reason <= most).copied().collect();
            let outgoing = Outgoing::new(self.nodes as usize, &some);
            let components = components(rest, &outgoing, self.nodes as usize);
            let best = components.iter().filter_map(|component| self.shortest_within(component, &outgoing));
            if let Some(best) = best.min_by_key(|(cost, _)| *cost) {
                return best.1;
            }
        }
        panic!("there is no cycle");
    }

    fn shortest_within(&self, component: &[u32], outgoing: &Outgoing) -> Option<(u32, Cycle)> {
        let mut within = HashMap::new();
        component.iter().enumerate().for_each(|(place, &node)| {
            within.insert(node, place);
        });
        let count = (LOOKED_AT_MAX / component.len()).clamp(4, BEGINNINGS_MAX);
        let beginnings = component.iter().filter(|&&node| node < self.operations).take(count);
        let cycles = beginnings.filter_map(|&node| self.cycle_from(node, component, &within, outgoing));
        cycles.min_by_key(|(cost, _)| *cost)
    }

    /// The cheapest way from an operation back to itself within a component.
    fn cycle_from(
        &self,
        start: u32,
        component: &[u32],
        within: &HashMap<u32, usize>,
        outgoing: &Outgoing,
    ) -> Option<(u32, Cycle)> {
        let origin = within[&start];
        let mut cost = vec![u32::MAX; component.len()];
        let mut came: Vec<Option<(usize, Reason)>> = vec![None; component.len()];
        let mut queue = BinaryHeap::from([Reverse((0, origin))]);
        while let Some(Reverse((so_far, place))) = queue.pop() {
            if place == origin && so_far > 0 {
                break;
            }
            for &(target, reason) in outgoing.of(component[place]) {
                let Some(&next) = within.get(&target) else { continue };
                let sum = so_far + self.cost(target, reason);
                if sum < cost[next] {
                    cost[next] = sum;
                    came[next] = Some((place, reason));
                    queue.push(Reverse((sum, next)));
                }
            }
        }
        if cost[origin] == u32::MAX {
            return None;
        }
        let (mut steps, mut reasons, mut at) = (Vec::new(), Vec::new(), origin);
        loop {
            let (before, reason) = came[at]?;
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
            if component[before] < self.operations {
                reasons.reverse();
                steps.push((component[before], std::mem::take(&mut reasons)));
            }
            at = before;
            if at == origin {
                break;
            }
        }
        steps.reverse();
        Some((cost[origin], Cycle { steps }))
    }

    /// An operation costs most; what was read and replaced more than what is plain to see.
    fn cost(&self, target: u32, reason: Reason) -> u32 {
        let step = if target < self.operations { 1000 } else { 0 };
        step + if reason == Reason::Rw { 10 } else { 1 }
    }
}

/// Strongly connected components of more than one node.
fn components(nodes: &[u32], outgoing: &Outgoing, count: usize) -> Vec<Vec<u32>> {
    const UNSEEN: u32 = u32::MAX;
    let (mut number, mut low) = (vec![UNSEEN; count], vec![0u32; count]);
    let (mut on_stack, mut stack, mut found) = (vec![false; count], Vec::new(), Vec::new());
    let mut next = 0;
    for &root in nodes {
        if number[root as usize] != UNSEEN {
            continue;
        }
        // Nodes on the way, each with the number of its edges that have been followed.
        let mut way: Vec<(u32, usize)> = vec![(root, 0)];
        while let Some(&mut (node, ref mut followed)) = way.last_mut() {
            let at = node as usize;
            if *followed == 0 && number[at] == UNSEEN {
                (number[at], low[at]) = (next, next);
                next += 1;
                stack.push(node);
                on_stack[at] = true;
            }
            if let Some(&(target, _)) = outgoing.of(node).get(*followed) {
                *followed += 1;
                if number[target as usize] == UNSEEN {
                    way.push((target, 0));
                } else if on_stack[target as usize] {
                    low[at] = low[at].min(number[target as usize]);
                }
                continue;
            }
            way.pop();
            if let Some(&(parent, _)) = way.last() {
                low[parent as usize] = low[parent as usize].min(low[at]);
            }
            if low[at] == number[at] {
                let start = stack.iter().rposition(|&other| other == node).expect("it was put there");
                let component = stack.split_off(start);
                component.iter().for_each(|&other| on_stack[other as usize] = false);
                if component.len() > 1 {
                    found.push(component);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_cycle_is_put_in_order() {
        let mut graph = Graph::new(3);
        let point = graph.add_point();
        graph.add(2, point, Reason::Time);
        graph.add(point, 0, Reason::Time);
        graph.add(0, 1, Reason::Ww);
        assert_eq!(graph.order(), Ok(vec![2, 0, 1]));
    }

    #[test]
    fn the_shortest_cycle_for_the_fewest_reasons_is_shown() {
        let mut graph = Graph::new(6);
        let point = graph.add_point();
        for (from, to) in [(0, 1), (1, 2), (2, 3)] {
            graph.add(from, to, Reason::Ww);
        }
        graph.add(3, 0, Reason::Rw);
        graph.add(2, 0, Reason::Wr);
        graph.add(4, point, Reason::Time);
        graph.add(point, 5, Reason::Time);
        graph.add(5, 4, Reason::Rw);
        let rest = graph.order().unwrap_err();
        let cycle = graph.shortest_cycle(&rest);
        let nodes: Vec<u32> = cycle.steps.iter().map(|(node, _)| *node).collect();
        assert_eq!(nodes.len(), 3);
        assert!(nodes.iter().all(|node| *node < 3));
        let reasons: Vec<Reason> = cycle.steps.iter().flat_map(|(_, reasons)| reasons.clone()).collect();
        assert!(reasons.contains(&Reason::Wr) && !reasons.contains(&Reason::Rw));
    }
}
