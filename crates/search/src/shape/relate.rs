//! How two shapes lie to each other, as OGC's simple features have it: `within` and `contains` need a common inside, so the border of a polygon is not within it.

use super::space::{Corner, Meeting, is_below, is_on, meeting};
use super::{Figure, Ring, Shape};
use crate::query::Relation;
use crate::schema::Coordinates;

/// Where a point is to a polygon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Location {
    Inside,
    On,
    Outside,
}

/// Where a point is to what is on the left of a ring.
pub(super) fn ring_location(coordinates: Coordinates, ring: &Ring, point: Corner) -> Location {
    let mut is_inside = ring.has_pole;
    for edge in ring.edges() {
        if is_on(coordinates, edge, point) {
            return Location::On;
        }
        is_inside ^= is_below(coordinates, edge, point);
    }
    if is_inside { Location::Inside } else { Location::Outside }
}

pub(super) fn locate(coordinates: Coordinates, rings: &[Ring], point: Corner) -> Location {
    for ring in rings {
        match ring_location(coordinates, ring, point) {
            Location::Inside => {}
            other => return other,
        }
    }
    Location::Inside
}

impl Shape {
    /// Whether this shape lies so to another one.
    pub fn is(&self, relation: Relation, other: &Self) -> bool {
        match relation {
            Relation::Within => self.is_within(other),
            Relation::Contains => other.is_within(self),
            Relation::Intersects => self.intersects(other),
            Relation::Disjoint => !self.intersects(other),
        }
    }

    fn intersects(&self, other: &Self) -> bool {
        let coordinates = self.coordinates;
        match (&self.figure, &other.figure) {
            (Figure::Point(one), Figure::Point(other)) => one.place == other.place,
            (Figure::Point(point), Figure::Polygon(rings))
            | (Figure::Polygon(rings), Figure::Point(point)) => {
                locate(coordinates, rings, *point) != Location::Outside
            }
            (Figure::Polygon(own), Figure::Polygon(theirs)) => {
                let meets = |edge: [Corner; 2]| {
                    edges(theirs).any(|other| meeting(coordinates, edge, other) != Meeting::Nothing)
                };
                edges(own).any(meets)
                    || locate(coordinates, theirs, own[0].corners[0]) != Location::Outside
                    || locate(coordinates, own, theirs[0].corners[0]) != Location::Outside
            }
        }
    }

    fn is_within(&self, other: &Self) -> bool {
        let coordinates = self.coordinates;
        match (&self.figure, &other.figure) {
            (Figure::Point(one), Figure::Point(other)) => one.place == other.place,
            (Figure::Point(point), Figure::Polygon(rings)) => {
                locate(coordinates, rings, *point) == Location::Inside
            }
            (Figure::Polygon(_), Figure::Point(_)) => false,
            (Figure::Polygon(own), Figure::Polygon(theirs)) => is_covered(coordinates, own, theirs),
        }
    }
}

fn edges(rings: &[Ring]) -> impl Iterator<Item = [Corner; 2]> + '_ {
    rings.iter().flat_map(Ring::edges)
}

/// Whether a polygon is nowhere outside another one.
///
/// No edge crosses one of the other. Cut where they touch, pieces of the own border are inside, or on the other border with the inside on the same hand; and no piece of the other border
/// is inside, for beyond it is what is outside.
fn is_covered(coordinates: Coordinates, own: &[Ring], other: &[Ring]) -> bool {
    let crosses =
        |edge: [Corner; 2]| edges(other).any(|border| meeting(coordinates, edge, border) == Meeting::Cross);
    if edges(own).any(crosses) {
        return false;
    }
    let own_is_right = |piece: [Corner; 2]| match along(coordinates, piece, other) {
        Some(is_same) => is_same,
        None => locate(coordinates, other, Corner::middle(coordinates, piece)) == Location::Inside,
    };
    let other_is_right = |piece: [Corner; 2]| {
        along(coordinates, piece, own).is_some()
            || locate(coordinates, own, Corner::middle(coordinates, piece)) != Location::Inside
    };
    edges(own).flat_map(|edge| pieces(coordinates, edge, other)).all(own_is_right)
        && edges(other).flat_map(|edge| pieces(coordinates, edge, own)).all(other_is_right)
}

/// An edge, cut at the corners of a polygon that are on it.
fn pieces(coordinates: Coordinates, edge: [Corner; 2], rings: &[Ring]) -> Vec<[Corner; 2]> {
    let [from, to] = edge;
    let far = |corner: &Corner| {
        let apart = [0, 1, 2].map(|axis| corner.place[axis] - from.place[axis]);
        super::space::dot(apart, apart)
    };
    let corners = rings.iter().flat_map(|ring| ring.corners.iter().copied());
    let mut cuts: Vec<Corner> = corners
        .filter(|corner| {
            corner.place != from.place && corner.place != to.place && is_on(coordinates, edge, *corner)
        })
        .collect();
    cuts.sort_by(|left, right| far(left).total_cmp(&far(right)));
    cuts.dedup_by(|left, right| left.place == right.place);
    let ends = cuts.iter().copied().chain([to]);
    let starts = [from].into_iter().chain(cuts.iter().copied());
    starts.zip(ends).map(|(from, to)| [from, to]).collect()
}

/// If a piece is part of an edge: whether it goes the same way.
fn along(coordinates: Coordinates, [from, to]: [Corner; 2], rings: &[Ring]) -> Option<bool> {
    let edge = edges(rings).find(|edge| is_on(coordinates, *edge, from) && is_on(coordinates, *edge, to))?;
    let way = |corners: [Corner; 2]| [0, 1, 2].map(|axis| corners[1].place[axis] - corners[0].place[axis]);
    Some(super::space::dot(way(edge), way([from, to])) > 0.0)
}
