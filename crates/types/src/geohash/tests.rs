//! Tests of geohashes against values that redis-server gave.

use super::search::{Extent, Shape};
use super::*;
use crate::sample::Sample;

fn point(longitude: f64, latitude: f64) -> Point {
    Point::new(longitude, latitude).expect("coordinates in range")
}

fn anywhere(sample: &mut Sample) -> Point {
    point(sample.real(-LONGITUDE_MAX, LONGITUDE_MAX), sample.real(-LATITUDE_MAX, LATITUDE_MAX))
}

/// The examples of the `GEOADD`, `GEOPOS`, `GEOHASH` and `GEODIST` documentation.
#[test]
fn palermo_and_catania() {
    let (palermo, catania) = (encode(point(13.361389, 38.115556)), encode(point(15.087269, 37.502669)));
    assert_eq!((palermo, catania), (3479099956230698, 3479447370796909));
    let (palermo, catania) = (palermo as f64, catania as f64);
    assert_eq!(decode(palermo), point(13.361389338970184, 38.1155563954963));
    assert_eq!(decode(catania), point(15.087267458438873, 37.50266842333162));
    assert_eq!(text(palermo), *b"sqc8b49rny0");
    assert_eq!(text(catania), *b"sqdtr74hyu0");
    let distance = distance_m(decode(palermo), decode(catania));
    let texts = [Unit::Metres, Unit::Kilometres, Unit::Feet, Unit::Miles]
        .map(|unit| distance_text(distance / unit.metres()));
    assert_eq!(texts, ["166274.1516", "166.2742", "545518.8700", "103.3182"]);
}

/// Replies of redis-server 7.0.15 at the edges of the plane.
#[test]
fn the_edges_of_the_plane() {
    let north_east = encode(point(LONGITUDE_MAX, LATITUDE_MAX));
    assert_eq!(north_east, 3 << 52);
    assert_eq!(encode(point(-LONGITUDE_MAX, -LATITUDE_MAX)), 0);
    assert_eq!(decode(north_east as f64), point(LONGITUDE_MAX, LATITUDE_MAX));
    for (longitude, latitude) in
        [(180.1, 0.0), (0.0, 85.06), (f64::NAN, 0.0), (0.0, f64::NAN), (f64::INFINITY, 0.0)]
    {
        assert_eq!(Point::new(longitude, latitude), None);
    }
}

#[test]
fn a_position_survives_encoding() {
    let mut sample = Sample::new(10);
    for _ in 0..20_000 {
        let original = anywhere(&mut sample);
        let score = encode(original);
        let stored = decode(score as f64);
        assert!((stored.longitude - original.longitude).abs() <= 360.0 / (1u64 << 26) as f64);
        assert!((stored.latitude - original.latitude).abs() <= 2.0 * LATITUDE_MAX / (1u64 << 26) as f64);
        assert_eq!(encode(stored), score, "the centre of a cell lies within the cell");
        assert!(distance_m(original, stored) < 0.5);
        let bits = sample.next() as u32;
        assert_eq!(gather(spread(bits)), bits);
    }
}

/// `ZADD` can store any score, and `GEOPOS`, `GEOHASH` and searches then decode it.
#[test]
fn scores_that_are_no_geohash() {
    let mut sample = Sample::new(11);
    let edges = [f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e300, -1e300, 1.9e19, 0.5, f64::MIN_POSITIVE];
    let random = (0..20_000).map(|_| f64::from_bits(sample.next())).filter(|score| !score.is_nan());
    for score in edges.into_iter().chain(random) {
        let Point { longitude, latitude } = decode(score);
        assert!(Point::new(longitude, latitude).is_some(), "{score:e}");
        assert!(text(score).iter().all(|letter| ALPHABET.contains(letter)));
    }
    assert_eq!(score_bits(-1.0), u64::MAX);
    assert_eq!(score_bits(f64::INFINITY), 0);
    assert_eq!(score_bits(1e19), 10_000_000_000_000_000_000);
}

#[test]
fn distances() {
    let mut sample = Sample::new(12);
    let half_circumference = EARTH_RADIUS_M * std::f64::consts::PI;
    for _ in 0..20_000 {
        let (a, b) = (anywhere(&mut sample), anywhere(&mut sample));
        let distance = distance_m(a, b);
        assert!((0.0..=half_circumference).contains(&distance));
        assert!((distance - distance_m(b, a)).abs() < 1e-3);
        assert_eq!(distance_m(a, a), 0.0);
        let opposite = point(a.longitude - 180.0_f64.copysign(a.longitude), -a.latitude);
        assert!((distance_m(a, opposite) - half_circumference).abs() < 1.0);
    }
    assert_eq!(distance_text(0.0), "0.0000");
    assert_eq!(distance_text(0.00004), "0.0000");
    assert_eq!(distance_text(0.775), "0.7750");
    assert_eq!(distance_text(12.99995), "13.0000");
}

