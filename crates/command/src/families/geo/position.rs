//! GEOADD, GEOPOS, GEOHASH and GEODIST.

use super::arguments::{position, unit};
use crate::families::zset::{AddOptions, add_pairs};
use crate::{Args, Cx, Error, Outcome};
use resp::Reply;
use types::ZSet;
use types::geohash::{self, Point, Unit};

/// GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member …]
pub fn geoadd(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (mut options, mut first) = (AddOptions::default(), 2);
    loop {
        match first {
            word if args.is(word, "NX") => options.nx = true,
            word if args.is(word, "XX") => options.xx = true,
            word if args.is(word, "CH") => options.ch = true,
            _ => break,
        }
        first += 1;
    }
    let words = args.len() - first;
    if words == 0 || !words.is_multiple_of(3) || (options.nx && options.xx) {
        return Err(Error::SYNTAX);
    }
    add_pairs(cx, args.key(1), options, words / 3, out, |nth| {
        let index = first + 3 * nth;
        Ok((geohash::encode(position(args, index)?) as f64, args.at(index + 2)))
    })
}

/// GEOPOS key [member …]
pub fn geopos(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    each_score(cx, args, out, |out, score| match score {
        Some(score) => reply_position(out, geohash::decode(score)),
        None => out.null_array(),
    })
}

/// Writes a pair of longitude and latitude.
pub fn reply_position(out: &mut Reply, point: Point) {
    out.array(2);
    out.double(point.longitude);
    out.double(point.latitude);
}

/// GEOHASH key [member …]
pub fn geohash(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    each_score(cx, args, out, |out, score| match score {
        Some(score) => out.bulk(&geohash::text(score)),
        None => out.null(),
    })
}

fn each_score(
    cx: &mut Cx<'_>,
    args: Args<'_>,
    out: &mut Reply,
    write: impl Fn(&mut Reply, Option<f64>),
) -> Outcome {
    let zset = cx.read::<ZSet>(args.key(1))?;
    out.array(args.len() - 2);
    args.from(2).for_each(|member| write(out, zset.and_then(|zset| zset.score(member))));
    Ok(())
}

/// GEODIST key member1 member2 [M | KM | FT | MI]
pub fn geodist(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let unit = match args.len() {
        4 => Unit::Metres,
        5 => unit(args, 4)?,
        _ => return Err(Error::SYNTAX),
    };
    let Some(zset) = cx.read::<ZSet>(args.key(1))? else {
        out.null();
        return Ok(());
    };
    match (zset.score(&args[2]), zset.score(&args[3])) {
        (Some(from), Some(to)) => {
            let distance_m = geohash::distance_m(geohash::decode(from), geohash::decode(to));
            // A bulk string in RESP3 as well.
            out.bulk(geohash::distance_text(distance_m / unit.metres()).as_bytes());
        }
        _ => out.null(),
    }
    Ok(())
}
