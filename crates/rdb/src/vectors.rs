//! Vector sets: values of the module type `vectorset`, version 0.
//!
//! ```text
//! dimension, count, kind of vectors + M × 256, 1 if vectors are reduced + 2 if there are attributes
//! [what they are reduced from, the matrix]
//! of each element: name, [attributes], vector, count of parameters, parameters
//! ```
//! The matrix and vectors are strings of bytes, all else but names and attributes are unsigned numbers. Parameters of an element are its number; its highest level + 2^24;
//! of each level from the ground up the count of its links, how many there is room for, the links, and where the farthest is with its distance × 2^32; last the length
//! that the vector had, and what 127 stands for × 2^32, each as the bits of an f32.
//!
//! Redis refuses links that do not lead both ways, so only such are written; see `types::vectorset`.

use crate::encode::Room;
use crate::module::{FieldReader, FieldWriter, ModuleId};
use crate::{Error, Reader};
use std::collections::HashMap;
use types::VectorSet;
use types::vectorset::{DIMENSION_MAX, Hit, M_MAX, Node, Projection, Quant, Record, Shape, Vector};

const ID: ModuleId = ModuleId::new(b"vectorset", 0);

const IS_REDUCED: u64 = 1;
const HAS_ATTRIBUTES: u64 = 2;
/// Of what is written about an element: with the farthest link of each level.
const LAYOUT: u64 = 1;
/// M of sets that do not tell it.
const M_USUAL: usize = 16;

/// What all elements of a set have in common in a file.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    vector_bytes: usize,
    m: usize,
    has_attributes: bool,
}

impl Form {
    pub fn of(set: &VectorSet) -> Self {
        let Shape { dimension, quant, m, .. } = *set.shape();
        Self { vector_bytes: quant.raw_bytes(dimension), m, has_attributes: set.with_attributes() > 0 }
    }
}

/// Bytes of the matrix that stands before the elements.
pub fn matrix_bytes(set: &VectorSet) -> usize {
    let projection = set.shape().projection.as_ref();
    projection.map_or(0, |projection| projection.input() * projection.output() * size_of::<f32>())
}

/// Appends what stands behind all elements.
pub fn append_end(out: &mut Vec<u8>, compress: bool) {
    FieldWriter::resume(out, compress).end();
}

/// What is written next.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    Row(usize),
    Element(u32),
}

/// Appends what stands before the matrix and the elements.
pub fn append_head(out: &mut Vec<u8>, set: &VectorSet, compress: bool) -> Place {
    let shape = set.shape();
    let quant = Quant::ALL.iter().position(|quant| *quant == shape.quant).unwrap_or_default();
    let mut fields = FieldWriter::begin(out, ID, compress);
    fields.unsigned(shape.dimension as u64);
    fields.unsigned(set.len() as u64);
    fields.unsigned(quant as u64 | (shape.m as u64) << 8);
    let has_attributes = set.with_attributes() > 0;
    let is_reduced = shape.projection.is_some();
    fields.unsigned(u64::from(is_reduced) * IS_REDUCED + u64::from(has_attributes) * HAS_ATTRIBUTES);
    match &shape.projection {
        None => Place::Element(0),
        Some(projection) => {
            fields.unsigned(projection.input() as u64);
            fields.begin_string(matrix_bytes(set) as u64);
            Place::Row(0)
        }
    }
}

/// Appends what follows from a place on; where to go on if there was not room for all.
pub fn append_from(out: &mut Vec<u8>, set: &VectorSet, mut place: Place, room: Room) -> Option<Place> {
    loop {
        place = match (place, &set.shape().projection) {
            (Place::Row(row), Some(projection)) if row < projection.output() => {
                out.extend(projection.row(row).flat_map(f32::to_le_bytes));
                Place::Row(row + 1)
            }
            (Place::Row(_), _) => Place::Element(0),
            (Place::Element(number), _) if number < set.numbers_end() => {
                if let Some(node) = set.node(number) {
                    append_element(out, Form::of(set), &node, room.compress);
                }
                Place::Element(number + 1)
            }
            (Place::Element(_), _) => {
                append_end(out, room.compress);
                return None;
            }
        };
        if room.is_used_up(out) {
            return Some(place);
        }
    }
}

/// Appends an element.
pub fn append_element(out: &mut Vec<u8>, form: Form, node: &Node<'_>, compress: bool) {
    let mut fields = FieldWriter::resume(out, compress);
    fields.string(node.name);
    if form.has_attributes {
        fields.string(node.attributes.unwrap_or_default());
    }
    let mut vector = node.kept.bytes.to_vec();
    vector.resize(form.vector_bytes, 0);
    fields.string(&vector);
    let parameters = parameters(node, form.m);
    fields.unsigned(parameters.len() as u64);
    parameters.into_iter().for_each(|parameter| fields.unsigned(parameter));
}

/// Numbers in files begin with 1.
fn number_of(number: u32) -> u64 {
    u64::from(number) + 1
}

fn two(low: u32, high: f32) -> u64 {
    u64::from(high.to_bits()) << 32 | u64::from(low)
}

fn parameters(node: &Node<'_>, m: usize) -> Vec<u64> {
    let level = node.links.len().saturating_sub(1) as u64;
    let mut all = vec![number_of(node.number), level | LAYOUT << 24];
    for (level, links) in node.links.iter().enumerate() {
        let room = if level == 0 { 2 * m } else { m };
        all.extend([links.len() as u64, room as u64]);
        all.extend(links.iter().map(|hit| number_of(hit.number)));
        let farther = |a: &(usize, &Hit), b: &(usize, &Hit)| a.1.distance.total_cmp(&b.1.distance);
        let farthest = links.iter().enumerate().max_by(farther);
        all.push(farthest.map_or(0, |(at, hit)| two(at as u32, hit.distance)));
    }
    all.push(two(node.kept.norm.to_bits(), node.kept.range));
    all
}