#[test]
fn units() {
    assert_eq!(Unit::parse(b"KM"), Some(Unit::Kilometres));
    assert_eq!(Unit::parse(b"mI"), Some(Unit::Miles));
    for unknown in [&b""[..], b"k", b"kmm", b"\xff"] {
        assert_eq!(Unit::parse(unknown), None);
    }
}

fn random_shape(sample: &mut Sample, centre: Point, size_max_m: f64) -> Shape {
    let unit = [Unit::Metres, Unit::Kilometres, Unit::Feet, Unit::Miles][sample.index(4)];
    let size = sample.real(0.0, 1.0).powi(3) * size_max_m / unit.metres();
    let extent = match sample.below(2) {
        0 => Extent::Radius(size / 2.0),
        _ => Extent::Box { width: size, height: size * sample.real(0.1, 1.0) },
    };
    Shape { centre, extent, unit }
}

fn scores_within(shape: &Shape, scores: &[u64]) -> Vec<u64> {
    let mut found: Vec<u64> = Vec::new();
    for range in shape.score_ranges().iter() {
        let candidates = scores.iter().filter(|&&score| (range.min..range.max).contains(&score));
        found.extend(candidates.filter(|&&score| shape.distance_if_within_m(decode(score as f64)).is_some()));
    }
    found.sort_unstable();
    found
}

/// Away from the poles and the date line, where Redis' method is exact, a search finds what a full scan
/// finds.
#[test]
fn searches_find_every_point() {
    let mut sample = Sample::new(13);
    let mut scores: Vec<u64> =
        (0..1500).map(|_| encode(point(sample.real(-40.0, 40.0), sample.real(-40.0, 40.0)))).collect();
    scores.sort_unstable();
    for _ in 0..1000 {
        let centre = point(sample.real(-40.0, 40.0), sample.real(-40.0, 40.0));
        let shape = random_shape(&mut sample, centre, 3e6);
        let mut expected = scores.clone();
        expected.retain(|&score| shape.distance_if_within_m(decode(score as f64)).is_some());
        assert_eq!(scores_within(&shape, &scores), expected, "{shape:?}");
    }
}

#[test]
fn ranges_are_disjoint_wherever_the_shape_is() {
    let mut sample = Sample::new(14);
    let sizes = [0.0, 1e-300, 1.0, 1e7, 1e300, f64::INFINITY];
    for round in 0..20_000 {
        let centre = if round % 7 == 0 { point(180.0, LATITUDE_MAX) } else { anywhere(&mut sample) };
        let mut shape = random_shape(&mut sample, centre, 5e7);
        if round % 3 == 0 {
            let (width, height) = (sizes[sample.index(sizes.len())], sizes[sample.index(sizes.len())]);
            shape.extent = if round % 2 == 0 { Extent::Radius(width) } else { Extent::Box { width, height } };
        }
        let mut ranges = shape.score_ranges().to_vec();
        assert!(!ranges.is_empty());
        assert!(ranges.iter().all(|range| range.min < range.max && range.max <= 1 << 54));
        ranges.sort_by_key(|range| range.min);
        assert!(ranges.windows(2).all(|pair| pair[0].max <= pair[1].min), "{shape:?}");
        assert!(shape.distance_if_within_m(anywhere(&mut sample)).is_none_or(f64::is_finite));
    }
}

/// The example of the `GEOSEARCH` documentation; distances as redis-server 7.0.15 replies them.
#[test]
fn around_the_middle_of_sicily() {
    let cities = [
        ("Palermo", 13.361389, 38.115556),
        ("Catania", 15.087269, 37.502669),
        ("edge1", 12.758489, 38.788135),
        ("edge2", 17.241510, 38.788135),
    ];
    let search = |extent| {
        let shape = Shape { centre: point(15.0, 37.0), extent, unit: Unit::Kilometres };
        cities.map(|(name, longitude, latitude)| {
            let stored = decode(encode(point(longitude, latitude)) as f64);
            let distance = shape.distance_if_within_m(stored);
            (name, distance.map(|metres| distance_text(metres / 1000.0)))
        })
    };
    let near = search(Extent::Radius(200.0)).map(|(_, distance)| distance.unwrap_or_default());
    assert_eq!(near, ["190.4424", "56.4413", "", ""]);
    let near =
        search(Extent::Box { width: 400.0, height: 400.0 }).map(|(_, distance)| distance.unwrap_or_default());
    assert_eq!(near, ["190.4424", "56.4413", "279.7405", "279.7403"]);
}
