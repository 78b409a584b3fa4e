//! WITHSUFFIXTRIE: where some TEXT fields have it, ends, parts and patterns of words are looked for in those only.

use super::{Affix, Kind, Node};
use crate::error::{Code, Error};
use crate::schema::{ALL_FIELDS, FieldMask, Schema};

/// Has the query ask the fields that can answer it.
///
/// # Errors
/// It names a field that cannot.
pub fn ask_suffixes(node: &mut Node, schema: &Schema) -> Result<(), Error> {
    let with = schema.mask(|_, text| text.suffixes);
    if with == 0 { Ok(()) } else { ask(node, with) }
}

fn ask(node: &mut Node, with: FieldMask) -> Result<(), Error> {
    match &node.kind {
        // Tags have tries of their own.
        Kind::Tag { .. } => return Ok(()),
        Kind::Affix(Affix { open_before: true, .. }) | Kind::Wildcard(_) => {
            if node.fields == ALL_FIELDS {
                node.fields = with;
            } else if node.fields & !with != 0 {
                let text = "Contains query on fields without WITHSUFFIXTRIE support";
                return Err(Error::new(Code::Generic, text));
            }
        }
        _ => {}
    }
    node.children_mut().iter_mut().try_for_each(|child| ask(child, with))
}
