//! Places on the globe: an order of places in which those of a square stand together (a Z-order curve over longitude and latitude), and
//! the distance of two.

/// The radius that GEODIST computes with, in metres.
const EARTH_RADIUS_METRES: f64 = 6_372_797.560_856;

/// A place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Degrees, -180 to 180.
    pub longitude: f64,
    /// Degrees; GEOADD allows -85.05112878 to 85.05112878.
    pub latitude: f64,
}

impl Place {
    /// The distance on a sphere in metres, by the haversine formula.
    pub fn distance_metres(self, other: Self) -> f64 {
        let (latitude, other_latitude) = (self.latitude.to_radians(), other.latitude.to_radians());
        let u = ((other_latitude - latitude) / 2.0).sin();
        let v = ((other.longitude - self.longitude).to_radians() / 2.0).sin();
        let a = u * u + latitude.cos() * other_latitude.cos() * v * v;
        2.0 * EARTH_RADIUS_METRES * a.sqrt().min(1.0).asin()
    }

    /// Its key on the curve.
    pub(crate) fn key(self) -> u64 {
        interleave(cell(self.longitude, 180.0)) | interleave(cell(self.latitude, 90.0)) << 1
    }
}

/// Which of 2^32 parts of the range a coordinate is in.
fn cell(degrees: f64, limit: f64) -> u32 {
    ((degrees + limit) / (2.0 * limit) * 4_294_967_296.0) as u32
}

/// Spreads bits out to the even places.
fn interleave(number: u32) -> u64 {
    let mut x = u64::from(number);
    x = (x | x << 16) & 0x0000_ffff_0000_ffff;
    x = (x | x << 8) & 0x00ff_00ff_00ff_00ff;
    x = (x | x << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    x = (x | x << 2) & 0x3333_3333_3333_3333;
    (x | x << 1) & 0x5555_5555_5555_5555
}

/// At most so many ranges for one rectangle.
const RANGES_MAX: usize = 64;

/// Ranges of keys, both ends included, in which all places of the circle are; others may be, too.
pub(crate) fn covering(centre: Place, radius_metres: f64) -> Vec<(u64, u64)> {
    let angle = (radius_metres / EARTH_RADIUS_METRES).to_degrees() * (1.0 + 1e-9) + 1e-9;
    let (south, north) = (centre.latitude - angle, centre.latitude + angle);
    let mut ranges = Vec::new();
    let widest = south.abs().max(north.abs());
    // A circle with a pole in it has all longitudes. Else it is widest where its tangent is a meridian.
    let width = (angle.to_radians().sin() / centre.latitude.to_radians().cos()).asin().to_degrees();
    if widest >= 90.0 || !width.is_finite() {
        cover(&mut ranges, (-180.0, 180.0), (south, north));
        return ranges;
    }
    let width = width * (1.0 + 1e-9) + 1e-9;
    let (west, east) = (centre.longitude - width, centre.longitude + width);
    cover(&mut ranges, (west.max(-180.0), east.min(180.0)), (south, north));
    if west < -180.0 {
        cover(&mut ranges, (west + 360.0, 180.0), (south, north));
    }
    if east > 180.0 {
        cover(&mut ranges, (-180.0, east - 360.0), (south, north));
    }
    ranges
}

/// Adds ranges for a rectangle: squares of the curve are split until they are inside or there are enough.
fn cover(ranges: &mut Vec<(u64, u64)>, longitudes: (f64, f64), latitudes: (f64, f64)) {
    let clamp = |(low, high): (f64, f64), limit: f64| {
        (cell(low.clamp(-limit, limit), limit), cell(high.clamp(-limit, limit), limit))
    };
    let (x, y) = (clamp(longitudes, 180.0), clamp(latitudes, 90.0));
    // Breadth first, so that what is left when there are enough is as small as the rest.
    let mut squares = vec![(0u32, 0u32, 32u32)];
    let mut whole: Vec<(u32, u32, u32)> = Vec::new();
    while let Some(&(_, _, bits)) = squares.first() {
        if bits == 0 || squares.len() * 4 + whole.len() > RANGES_MAX {
            break;
        }
        let mut smaller = Vec::with_capacity(squares.len() * 4);
        for (left, bottom, bits) in squares {
            let half = bits - 1;
            for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let square = (left | dx << half, bottom | dy << half, half);
                match relation(square, x, y) {
                    Side::Outside => {}
                    Side::Inside => whole.push(square),
                    Side::Across => smaller.push(square),
                }
            }
        }
        squares = smaller;
    }
    for (left, bottom, bits) in whole.into_iter().chain(squares) {
        let first = interleave(left) | interleave(bottom) << 1;
        let last = if bits == 32 { u64::MAX } else { first | ((1 << (2 * bits)) - 1) };
        ranges.push((first, last));
    }
}

enum Side {
    Inside,
    Outside,
    Across,
}

fn relation((left, bottom, bits): (u32, u32, u32), x: (u32, u32), y: (u32, u32)) -> Side {
    let size = ((1u64 << bits) - 1) as u32;
    let (right, top) = (left | size, bottom | size);
    if right < x.0 || left > x.1 || top < y.0 || bottom > y.1 {
        Side::Outside
    } else if left >= x.0 && right <= x.1 && bottom >= y.0 && top <= y.1 {
        Side::Inside
    } else {
        Side::Across
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn distances() {
        let (palermo, catania) = (
            Place { longitude: 13.361389, latitude: 38.115556 },
            Place { longitude: 15.087269, latitude: 37.502669 },
        );
        // GEODIST says 166274.1516 of places that it has rounded.
        assert!((palermo.distance_metres(catania) - 166_274.15).abs() < 1.0);
        assert_eq!(palermo.distance_metres(palermo), 0.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

        #[test]
        fn no_place_of_the_circle_is_left_out(
            longitude in -180.0..=180.0f64, latitude in -90.0..=90.0f64, radius in prop_oneof![1.0..1e4f64, 1e4..1e6f64, 1e6..2.5e7f64],
            (direction, share) in (0.0..std::f64::consts::TAU, 0.0..1.0f64),
        ) {
            let centre = Place { longitude, latitude };
            // A place at that share of the radius, by the formula for a destination on a sphere.
            let angle = radius * share / EARTH_RADIUS_METRES;
            let (sin, cos) = latitude.to_radians().sin_cos();
            let other = (sin * angle.cos() + cos * angle.sin() * direction.cos()).clamp(-1.0, 1.0).asin();
            let turned = (direction.sin() * angle.sin() * cos).atan2(angle.cos() - sin * other.sin());
            let around = (longitude + turned.to_degrees() + 540.0).rem_euclid(360.0) - 180.0;
            let place = Place { longitude: around.clamp(-180.0, 180.0), latitude: other.to_degrees().clamp(-90.0, 90.0) };
            let ranges = covering(centre, radius);
            prop_assert!(ranges.len() <= 3 * RANGES_MAX);
            if centre.distance_metres(place) <= radius {
                let key = place.key();
                prop_assert!(ranges.iter().any(|(low, high)| (*low..=*high).contains(&key)), "{place:?}");
            }
        }
    }
}
