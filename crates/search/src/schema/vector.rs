//! Options of VECTOR: `algorithm count [name value …]`.

use super::arguments::{Arguments, double, unsigned};
use crate::error::{Code, Error, NONE_LEFT, NOT_CONVERTED, OUT_OF_BOUNDS, shown};

/// As many dimensions as RediSearch allows.
const DIMENSION_MAX: u64 = 32_768;
/// A graph has so many links on a level at most; RediSearch has room for 65,535.
const M_MAX: u64 = vector::M_MAX as u64;
/// On the ground there are twice as many.
const DEGREE_MAX: u64 = 2 * M_MAX;
/// Candidate lists are no longer than this.
const EF_MAX: u64 = 1 << 20;
/// SVS-VAMANA learns its compression from 1 to 100 of such blocks.
const BLOCK_VECTORS: u64 = 1024;

/// A VECTOR field.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorOptions {
    /// How neighbours are found.
    pub algorithm: Algorithm,
    /// TYPE.
    pub element: Element,
    /// DIM.
    pub dimension: usize,
    /// DISTANCE_METRIC.
    pub metric: Metric,
    /// INITIAL_CAP, which reserves nothing here; FT.INFO shows it.
    pub initial_capacity: Option<u64>,
}

/// The algorithm with its own attributes.
#[derive(Clone, Debug, PartialEq)]
pub enum Algorithm {
    /// All are looked at.
    Flat {
        /// BLOCK_SIZE, which changes nothing here.
        block_size: Option<u64>,
    },
    /// A graph (Malkov and Yashunin, 2016).
    Hnsw {
        /// M: links per node and layer.
        m: usize,
        /// EF_CONSTRUCTION.
        ef_construction: usize,
        /// EF_RUNTIME.
        ef_runtime: usize,
        /// EPSILON of range queries.
        epsilon: f64,
    },
    /// The attributes of SVS-VAMANA. What is built is this crate's caller's choice; it is reported as it is.
    Vamana {
        /// COMPRESSION.
        compression: Option<Compression>,
        /// CONSTRUCTION_WINDOW_SIZE.
        construction_window: usize,
        /// GRAPH_MAX_DEGREE.
        degree: usize,
        /// SEARCH_WINDOW_SIZE.
        search_window: usize,
        /// EPSILON.
        epsilon: f64,
        /// TRAINING_THRESHOLD in vectors.
        training_threshold: Option<u64>,
        /// REDUCE: dimensions that LeanVec keeps.
        reduce: Option<usize>,
    },
}

impl Algorithm {
    /// Its name, as FT.INFO has it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Flat { .. } => "FLAT",
            Self::Hnsw { .. } => "HNSW",
            Self::Vamana { .. } => "SVS-VAMANA",
        }
    }
}

/// TYPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    Float32,
    Float64,
    Float16,
    Bfloat16,
    Int8,
    Uint8,
}

impl Element {
    /// Its name, as FT.INFO has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "FLOAT32",
            Self::Float64 => "FLOAT64",
            Self::Float16 => "FLOAT16",
            Self::Bfloat16 => "BFLOAT16",
            Self::Int8 => "INT8",
            Self::Uint8 => "UINT8",
        }
    }

    fn parse(name: &[u8]) -> Option<Self> {
        [Self::Float32, Self::Float64, Self::Float16, Self::Bfloat16, Self::Int8, Self::Uint8]
            .into_iter()
            .find(|element| name.eq_ignore_ascii_case(element.name().as_bytes()))
    }
}

/// DISTANCE_METRIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    L2,
    InnerProduct,
    Cosine,
}

impl Metric {
    /// Its name, as FT.INFO has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::L2 => "L2",
            Self::InnerProduct => "IP",
            Self::Cosine => "COSINE",
        }
    }

    fn parse(name: &[u8]) -> Option<Self> {
        [Self::L2, Self::InnerProduct, Self::Cosine]
            .into_iter()
            .find(|metric| name.eq_ignore_ascii_case(metric.name().as_bytes()))
    }
}

/// COMPRESSION of SVS-VAMANA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    Lvq8,
    Lvq4,
    Lvq4x4,
    Lvq4x8,
    LeanVec4x8,
    LeanVec8x8,
}

impl Compression {
    /// Its name, as FT.INFO has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lvq8 => "LVQ8",
            Self::Lvq4 => "LVQ4",
            Self::Lvq4x4 => "LVQ4x4",
            Self::Lvq4x8 => "LVQ4x8",
            Self::LeanVec4x8 => "LeanVec4x8",
            Self::LeanVec8x8 => "LeanVec8x8",
        }
    }

    fn parse(name: &[u8]) -> Option<Self> {
        [Self::Lvq8, Self::Lvq4, Self::Lvq4x4, Self::Lvq4x8, Self::LeanVec4x8, Self::LeanVec8x8]
            .into_iter()
            .find(|compression| name.eq_ignore_ascii_case(compression.name().as_bytes()))
    }
}

