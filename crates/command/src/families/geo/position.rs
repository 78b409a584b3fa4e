//! GEOADD, GEOPOS, GEOHASH and GEODIST.

use super::arguments::{position, unit};
use crate::families::zset::{AddOptions, add_pairs};
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;
use types::ZSet;
use types::geohash::{self, Point, Unit};

pub const COMMANDS: &[Command] = &[
    Command::new("GEOADD", geoadd)
        .arity(-5)
        .keys(&[KeySpec::at(1, RW | UPDATE)])
        .flags(WRITE | DENYOOM)
        .acl(acl::GEO)
        .group("geo")
        .since("3.2.0")
        .summary("Adds members with their positions, or moves them.")
        .complexity("O(log(N)) for each member, N: members of the index")
        .history(&[("6.2.0", "Added the `CH`, `NX` and `XX` options.")])
        .syntax(
            "key:key condition(nx=NX|xx=XX)?^6.2.0 change=CH?^6.2.0 data{longitude:double latitude:double \
             member:string}*",
        ),
    Command::new("GEODIST", geodist)
        .arity(-4)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::GEO)
        .group("geo")
        .since("3.2.0")
        .summary("Returns the distance between two members.")
        .complexity("O(1)")
        .syntax("key:key member1:string member2:string unit(m=M|km=KM|ft=FT|mi=MI)?"),
    Command::new("GEOHASH", geohash)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::GEO)
        .group("geo")
        .since("3.2.0")
        .summary("Returns the geohash texts of members.")
        .complexity("O(1) for each member")
        .syntax("key:key member:string?*"),
    Command::new("GEOPOS", geopos)
        .arity(-2)
        .keys(&[KeySpec::at(1, RO | ACCESS)])
        .flags(READONLY)
        .acl(acl::GEO)
        .group("geo")
        .since("3.2.0")
        .summary("Returns the longitudes and latitudes of members.")
        .complexity("O(1) for each member")
        .syntax("key:key member:string?*"),
];

/// GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member …]
fn geoadd(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
fn geopos(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
fn geohash(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
fn geodist(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
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
