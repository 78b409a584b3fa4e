//! A kind of vectors: of what they are made, how many elements, and how far apart two of them are.
//!
//! A row is the vector as it was sent, or its code. What a distance needs besides is in the row's head, two numbers: with COSINE the
//! inverse of the length, so that the bytes stay those that were sent; with codes of bytes the scale and the square of the length.

use crate::kernel::{Kernel, Line, Sum};
use crate::{Element, Error, Metric};

/// What belongs to a row besides its lines.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Head {
    /// What the sum of products is to be multiplied by.
    pub factor: f64,
    /// The square of the length. Codes alone have it.
    pub square: f64,
}

/// A vector ready to be compared: a query, or a stored row.
#[derive(Clone, Copy)]
pub(crate) struct Ray<'a> {
    pub lines: &'a [Line],
    pub head: Head,
}

/// A vector that was sent, checked, and as it would be stored.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub lines: Vec<Line>,
    pub head: Head,
}

impl Prepared {
    pub(crate) fn ray(&self) -> Ray<'_> {
        Ray { lines: &self.lines, head: self.head }
    }
}

/// How a sum becomes a distance.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Finish {
    AsItIs,
    OneLess,
    OneLessScaled,
    Squares,
    Share(f64),
}

/// A kind of vectors.
#[derive(Clone)]
pub struct Space {
    element: Element,
    metric: Metric,
    dimension: usize,
    kernel: Kernel,
    dot: Kernel,
    finish: Finish,
}

impl Space {
    /// Vectors of `dimension` elements. Of bits the metric says nothing: it is the share of those that differ, times two.
    pub fn new(element: Element, metric: Metric, dimension: usize) -> Result<Space, Error> {
        if !(1..=element.dimension_max()).contains(&dimension) {
            return Err(Error::Dimension);
        }
        let (sum, finish) = match (element, metric) {
            (Element::Bit, _) => (Sum::Hamming, Finish::Share(2.0 / dimension as f64)),
            (Element::Q8, Metric::L2) => (Sum::Dot, Finish::Squares),
            (_, Metric::L2) => (Sum::L2, Finish::AsItIs),
            (Element::Q8, _) | (_, Metric::Cosine) => (Sum::Dot, Finish::OneLessScaled),
            (_, Metric::Ip) => (Sum::Dot, Finish::OneLess),
        };
        let dot = Kernel::new(element, Sum::Dot);
        Ok(Space { element, metric, dimension, kernel: Kernel::new(element, sum), dot, finish })
    }

    pub fn element(&self) -> Element {
        self.element
    }

    pub fn metric(&self) -> Metric {
        self.metric
    }

    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// Bytes that a client sends for a vector.
    pub fn sent_bytes(&self) -> usize {
        self.element.sent_bytes(self.dimension)
    }

    /// Lines of a row.
    pub(crate) fn lines(&self) -> usize {
        self.element.kept_bytes(self.dimension).div_ceil(Line::BYTES)
    }

    /// Whether rows have heads.
    pub(crate) fn has_heads(&self) -> bool {
        matches!(self.finish, Finish::OneLessScaled | Finish::Squares)
    }

    /// Whether a client may send this as a vector.
    pub fn check(&self, sent: &[u8]) -> Result<(), Error> {
        self.prepare(sent).map(drop)
    }

    /// A vector as it would be stored.
    pub(crate) fn prepare(&self, sent: &[u8]) -> Result<Prepared, Error> {
        if sent.len() != self.sent_bytes() {
            return Err(Error::Length { bytes: sent.len(), expected: self.sent_bytes() });
        }
        if !is_finite(self.element.sent_as(), sent) {
            return Err(Error::NotFinite);
        }
        let prepared = match self.element {
            Element::Q8 => self.code(&self.element.numbers(sent)),
            Element::Bit => self.bits_code(&self.element.numbers(sent)),
            _ => self.as_sent(sent),
        };
        let has_no_direction =
            self.metric == Metric::Cosine && self.has_heads() && prepared.head.factor == 0.0;
        if has_no_direction { Err(Error::ZeroNorm) } else { Ok(prepared) }
    }

    fn as_sent(&self, sent: &[u8]) -> Prepared {
        let lines = Line::pack(sent);
        let mut head = Head { factor: 1.0, square: 0.0 };
        if self.metric == Metric::Cosine {
            let mut square = self.dot.one(&lines, &lines);
            if !square.is_normal() {
                // Too large or too small for f32.
                square = self.element.numbers(sent).iter().map(|it| it * it).sum();
            }
            head.factor = if square > 0.0 { square.sqrt().recip() } else { 0.0 };
        }
        Prepared { lines, head }
    }

