//! Is every register, seen alone, linearizable?
//!
//! With values that are written only once this is decided in n log n (Gibbons and Korach, "Testing shared memories", 1997).
//! A value's operations, its write and all reads of it, span a *zone* from the first completion to the last
//! invocation. If the zone runs *forward* in time, the register holds the value all through it, so no other forward zone
//! may overlap it and no *backward* zone lie within it. A read must not be over before its write begins.

use crate::history::{Effect, Number, Operation};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
struct Zone {
    value: Option<Number>,
    write_invoked_ns: u64,
    first_completed_ns: u64,
    last_invoked_ns: u64,
}

/// Zones of a register by value. `None` is the value before all writes.
type Zones = BTreeMap<Option<Number>, Zone>;

/// The first anomaly, in words.
///
/// # Errors
/// When a register is not linearizable.
pub fn check(operations: &[Operation]) -> Result<(), String> {
    let mut registers: BTreeMap<u32, Zones> = BTreeMap::new();
    for operation in operations {
        for effect in &operation.effects {
            if let Effect::Put { key, value } = effect {
                let zone = Zone {
                    value: Some(*value),
                    write_invoked_ns: operation.invoked_ns,
                    first_completed_ns: operation.completed_ns,
                    last_invoked_ns: operation.invoked_ns,
                };
                if registers.entry(*key).or_insert_with(unwritten).insert(Some(*value), zone).is_some() {
                    return Err(format!("the history is no good: {value} has been written twice to {key}"));
                }
            }
        }
    }
    for operation in operations {
        for effect in &operation.effects {
            if let Effect::Got { key, value } = effect {
                let zones = registers.entry(*key).or_insert_with(unwritten);
                let Some(zone) = zones.get_mut(value) else {
                    return Err(format!(
                        "register {key} had {value:?}, which nobody has written: {operation:?}"
                    ));
                };
                if operation.completed_ns < zone.write_invoked_ns {
                    return Err(format!("register {key} had {value:?} before it was written: {operation:?}"));
                }
                zone.first_completed_ns = zone.first_completed_ns.min(operation.completed_ns);
                zone.last_invoked_ns = zone.last_invoked_ns.max(operation.invoked_ns);
            }
        }
    }
    registers.iter().try_for_each(|(key, zones)| {
        check_zones(zones).map_err(|(a, b)| {
            format!("register {key}: {:?} in {a:?} and {:?} in {b:?} exclude each other", a.value, b.value)
        })
    })
}

fn unwritten() -> Zones {
    BTreeMap::from([(
        None,
        Zone { value: None, write_invoked_ns: 0, first_completed_ns: 0, last_invoked_ns: 0 },
    )])
}

fn check_zones(zones: &Zones) -> Result<(), (Zone, Zone)> {
    let is_forward = |zone: &Zone| zone.first_completed_ns < zone.last_invoked_ns;
    let (mut forward, backward): (Vec<Zone>, Vec<Zone>) = zones.values().partition(|zone| is_forward(zone));
    forward.sort_by_key(|zone| zone.first_completed_ns);
    for pair in forward.windows(2) {
        if pair[1].first_completed_ns < pair[0].last_invoked_ns {
            return Err((pair[0], pair[1]));
        }
    }
    for inner in backward {
        // Forward zones do not overlap: only the last that begins before it can hold it.
        let after = forward.partition_point(|zone| zone.first_completed_ns < inner.last_invoked_ns);
        if let Some(outer) = after.checked_sub(1).map(|at| forward[at])
            && inner.first_completed_ns < outer.last_invoked_ns
        {
            return Err((outer, inner));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(invoked, completed, effect)` of register 0.
    fn history(steps: &[(u64, u64, Effect)]) -> Vec<Operation> {
        let operation = |(client, step): (usize, &(u64, u64, Effect))| Operation {
            client: client as u32,
            pipeline: 0,
            invoked_ns: step.0,
            completed_ns: step.1,
            effects: vec![step.2.clone()],
        };
        steps.iter().enumerate().map(operation).collect()
    }

    fn put(value: Number) -> Effect {
        Effect::Put { key: 0, value }
    }

    fn got(value: impl Into<Option<Number>>) -> Effect {
        Effect::Got { key: 0, value: value.into() }
    }

    #[test]
    fn what_can_be_put_in_an_order_is_accepted() {
        let good = [(10, 30, put(1)), (20, 40, put(2)), (21, 22, got(2)), (23, 50, got(1)), (60, 61, got(1))];
        assert_eq!(check(&history(&good)), Ok(()));
        assert_eq!(check(&history(&[(1, 9, got(None)), (2, 3, put(1)), (4, 5, got(1))])), Ok(()));
    }

    #[test]
    fn a_stale_read_is_found() {
        assert!(check(&history(&[(1, 2, put(1)), (3, 4, put(2)), (5, 6, got(1))])).is_err());
        assert!(check(&history(&[(1, 2, put(1)), (3, 4, got(None))])).is_err());
    }

    #[test]
    fn a_value_that_comes_back_is_found() {
        let steps = [(1, 50, put(1)), (2, 50, put(2)), (3, 4, got(1)), (5, 6, got(2)), (7, 8, got(1))];
        assert!(check(&history(&steps)).is_err());
    }

    #[test]
    fn values_from_nowhere_and_from_the_future_are_found() {
        assert!(check(&history(&[(1, 2, got(7))])).is_err());
        assert!(check(&history(&[(1, 2, got(1)), (3, 4, put(1))])).is_err());
    }
}