/// Reads what stands behind VECTOR.
pub(super) fn parse(arguments: &mut Arguments<'_>) -> Result<VectorOptions, Error> {
    let name =
        arguments.next().ok_or_else(|| Error::bad_argument("vector similarity algorithm", NONE_LEFT))?;
    let mut draft = match name.to_ascii_uppercase().as_slice() {
        b"FLAT" => Draft::new("FLAT", FLAT),
        b"HNSW" => Draft::new("HNSW", HNSW),
        b"SVS-VAMANA" => Draft::new("SVS-VAMANA", VAMANA),
        _ => return Err(Error::bad_argument("vector similarity algorithm", shown(name).as_str())),
    };
    const COUNT: &str = "vector similarity number of parameters";
    let count = arguments.next().ok_or_else(|| Error::bad_argument(COUNT, NONE_LEFT))?;
    let count = unsigned(count).ok_or_else(|| Error::bad_argument(COUNT, NOT_CONVERTED))?;
    let left = arguments.len() as u64;
    if draft.name == "HNSW" && left < count {
        return Err(Error::bad_argument("vector similarity", "not enough arguments"));
    }
    if count % 2 != 0 {
        let what =
            format!("vector similarity index: got {count} but expected even number as algorithm parameters");
        return Err(Error::new(Code::Arguments, format!("Bad number of arguments for {what}")));
    }
    if left == 0 && count > 0 {
        return Err(Error::new(Code::Arguments, format!("Expected {count} parameters but got 0")));
    }
    for _ in 0..count / 2 {
        draft.parse_attribute(arguments)?;
    }
    draft.finish()
}

/// Attributes that an algorithm knows beside TYPE, DIM and DISTANCE_METRIC.
const FLAT: &[&str] = &["INITIAL_CAP", "BLOCK_SIZE"];
const HNSW: &[&str] = &["INITIAL_CAP", "M", "EF_CONSTRUCTION", "EF_RUNTIME", "EPSILON"];
const VAMANA: &[&str] = &[
    "COMPRESSION",
    "CONSTRUCTION_WINDOW_SIZE",
    "GRAPH_MAX_DEGREE",
    "SEARCH_WINDOW_SIZE",
    "EPSILON",
    "TRAINING_THRESHOLD",
    "REDUCE",
];

/// What has been read so far.
struct Draft {
    name: &'static str,
    known: &'static [&'static str],
    element: Option<Element>,
    dimension: Option<usize>,
    metric: Option<Metric>,
    compression: Option<Compression>,
    epsilon: Option<f64>,
    numbers: Vec<(&'static str, u64)>,
}

