//! Reading lists.

use super::row;
use crate::index_range::{clamp, resolve};
use crate::items::{reply_item, run_item};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use types::List;
use types::listpack::{Item, Needle};

pub const COMMANDS: &[Command] = &[
    row("LLEN", llen)
        .arity(2)
        .keys(&[KeySpec::at(1, RO)])
        .flags(READONLY | FAST)
        .complexity("O(1)")
        .summary("Returns the number of elements of a list.")
        .syntax("key:key"),
    row("LINDEX", lindex)
        .arity(3)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity(
            "O(N) where N is the number of elements to traverse to get to the element at index. This makes \
             asking for the first or the last element of the list O(1).",
        )
        .summary("Returns the element at an index of a list.")
        .syntax("key:key index:integer"),
    row("LRANGE", lrange)
        .arity(4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .complexity(
            "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end (HEAD \
             or TAIL) for large lists; and N is the number of elements in the specified range.",
        )
        .summary("Returns the elements of a list between two indexes.")
        .syntax("key:key start:integer stop:integer"),
    row("LPOS", lpos)
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
];

/// LLEN key
fn llen(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.count(cx.read::<List>(args.key(1))?.map_or(0, List::len));
    Ok(())
}

/// LINDEX key index
fn lindex(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let Some(list) = cx.read::<List>(args.key(1))? else {
        out.null();
        return Ok(());
    };
    let index = args.int(2)?;
    match resolve(index, list.len()).and_then(|index| list.get(index)) {
        Some(item) => reply_item(out, item),
        None => out.null(),
    }
    Ok(())
}

/// LRANGE key start stop
fn lrange(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (start, stop) = (args.int(2)?, args.int(3)?);
    let Some(list) = cx.read::<List>(args.key(1))? else {
        out.array(0);
        return Ok(());
    };
    let range = clamp(start, stop, list.len());
    out.array(range.len());
    if range.is_empty() {
        return Ok(());
    }
    // Elements take about what they take in the list, and a few bytes more.
    let share = list.bytes() / list.len() + 8;
    let mut run = out.run(share.saturating_mul(range.len()).min(RESERVE_BYTES_MAX));
    list.range(range.start, range.len()).for_each(|item| run_item(&mut run, item));
    Ok(())
}

/// A reply whose size is only guessed reserves no more than this at once.
const RESERVE_BYTES_MAX: usize = 1 << 20;

/// What LPOS is asked for.
struct Wanted {
    /// 1 for the first match, 2 for the second …
    rank: usize,
    from_tail: bool,
    /// Matches wanted; `None` without COUNT.
    count: Option<usize>,
    /// Elements to look at.
    elements_max: usize,
}

impl Wanted {
    fn parse(args: Args<'_>) -> Result<Self, Error> {
        let mut wanted = Self { rank: 1, from_tail: false, count: None, elements_max: usize::MAX };
        // Zero means no limit.
        let natural = |index, name: &str| {
            let number = args.int(index).ok().and_then(|n| usize::try_from(n).ok());
            let number = number.ok_or_else(|| Error::err(format_args!("{name} can't be negative")))?;
            Ok::<_, Error>(if number == 0 { usize::MAX } else { number })
        };
        let mut index = 3;
        while index < args.len() {
            let value = index + 1;
            if value == args.len() {
                return Err(Error::SYNTAX);
            } else if args.is(index, "RANK") {
                (wanted.rank, wanted.from_tail) = rank(args.int(value)?)?;
            } else if args.is(index, "COUNT") {
                wanted.count = Some(natural(value, "COUNT")?);
            } else if args.is(index, "MAXLEN") {
                wanted.elements_max = natural(value, "MAXLEN")?;
            } else {
                return Err(Error::SYNTAX);
            }
            index += 2;
        }
        Ok(wanted)
    }
}

fn rank(rank: i64) -> Result<(usize, bool), Error> {
    match rank {
        i64::MIN => Err(super::long_range_error()),
        0 => Err(Error::err(
            "RANK can't be zero: use 1 to start from the first match, 2 from the second ... \
             or use negative to start from the end of the list",
        )),
        _ => Ok((rank.unsigned_abs() as usize, rank < 0)),
    }
}

/// LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]
fn lpos(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let wanted = Wanted::parse(args)?;
    let many = wanted.count.is_some();
    let Some(list) = cx.read::<List>(args.key(1))? else {
        if many {
            out.array(0)
        } else {
            out.null()
        }
        return Ok(());
    };
    let (mark, mut found) = (out.mark(), 0);
    let len = list.len();
    let report = |index| {
        found += 1;
        out.count(index);
    };
    let needle = Needle::new(&args[2]);
    if wanted.from_tail {
        let items = list.range_rev(len - 1, len).enumerate();
        find(items.map(|(step, item)| (len - 1 - step, item)), &needle, &wanted, report);
    } else {
        find(list.iter().enumerate(), &needle, &wanted, report);
    }
    match (many, found) {
        (true, _) => out.array_around(mark, found),
        (false, 0) => out.null(),
        (false, _) => {}
    }
    Ok(())
}

/// Reports the indexes of the matches wanted.
fn find<'a>(
    items: impl Iterator<Item = (usize, Item<'a>)>,
    needle: &Needle<'_>,
    wanted: &Wanted,
    report: impl FnMut(usize),
) {
    items
        .take(wanted.elements_max)
        .filter(|(_, item)| needle.matches(*item))
        .skip(wanted.rank - 1)
        .take(wanted.count.unwrap_or(1))
        .map(|(index, _)| index)
        .for_each(report);
}
