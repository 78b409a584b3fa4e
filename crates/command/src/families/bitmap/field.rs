//! BITFIELD: integers of any width at any bit offset.
//!
//! The arguments are read twice, once to check all of them and to know how long the string must be, once to do
//! what they say; so nothing has to be remembered between.

use super::row;
use crate::spec::{KeySpec, access::*, flag::*};
use crate::string_value::edit;
use crate::{Args, Command, Cx, Error, Event, Outcome};
use resp::Reply;
use types::bits::field::{self, FieldType, Overflow, parse_offset};

pub const COMMANDS: &[Command] = &[
    row("BITFIELD", bitfield)
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
    row("BITFIELD_RO", bitfield_ro)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY | FAST)
        .since("6.0.0")
        .complexity("O(1) for each subcommand specified")
        .summary("Reads integers of any width at any bit offset of a string.")
        .syntax("key:key GET@get-block{encoding:string offset:integer}?**"),
];

#[derive(Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    Increment(i64),
}

#[derive(Clone, Copy)]
struct Operation {
    action: Action,
    field: FieldType,
    offset: u64,
    overflow: Overflow,
}

/// The operations in the arguments; ends after an error.
struct Operations<'a> {
    args: Args<'a>,
    index: usize,
    overflow: Overflow,
    bytes_max: u64,
}

impl<'a> Operations<'a> {
    fn new(args: Args<'a>, bytes_max: u64) -> Self {
        Self { args, index: 2, overflow: Overflow::default(), bytes_max }
    }

    /// The next operation; overflow options on the way are taken note of.
    fn read(&mut self) -> Result<Option<Operation>, Error> {
        let args = self.args;
        while args.is(self.index, "OVERFLOW") {
            let name = args.get(self.index + 1).ok_or_else(|| Error::SYNTAX)?;
            self.overflow =
                Overflow::parse(name).ok_or_else(|| Error::err("Invalid OVERFLOW type specified"))?;
            self.index += 2;
        }
        let at = self.index;
        if at >= args.len() {
            return Ok(None);
        }
        let words = if args.is(at, "GET") { 3 } else { 4 };
        let is_increment = args.is(at, "INCRBY");
        if (words == 4 && !is_increment && !args.is(at, "SET")) || at + words > args.len() {
            return Err(Error::SYNTAX);
        }
        let field = FieldType::parse(&args[at + 1]).map_err(Error::err)?;
        let offset = parse_offset(&args[at + 2], Some(field), self.bytes_max).map_err(Error::err)?;
        let action = match words {
            3 => Action::Get,
            _ if is_increment => Action::Increment(args.int(at + 3)?),
            _ => Action::Set(args.int(at + 3)?),
        };
        self.index += words;
        Ok(Some(Operation { action, field, offset, overflow: self.overflow }))
    }
}

impl Iterator for Operations<'_> {
    type Item = Result<Operation, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let result = self.read();
        if result.is_err() {
            self.index = self.args.len();
        }
        result.transpose()
    }
}

/// BITFIELD key [GET encoding offset | [OVERFLOW WRAP | SAT | FAIL] SET encoding offset value | … INCRBY …] …
fn bitfield(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    run(cx, args, true, out)
}

/// BITFIELD_RO key [GET encoding offset …]
fn bitfield_ro(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    run(cx, args, false, out)
}

fn run(cx: &mut Cx<'_>, args: Args<'_>, may_write: bool, out: &mut Reply) -> Outcome {
    let bytes_max = cx.shard.limits.string_bytes_max as u64;
    let operations = || Operations::new(args, bytes_max);
    let (mut count, mut len_min) = (0, 0);
    for operation in operations() {
        let operation = operation?;
        count += 1;
        if !matches!(operation.action, Action::Get) {
            len_min = len_min.max(field::bytes_needed(operation.field, operation.offset));
        }
    }
    let operations = || operations().map(|operation| operation.expect("checked above"));
    let writes = len_min > 0;
    if writes && !may_write {
        return Err(Error::err("BITFIELD_RO only supports the GET subcommand"));
    }
    let key = args.key(1);
    if !writes {
        let bytes = cx.str(key)?.map_or(&b""[..], |value| value.bytes());
        out.array(count);
        operations().for_each(|operation| out.int(field::get(bytes, operation.field, operation.offset)));
        return Ok(());
    }
    let pos = cx.find_for_write(key);
    let mut grown = pos.is_none();
    if let Some(pos) = pos {
        grown = (cx.db().str(pos).ok_or_else(|| Error::WRONG_TYPE)?.bytes().len() as u64) < len_min;
    }
    let written = operations().filter(|operation| !matches!(operation.action, Action::Get));
    let changes = written.map(|operation| {
        let end = field::bytes_needed(operation.field, operation.offset);
        (operation.offset / 8) as usize..end as usize
    });
    let changed = edit(cx, key, pos, len_min as usize, changes, |bytes| {
        out.array(count);
        let mut changed = 0;
        for operation in operations() {
            changed += usize::from(apply(operation, bytes, grown, out));
        }
        changed
    })?;
    if changed > 0 {
        cx.event_of(changed, Event::String, "setbit", key.bytes);
    } else if grown {
        cx.changed(key.bytes);
    }
    Ok(())
}

/// Does one operation and replies; whether it counts as a change.
fn apply(operation: Operation, bytes: &mut [u8], grown: bool, out: &mut Reply) -> bool {
    let Operation { action, field, offset, overflow } = operation;
    let written = match action {
        Action::Get => {
            out.int(field::get(bytes, field, offset));
            return false;
        }
        Action::Set(value) => field::set(bytes, field, offset, value, overflow),
        Action::Increment(by) => field::increment(bytes, field, offset, by, overflow),
    };
    let Some(written) = written else {
        out.null();
        return false;
    };
    out.int(if let Action::Set(_) = action { written.old } else { written.new });
    grown || written.old != written.new
}