    /// Signed bytes, the largest element becoming 127 or -127.
    pub(crate) fn code(&self, numbers: &[f64]) -> Prepared {
        let largest = numbers.iter().fold(0.0, |largest: f64, it| largest.max(it.abs()));
        let step = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let codes: Vec<u8> = numbers.iter().map(|it| (it * step).round() as i8 as u8).collect();
        let lines = Line::pack(&codes);
        let square = self.dot.one(&lines, &lines);
        let scale = largest / 127.0;
        let factor = match self.metric {
            Metric::Cosine if square > 0.0 => square.sqrt().recip(),
            Metric::Cosine => 0.0,
            _ => scale,
        };
        // As they will be stored.
        let [factor, square] = [factor, square * scale * scale].map(|it| f64::from(it as f32));
        Prepared { lines, head: Head { factor, square } }
    }

    fn bits_code(&self, numbers: &[f64]) -> Prepared {
        let mut bits = vec![0u8; self.element.kept_bytes(self.dimension)];
        for (at, number) in numbers.iter().enumerate() {
            bits[at / 8] |= u8::from(*number > 0.0) << (at % 8);
        }
        Prepared { lines: Line::pack(&bits), head: Head::default() }
    }

    /// The bytes of a stored row without what fills up its last line.
    pub(crate) fn kept<'r>(&self, row: Ray<'r>) -> &'r [u8] {
        &Line::bytes(row.lines)[..self.element.kept_bytes(self.dimension)]
    }

    /// What a stored row stands for, as a client would have sent it.
    pub(crate) fn restore(&self, row: Ray) -> Vec<u8> {
        let bytes = self.kept(row);
        match self.element {
            Element::Q8 => {
                let square = self.dot.one(row.lines, row.lines);
                // The scale, or as much of it as a direction needs.
                let scale = if square > 0.0 { (row.head.square / square).sqrt() } else { 0.0 };
                let numbers: Vec<f64> = bytes.iter().map(|code| f64::from(*code as i8) * scale).collect();
                self.element.bytes(&numbers)
            }
            Element::Bit => {
                let sign = |at: usize| if bytes[at / 8] >> (at % 8) & 1 == 1 { 1.0 } else { -1.0 };
                self.element.bytes(&(0..self.dimension).map(sign).collect::<Vec<_>>())
            }
            _ => bytes.to_vec(),
        }
    }

    #[inline(always)]
    fn finish(&self, sum: f64, query: Head, row: Head) -> f64 {
        match self.finish {
            Finish::AsItIs => sum,
            Finish::OneLess => 1.0 - sum,
            Finish::OneLessScaled => 1.0 - sum * query.factor * row.factor,
            Finish::Squares => query.square + row.square - 2.0 * sum * query.factor * row.factor,
            Finish::Share(share) => sum * share,
        }
    }

    /// How far a query and a row are apart.
    #[inline]
    pub(crate) fn distance(&self, query: Ray, row: Ray) -> f64 {
        self.finish(self.kernel.one(query.lines, row.lines), query.head, row.head)
    }

    /// The same for four rows, of which come `next` some that are asked for meanwhile.
    #[inline(always)]
    pub(crate) fn four(
        &self,
        query: Ray,
        rows: &[&[Line]; 4],
        heads: [Head; 4],
        next: &[&[Line]; 4],
    ) -> [f64; 4] {
        let [a, b, c, d] = self.kernel.four(query.lines, rows, next);
        [
            self.finish(a, query.head, heads[0]),
            self.finish(b, query.head, heads[1]),
            self.finish(c, query.head, heads[2]),
            self.finish(d, query.head, heads[3]),
        ]
    }
}

/// Whether all numbers are finite.
fn is_finite(element: Element, sent: &[u8]) -> bool {
    /// Whether no number of `N` bytes has all the bits that `is_special` looks for.
    fn none<const N: usize>(sent: &[u8], is_special: impl Fn([u8; N]) -> bool) -> bool {
        sent.as_chunks::<N>()
            .0
            .chunks(64)
            .all(|some| !some.iter().fold(false, |any, it| any | is_special(*it)))
    }
    match element {
        Element::F64 => none(sent, |it| !f64::from_le_bytes(it).is_finite()),
        Element::F32 => none(sent, |it| !f32::from_le_bytes(it).is_finite()),
        Element::F16 => none(sent, |it| u16::from_le_bytes(it) & 0x7c00 == 0x7c00),
        Element::Bf16 => none(sent, |it| u16::from_le_bytes(it) & 0x7f80 == 0x7f80),
        _ => true,
    }
}
