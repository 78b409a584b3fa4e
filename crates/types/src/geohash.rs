//! Geohashes as Redis stores them: the score of a sorted set member is a 52-bit integer that interleaves 26
//! bits of latitude (even positions) with 26 bits of longitude, over the range of the Web Mercator
//! projection.
//!
//! The floating-point operations are those of Redis in the same order, so that scores, positions, distances
//! and the choice of score ranges are equal. Areas to search are in [`search`]. This module knows no sorted
//! sets.
//!
//! How positions are printed is up to the reply: since Redis 8 `GEOPOS` writes a coordinate like any other
//! double (shortest digits that read back the same: `13.361389338970184`); Redis 7 writes 17 digits after the
//! point and strips trailing zeros (`13.36138933897018433`).
#![forbid(unsafe_code)]

pub mod search;

/// Latitudes beyond this cannot be stored (EPSG:3857).
pub const LATITUDE_MAX: f64 = 85.05112878;
pub const LONGITUDE_MAX: f64 = 180.0;
/// The mean radius that Redis uses, in metres.
pub const EARTH_RADIUS_M: f64 = 6372797.560856;

/// Bits per coordinate of a stored geohash.
const STEP_MAX: u32 = 26;
const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
/// Length of the text that `GEOHASH` replies.
pub const TEXT_LEN: usize = 11;

/// A position in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub longitude: f64,
    pub latitude: f64,
}

impl Point {
    /// A position that can be stored; `None` for coordinates out of range and for NaN.
    pub fn new(longitude: f64, latitude: f64) -> Option<Point> {
        let storable = longitude.abs() <= LONGITUDE_MAX && latitude.abs() <= LATITUDE_MAX;
        storable.then_some(Point { longitude, latitude })
    }
}

/// A unit of distance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Metres,
    Kilometres,
    Feet,
    Miles,
}

impl Unit {
    /// `None` for an unknown unit: "unsupported unit provided. please use M, KM, FT, MI".
    pub fn parse(name: &[u8]) -> Option<Unit> {
        let units =
            [(&b"m"[..], Unit::Metres), (b"km", Unit::Kilometres), (b"ft", Unit::Feet), (b"mi", Unit::Miles)];
        units.iter().find(|(text, _)| name.eq_ignore_ascii_case(text)).map(|&(_, unit)| unit)
    }

    /// How many metres one of this unit is. Divide metres by it to convert.
    pub fn metres(self) -> f64 {
        match self {
            Unit::Metres => 1.0,
            Unit::Kilometres => 1000.0,
            Unit::Feet => 0.3048,
            Unit::Miles => 1609.34,
        }
    }
}

/// A cell of the grid with `2^step` columns and rows: the first `2 * step` bits of the geohashes within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    bits: u64,
    step: u32,
}

/// The edges of a cell in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Area {
    longitude: (f64, f64),
    latitude: (f64, f64),
}

impl Cell {
    fn containing(point: Point, latitude_max: f64, step: u32) -> Cell {
        let cells = (1u64 << step) as f64;
        let fraction = |value: f64, max: f64| (value + max) / (max + max) * cells;
        // The upper edge gives 2^step itself, one bit more than the others; Redis stores it that way too.
        let latitude = fraction(point.latitude, latitude_max) as u32;
        let longitude = fraction(point.longitude, LONGITUDE_MAX) as u32;
        Cell { bits: spread(latitude) | spread(longitude) << 1, step }
    }

    fn area(self) -> Area {
        let edges = |index: u32, max: f64| {
            let cells = (1u64 << self.step) as f64;
            let edge = |index: u32| -max + f64::from(index) / cells * (max + max);
            // Wraps only for scores that are no geohash, as in Redis.
            (edge(index), edge(index.wrapping_add(1)))
        };
        Area {
            longitude: edges(gather(self.bits >> 1), LONGITUDE_MAX),
            latitude: edges(gather(self.bits), LATITUDE_MAX),
        }
    }
}

