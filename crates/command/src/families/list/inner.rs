//! Changes inside a list: by index, by value, by range.

use crate::index_range::{clamp, resolve};
use crate::{Args, Cx, Error, Event, Outcome};
use resp::Reply;
use types::List;
use types::list::End;
use types::listpack::Needle;

/// LSET key index element
pub fn lset(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let key = args.key(1);
    let mut list = cx.update::<List>(key)?.ok_or(Error::NO_SUCH_KEY)?;
    let index = resolve(args.int(2)?, list.len()).ok_or(Error::INDEX_OUT_OF_RANGE)?;
    list.set(index, &args[3]);
    drop(list);
    cx.event(Event::List, "lset", key.bytes);
    out.ok();
    Ok(())
}

/// LINSERT key BEFORE|AFTER pivot element
pub fn linsert(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let behind = match () {
        () if args.is(2, "AFTER") => 1,
        () if args.is(2, "BEFORE") => 0,
        () => return Err(Error::SYNTAX),
    };
    let key = args.key(1);
    let Some(mut list) = cx.update::<List>(key)? else {
        out.int(0);
        return Ok(());
    };
    let pivot = Needle::new(&args[3]);
    let Some(index) = list.iter().position(|item| pivot.matches(item)) else {
        out.int(-1);
        return Ok(());
    };
    list.insert(index + behind, &args[4]);
    let len = list.len();
    drop(list);
    cx.event(Event::List, "linsert", key.bytes);
    out.count(len);
    Ok(())
}

/// LREM key count element
pub fn lrem(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let count = args.int(2)?;
    let (limit, end) = match count {
        i64::MIN => return Err(super::long_range_error()),
        0 => (usize::MAX, End::Head),
        _ if count < 0 => (count.unsigned_abs() as usize, End::Tail),
        _ => (count as usize, End::Head),
    };
    let key = args.key(1);
    let Some(mut list) = cx.update::<List>(key)? else {
        out.int(0);
        return Ok(());
    };
    let removed = list.remove_matching(&args[3], limit, end);
    let emptied = list.finish();
    if removed > 0 {
        cx.event_of(removed, Event::List, "lrem", key.bytes);
    }
    if emptied {
        cx.notice(Event::Generic, "del", key.bytes);
    }
    out.count(removed);
    Ok(())
}

/// LTRIM key start stop
pub fn ltrim(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (start, stop) = (args.int(2)?, args.int(3)?);
    let key = args.key(1);
    let Some(mut list) = cx.update::<List>(key)? else {
        out.ok();
        return Ok(());
    };
    let kept = clamp(start, stop, list.len());
    let removed = list.len() - kept.len();
    list.keep(kept.start, kept.len());
    let emptied = list.finish();
    cx.event_of(removed, Event::List, "ltrim", key.bytes);
    if emptied {
        cx.notice(Event::Generic, "del", key.bytes);
    }
    out.ok();
    Ok(())
}
