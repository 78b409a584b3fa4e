//! Corners, and on which side of an edge they are, in a plane and on a sphere.

use crate::schema::Coordinates;
use robust::{Coord, Coord3D, orient2d, orient3d};
use std::cmp::Ordering;

/// A corner of a shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Corner {
    /// x and y, or longitude and latitude in degrees.
    pub at: [f64; 2],
    /// Where it is in space: on the unit sphere, or in the plane of x and y.
    pub place: [f64; 3],
}

impl Corner {
    pub fn new(coordinates: Coordinates, at: [f64; 2]) -> Self {
        let place = match coordinates {
            Coordinates::Flat => [at[0], at[1], 0.0],
            Coordinates::Spherical => {
                let (sin, cos) = at[1].to_radians().sin_cos();
                let (east_sin, east_cos) = at[0].to_radians().sin_cos();
                [cos * east_cos, cos * east_sin, sin]
            }
        };
        Self { at, place }
    }

    /// Half way to another.
    pub fn middle(coordinates: Coordinates, [from, to]: [Self; 2]) -> Self {
        match coordinates {
            Coordinates::Flat => {
                let half = |axis: usize| from.at[axis] / 2.0 + to.at[axis] / 2.0;
                Self::new(coordinates, [half(0), half(1)])
            }
            Coordinates::Spherical => {
                let sum = [0, 1, 2].map(|axis| from.place[axis] + to.place[axis]);
                let length = dot(sum, sum).sqrt();
                let place = sum.map(|axis| axis / length);
                let longitude = place[1].atan2(place[0]).to_degrees();
                Self { at: [longitude, place[2].clamp(-1.0, 1.0).asin().to_degrees()], place }
            }
        }
    }
}

pub(super) fn dot(left: [f64; 3], right: [f64; 3]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

/// From -180 to 180 degrees.
pub(super) fn turn(degrees: f64) -> f64 {
    if degrees > 180.0 {
        degrees - 360.0
    } else if degrees < -180.0 {
        degrees + 360.0
    } else {
        degrees
    }
}

/// On which side of the line from the first to the second the third is: 1 on the left, -1 on the right, 0 on it.
pub(super) fn side(coordinates: Coordinates, [from, to]: [Corner; 2], point: Corner) -> i8 {
    let turned = match coordinates {
        Coordinates::Flat => {
            let flat = |corner: Corner| Coord { x: corner.at[0], y: corner.at[1] };
            orient2d(flat(from), flat(to), flat(point))
        }
        Coordinates::Spherical => {
            let [from, to, point] =
                [from, to, point].map(|Corner { place: [x, y, z], .. }| Coord3D { x, y, z });
            orient3d(from, to, point, Coord3D { x: 0.0, y: 0.0, z: 0.0 })
        }
    };
    match turned.total_cmp(&0.0) {
        _ if turned == 0.0 => 0,
        Ordering::Less => -1,
        _ => 1,
    }
}

/// Whether a point is on an edge, ends included.
pub(super) fn is_on(coordinates: Coordinates, edge: [Corner; 2], point: Corner) -> bool {
    let [from, to] = edge;
    point.place == from.place
        || point.place == to.place
        || is_between(coordinates, edge, point) && side(coordinates, edge, point) == 0
}

/// Whether a point that is on the line of an edge is between its ends; of others nothing is said.
fn is_between(coordinates: Coordinates, [from, to]: [Corner; 2], point: Corner) -> bool {
    match coordinates {
        Coordinates::Flat => (0..2).all(|axis| {
            let (low, high) = (from.at[axis].min(to.at[axis]), from.at[axis].max(to.at[axis]));
            (low..=high).contains(&point.at[axis])
        }),
        Coordinates::Spherical => {
            let whole = dot(from.place, to.place);
            dot(from.place, point.place) >= whole && dot(point.place, to.place) >= whole
        }
    }
}

/// What two edges have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meeting {
    Nothing,
    /// A point that is an end of one of them.
    Touch,
    /// More than a point.
    Overlap,
    /// A point inside both.
    Cross,
}

/// Whether boxes around two edges tell that they have nothing in common.
fn are_apart(coordinates: Coordinates, one: [Corner; 2], other: [Corner; 2]) -> bool {
    let room = |edge: [Corner; 2]| match coordinates {
        Coordinates::Flat => 0.0,
        // An arc is not farther from its chord than 1 - cos(x) <= sin²(x), x being half its angle.
        Coordinates::Spherical => {
            let chord = [0, 1, 2].map(|axis| edge[1].place[axis] - edge[0].place[axis]);
            dot(chord, chord) / 4.0 + 1e-15
        }
    };
    let room = room(one) + room(other);
    (0..3).any(|axis| {
        let [a, b, c, d] = [one[0], one[1], other[0], other[1]].map(|corner| corner.place[axis]);
        a.max(b) + room < c.min(d) || c.max(d) + room < a.min(b)
    })
}