impl Draft {
    fn new(name: &'static str, known: &'static [&'static str]) -> Self {
        let numbers = Vec::new();
        Self {
            name,
            known,
            element: None,
            dimension: None,
            metric: None,
            compression: None,
            epsilon: None,
            numbers,
        }
    }

    fn parse_attribute(&mut self, arguments: &mut Arguments<'_>) -> Result<(), Error> {
        let Some(name) = arguments.next() else {
            return Err(Error::bad_argument("vector similarity", "not enough arguments"));
        };
        let all = ["TYPE", "DIM", "DISTANCE_METRIC"].iter().chain(self.known);
        let Some(&attribute) =
            all.into_iter().find(|known| name.eq_ignore_ascii_case(known.as_bytes())).copied().as_ref()
        else {
            return Err(Error::bad_argument(&format!("algorithm {}", self.name), &shown(name)));
        };
        let value = arguments.next().ok_or_else(|| self.bad(attribute, NONE_LEFT))?;
        let unknown = |draft: &Self| draft.bad(attribute, NOT_CONVERTED);
        match attribute {
            "TYPE" => self.element = Some(Element::parse(value).ok_or_else(|| unknown(self))?),
            "DISTANCE_METRIC" => self.metric = Some(Metric::parse(value).ok_or_else(|| unknown(self))?),
            "COMPRESSION" => self.compression = Some(Compression::parse(value).ok_or_else(|| unknown(self))?),
            "EPSILON" => {
                let epsilon = double(value).ok_or_else(|| unknown(self))?;
                if !(epsilon >= 0.0 && epsilon.is_finite()) {
                    return Err(self.bad(attribute, OUT_OF_BOUNDS));
                }
                self.epsilon = Some(epsilon);
            }
            _ => {
                let number = unsigned(value).ok_or_else(|| unknown(self))?;
                self.check_bounds(attribute, number)?;
                self.numbers.push((attribute, number));
            }
        }
        Ok(())
    }

    fn check_bounds(&mut self, attribute: &str, number: u64) -> Result<(), Error> {
        let bounds = match attribute {
            "DIM" => 1..=DIMENSION_MAX,
            "M" => 1..=M_MAX,
            "GRAPH_MAX_DEGREE" => 1..=DEGREE_MAX,
            "EF_CONSTRUCTION" | "EF_RUNTIME" | "CONSTRUCTION_WINDOW_SIZE" | "SEARCH_WINDOW_SIZE" => {
                1..=EF_MAX
            }
            "REDUCE" => 1..=DIMENSION_MAX,
            _ => 0..=u64::MAX,
        };
        if !bounds.contains(&number) {
            return Err(self.bad(attribute, OUT_OF_BOUNDS));
        }
        if attribute == "DIM" {
            self.dimension = Some(number as usize);
        }
        Ok(())
    }

    fn bad(&self, attribute: &str, why: &str) -> Error {
        Error::bad_argument(&format!("vector similarity {} index `{attribute}`", self.name), why)
    }

    fn missing(&self, attribute: &str) -> Error {
        let name = self.name;
        let text = format!(
            "Missing mandatory parameter: cannot create {name} index without specifying {attribute} argument"
        );
        Error::new(Code::Arguments, text)
    }

    /// The last value given for an attribute.
    fn number(&self, attribute: &str) -> Option<u64> {
        self.numbers.iter().rev().find(|(name, _)| *name == attribute).map(|(_, number)| *number)
    }

    fn size(&self, attribute: &str, default: usize) -> usize {
        self.number(attribute).map_or(default, |number| number as usize)
    }

    fn finish(self) -> Result<VectorOptions, Error> {
        let element = self.element.ok_or_else(|| self.missing("TYPE"))?;
        let dimension = self.dimension.ok_or_else(|| self.missing("DIM"))?;
        let metric = self.metric.ok_or_else(|| self.missing("DISTANCE_METRIC"))?;
        let algorithm = match self.name {
            "FLAT" => Algorithm::Flat { block_size: self.number("BLOCK_SIZE") },
            "HNSW" => Algorithm::Hnsw {
                m: self.size("M", 16),
                ef_construction: self.size("EF_CONSTRUCTION", 200),
                ef_runtime: self.size("EF_RUNTIME", 10),
                epsilon: self.epsilon.unwrap_or(0.01),
            },
            _ => self.vamana(element, dimension)?,
        };
        let initial_capacity = self.number("INITIAL_CAP");
        Ok(VectorOptions { algorithm, element, dimension, metric, initial_capacity })
    }

    fn vamana(&self, element: Element, dimension: usize) -> Result<Algorithm, Error> {
        let refuse = |text: String| Err(Error::new(Code::Arguments, text));
        if !matches!(element, Element::Float16 | Element::Float32) {
            return refuse("Not supported data type is given. Expected: FLOAT16, FLOAT32".to_owned());
        }
        let training_threshold = self.number("TRAINING_THRESHOLD");
        if let Some(threshold) = training_threshold {
            let (least, most) = (BLOCK_VECTORS, 100 * BLOCK_VECTORS);
            if !(least..=most).contains(&threshold) {
                let text = format!(
                    "Invalid TRAINING_THRESHOLD: cannot be lower than DEFAULT_BLOCK_SIZE ({least}) or greater than {most}"
                );
                return refuse(text);
            }
            if self.compression.is_none() {
                return refuse(
                    "TRAINING_THRESHOLD is irrelevant when compression was not requested".to_owned(),
                );
            }
        }
        let reduce = self.number("REDUCE").map(|dimensions| dimensions as usize);
        let is_lean = matches!(self.compression, Some(Compression::LeanVec4x8 | Compression::LeanVec8x8));
        if reduce.is_some() && !is_lean {
            return refuse("REDUCE is irrelevant when compression is not of type LeanVec".to_owned());
        }
        if reduce.is_some_and(|dimensions| dimensions > dimension) {
            return Err(self.bad("REDUCE", OUT_OF_BOUNDS));
        }
        Ok(Algorithm::Vamana {
            compression: self.compression,
            construction_window: self.size("CONSTRUCTION_WINDOW_SIZE", 200),
            degree: self.size("GRAPH_MAX_DEGREE", 32),
            search_window: self.size("SEARCH_WINDOW_SIZE", 10),
            epsilon: self.epsilon.unwrap_or(0.01),
            training_threshold,
            reduce,
        })
    }
}
