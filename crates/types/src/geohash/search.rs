//! Which score ranges a search by radius or box has to read, and which of the points found lie within.
//!
//! The cell of the centre and its eight neighbours, at a grid size fitted to the shape, cover the shape;
//! cells that the bounding box does not reach are left out. The ranges come in the order in which Redis reads
//! them, since that is the order of unsorted replies and decides what `COUNT n ANY` returns.
#![forbid(unsafe_code)]

use super::{
    Area, Cell, EARTH_RADIUS_M, LATITUDE_MAX, Point, STEP_MAX, Unit, distance_m, latitude_distance_m,
};

/// Half the width of the Mercator plane in metres; limits how coarse the grid gets.
const MERCATOR_MAX: f64 = 20037726.37;
const LONGITUDE_BITS: u64 = 0xaaaa_aaaa_aaaa_aaaa;
const LATITUDE_BITS: u64 = 0x5555_5555_5555_5555;
const RANGES_MAX: usize = 9;

/// The size of a searched shape, in the unit of the [`Shape`]; not negative, may be infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Extent {
    Radius(f64),
    Box { width: f64, height: f64 },
}

/// The shape a `GEOSEARCH` looks into.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    pub centre: Point,
    pub extent: Extent,
    pub unit: Unit,
}

/// Scores from `min` (included) to `max` (excluded).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScoreRange {
    pub min: u64,
    pub max: u64,
}

/// Up to nine disjoint ranges, in reading order.
#[derive(Clone, Copy, Debug)]
pub struct ScoreRanges {
    ranges: [ScoreRange; RANGES_MAX],
    count: usize,
}

impl std::ops::Deref for ScoreRanges {
    type Target = [ScoreRange];

    fn deref(&self) -> &[ScoreRange] {
        &self.ranges[..self.count]
    }
}

impl Shape {
    /// The distance of `point` from the centre in metres if it lies within the shape.
    pub fn distance_if_within_m(&self, point: Point) -> Option<f64> {
        match self.extent {
            Extent::Radius(radius) => {
                let distance = distance_m(self.centre, point);
                (distance <= radius * self.unit.metres()).then_some(distance)
            }
            Extent::Box { width, height } => {
                let north_south = latitude_distance_m(point.latitude, self.centre.latitude);
                if north_south > height * self.unit.metres() / 2.0 {
                    return None;
                }
                // Along the parallel of the point, as the width of the box is measured there.
                let abeam = Point { longitude: self.centre.longitude, latitude: point.latitude };
                if distance_m(point, abeam) > width * self.unit.metres() / 2.0 {
                    return None;
                }
                Some(distance_m(self.centre, point))
            }
        }
    }

    /// The score ranges that hold every point of the shape (and others).
    pub fn score_ranges(&self) -> ScoreRanges {
        let bounds = self.bounding_box();
        let mut step = estimate_step(self.reach_m(), self.centre.latitude);
        let mut grid = Grid::around(self.centre, step);
        if step > 1 && !grid.covers(&bounds) {
            step -= 1;
            grid = Grid::around(self.centre, step);
        }
        grid.ranges(&bounds)
    }

    /// The distance from the centre to the farthest point of the shape in metres.
    fn reach_m(&self) -> f64 {
        let reach = match self.extent {
            Extent::Radius(radius) => radius,
            Extent::Box { width, height } => {
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
            }
        };
        reach * self.unit.metres()
    }

