//! Is the whole history strictly serializable, and are the writes of each connection seen in order?
//!
//! After Elle (Kingsbury and Alvaro, "Elle: inferring isolation anomalies from experimental observations", VLDB 2020): the order of the
//! versions of each key follows from the replies, and with it which operation must stand before which. A cycle is an
//! anomaly. Only what holds in every order that explains the history is claimed, so that what is found is always a fault. And where
//! there is no cycle, there is an order: it is run ([`crate::replay`]), and must give all the replies.
//!
//! What must hold besides the orders of versions:
//! - *time*: what was over before another began stands before it;
//! - *line*: what the order in which a connection sent its operations demands: see [`crate::lines`];
//! - an operation whose reply was not seen has happened wholly or not at all; and if it has, so have the writes that its connection
//!   sent before.

use crate::anomaly::{Anomaly, Class};
use crate::facts::Facts;
use crate::graph::{Graph, Reason};
use crate::history::{Effect, Key, Operation, Outcome};
use crate::lines::add_lines;
use crate::lists::Lists;
use crate::queues::Queues;
use crate::registers::Registers;
use crate::replay::replay;
use std::collections::HashMap;

/// What was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    pub operations: usize,
    /// Without a reply; and those of them that have happened, as somebody saw.
    pub unknown: usize,
    pub unknown_seen: usize,
    pub refused: usize,
    pub edges: usize,
}

/// Checks a history.
///
/// # Errors
/// The first anomaly.
pub fn check(operations: Vec<Operation>) -> Result<Summary, Anomaly> {
    let count = |outcome| operations.iter().filter(|operation| operation.outcome == outcome).count();
    let (len, unknown, refused) = (operations.len(), count(Outcome::Unknown), count(Outcome::Refused));
    let facts = Facts::new(operations)?;
    let lists = Lists::new(&facts)?;
    let registers = Registers::new(&facts)?;
    let queues = Queues::new(&facts)?;
    check_gaps(&facts, &lists)?;

    let mut graph = Graph::new(facts.operations.len());
    add_lines(&facts, &mut graph);
    add_time(&facts, &mut graph);
    lists.add_edges(&facts, &mut graph);
    registers.add_edges(&facts, &mut graph);
    queues.add_edges(&mut graph);
    let order =
        graph.order().map_err(|rest| Anomaly::of_cycle(&graph.shortest_cycle(&rest), &facts.operations))?;
    replay(&facts, &order, queues.missing(), &registers.gaps())?;

    let happened = |(index, operation): &(usize, &Operation)| {
        operation.outcome == Outcome::Unknown && facts.happened[*index]
    };
    let unknown_seen = facts.operations.iter().enumerate().take(len).filter(happened).count();
    Ok(Summary { operations: len, unknown, unknown_seen, refused, edges: graph.edge_count() })
}

/// Of what a connection sent without seeing replies, nothing is left out that stands before something that was seen.
fn check_gaps(facts: &Facts, lists: &Lists) -> Result<(), Anomaly> {
    // The first of each connection that was not seen.
    let mut first: HashMap<u32, (u32, Key)> = HashMap::new();
    for (index, operation) in facts.operations.iter().enumerate() {
        if operation.outcome != Outcome::Unknown {
            continue;
        }
        let seen_ns = facts.first_seen_ns(operation);
        if let Some(&(earlier, key)) = first.get(&operation.connection)
            && lists.is_read_after(key, seen_ns)
        {
            let what =
                "the second was seen, and the first, which its connection sent before, was not".to_owned();
            return Err(facts.anomaly(Class::Gap, &what, &[earlier, index as u32]));
        }
        let append = operation.effects.iter().find(|effect| matches!(effect, Effect::Append { .. }));
        if let Some(append) = append
            && !operation.is_conditional
            && !facts.happened[index]
        {
            first.entry(operation.connection).or_insert((index as u32, append.key()));
        }
    }
    Ok(())
}

/// Adds what time demands, by a chain of the moments at which operations were over: of what was over before something began, only the
/// last needs an edge.
fn add_time(facts: &Facts, graph: &mut Graph) {
    let ends = facts.all_that_happened().filter(|(_, operation)| operation.outcome == Outcome::Done);
    let mut ends: Vec<(u64, u32)> = ends.map(|(index, operation)| (operation.completed_ns, index)).collect();
    ends.sort_unstable();
    let mut points: Vec<u32> = Vec::with_capacity(ends.len());
    for &(_, index) in &ends {
        let point = graph.add_point();
        if let Some(&last) = points.last() {
            graph.add(last, point, Reason::Time);
        }
        graph.add(index, point, Reason::Time);
        points.push(point);
    }
    for (index, operation) in facts.all_that_happened() {
        // Of equal times the beginning counts as the earlier: nothing is claimed in doubt.
        let over = ends.partition_point(|&(end_ns, _)| end_ns < operation.invoked_ns);
        if let Some(last) = over.checked_sub(1) {
            graph.add(points[last], index, Reason::Time);
        }
    }
}
