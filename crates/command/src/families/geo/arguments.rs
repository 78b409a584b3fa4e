//! Positions, distances and units as clients write them.

use crate::{Args, Error};
use base::number;
use types::geohash::search::Extent;
use types::geohash::{Point, Unit};

/// Longitude and latitude at `index` and behind it.
///
/// # Errors
/// Not a number, or a position that cannot be stored.
pub fn position(args: Args<'_>, index: usize) -> Result<Point, Error> {
    let (longitude, latitude) = (args.float(index)?, args.float(index + 1)?);
    Point::new(longitude, latitude).ok_or_else(|| {
        Error::err(format_args!("invalid longitude,latitude pair {longitude:.6},{latitude:.6}"))
    })
}

pub fn unit(args: Args<'_>, index: usize) -> Result<Unit, Error> {
    let unit = args.get(index).and_then(Unit::parse);
    unit.ok_or(Error::err("unsupported unit provided. please use M, KM, FT, MI"))
}

fn size(args: Args<'_>, index: usize, refusal: &str) -> Result<f64, Error> {
    args.get(index).and_then(number::parse_f64).ok_or_else(|| Error::err(refusal))
}

/// `radius unit`
pub fn circle(args: Args<'_>, index: usize) -> Result<(Extent, Unit), Error> {
    let radius = size(args, index, "need numeric radius")?;
    if radius < 0.0 {
        return Err(Error::err("radius cannot be negative"));
    }
    Ok((Extent::Radius(radius), unit(args, index + 1)?))
}

/// `width height unit`
pub fn rectangle(args: Args<'_>, index: usize) -> Result<(Extent, Unit), Error> {
    let width = size(args, index, "need numeric width")?;
    let height = size(args, index + 1, "need numeric height")?;
    if width < 0.0 || height < 0.0 {
        return Err(Error::err("height or width cannot be negative"));
    }
    Ok((Extent::Box { width, height }, unit(args, index + 2)?))
}
