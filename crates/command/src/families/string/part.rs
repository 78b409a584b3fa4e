//! Parts of strings written in place.

use crate::string_value::{check_len, edit, put_arg};
use crate::{Args, Cx, Error, Event, Outcome};
use resp::Reply;

/// APPEND key value
pub fn append(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (key, value) = (args.key(1), args.at(2));
    let Some(pos) = cx.find_for_write(key) else {
        put_arg(cx, key, None, args, 2, None);
        cx.event(Event::String, "append", key.bytes);
        out.count(value.len());
        return Ok(());
    };
    let len = cx.db().str(pos).ok_or(Error::WRONG_TYPE)?.bytes().len();
    let total = check_len(cx, len, value.len())?;
    edit(cx, key, Some(pos), total, |bytes| bytes[len..].copy_from_slice(value))?;
    cx.event(Event::String, "append", key.bytes);
    out.count(total);
    Ok(())
}

/// SETRANGE key offset value
pub fn setrange(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let offset = usize::try_from(args.int(2)?).map_err(|_| Error::OFFSET_OUT_OF_RANGE)?;
    let (key, value) = (args.key(1), args.at(3));
    let pos = cx.find_for_write(key);
    let len = match pos {
        Some(pos) => cx.db().str(pos).ok_or(Error::WRONG_TYPE)?.bytes().len(),
        None => 0,
    };
    if value.is_empty() {
        out.count(len);
        return Ok(());
    }
    let end = check_len(cx, offset, value.len())?;
    edit(cx, key, pos, end, |bytes| bytes[offset..end].copy_from_slice(value))?;
    cx.event(Event::String, "setrange", key.bytes);
    out.count(len.max(end));
    Ok(())
}
