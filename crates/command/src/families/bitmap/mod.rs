//! Strings as arrays of bits. The algorithms are in `types::bits`.

mod bit;
mod field;

use crate::Command;
use crate::spec::{Handler, KeySpec, access::*, acl, flag::*};

const fn row(name: &'static str, handler: Handler) -> Command {
    Command::new(name, handler).acl(acl::BITMAP).group("bitmap")
}

pub const COMMANDS: &[Command] = &[
    row("SETBIT", bit::setbit)
        .arity(4)
        .keys(&[KeySpec::at(1, RW | ACCESS | UPDATE)])
        .flags(WRITE | DENYOOM)
        .since("2.2.0")
        .complexity("O(1)")
        .summary("Sets or clears the bit at an offset of the string value; creates the key if it is absent.")
        .syntax("key:key offset:integer value:integer"),
    row("GETBIT", bit::getbit)
        .arity(3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .since("2.2.0")
        .complexity("O(1)")
        .summary("Returns the bit at an offset of the string value.")
        .syntax("key:key offset:integer"),
    row("BITCOUNT", bit::bitcount)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .since("2.6.0")
        .complexity("O(N)")
        .history(&[("7.0.0", "Added the `BYTE|BIT` option.")])
        .summary("Counts the set bits of a string or of a range of it.")
        .syntax("key:key range{start:integer end:integer unit(byte=BYTE|bit=BIT)?^7.0.0}?"),
    row("BITPOS", bit::bitpos)
        .arity(-3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .since("2.8.7")
        .complexity("O(N)")
        .history(&[("7.0.0", "Added the `BYTE|BIT` option.")])
        .summary("Finds the first bit that is set, or clear, in a string or in a range of it.")
        .syntax(concat!(
            "key:key bit:integer ",
            "range{start:integer end-unit-block{end:integer unit(byte=BYTE|bit=BIT)?^7.0.0}?}?",
        )),
    row("BITOP", bit::bitop)
        .arity(-4)
        .keys(&[KeySpec::at(2, OW | UPDATE), KeySpec::range(3, -1, 1, RO | ACCESS)])
        .flags(WRITE | DENYOOM)
        .since("2.6.0")
        .complexity("O(N)")
        .summary("Combines strings bit by bit and stores the result.")
        .syntax(concat!(
            "operation(and=AND|or=OR|xor=XOR|not=NOT|diff=DIFF|diff1=DIFF1|andor=ANDOR|one=ONE) ",
            "destkey:key key:key*#1",
        )),
    row("BITFIELD", field::bitfield)
        .arity(-2)
        .keys(&[KeySpec::at(1, RW | UPDATE | ACCESS | VARIABLE_FLAGS)
            .notes("This command allows both access and modification of the key")])
        .flags(WRITE | DENYOOM)
        .since("3.2.0")
        .complexity("O(1) for each subcommand specified")
        .summary("Reads, sets and adds to integers of any width at any bit offset of a string.")
        .syntax(concat!(
            "key:key operation(GET@get-block{encoding:string offset:integer}|",
            "write{OVERFLOW@overflow-block(wrap=WRAP|sat=SAT|fail=FAIL)? ",
            "write-operation(SET@set-block{encoding:string offset:integer value:integer}|",
            "INCRBY@incrby-block{encoding:string offset:integer increment:integer})})?*",
        )),
    row("BITFIELD_RO", field::bitfield_ro)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .since("6.0.0")
        .complexity("O(1) for each subcommand specified")
        .summary("Reads integers of any width at any bit offset of a string.")
        .syntax("key:key GET@get-block{encoding:string offset:integer}?**"),
];
