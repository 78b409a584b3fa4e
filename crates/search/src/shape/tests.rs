//! Texts and relations as RediSearch's tests show them, and relations of random polygons against points of a grid.

use super::*;
use crate::query::Relation;
use base::random::Random;

fn flat(text: &str) -> Shape {
    read(text.as_bytes(), Coordinates::Flat).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn globe(text: &str) -> Shape {
    read(text.as_bytes(), Coordinates::Spherical).unwrap_or_else(|error| panic!("{text}: {error}"))
}

const WITHIN: Relation = Relation::Within;
const CONTAINS: Relation = Relation::Contains;

#[test]
fn what_is_no_shape_is_refused_in_its_words() {
    for (text, expected) in [
        ("POLIKON((1 1, 1 100, 100 100, 100 1, 1 1))", "Should start with 'POLYGON'"),
        ("", "Should start with 'POLYGON'"),
        ("0 0", "Should start with 'POLYGON'"),
        ("POLYGON", "Expected '('"),
        ("POLYGON(1 1, 1 100, 100 100, 100 1, 1 1))", "Expected '(' at '1'"),
        ("POLYGON(()())", "invalid geometry: Geometry has too few points"),
        ("POLYGON((1 1, 1 100, 1 1))", "invalid geometry: Geometry has too few points"),
        ("POLYGON((1 1, 1 200, 1 100, 100 1, 1 1))", "invalid geometry: Geometry has spikes"),
        ("POLYGON((1 1, 2 2, 3 3, 1 1))", "invalid geometry: Geometry has spikes"),
        (
            "POLYGON((1 1, 1 100, 50 50, 50 -50, 1 150, 100 50, 1 1))",
            "invalid geometry: Geometry has invalid self-intersections",
        ),
        (
            "POLYGON((1 1, 1 100, 100 100, 100 1, 1 1) (25 150, 75 150, 75 250, 25 250, 25 150))",
            "invalid geometry: Geometry has interior rings defined outside the outer boundary",
        ),
        (
            "POLYGON((1 1, 1 100, 100 100, 100 1, 1 1) (25 25, 75 25, 75 75, 25 75, 25 25) (49 49, 51 49, 51 51, 49 51, 49 49))",
            "invalid geometry: Geometry has nested interior rings",
        ),
        ("POLYGON((1 1, 1 100, 100 100, bart, 1 1))", "bad lexical cast"),
        ("POINT(1 nan)", "bad lexical cast"),
        ("POINT(1 2) 3", "Too many tokens at '3'"),
        ("POINT(1 2", "Expected ')'"),
        ("POLYGON((1 1, 1 100, 100 100", "Expected ')'"),
    ] {
        let error = read(text.as_bytes(), Coordinates::Flat).expect_err(text);
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    assert!(read(b"POINT(0 91)", Coordinates::Spherical).is_err());
    let corners: Vec<String> = (0..5000).map(|n| format!("{n} {}", n % 7)).collect();
    assert!(read(format!("POLYGON(({}))", corners.join(",")).as_bytes(), Coordinates::Flat).is_err());
    for text in [
        "POLYGON((1 1, 1 , 100 100, 100 1, 1 1))",
        "POLYGON((1 1, 1 100 100 100, 100 1, 1 1))",
        "POLYGON((1 1 1 100, 100 100, 100 1, 1 1))",
        "POLYGON((1 1, 1 100, 100 100, 100 1, 100 1, 1 1))",
        "POLYGON((1 1, 1 100, 50 50, 50 -50, 1 1))",
        "polygon ( ( 1 1 , 1 100 , 100 100 ) )",
        "POINT(255, 255)",
    ] {
        let shape = read(text.as_bytes(), Coordinates::Flat);
        assert_eq!(shape.is_ok(), !text.starts_with("POINT"), "{text}");
    }
}

#[test]
fn relations_are_those_of_its_tests() {
    let small = flat("POLYGON((1 1, 1 100, 100 100, 100 1, 1 1))");
    let large = flat("POLYGON((1 1, 1 200, 200 200, 200 1, 1 1), (2 2, 49 2, 49 49, 2 49, 2 2))");
    let query = flat("POLYGON((0 0, 0 150, 150 150, 150 0, 0 0))");
    assert!(small.is(WITHIN, &query) && !large.is(WITHIN, &query));
    assert!(!small.is(CONTAINS, &query) && !large.is(CONTAINS, &query));
    let query = flat("POLYGON((50 50, 50 99, 99 99, 99 50, 50 50))");
    assert!(!small.is(WITHIN, &query) && !large.is(WITHIN, &query));
    assert!(small.is(CONTAINS, &query) && large.is(CONTAINS, &query));
    assert!(!large.is(CONTAINS, &flat("POLYGON((40 40, 40 99, 99 99, 99 40, 40 40))")));

    let (wide, tall) = (
        flat("POLYGON((1 1, 1 200, 100 200, 100 1, 1 1))"),
        flat("POLYGON((1 1, 1 100, 200 100, 200 1, 1 1))"),
    );
    let query = flat("POLYGON((0 101, 0 150, 150 150, 150 101, 0 101))");
    assert!(wide.is(Relation::Intersects, &query) && tall.is(Relation::Disjoint, &query));
    assert!(wide.is(Relation::Intersects, &tall));

    let query = flat("POLYGON((15 15, 75 15, 50 70, 20 40, 15 15))");
    for (text, expected) in [
        ("POINT(10 10)", false),
        ("POINT(50 50)", true),
        ("POLYGON((20 20, 25 35, 35 25, 20 20))", true),
        ("POLYGON((60 60, 65 75, 70 70, 65 55, 60 60))", false),
    ] {
        assert_eq!(flat(text).is(Relation::Intersects, &query), expected, "{text}");
        assert_eq!(flat(text).is(Relation::Disjoint, &query), !expected, "{text}");
    }
    let border = flat("POINT(1 50)");
    assert!(border.is(Relation::Intersects, &small) && !border.is(WITHIN, &small));
    assert!(small.is(WITHIN, &small) && small.is(CONTAINS, &small));
    // The hole of another is not within it, and has its border in common with it.
    let hole = flat("POLYGON((2 2, 2 49, 49 49, 49 2, 2 2))");
    assert!(!hole.is(WITHIN, &large) && hole.is(Relation::Intersects, &large));
    assert!(flat("POLYGON((3 3, 3 4, 4 4))").is(Relation::Disjoint, &large));
}

#[test]
fn shapes_on_the_globe() {
    let small = globe(
        "POLYGON((34.9001 29.7001, 34.9001 29.7100, 34.9100 29.7100, 34.9100 29.7001, 34.9001 29.7001))",
    );
    let query = globe(
        "POLYGON((34.9000 29.7000, 34.9000 29.7150, 34.9150 29.7150, 34.9150 29.7000, 34.9000 29.7000))",
    );
    assert!(small.is(WITHIN, &query) && query.is(CONTAINS, &small) && small.is(WITHIN, &small));
    assert!(globe("POINT(34.9010 29.7010)").is(WITHIN, &query));
    assert!(globe("POINT(34.9255 29.7255)").is(Relation::Disjoint, &query));
    // An arc between two places of the same latitude is nearer to the pole.
    let wide = globe("POLYGON((0 40, 60 40, 60 50, 0 50))");
    assert!(globe("POINT(30 52)").is(WITHIN, &wide) && globe("POINT(30 40.1)").is(Relation::Disjoint, &wide));
    assert!(!flat("POINT(30 52)").is(WITHIN, &flat("POLYGON((0 40, 60 40, 60 50, 0 50))")));
    // Across the date line.
    let date_line = globe("POLYGON((170 -10, -170 -10, -170 10, 170 10))");
    for (text, expected) in [
        ("POINT(180 0)", true),
        ("POINT(-175 5)", true),
        ("POINT(175 -5)", true),
        ("POINT(0 0)", false),
        ("POINT(169 0)", false),
    ] {
        assert_eq!(globe(text).is(WITHIN, &date_line), expected, "{text}");
    }
    // Around the poles.
    for sign in [1.0, -1.0] {
        let corners = [0.0, 90.0, 180.0, -90.0].map(|longitude| format!("{longitude} {}", 70.0 * sign));
        for ring in [corners.join(","), corners.iter().rev().cloned().collect::<Vec<_>>().join(",")] {
            let cap = globe(&format!("POLYGON(({ring}))"));
            for (latitude, expected) in
                [(90.0, true), (80.0, true), (60.0, false), (-80.0, false), (-90.0, false)]
            {
                let point = globe(&format!("POINT(45 {})", latitude * sign));
                assert_eq!(point.is(WITHIN, &cap), expected, "{latitude} of {ring}");
            }
            assert!(
                globe(&format!("POLYGON((10 {0}, 20 {0}, 20 {1}))", 85.0 * sign, 86.0 * sign))
                    .is(WITHIN, &cap)
            );
        }
    }
}

/// A polygon whose corners are around a middle, in whole numbers; with a hole, sometimes.
fn star(random: &mut Random, room: f64, reach: f64) -> Option<(String, Shape)> {
    let middle = [random.below(room as u64) as f64, random.below(room as u64) as f64];
    let count = 3 + random.index(6);
    let ring = |random: &mut Random, reach: f64| {
        let corners = (0..count).map(|n| {
            let angle = n as f64 / count as f64 * std::f64::consts::TAU;
            let radius = reach * (0.3 + 0.7 * random.unit_f64());
            format!(
                "{} {}",
                (middle[0] + radius * angle.cos()).round(),
                (middle[1] + radius * angle.sin()).round()
            )
        });
        format!("({})", corners.collect::<Vec<_>>().join(","))
    };
    let mut text = ring(random, reach);
    if random.below(3) == 0 {
        text = format!("{text},{}", ring(random, reach / 4.0));
    }
    let text = format!("POLYGON({text})");
    let shape = read(text.as_bytes(), Coordinates::Flat).ok()?;
    Some((text, shape))
}

/// In whole numbers: how often a ray to the right crosses a ring, on a grid that no corner is on.
fn is_inside(shape: &Shape, x: i64, y: i64) -> bool {
    // Everything times 64; grid points are odd.
    let place = |corner: Corner| (corner.at[0] as i64 * 64, corner.at[1] as i64 * 64);
    let mut inside = false;
    for ring in shape.rings() {
        for [from, to] in ring.edges() {
            let ((ax, ay), (bx, by)) = (place(from), place(to));
            if (ay > y) != (by > y) {
                // Is x left of the crossing?
                let left = (x - ax) * (by - ay) < (bx - ax) * (y - ay);
                inside ^= left == (by > ay);
            }
        }
    }
    inside
}

#[test]
fn relations_are_those_of_the_points_inside() {
    let mut random = Random::from_seed(7);
    let (mut pairs, mut seen) = (0, [0; 4]);
    while pairs < 2000 {
        let span = [6.0, 12.0, 40.0][random.index(3)];
        let mut reach = || span / [2.0, 4.0, 8.0][random.index(3)];
        let reaches = [reach(), reach()];
        let (Some((one_text, one)), Some((other_text, other))) =
            (star(&mut random, span, reaches[0]), star(&mut random, span, reaches[1]))
        else {
            continue;
        };
        pairs += 1;
        // Points of the grid are in both, in one only, or in none.
        let (mut both, mut only_one, mut only_other) = (0, 0, 0);
        let step = if span > 12.0 { 37 } else { 11 };
        let range = (-(span as i64) * 64..2 * span as i64 * 64).filter(|at| at % 2 != 0);
        for y in range.clone().step_by(step) {
            for x in range.clone().step_by(step) {
                match (is_inside(&one, x, y), is_inside(&other, x, y)) {
                    (true, true) => both += 1,
                    (true, false) => only_one += 1,
                    (false, true) => only_other += 1,
                    _ => {}
                }
            }
        }
        let shown = format!("{one_text} {other_text}: {both} {only_one} {only_other}");
        let intersects = one.is(Relation::Intersects, &other);
        assert_eq!(intersects, other.is(Relation::Intersects, &one), "{shown}");
        assert_eq!(intersects, !one.is(Relation::Disjoint, &other), "{shown}");
        assert!(intersects || both == 0, "{shown}");
        let (within, contains) = (one.is(WITHIN, &other), one.is(CONTAINS, &other));
        assert_eq!(contains, other.is(WITHIN, &one), "{shown}");
        assert!(!(within && only_one > 0), "{shown}");
        assert!(!(contains && only_other > 0), "{shown}");
        // What is not told by the grid is thinner than its step, or only a border.
        if !within && only_one == 0 || !contains && only_other == 0 || intersects && both == 0 {
            seen[3] += 1;
        }
        seen[0] += usize::from(intersects);
        seen[1] += usize::from(within);
        seen[2] += usize::from(contains);
        let extents = [one.extent(), other.extent()];
        assert!(!intersects || extents[0].meets(&extents[1]), "{shown}");
    }
    assert!(seen[0] > 300 && seen[1] > 20 && seen[2] > 20 && seen[3] < pairs / 4, "{seen:?}");
}

/// Small shapes on the globe lie to each other as in the plane.
#[test]
fn the_globe_is_flat_where_it_is_small() {
    let mut random = Random::from_seed(8);
    let mut compared = 0;
    while compared < 1000 {
        let (Some((one_text, one)), Some((other_text, other))) =
            (star(&mut random, 20.0, 20.0), star(&mut random, 20.0, 10.0))
        else {
            continue;
        };
        // The same numbers as hundred-thousandths of degrees, around a place at the equator on the date line.
        let small = |text: &str| {
            let moved = text.split_inclusive([' ', ',', '(', ')']).map(|piece| {
                let end = piece.len() - 1;
                piece[..end].parse::<f64>().map_or(piece.to_owned(), |number| {
                    let is_x = piece.ends_with(' ');
                    let degrees = number / 100_000.0 + if is_x { 179.9998 } else { -0.0002 };
                    format!("{}{}", space::turn(degrees), &piece[end..])
                })
            });
            read(moved.collect::<String>().as_bytes(), Coordinates::Spherical)
        };
        let (Ok(small_one), Ok(small_other)) = (small(&one_text), small(&other_text)) else {
            continue;
        };
        // What only touches in the plane is a matter of rounding on the globe.
        let touches = one.rings().iter().flat_map(Ring::edges).any(|edge| {
            other.rings().iter().flat_map(Ring::edges).any(|border| {
                matches!(
                    space::meeting(Coordinates::Flat, edge, border),
                    space::Meeting::Touch | space::Meeting::Overlap
                )
            })
        });
        if touches {
            continue;
        }
        compared += 1;
        for relation in [WITHIN, CONTAINS, Relation::Intersects, Relation::Disjoint] {
            assert_eq!(
                small_one.is(relation, &small_other),
                one.is(relation, &other),
                "{relation:?} {one_text} {other_text}"
            );
        }
        assert!(!one.is(Relation::Intersects, &other) || small_one.extent().meets(&small_other.extent()));
    }
}