/// An element as it was read, its links by their numbers.
struct Element {
    record: Record,
    number: u64,
    links: Vec<Vec<u64>>,
}

/// Reads a set.
///
/// # Errors
/// See [`Error`].
pub fn read(reader: &mut Reader<'_>) -> Result<VectorSet, Error> {
    let id = ModuleId::read(reader)?;
    if id != ID {
        return Err(Error::Corrupt("version of a vector set"));
    }
    let mut fields = FieldReader::new(reader);
    let (shape, count, has_attributes) = read_head(&mut fields)?;
    let mut elements = Vec::new();
    for _ in 0..count {
        elements.push(read_element(&mut fields, &shape, has_attributes)?);
    }
    fields.end()?;
    VectorSet::of_records(shape, records(elements)?).map_err(Error::Corrupt)
}

fn read_head(fields: &mut FieldReader<'_, '_>) -> Result<(Shape, u64, bool), Error> {
    let bounded =
        |number: u64, most: usize| usize::try_from(number).ok().filter(|number| (1..=most).contains(number));
    let dimension =
        bounded(fields.unsigned()?, DIMENSION_MAX).ok_or(Error::Corrupt("dimension of a vector set"))?;
    let count = fields.unsigned()?;
    let kind = fields.unsigned()?;
    let quant = Quant::ALL.get(kind as usize & 0xff).ok_or(Error::Corrupt("kind of vectors"))?;
    let m = match kind >> 8 & 0xffff {
        0 => M_USUAL,
        m => bounded(m, M_MAX).filter(|m| *m > 1).ok_or(Error::Corrupt("links of a vector set"))?,
    };
    let flags = fields.unsigned()?;
    let projection = if flags & IS_REDUCED == 0 {
        None
    } else {
        let input = bounded(fields.unsigned()?, DIMENSION_MAX);
        let matrix = fields.string()?;
        let projection = input.and_then(|input| Projection::with_matrix(input, dimension, &matrix));
        Some(projection.ok_or(Error::Corrupt("matrix of a vector set"))?)
    };
    Ok((Shape { dimension, quant: *quant, m, projection }, count, flags & HAS_ATTRIBUTES != 0))
}

fn read_element(
    fields: &mut FieldReader<'_, '_>,
    shape: &Shape,
    has_attributes: bool,
) -> Result<Element, Error> {
    const VECTOR: Error = Error::Corrupt("vector of an element");
    const LINKS: Error = Error::Corrupt("links of an element");
    let name = fields.string()?.into_vec();
    let attributes = if has_attributes { fields.string()?.into_vec() } else { Vec::new() };
    let mut kept = fields.string()?.into_vec();
    let kept_bytes = shape.quant.kept_bytes(shape.dimension);
    if kept.len() != shape.quant.raw_bytes(shape.dimension)
        || kept[kept_bytes..].iter().any(|byte| *byte != 0)
    {
        return Err(VECTOR);
    }
    kept.truncate(kept_bytes);
    let mut left = fields.unsigned()?;
    let mut next = || -> Result<u64, Error> {
        left = left.checked_sub(1).ok_or(LINKS)?;
        fields.unsigned()
    };
    let number = next()?;
    let layout = next()?;
    if layout >> 24 & 0xff > LAYOUT {
        return Err(LINKS);
    }
    let mut links = Vec::new();
    for level in 0..=layout & 0xff {
        let (count, room) = (next()?, next()?);
        if count > room || room > shape.m as u64 * if level == 0 { 3 } else { 2 } {
            return Err(LINKS);
        }
        let mut level_links = (0..count).map(|_| next()).collect::<Result<Vec<u64>, Error>>()?;
        if layout >> 24 & 0xff == LAYOUT {
            // Where the farthest is shows by itself.
            next()?;
        }
        level_links.sort_unstable();
        if level_links.windows(2).any(|pair| pair[0] == pair[1]) || level_links.binary_search(&number).is_ok()
        {
            return Err(LINKS);
        }
        links.push(level_links);
    }
    let lengths = next()?;
    // What a later version may add.
    while left > 0 {
        left -= 1;
        fields.unsigned()?;
    }
    let range = match shape.quant {
        Quant::Q8 => f32::from_bits((lengths >> 32) as u32),
        // Redis writes whatever was in its memory.
        Quant::None => 0.0,
        Quant::Bin => 1.0,
    };
    let vector = Vector { kept, norm: f32::from_bits(lengths as u32), range };
    Ok(Element { record: Record { name, attributes, vector, links: Vec::new() }, number, links })
}

/// With links by places.
fn records(elements: Vec<Element>) -> Result<Vec<Record>, Error> {
    const LINKS: Error = Error::Corrupt("links of an element");
    let mut places = HashMap::with_capacity(elements.len());
    for (place, element) in (0u32..).zip(&elements) {
        if places.insert(element.number, (place, element.links.len())).is_some() {
            return Err(Error::Corrupt("number of an element"));
        }
    }
    let place = |number: &u64, level: usize| match places.get(number) {
        Some((place, levels)) if *levels > level => Ok(*place),
        _ => Err(LINKS),
    };
    let record = |element: Element| {
        let levels = element.links.iter().enumerate();
        let levels = levels.map(|(level, links)| links.iter().map(|number| place(number, level)).collect());
        let links = levels.collect::<Result<Vec<Vec<u32>>, Error>>()?;
        Ok(Record { links, ..element.record })
    };
    elements.into_iter().map(record).collect()
}