/// Spreads the bits of a number to the even positions.
fn spread(value: u32) -> u64 {
    let mut bits = u64::from(value);
    bits = (bits | bits << 16) & 0x0000_ffff_0000_ffff;
    bits = (bits | bits << 8) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits << 2) & 0x3333_3333_3333_3333;
    (bits | bits << 1) & 0x5555_5555_5555_5555
}

/// Gathers the bits at even positions: the inverse of [`spread`].
fn gather(value: u64) -> u32 {
    let mut bits = value & 0x5555_5555_5555_5555;
    bits = (bits | bits >> 1) & 0x3333_3333_3333_3333;
    bits = (bits | bits >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | bits >> 4) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | bits >> 8) & 0x0000_ffff_0000_ffff;
    (bits | bits >> 16) as u32
}

/// The score under which a position is stored (`GEOADD`). Below 2^54, so a double holds it exactly.
pub fn encode(point: Point) -> u64 {
    Cell::containing(point, LATITUDE_MAX, STEP_MAX).bits
}

/// The position a score stands for: the centre of its cell. Any score has one, since `ZADD` can store any.
pub fn decode(score: f64) -> Point {
    let area = Cell { bits: score_bits(score), step: STEP_MAX }.area();
    let centre = |(low, high): (f64, f64), max: f64| ((low + high) / 2.0).clamp(-max, max);
    Point { longitude: centre(area.longitude, LONGITUDE_MAX), latitude: centre(area.latitude, LATITUDE_MAX) }
}

/// A score as an integer, out of range scores as the conversion of C behaves on x86-64 (it is undefined in
/// C).
fn score_bits(score: f64) -> u64 {
    const TWO_TO_63: f64 = (1u64 << 63) as f64;
    if score < TWO_TO_63 {
        score as i64 as u64
    } else if score < 2.0 * TWO_TO_63 {
        score as u64
    } else {
        0
    }
}

/// The standard geohash text of a stored score. Its latitudes range over ±90 degrees, so the position is
/// encoded anew; 52 bits give ten letters and the eleventh is always `0`.
pub fn text(score: f64) -> [u8; TEXT_LEN] {
    let bits = Cell::containing(decode(score), 90.0, STEP_MAX).bits;
    std::array::from_fn(|letter| {
        let index = if letter < 10 { bits >> (47 - 5 * letter) & 31 } else { 0 };
        ALPHABET[index as usize]
    })
}

/// Great-circle distance in metres (haversine). Of opposite points too, where Redis can reply `nan`: rounding
/// may carry `a` beyond 1 there.
pub fn distance_m(from: Point, to: Point) -> f64 {
    let v = ((to.longitude.to_radians() - from.longitude.to_radians()) / 2.0).sin();
    if v == 0.0 {
        return latitude_distance_m(from.latitude, to.latitude);
    }
    let (from_latitude, to_latitude) = (from.latitude.to_radians(), to.latitude.to_radians());
    let u = ((to_latitude - from_latitude) / 2.0).sin();
    let a = u * u + from_latitude.cos() * to_latitude.cos() * v * v;
    2.0 * EARTH_RADIUS_M * a.min(1.0).sqrt().asin()
}

/// Distance in metres of two points on one meridian.
fn latitude_distance_m(from: f64, to: f64) -> f64 {
    EARTH_RADIUS_M * (to.to_radians() - from.to_radians()).abs()
}

/// A distance as `GEODIST` and `WITHDIST` print it: four digits after the point. `distance` is finite and not
/// negative, at most half the circumference of the earth in any unit.
pub fn distance_text(distance: f64) -> String {
    const SCALE: u64 = 10_000;
    let scaled = (distance * SCALE as f64).round_ties_even() as u64;
    format!("{}.{:04}", scaled / SCALE, scaled % SCALE)
}

#[cfg(test)]
mod tests;
