//! Whether rings make a polygon, in RediSearch's words if not, and their turning so that the inside is on the left.

use super::Ring;
use super::relate::{Location, locate, ring_location};
use super::space::{Corner, Meeting, meeting, side, turn};
use crate::schema::Coordinates;

fn refuse(why: &str) -> String {
    format!("invalid geometry: Geometry has {why}")
}

/// The rings of a valid polygon, turned.
pub(super) fn polygon(rings: Vec<Ring>, coordinates: Coordinates) -> Result<Box<[Ring]>, String> {
    if rings.is_empty() || rings.iter().any(|ring| ring.corners.len() < 3) {
        return Err(refuse("too few points"));
    }
    let mut turned = Vec::new();
    for (index, ring) in rings.into_iter().enumerate() {
        if has_spike(&ring, coordinates) {
            return Err(refuse("spikes"));
        }
        if meets_itself(&ring, coordinates) {
            return Err(refuse("invalid self-intersections"));
        }
        turned.push(turned_left(ring, coordinates, index > 0));
    }
    let (outer, holes) = turned.split_first().expect("there is one");
    for (index, hole) in holes.iter().enumerate() {
        let others = std::iter::once(outer).chain(&holes[..index]);
        for other in others {
            let crosses = |edge| {
                let meets = |other| meeting(coordinates, edge, other);
                other.edges().map(meets).any(|met| matches!(met, Meeting::Cross | Meeting::Overlap))
            };
            if hole.edges().any(crosses) {
                return Err(refuse("invalid self-intersections"));
            }
        }
        if is_anywhere(
            hole,
            coordinates,
            |corner| ring_location(coordinates, outer, corner),
            Location::Outside,
        ) {
            return Err(refuse("interior rings defined outside the outer boundary"));
        }
    }
    for (index, hole) in holes.iter().enumerate() {
        for (_, other) in holes.iter().enumerate().filter(|(number, _)| *number != index) {
            // What a hole has on its left is not in the hole.
            let within = |corner| ring_location(coordinates, other, corner);
            if is_anywhere(hole, coordinates, within, Location::Outside) {
                return Err(refuse("nested interior rings"));
            }
        }
    }
    debug_assert!(locate(coordinates, &turned, turned[0].corners[0]) == Location::On);
    Ok(turned.into_boxed_slice())
}

/// Whether any corner or middle of an edge is there.
fn is_anywhere(
    ring: &Ring,
    coordinates: Coordinates,
    location: impl Fn(Corner) -> Location,
    wanted: Location,
) -> bool {
    let places = ring.edges().flat_map(|edge| [edge[0], Corner::middle(coordinates, edge)]);
    places.into_iter().map(location).any(|location| location == wanted)
}

/// Whether an edge goes back where the one before it came from.
fn has_spike(ring: &Ring, coordinates: Coordinates) -> bool {
    let count = ring.corners.len();
    (0..count).any(|at| {
        let edges =
            [0, 1].map(|more| [ring.corners[(at + more) % count], ring.corners[(at + more + 1) % count]]);
        meeting(coordinates, edges[0], edges[1]) == Meeting::Overlap
    })
}

/// Whether two edges meet that do not follow each other.
fn meets_itself(ring: &Ring, coordinates: Coordinates) -> bool {
    let edges: Vec<[Corner; 2]> = ring.edges().collect();
    edges.iter().enumerate().any(|(one, edge)| {
        let others = edges.iter().enumerate().skip(one + 2);
        // The last one and the first follow each other.
        let apart = others.filter(|(other, _)| one > 0 || *other + 1 < edges.len());
        apart.into_iter().any(|(_, other)| meeting(coordinates, *edge, *other) != Meeting::Nothing)
    })
}

/// Turns a ring so that the inside is on the left; the outside, of a hole.
fn turned_left(mut ring: Ring, coordinates: Coordinates, is_hole: bool) -> Ring {
    let (goes_left, around) = direction(&ring, coordinates);
    if goes_left == is_hole {
        ring.corners.reverse();
    }
    // Around a pole: it is inside if most of the ring is in its half.
    ring.has_pole = match around {
        Around::Nothing => is_hole,
        Around::North => !is_hole,
        Around::South => is_hole,
    };
    ring
}

enum Around {
    Nothing,
    North,
    South,
}

/// Whether the smaller part is on the left, and which pole is in it.
fn direction(ring: &Ring, coordinates: Coordinates) -> (bool, Around) {
    // How far east each corner is, going on from the one before.
    let mut east = Vec::with_capacity(ring.corners.len());
    let mut at = ring.corners[0].at[0];
    for [from, to] in ring.edges() {
        east.push(at);
        let step = to.at[0] - from.at[0];
        at += if coordinates == Coordinates::Flat { step } else { turn(step) };
    }
    let whole = at - ring.corners[0].at[0];
    if coordinates == Coordinates::Spherical && whole.abs() > 180.0 {
        let is_north = ring.corners.iter().map(|corner| corner.place[2]).sum::<f64>() >= 0.0;
        let pole = if is_north { Around::North } else { Around::South };
        return ((whole > 0.0) == is_north, pole);
    }
    let exact =
        |index: usize| if coordinates == Coordinates::Flat { ring.corners[index].at[0] } else { east[index] };
    let order = |left: &usize, right: &usize| {
        let latitudes = ring.corners[*left].at[1].total_cmp(&ring.corners[*right].at[1]);
        exact(*left).total_cmp(&exact(*right)).then(latitudes)
    };
    let count = ring.corners.len();
    let first = (0..count).min_by(order).unwrap_or(0);
    let edge = [ring.corners[(first + count - 1) % count], ring.corners[first]];
    (side(coordinates, edge, ring.corners[(first + 1) % count]) > 0, Around::Nothing)
}