    /// The box that bounds the shape, as wide as on the parallel (of its northern and southern edges) nearer
    /// to the pole. Its edges may lie beyond the poles or the date line, and are not numbers if the shape is
    /// infinite.
    fn bounding_box(&self) -> Area {
        let (half_width, half_height) = match self.extent {
            Extent::Radius(radius) => (radius, radius),
            Extent::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let Point { longitude, latitude } = self.centre;
        let arc_height = self.unit.metres() * half_height / EARTH_RADIUS_M;
        let latitude_delta = to_degrees(arc_height);
        let polar = if latitude < 0.0 { latitude - latitude_delta } else { latitude + latitude_delta };
        let arc_width = self.unit.metres() * half_width / EARTH_RADIUS_M;
        let longitude_delta = to_degrees(arc_width / polar.to_radians().cos());
        Area {
            longitude: (longitude - longitude_delta, longitude + longitude_delta),
            latitude: (latitude - latitude_delta, latitude + latitude_delta),
        }
    }
}

/// Divides where `f64::to_degrees` multiplies, for the same last bit as Redis.
fn to_degrees(radians: f64) -> f64 {
    radians / (std::f64::consts::PI / 180.0)
}

/// The grid at which nine cells cover a circle of this radius in most cases.
fn estimate_step(radius_m: f64, latitude: f64) -> u32 {
    if radius_m == 0.0 {
        return STEP_MAX;
    }
    let mut step = 1;
    let mut range = radius_m;
    while range < MERCATOR_MAX {
        range *= 2.0;
        step += 1;
    }
    step -= 2;
    // Cells are narrower towards the poles.
    if latitude.abs() > 66.0 {
        step -= 1;
    }
    if latitude.abs() > 80.0 {
        step -= 1;
    }
    step.clamp(1, STEP_MAX as i32) as u32
}

/// The cell of the centre of a search and its neighbours.
struct Grid {
    centre: Cell,
}

impl Grid {
    fn around(point: Point, step: u32) -> Grid {
        Grid { centre: Cell::containing(point, LATITUDE_MAX, step) }
    }

    /// The cell `east` columns and `north` rows (-1, 0 or 1) away, wrapping around.
    fn neighbour(&self, east: i8, north: i8) -> Cell {
        let Cell { bits, step } = self.centre;
        let used = u64::MAX >> (64 - 2 * step);
        let longitude = shift(bits, LONGITUDE_BITS, used, east);
        let latitude = shift(bits, LATITUDE_BITS, used, north);
        Cell { bits: longitude | latitude, step }
    }

    /// Whether the four direct neighbours reach beyond the edges of the box.
    fn covers(&self, bounds: &Area) -> bool {
        let too_small = self.neighbour(0, 1).area().latitude.1 < bounds.latitude.1
            || self.neighbour(0, -1).area().latitude.0 > bounds.latitude.0
            || self.neighbour(1, 0).area().longitude.1 < bounds.longitude.1
            || self.neighbour(-1, 0).area().longitude.0 > bounds.longitude.0;
        !too_small
    }

    fn ranges(&self, bounds: &Area) -> ScoreRanges {
        const ORDER: [(i8, i8); RANGES_MAX] =
            [(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let area = self.centre.area();
        let may_skip = self.centre.step >= 2;
        let unreached = |east: i8, north: i8| {
            (north < 0 && area.latitude.0 < bounds.latitude.0)
                || (north > 0 && area.latitude.1 > bounds.latitude.1)
                || (east < 0 && area.longitude.0 < bounds.longitude.0)
                || (east > 0 && area.longitude.1 > bounds.longitude.1)
        };
        let mut found = ScoreRanges { ranges: [ScoreRange::default(); RANGES_MAX], count: 0 };
        for (east, north) in ORDER {
            if may_skip && unreached(east, north) {
                continue;
            }
            let range = self.neighbour(east, north).scores();
            // In the coarsest grid opposite neighbours are the same cell.
            if !found.contains(&range) {
                found.ranges[found.count] = range;
                found.count += 1;
            }
        }
        found
    }
}

impl Cell {
    /// The scores within the cell.
    fn scores(self) -> ScoreRange {
        let unused = 2 * (STEP_MAX - self.step);
        ScoreRange { min: self.bits << unused, max: (self.bits + 1) << unused }
    }
}

/// Adds `by` to the number that lies in the `mask` positions of `bits`, modulo the `used` bits; other
/// positions come out zero.
fn shift(bits: u64, mask: u64, used: u64, by: i8) -> u64 {
    let number = bits & mask;
    let between = !mask & used;
    match by {
        0 => number,
        // Ones in the positions between carry a sum across, and zeros carry a difference.
        1.. => number.wrapping_add(between + 1) & mask & used,
        _ => (number | between).wrapping_sub(between + 1) & mask & used,
    }
}
