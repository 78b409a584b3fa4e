//! Vectors as arguments: `[REDUCE dim] FP32 blob`, or `[REDUCE dim] VALUES n number …`.

use crate::{Args, Error};
use base::number::{parse_f64, parse_i64};
use types::vectorset::{DIMENSION_MAX, Projection, Shape, Vector, VectorSet};

/// A vector that was given.
pub struct Given {
    pub numbers: Vec<f32>,
    /// To so many dimensions.
    pub reduce: Option<usize>,
    /// Where the next argument is.
    pub next: usize,
}

/// Redis has one error for all that can be wrong with a vector.
fn invalid() -> Error {
    Error::err("invalid vector specification")
}

/// Reads the vector at `at`. `may_reduce`: REDUCE may stand in front.
pub fn vector(args: Args<'_>, mut at: usize, may_reduce: bool) -> Result<Given, Error> {
    let mut reduce = None;
    if may_reduce && args.len() > at + 2 && args.is(at, "REDUCE") {
        let dimension = parse_i64(&args[at + 1]).filter(|dimension| *dimension > 0).ok_or_else(invalid)?;
        reduce = Some(usize::try_from(dimension).map_err(|_| invalid())?);
        at += 2;
    }
    let (numbers, next) = if args.is(at, "FP32") {
        let blob = args.get(at + 1).ok_or_else(invalid)?;
        let (numbers, rest) = blob.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(invalid());
        }
        (numbers.iter().map(|number| f32::from_le_bytes(*number)).collect(), at + 2)
    } else if args.is(at, "VALUES") {
        let count = args.get(at + 1).and_then(parse_i64).and_then(|count| usize::try_from(count).ok());
        let count = count.filter(|count| *count <= DIMENSION_MAX).ok_or_else(invalid)?;
        let next = at + 2 + count;
        if args.len() < next {
            return Err(invalid());
        }
        let number = |at: usize| parse_f64(&args[at]).map(|number| number as f32);
        ((at + 2..next).map(number).collect::<Option<Vec<f32>>>().ok_or_else(invalid)?, next)
    } else {
        return Err(invalid());
    };
    let is_sound = (1..=DIMENSION_MAX).contains(&numbers.len())
        && numbers.iter().all(|number| number.is_finite())
        && reduce.is_none_or(|reduce| Projection::new(numbers.len(), reduce).is_some());
    if is_sound { Ok(Given { numbers, reduce, next }) } else { Err(invalid()) }
}

impl Given {
    /// As it would be kept in a set of that shape, whose dimension it has by now.
    pub fn kept(&self, shape: &Shape, numbers: &[f32]) -> Result<Vector, Error> {
        shape.quant.vector(numbers).ok_or_else(invalid)
    }

    /// As a vector of that set, reduced if the set is.
    pub fn for_set(&self, set: &VectorSet) -> Result<Vector, Error> {
        let shape = set.shape();
        let dimension = self.numbers.len();
        match &shape.projection {
            Some(projection) if dimension != shape.dimension => {
                check_input(projection, dimension)?;
                self.kept(shape, &projection.apply(&self.numbers))
            }
            _ => {
                check_dimension(shape, dimension)?;
                self.kept(shape, &self.numbers)
            }
        }
    }
}

/// That what is to be reduced has as many dimensions as it must have.
pub fn check_input(projection: &Projection, dimension: usize) -> Result<(), Error> {
    if dimension == projection.input() {
        return Ok(());
    }
    Err(Error::err(format_args!(
        "Input dimension mismatch for projection - got {dimension} but projection expects {}",
        projection.input()
    )))
}

/// That a vector has as many dimensions as those of a set.
pub fn check_dimension(shape: &Shape, dimension: usize) -> Result<(), Error> {
    if dimension == shape.dimension { Ok(()) } else { Err(mismatch(shape, dimension)) }
}

pub fn mismatch(shape: &Shape, dimension: usize) -> Error {
    let has = shape.dimension;
    Error::err(format_args!("Vector dimension mismatch - got {dimension} but set has {has}"))
}
