//! Sets. Invariant: a set left empty goes with its key.

mod algebra;
mod cardinality;
mod members;
mod random;

use crate::Command;
use crate::spec::{Handler, KeySpec, access::*, acl, flag::*};

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).acl(acl::SET).group("set")
}

const READ_ALL: &[KeySpec] = &[KeySpec::range(1, -1, 1, RO | ACCESS)];
const READ_COUNTED: &[KeySpec] = &[KeySpec::counted(1, RO | ACCESS)];
const STORED: &[KeySpec] = &[KeySpec::at(1, OW | UPDATE), KeySpec::range(2, -1, 1, RO | ACCESS)];
const TOTAL_COST: &str = "O(N) where N is the total number of elements in all given sets.";
const SMALLEST_COST: &str =
    "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets.";
const ANY_ORDER: &[&str] = &["nondeterministic_output_order"];
const ANY_OUTPUT: &[&str] = &["nondeterministic_output"];

pub const COMMANDS: &[Command] = &[
    row("SADD", members::sadd)
        .arity(-3)
        .element(2)
        .keys(&[KeySpec::at(1, RW | INSERT)])
        .flags(WRITE | DENYOOM | FAST)
        .complexity(
            "O(1) for each element added, so O(N) to add N elements when the command is called with multiple \
             arguments.",
        )
        .summary("Adds members to a set; creates the set if there is none.")
        .history(&[("2.4.0", "Accepts multiple `member` arguments.")])
        .syntax("key:key member:string*"),
    row("SREM", members::srem)
        .arity(-3)
        .element(2)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE | FAST)
        .complexity("O(N) where N is the number of members to be removed.")
        .summary("Removes members from a set.")
        .history(&[("2.4.0", "Accepts multiple `member` arguments.")])
        .syntax("key:key member:string*"),
    row("SMOVE", members::smove)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE), KeySpec::at(2, RW | INSERT)])
        .flags(WRITE | FAST)
        .complexity("O(1)")
        .summary("Moves a member from one set to another.")
        .syntax("source:key destination:key#1 member:string"),
    row("SISMEMBER", members::sismember)
        .arity(3)
        .element(2)
        .keys(&[KeySpec::at(1, RO)])
        .flags(READONLY | FAST)
        .complexity("O(1)")
        .summary("Tells whether a set has a member.")
        .syntax("key:key member:string"),
    row("SMISMEMBER", members::smismember)
        .arity(-3)
        .element(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .since("6.2.0")
        .complexity("O(N) where N is the number of elements being checked for membership")
        .summary("Tells of each of several members whether a set has it.")
        .syntax("key:key member:string*"),
    row("SCARD", members::scard)
        .arity(2)
        .keys(&[KeySpec::at(1, RO)])
        .flags(READONLY | FAST)
        .complexity("O(1)")
        .summary("Returns the number of members of a set.")
        .syntax("key:key"),
    row("SMEMBERS", members::smembers)
        .arity(2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity("O(N) where N is the set cardinality.")
        .summary("Returns all members of a set.")
        .tips(ANY_ORDER)
        .syntax("key:key"),
    row("SSCAN", members::sscan)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .since("2.8.0")
        .complexity(
            "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor \
             to return back to 0. N is the number of elements inside the collection.",
        )
        .summary("Goes through the members of a set step by step.")
        .tips(ANY_OUTPUT)
        .syntax("key:key cursor:integer MATCH@pattern:pattern? COUNT@count:integer?"),
    row("SPOP", random::spop)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | ACCESS | DELETE)])
        .flags(WRITE | FAST)
        .complexity(
            "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
        )
        .summary("Removes random members of a set and returns them.")
        .history(&[("3.2.0", "Added the `count` argument.")])
        .tips(ANY_OUTPUT)
        .syntax("key:key count:integer?^3.2.0"),
    row("SRANDMEMBER", random::srandmember)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity(
            "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.",
        )
        .summary("Returns random members of a set.")
        .history(&[("2.6.0", "Added the optional `count` argument.")])
        .tips(ANY_OUTPUT)
        .syntax("key:key count:integer?^2.6.0"),
    row("SINTER", algebra::sinter)
        .arity(-2)
        .keys(READ_ALL)
        .flags(READONLY)
        .complexity(SMALLEST_COST)
        .summary("Returns the members that all of several sets have.")
        .tips(ANY_ORDER)
        .syntax("key:key*"),
    row("SINTERCARD", cardinality::sintercard)
        .arity(-3)
        .keys(READ_COUNTED)
        .flags(READONLY | MOVABLEKEYS)
        .since("7.0.0")
        .complexity(SMALLEST_COST)
        .summary("Returns how many members all of several sets have.")
        .syntax("numkeys:integer key:key* LIMIT@limit:integer?"),
    row("SINTERSTORE", algebra::sinterstore)
        .arity(-3)
        .keys(STORED)
        .flags(WRITE | DENYOOM)
        .complexity(SMALLEST_COST)
        .summary("Stores the members that all of several sets have.")
        .syntax("destination:key key:key*#1"),
    row("SUNION", algebra::sunion)
        .arity(-2)
        .keys(READ_ALL)
        .flags(READONLY)
        .complexity(TOTAL_COST)
        .summary("Returns the members that any of several sets has.")
        .tips(ANY_ORDER)
        .syntax("key:key*"),
    row("SUNIONCARD", cardinality::sunioncard)
        .arity(-3)
        .keys(READ_COUNTED)
        .flags(READONLY | MOVABLEKEYS)
        .since("8.10.0")
        .complexity(TOTAL_COST)
        .summary("Returns how many members several sets have together, exactly or about.")
        .syntax("numkeys:integer key:key* approx=APPROX? LIMIT@limit:integer?"),
    row("SUNIONSTORE", algebra::sunionstore)
        .arity(-3)
        .keys(STORED)
        .flags(WRITE | DENYOOM)
        .complexity(TOTAL_COST)
        .summary("Stores the members that any of several sets has.")
        .syntax("destination:key key:key*#1"),
    row("SDIFF", algebra::sdiff)
        .arity(-2)
        .keys(READ_ALL)
        .flags(READONLY)
        .complexity(TOTAL_COST)
        .summary("Returns the members that only the first of several sets has.")
        .tips(ANY_ORDER)
        .syntax("key:key*"),
    row("SDIFFCARD", cardinality::sdiffcard)
        .arity(-3)
        .keys(READ_COUNTED)
        .flags(READONLY | MOVABLEKEYS)
        .since("8.10.0")
        .complexity(TOTAL_COST)
        .summary("Returns how many members only the first of several sets has.")
        .syntax("numkeys:integer key:key* LIMIT@limit:integer?"),
    row("SDIFFSTORE", algebra::sdiffstore)
        .arity(-3)
        .keys(STORED)
        .flags(WRITE | DENYOOM)
        .complexity(TOTAL_COST)
        .summary("Stores the members that only the first of several sets has.")
        .syntax("destination:key key:key*#1"),
];
