//! A document's vectors as a field has them.

use super::field::space;
use crate::error::{Code, Error};
use crate::index::Value;
use crate::schema::VectorOptions;
use std::borrow::Cow;

/// The vectors of a value: the bytes of a hash, one array of JSON or several.
///
/// # Errors
/// What is no vector of the field: of another length, with NaN or an infinity in it, or without direction where the metric asks for one.
pub(crate) fn vectors<'a>(
    options: &VectorOptions,
    value: &'a Value<'_>,
) -> Result<Vec<Cow<'a, [u8]>>, Error> {
    let space = space(options);
    let vectors = match value {
        Value::Text(blob) => vec![Cow::Borrowed(*blob)],
        Value::Numbers(numbers) => vec![of_numbers(&space, numbers)?],
        Value::Vectors(several) => {
            several.iter().map(|numbers| of_numbers(&space, numbers)).collect::<Result<_, _>>()?
        }
        _ => {
            let text = "Invalid JSON type: a VECTOR field takes an array of numbers";
            return Err(Error::new(Code::Value, text));
        }
    };
    for vector in &vectors {
        space.check(vector).map_err(|why| refused(&why))?;
    }
    Ok(vectors)
}

fn of_numbers(space: &vector::Space, numbers: &[f64]) -> Result<Cow<'static, [u8]>, Error> {
    if numbers.len() != space.dimension() {
        let text = format!("Invalid vector length. Expected {}, got {}", space.dimension(), numbers.len());
        return Err(Error::new(Code::VectorLength, text));
    }
    let takes_whole = matches!(space.element(), vector::Element::I8 | vector::Element::U8);
    if takes_whole && numbers.iter().any(|number| number.fract() != 0.0) {
        return Err(Error::new(Code::Value, "Invalid JSON type: this VECTOR field takes whole numbers"));
    }
    Ok(Cow::Owned(space.element().bytes(numbers)))
}

fn refused(why: &vector::Error) -> Error {
    match why {
        vector::Error::Length { bytes, expected } => {
            let text = format!("Could not add vector with blob size {bytes} (expected size {expected})");
            Error::new(Code::BlobSize, text)
        }
        vector::Error::ZeroNorm => {
            Error::new(Code::Value, "Could not add vector of length zero: COSINE needs a direction")
        }
        _ => Error::new(Code::Value, "Could not add vector with NaN or an infinity in it"),
    }
}