pub(super) fn meeting(coordinates: Coordinates, one: [Corner; 2], other: [Corner; 2]) -> Meeting {
    if are_apart(coordinates, one, other) {
        return Meeting::Nothing;
    }
    let ([a, b], [c, d]) = (one, other);
    let sides = |edge: [Corner; 2], ends: [Corner; 2]| ends.map(|end| side(coordinates, edge, end));
    if a.place != c.place && a.place != d.place && b.place != c.place && b.place != d.place {
        let ([s, t], [u, v]) = (sides(one, other), sides(other, one));
        if s != 0 && t == -s && u == t && v == s {
            return Meeting::Cross;
        }
        if s * t > 0 || u * v > 0 {
            return Meeting::Nothing;
        }
    }
    let mut common: Vec<[f64; 3]> = [(one, c), (one, d), (other, a), (other, b)]
        .into_iter()
        .filter(|(edge, end)| is_on(coordinates, *edge, *end))
        .map(|(_, end)| end.place)
        .collect();
    common.dedup();
    match common.first() {
        None => Meeting::Nothing,
        Some(first) if common.iter().all(|place| place == first) => Meeting::Touch,
        Some(_) => Meeting::Overlap,
    }
}

/// Whether the line from a point straight up (to the north) crosses an edge; of the edge's ends one counts, as if each were a little to the east.
pub(super) fn is_below(coordinates: Coordinates, edge: [Corner; 2], point: Corner) -> bool {
    let offset = |corner: Corner| match coordinates {
        // The sign of a difference is exact.
        Coordinates::Flat => corner.at[0] - point.at[0],
        Coordinates::Spherical => turn(corner.at[0] - point.at[0]),
    };
    let (from, to) = (offset(edge[0]), offset(edge[1]));
    let goes_east = from <= 0.0;
    if goes_east == (to <= 0.0) || coordinates == Coordinates::Spherical && (to - from).abs() > 180.0 {
        return false;
    }
    side(coordinates, edge, point) == if goes_east { -1 } else { 1 }
}

/// A box: of x and y, or around a part of the unit sphere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Extent {
    pub low: [f64; 3],
    pub high: [f64; 3],
}

impl Extent {
    /// What is in no box.
    pub const NONE: Self = Self { low: [f64::INFINITY; 3], high: [f64::NEG_INFINITY; 3] };

    /// A box around all that is between some corners; not more than half of the sphere.
    pub(super) fn around(coordinates: Coordinates, corners: impl Iterator<Item = Corner> + Clone) -> Self {
        if coordinates == Coordinates::Flat {
            return corners.fold(Self::NONE, |extent, corner| {
                extent.with(Self { low: corner.place, high: corner.place })
            });
        }
        // A circle has with two points also what is between them, if it is not more than half of the sphere.
        let sum = corners
            .clone()
            .fold([0.0; 3], |sum, corner| [0, 1, 2].map(|axis| sum[axis] + corner.place[axis]));
        let length = dot(sum, sum).sqrt();
        let centre = sum.map(|axis| axis / length);
        let nearest =
            corners.map(|corner| dot(centre, corner.place)).fold(1.0, |least: f64, cosine| least.min(cosine));
        if nearest.is_nan() || nearest <= 0.0 {
            return Self { low: [-1.0; 3], high: [1.0; 3] };
        }
        // Rounding must not leave anything out.
        let radius = nearest.min(1.0).acos() + 1e-9;
        let angles = centre.map(|axis| axis.clamp(-1.0, 1.0).acos());
        Self {
            low: angles.map(|angle| (angle + radius).min(std::f64::consts::PI).cos() - 1e-12),
            high: angles.map(|angle| (angle - radius).max(0.0).cos() + 1e-12),
        }
    }

    /// A box around both.
    pub fn with(self, other: Self) -> Self {
        Self {
            low: [0, 1, 2].map(|axis| self.low[axis].min(other.low[axis])),
            high: [0, 1, 2].map(|axis| self.high[axis].max(other.high[axis])),
        }
    }

    /// Whether they have anything in common.
    pub fn meets(&self, other: &Self) -> bool {
        (0..3).all(|axis| self.low[axis] <= other.high[axis] && other.low[axis] <= self.high[axis])
    }
}
