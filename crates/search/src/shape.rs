//! Shapes of GEOSHAPE fields: points and polygons with holes, in a plane or on a sphere, and how two of them lie to each other.
//!
//! A shape is read from WKT and checked ([`read`]); only what is valid is a [`Shape`], so what follows can rely on it: rings have three corners or more, no edge
//! meets another but at their common corner, holes are inside and not in each other. Rings are turned so that the inside is on the left of
//! every edge.
//!
//! On the sphere edges are arcs of great circles (RediSearch: geodesics of an ellipsoid, which differ by less than a thousandth of their length). All decisions are made by the side of an edge on
//! which a corner is, which is exact (Shewchuk's adaptive predicates, crate `robust`).

mod relate;
mod space;
#[cfg(test)]
mod tests;
mod valid;
mod wkt;

pub(crate) use space::Extent;
pub use wkt::read;

use crate::schema::Coordinates;
use space::Corner;

/// Corners of a shape; more are refused, for two shapes are compared at once.
pub const CORNERS_MAX: usize = 4096;

/// A valid shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    coordinates: Coordinates,
    figure: Figure,
}

#[derive(Clone, Debug, PartialEq)]
enum Figure {
    Point(Corner),
    /// The outer ring, then the holes.
    Polygon(Box<[Ring]>),
}

/// A closed line; the first corner is not repeated.
#[derive(Clone, Debug, PartialEq)]
struct Ring {
    corners: Box<[Corner]>,
    /// Whether the north pole is on its left.
    has_pole: bool,
}

impl Ring {
    /// From each corner to the next.
    fn edges(&self) -> impl Iterator<Item = [Corner; 2]> + '_ {
        let next = self.corners.iter().cycle().skip(1);
        self.corners.iter().zip(next).map(|(from, to)| [*from, *to])
    }
}

impl Shape {
    fn rings(&self) -> &[Ring] {
        match &self.figure {
            Figure::Point(_) => &[],
            Figure::Polygon(rings) => rings,
        }
    }

    fn corners(&self) -> impl Iterator<Item = Corner> + Clone + '_ {
        let point = match &self.figure {
            Figure::Point(point) => Some(*point),
            Figure::Polygon(_) => None,
        };
        point.into_iter().chain(self.rings().iter().flat_map(|ring| ring.corners.iter().copied()))
    }

    /// How many corners it has.
    pub fn len(&self) -> usize {
        self.rings().iter().map(|ring| ring.corners.len()).sum::<usize>().max(1)
    }

    /// Never: a point is its own corner.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Heap bytes.
    pub fn bytes(&self) -> usize {
        size_of_val(self.rings()) + self.rings().iter().map(|ring| size_of_val(&*ring.corners)).sum::<usize>()
    }

    /// A box around it.
    pub(crate) fn extent(&self) -> Extent {
        Extent::around(self.coordinates, self.corners())
    }
}
