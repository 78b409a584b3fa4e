//! Lists. Invariant: a list keeps the node limit it was made with; a list left empty goes with its key.
//!
//! The blocking forms stand elsewhere: they wait for what the functions here report as nothing to do.

mod ends;
mod inner;
mod read;
mod transfer;

use crate::Command;
use crate::spec::{Handler, KeySpec, access::*, acl, flag::*};
use crate::{Args, Error};
use types::list::End;

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).acl(acl::LIST).group("list")
}

const PUSH_COST: &str = "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.";
const POP_COST: &str = "O(N) where N is the number of elements returned";
const POPPED: KeySpec = KeySpec::at(1, RW | ACCESS | DELETE);
const PUSHED: KeySpec = KeySpec::at(1, RW | INSERT);
const PUSHED_SECOND: KeySpec = KeySpec::at(2, RW | INSERT);

pub const COMMANDS: &[Command] = &[
    row("LPUSH", ends::lpush)
        .arity(-3)
        .keys(&[PUSHED])
        .flags(WRITE | DENYOOM | FAST)
        .complexity(PUSH_COST)
        .summary("Adds elements before the head of a list; creates the list if there is none.")
        .history(&[("2.4.0", "Accepts multiple `element` arguments.")])
        .syntax("key:key element:string*"),
    row("RPUSH", ends::rpush)
        .arity(-3)
        .keys(&[PUSHED])
        .flags(WRITE | DENYOOM | FAST)
        .complexity(PUSH_COST)
        .summary("Adds elements behind the tail of a list; creates the list if there is none.")
        .history(&[("2.4.0", "Accepts multiple `element` arguments.")])
        .syntax("key:key element:string*"),
    row("LPUSHX", ends::lpushx)
        .arity(-3)
        .keys(&[PUSHED])
        .flags(WRITE | DENYOOM | FAST)
        .since("2.2.0")
        .complexity(PUSH_COST)
        .summary("Adds elements before the head of a list that exists.")
        .history(&[("4.0.0", "Accepts multiple `element` arguments.")])
        .syntax("key:key element:string*"),
    row("RPUSHX", ends::rpushx)
        .arity(-3)
        .keys(&[PUSHED])
        .flags(WRITE | DENYOOM | FAST)
        .since("2.2.0")
        .complexity(PUSH_COST)
        .summary("Adds elements behind the tail of a list that exists.")
        .history(&[("4.0.0", "Accepts multiple `element` arguments.")])
        .syntax("key:key element:string*"),
    row("LPOP", ends::lpop)
        .arity(-2)
        .keys(&[POPPED])
        .flags(WRITE | FAST)
        .complexity(POP_COST)
        .summary("Removes elements at the head of a list and returns them.")
        .history(&[("6.2.0", "Added the `count` argument.")])
        .syntax("key:key count:integer?^6.2.0"),
    row("RPOP", ends::rpop)
        .arity(-2)
        .keys(&[POPPED])
        .flags(WRITE | FAST)
        .complexity(POP_COST)
        .summary("Removes elements at the tail of a list and returns them.")
        .history(&[("6.2.0", "Added the `count` argument.")])
        .syntax("key:key count:integer?^6.2.0"),
    row("LMPOP", ends::lmpop)
        .arity(-4)
        .keys(&[KeySpec::counted(1, RW | ACCESS | DELETE)])
        .flags(WRITE | MOVABLEKEYS)
        .since("7.0.0")
        .complexity("O(N+M) where N is the number of provided keys and M is the number of elements returned.")
        .summary("Removes elements of the first list that has any and returns them with its key.")
        .syntax("numkeys:integer key:key* where(left=LEFT|right=RIGHT) COUNT@count:integer?"),
    row("LLEN", read::llen)
        .arity(2)
        .keys(&[KeySpec::at(1, RO)])
        .flags(READONLY | FAST)
        .complexity("O(1)")
        .summary("Returns the number of elements of a list.")
        .syntax("key:key"),
    row("LINDEX", read::lindex)
        .arity(3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity(
            "O(N) where N is the number of elements to traverse to get to the element at index. This makes \
             asking for the first or the last element of the list O(1).",
        )
        .summary("Returns the element at an index of a list.")
        .syntax("key:key index:integer"),
    row("LRANGE", read::lrange)
        .arity(4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity(
            "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD \
             or TAIL) for large lists; and N is the number of elements in the specified range.",
        )
        .summary("Returns the elements of a list between two indexes.")
        .syntax("key:key start:integer stop:integer"),
    row("LPOS", read::lpos)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .since("6.0.6")
        .complexity(
            "O(N) where N is the number of elements in the list, for the average case. When searching for \
             elements near the head or the tail of the list, or when the MAXLEN option is provided, the command \
             may run in constant time.",
        )
        .summary("Returns the indexes at which a list has an element.")
        .syntax(
            "key:key element:string RANK@rank:integer? COUNT@num-matches:integer? MAXLEN@len:integer?",
        ),
    row("LSET", inner::lset)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .complexity(
            "O(N) where N is the length of the list. Setting either the first or the last element of the list \
             is O(1).",
        )
        .summary("Replaces the element at an index of a list.")
        .syntax("key:key index:integer element:string"),
    row("LINSERT", inner::linsert)
        .arity(5)
        .keys(&[PUSHED])
        .flags(WRITE | DENYOOM)
        .since("2.2.0")
        .complexity(
            "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that \
             inserting somewhere on the left end on the list (head) can be considered O(1) and inserting \
             somewhere on the right end (tail) is O(N).",
        )
        .summary("Puts an element before or behind another one of a list.")
        .syntax("key:key where(before=BEFORE|after=AFTER) pivot:string element:string"),
    row("LREM", inner::lrem)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE)
        .complexity("O(N+M) where N is the length of the list and M is the number of elements removed.")
        .summary("Removes elements equal to a value from a list.")
        .syntax("key:key count:integer element:string"),
    row("LTRIM", inner::ltrim)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE)
        .complexity("O(N) where N is the number of elements to be removed by the operation.")
        .summary("Removes the elements of a list that are not between two indexes.")
        .syntax("key:key start:integer stop:integer"),
    row("LMOVE", transfer::lmove)
        .arity(5)
        .keys(&[POPPED, PUSHED_SECOND])
        .flags(WRITE | DENYOOM)
        .since("6.2.0")
        .complexity("O(1)")
        .summary("Moves an element from an end of one list to an end of another and returns it.")
        .syntax(
            "source:key destination:key#1 wherefrom(left=LEFT|right=RIGHT) whereto(left=LEFT|right=RIGHT)",
        ),
    row("LMOVEM", transfer::lmovem)
        .arity(-5)
        .keys(&[POPPED, PUSHED_SECOND])
        .flags(WRITE | DENYOOM)
        .since("8.10.0")
        .complexity("O(N) where N is the number of elements moved.")
        .summary("Moves elements from an end of one list to an end of another and returns them.")
        .syntax(
            "source:key destination:key#1 wherefrom(left=LEFT|right=RIGHT) whereto(left=LEFT|right=RIGHT) \
             how-many{selector(COUNT@count:integer|EXACTLY@exactly:integer) ordering(obo=OBO|bulk=BULK)}?",
        ),
    row("RPOPLPUSH", transfer::rpoplpush)
        .arity(3)
        .keys(&[POPPED, PUSHED_SECOND])
        .flags(WRITE | DENYOOM)
        .since("1.2.0")
        .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")
        .complexity("O(1)")
        .summary("Moves the last element of one list before the head of another and returns it.")
        .syntax("source:key destination:key#1"),
];

/// `LEFT` or `RIGHT`.
fn end_at(args: Args<'_>, index: usize) -> Result<End, Error> {
    if args.is(index, "LEFT") {
        Ok(End::Head)
    } else if args.is(index, "RIGHT") {
        Ok(End::Tail)
    } else {
        Err(Error::SYNTAX)
    }
}

/// The event for a push at `end`.
fn pushed(end: End) -> &'static str {
    if end == End::Head { "lpush" } else { "rpush" }
}

/// The event for a pop at `end`.
fn popped(end: End) -> &'static str {
    if end == End::Head { "lpop" } else { "rpop" }
}

/// A number whose magnitude does not fit: only the smallest of all.
fn long_range_error() -> Error {
    const MAX: i64 = i64::MAX;
    Error::err(format_args!("value is out of range, value must between -{MAX} and {MAX}"))
}
