//! VREM and VSETATTR.

use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Outcome};
use resp::Reply;
use types::VectorSet;

pub const COMMANDS: &[Command] = &[
    row("VREM", vrem)
        .arity(3)
        .keys(&[KeySpec::at(1, RW | DELETE)])
        .flags(WRITE | UPPER_CASE)
        .complexity(
            "O(log(N)) for each element removed, where N is the number of elements in the vector set.",
        )
        .summary("Remove an element from a vector set.")
        .syntax("key:key element:string"),
    row("VSETATTR", vsetattr)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | FAST | UPPER_CASE)
        .complexity("O(1)")
        .summary("Associate or remove the JSON attributes of elements.")
        .syntax("key:key element:string json:string"),
];

/// VREM key element
fn vrem(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    let removed = match cx.update::<VectorSet>(key)? {
        Some(mut set) => set.remove(&args[2]),
        None => false,
    };
    if removed {
        cx.changed(key.bytes);
    }
    out.boolean(removed);
    Ok(())
}

/// VSETATTR key element attributes
fn vsetattr(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    let Some(mut set) = cx.update::<VectorSet>(key)? else {
        out.boolean(false);
        return Ok(());
    };
    let number = set.find(&args[2]);
    if let Some(number) = number {
        set.set_attributes(number, &args[3]);
    }
    drop(set);
    if number.is_some() {
        cx.changed(key.bytes);
    }
    out.boolean(number.is_some());
    Ok(())
}
