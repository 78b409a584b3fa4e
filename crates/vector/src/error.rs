//! What a caller can get wrong, or a file. The texts that clients see are the commands' business.

use std::fmt;

/// Why an index refuses something. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The dimension is 0 or above [`crate::Element::dimension_max`].
    Dimension,
    /// A parameter of the graph is out of its range: the name of the parameter.
    Parameter(&'static str),
    /// A vector has that many bytes, and should have so many.
    Length { bytes: usize, expected: usize },
    /// A vector has NaN or an infinity in it.
    NotFinite,
    /// A vector has no direction, and the metric asks for one.
    ZeroNorm,
    /// A radius is negative or NaN, or EPSILON is.
    Radius,
    /// K or EF is 0, or EF above [`crate::EF_MAX`].
    Count,
    /// A label is [`crate::LABEL_MAX`].
    Label,
    /// No slot is left.
    Full,
    /// There is no vector in that slot.
    NoSuchSlot,
    /// A saved graph is broken or of another kind, at that byte.
    Broken { at: usize },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Dimension => write!(f, "the dimension is 0 or too large"),
            Error::Parameter(name) => write!(f, "{name} is out of range"),
            Error::Length { bytes, expected } => write!(f, "a vector of {bytes} bytes instead of {expected}"),
            Error::NotFinite => write!(f, "a vector holds NaN or an infinity"),
            Error::ZeroNorm => write!(f, "a vector of length zero has no direction"),
            Error::Radius => write!(f, "radius and epsilon must be numbers from 0"),
            Error::Count => write!(f, "K and EF must be 1 or more"),
            Error::Label => write!(f, "the label is too large"),
            Error::Full => write!(f, "the index has no slot left"),
            Error::NoSuchSlot => write!(f, "there is no vector in that slot"),
            Error::Broken { at } => write!(f, "the saved graph is broken at byte {at}"),
        }
    }
}

impl std::error::Error for Error {}
