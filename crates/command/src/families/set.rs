//! Sets. Invariant: a set left empty goes with its key.

mod algebra;
mod cardinality;
mod members;
mod random;

use crate::Command;
use crate::spec::{Handler, acl};

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).acl(acl::SET).group("set")
}

const TOTAL_COST: &str = "O(N) where N is the total number of elements in all given sets.";
const SMALLEST_COST: &str =
    "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.";
const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];
const ANY_OUTPUT: &[&str] = &["nondeterministic_output"];

pub const COMMANDS: &[&[Command]] =
    &[algebra::COMMANDS, cardinality::COMMANDS, members::COMMANDS, random::COMMANDS];
