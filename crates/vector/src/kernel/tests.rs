//! Every kernel of every instruction set that this processor has, against the definition in f64.

use super::*;
use crate::element::Metric;
use base::random::Random;
use proptest::prelude::*;

/// The sum by definition, of rows as they are stored.
fn by_definition(element: Element, sum: Sum, a: &[u8], b: &[u8]) -> f64 {
    if element == Element::Bit || sum == Sum::Hamming {
        return a.iter().zip(b).map(|(a, b)| f64::from((a ^ b).count_ones())).sum();
    }
    let element = if element == Element::Q8 { Element::I8 } else { element };
    let (a, b) = (element.numbers(a), element.numbers(b));
    match sum {
        Sum::Dot => 1.0 - Metric::Ip.distance(&a, &b),
        _ => Metric::L2.distance(&a, &b),
    }
}

/// How far a kernel may be off, as a share of the sum of magnitudes.
fn tolerance(element: Element) -> f64 {
    match element {
        Element::F64 => 1e-14,
        Element::F32 | Element::F16 | Element::Bf16 => 2e-6,
        _ => 0.0,
    }
}

fn magnitude(element: Element, bytes: &[u8]) -> f64 {
    let element = if element.is_code() { Element::I8 } else { element };
    element.numbers(bytes).iter().map(|it| it * it).sum()
}

/// Random bytes of a row, finite as numbers.
fn row(element: Element, dimension: usize, random: &mut Random) -> Vec<u8> {
    let mut bytes = vec![0; element.kept_bytes(dimension)];
    random.fill(&mut bytes);
    if element.is_code() || matches!(element, Element::I8 | Element::U8) {
        return bytes;
    }
    element.bytes(&(0..dimension).map(|_| random.unit_f64() * 8.0 - 4.0).collect::<Vec<_>>())
}

fn check(element: Element, dimension: usize, seed: u64) {
    let mut random = Random::from_seed(seed);
    let bytes: Vec<Vec<u8>> = (0..5).map(|_| row(element, dimension, &mut random)).collect();
    let lines: Vec<Vec<Line>> = bytes.iter().map(|it| Line::pack(it)).collect();
    for isa in Isa::ALL {
        for sum in [Sum::Dot, Sum::L2, Sum::Hamming] {
            let Some(kernel) = Kernel::with(isa, element, sum) else { continue };
            let four = kernel.four(&lines[0], &[&lines[1], &lines[2], &lines[3], &lines[4]], &[&[]; 4]);
            for at in 1..5 {
                let expected = by_definition(element, sum, &bytes[0], &bytes[at]);
                let scale = magnitude(element, &bytes[0]) + magnitude(element, &bytes[at]);
                let allowed = tolerance(element) * scale + expected.abs() * 1e-15;
                for found in [kernel.one(&lines[0], &lines[at]), four[at - 1]] {
                    let off = (found - expected).abs();
                    assert!(
                        off <= allowed,
                        "{isa:?} {element:?} {sum:?} {dimension} seed {seed}: {found} not {expected}"
                    );
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(miri) { 3 } else { 256 }, failure_persistence: None, ..Default::default() })]
    #[test]
    fn kernels_compute_what_the_definition_says(
        element in proptest::sample::select(Element::ALL.to_vec()),
        dimension in 1usize..300,
        seed in any::<u64>(),
    ) {
        check(element, dimension, seed);
    }
}

#[test]
fn common_dimensions() {
    for element in Element::ALL {
        for dimension in
            if cfg!(miri) { vec![3, 65] } else { vec![1, 3, 128, 384, 768, 1024, 1536, 3072, 32_768] }
        {
            check(element, dimension, dimension as u64);
        }
    }
}

#[test]
fn the_largest_integers_fit() {
    let dimension = if cfg!(miri) { 256 } else { crate::DIMENSION_MAX };
    let extremes = [
        (Element::I8, 0x80u8, 0x7fu8),
        (Element::I8, 0x80, 0x80),
        (Element::U8, 0, 255),
        (Element::U8, 255, 255),
    ];
    for (element, first, second) in extremes {
        let (a, b) = (vec![first; dimension], vec![second; dimension]);
        for isa in Isa::ALL {
            for sum in [Sum::Dot, Sum::L2] {
                let Some(kernel) = Kernel::with(isa, element, sum) else { continue };
                let expected = by_definition(element, sum, &a, &b);
                assert_eq!(
                    kernel.one(&Line::pack(&a), &Line::pack(&b)),
                    expected,
                    "{isa:?} {element:?} {sum:?}"
                );
            }
        }
    }
}

#[test]
fn what_is_not_a_number_goes_through() {
    for element in [Element::F64, Element::F32, Element::F16, Element::Bf16] {
        let row = |first: f64| Line::pack(&element.bytes(&[first, 1.0, 2.0]));
        for isa in Isa::ALL {
            let Some(dot) = Kernel::with(isa, element, Sum::Dot) else { continue };
            let l2 = Kernel::with(isa, element, Sum::L2).unwrap();
            assert!(dot.one(&row(f64::NAN), &row(1.0)).is_nan());
            assert!(l2.one(&row(1.0), &row(f64::NAN)).is_nan());
            assert_eq!(dot.one(&row(f64::INFINITY), &row(1.0)), f64::INFINITY);
            assert_eq!(l2.one(&row(f64::NEG_INFINITY), &row(1.0)), f64::INFINITY);
            assert!(l2.one(&row(f64::INFINITY), &row(f64::INFINITY)).is_nan());
            assert_eq!(dot.one(&row(0.0), &row(-0.0)), 5.0);
        }
    }
}

#[test]
#[should_panic = "same length"]
fn rows_of_different_lengths_are_refused() {
    Kernel::new(Element::F32, Sum::Dot).one(&[Line::ZERO; 2], &[Line::ZERO]);
}

#[test]
fn bytes_are_packed_and_filled_up() {
    let lines = Line::pack(&[7; 65]);
    assert_eq!(lines.len(), 2);
    assert_eq!(Line::bytes(&lines)[..65], [7; 65]);
    assert!(Line::bytes(&lines)[65..].iter().all(|byte| *byte == 0));
    prefetch(&lines);
    prefetch::<Line>(&[]);
}
