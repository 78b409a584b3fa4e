//! The kernels against simsimd, which others wrote and tested. It has no sums of unsigned bytes for Rust.

use base::random::Random;
use simsimd::SpatialSimilarity;
use vector::Element;
use vector::kernel::{Isa, Kernel, Line, Sum};

/// Sums of `element` by every instruction set against those of simsimd, which works on `T`. Numbers go up to about `size`.
fn compare<T: SpatialSimilarity>(element: Element, from_bits: impl Fn(&[u8]) -> T, size: f64, allowed: f64) {
    let mut random = Random::from_seed(0x51);
    for dimension in [1, 7, 64, 100, 384, 1536] {
        let mut vector =
            || -> Vec<f64> { (0..dimension).map(|_| size * (random.unit_f64() - 0.4)).collect() };
        let [a, b] = [vector(), vector()].map(|it| element.bytes(&it));
        let bytes = element.sent_bytes(1);
        let [theirs_a, theirs_b] = [&a, &b].map(|it| it.chunks(bytes).map(&from_bits).collect::<Vec<T>>());
        let dot = T::dot(&theirs_a, &theirs_b).unwrap();
        let l2 = T::sqeuclidean(&theirs_a, &theirs_b).unwrap();
        for isa in Isa::ALL {
            for (sum, theirs) in [(Sum::Dot, dot), (Sum::L2, l2)] {
                let Some(kernel) = Kernel::with(isa, element, sum) else { continue };
                let ours = kernel.one(&Line::pack(&a), &Line::pack(&b));
                let scale = dimension as f64 * size * size / 5.0;
                let off = (ours - theirs).abs();
                assert!(
                    off <= allowed * scale,
                    "{isa:?} {element:?} {sum:?} {dimension}: {ours}, simsimd {theirs}"
                );
            }
        }
    }
}

#[test]
fn kernels_agree_with_simsimd() {
    compare(Element::F64, |it| f64::from_le_bytes(it.try_into().unwrap()), 100.0, 1e-12);
    compare(Element::F32, |it| f32::from_le_bytes(it.try_into().unwrap()), 100.0, 1e-5);
    // Where the processor can add in f16, sums are rounded to that, too, and end at 65,504.
    compare(Element::F16, |it| simsimd::f16(u16::from_le_bytes(it.try_into().unwrap())), 1.0, 1e-2);
    // Differences are rounded to bf16 there.
    compare(Element::Bf16, |it| simsimd::bf16(u16::from_le_bytes(it.try_into().unwrap())), 100.0, 1e-2);
    compare(Element::I8, |it| it[0] as i8, 100.0, 1e-7);
}

#[test]
fn bits_that_differ_are_counted_as_simsimd_does() {
    let mut random = Random::from_seed(0x52);
    for bytes in [1, 8, 48, 64, 200] {
        let (mut a, mut b) = (vec![0; bytes], vec![0; bytes]);
        random.fill(&mut a);
        random.fill(&mut b);
        let theirs = <u8 as simsimd::BinarySimilarity>::hamming(&a, &b).unwrap();
        for isa in Isa::ALL {
            let Some(kernel) = Kernel::with(isa, Element::Bit, Sum::Hamming) else { continue };
            assert_eq!(kernel.one(&Line::pack(&a), &Line::pack(&b)), theirs, "{isa:?} {bytes}");
        }
    }
}
