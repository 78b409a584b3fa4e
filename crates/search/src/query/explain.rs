//! A query as FT.EXPLAIN shows it. FT.EXPLAINCLI is the same, line by line.

use super::{Kind, Node, NumericRange, Relation};
use crate::error::shown;
use crate::number::general;
use crate::schema::{ALL_FIELDS, Schema};
use crate::text::unescape;
use std::fmt::Write;

/// The text, a line for every part.
pub fn explain(node: &Node, schema: &Schema) -> String {
    let mut out = String::new();
    show(&mut out, node, schema, 0);
    out
}

fn show(out: &mut String, node: &Node, schema: &Schema, depth: usize) {
    indent(out, depth);
    if has_mask(node) {
        show_mask(out, node, schema);
    }
    let name = |field: u16| shown(&schema.fields[usize::from(field)].name);
    match &node.kind {
        Kind::Empty => out.push_str("<empty>"),
        Kind::All => out.push_str("<WILDCARD>"),
        Kind::Term(term) => {
            out.push_str(if term.word.is_empty() { "\"\"" } else { "" });
            out.push_str(&shown(&term.word));
            out.push_str(if term.expanded { "(expanded)" } else { "" });
        }
        Kind::Exact(nodes) => block(out, "EXACT {", nodes, schema, depth),
        Kind::Intersection(nodes) => block(out, "INTERSECT {", nodes, schema, depth),
        Kind::Union(nodes) => block(out, "UNION {", nodes, schema, depth),
        Kind::Not(inner) => block(out, "NOT{", std::slice::from_ref(inner), schema, depth),
        Kind::Optional(inner) => block(out, "OPTIONAL{", std::slice::from_ref(inner), schema, depth),
        Kind::Affix(affix) => {
            let word = shown(&unescape(&affix.word));
            let shape = match (affix.open_before, affix.open_behind) {
                (true, true) => format!("INFIX{{*{word}*}}"),
                (true, false) => format!("SUFFIX{{*{word}}}"),
                _ => format!("PREFIX{{{word}*}}"),
            };
            out.push_str(&shape);
        }
        Kind::Wildcard(pattern) => _ = write!(out, "WILDCARD{{{}}}", shown(&unescape(pattern))),
        Kind::Fuzzy { word, .. } => _ = write!(out, "FUZZY{{{}}}", shown(word)),
        Kind::Tag { field, values } => {
            block(out, &format!("TAG:@{} {{", name(*field)), values, schema, depth);
        }
        Kind::TagValue(words) => show_tag(out, words, depth),
        Kind::Numeric { field, range } => show_range(out, &name(*field), range),
        Kind::Geo { field, circle } => {
            let (longitude, latitude) = (circle.longitude, circle.latitude);
            let (radius, unit) = (circle.radius, circle.unit.name());
            _ = write!(out, "GEO {}:{{{longitude:.6},{latitude:.6} --> {radius:.6} {unit}}}", name(*field));
        }
        Kind::Geoshape { relation, written, .. } => {
            let number = match relation {
                Relation::Contains => 1,
                Relation::Within => 2,
                Relation::Disjoint => 3,
                Relation::Intersects => 4,
            };
            _ = write!(out, "GEOSHAPE{{{number} {}}}", shown(written));
        }
        Kind::Missing { field } => _ = write!(out, "ISMISSING{{{}}}", name(*field)),
        Kind::Nearest { .. } | Kind::Within(_) => show_vectors(out, node, schema, depth),
    }
    show_attributes(out, node);
    out.push('\n');
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn block(out: &mut String, head: &str, nodes: &[Node], schema: &Schema, depth: usize) {
    out.push_str(head);
    out.push('\n');
    for node in nodes {
        show(out, node, schema, depth + 1);
    }
    indent(out, depth);
    out.push('}');
}

/// Whether the part is shown with the fields that it is restricted to.
fn has_mask(node: &Node) -> bool {
    let is_of_text = matches!(
        node.kind,
        Kind::Term(_)
            | Kind::Exact(_)
            | Kind::Intersection(_)
            | Kind::Union(_)
            | Kind::Not(_)
            | Kind::Optional(_)
            | Kind::Affix(_)
            | Kind::Wildcard(_)
            | Kind::Fuzzy { .. }
    );
    is_of_text && node.fields != ALL_FIELDS
}

fn show_mask(out: &mut String, node: &Node, schema: &Schema) {
    let named = schema.text_fields().filter(|(_, _, _, text)| node.fields & text.mask() != 0);
    let names: Vec<String> = named.map(|(_, _, field, _)| shown(&field.name)).collect();
    let names = if names.is_empty() { "NULL".to_owned() } else { names.join("|") };
    _ = write!(out, "@{names}:");
}

/// A tag of several words is shown as if they were looked for one by one.
fn show_tag(out: &mut String, words: &[Vec<u8>], depth: usize) {
    let word = |word: &[u8]| if word.is_empty() { "\"\"".to_owned() } else { shown(word) };
    let [only] = words else {
        out.push_str("INTERSECT {\n");
        for part in words {
            indent(out, depth + 1);
            out.push_str(&word(part));
            out.push('\n');
        }
        indent(out, depth);
        out.push('}');
        return;
    };
    out.push_str(&word(only));
}

fn show_range(out: &mut String, name: &str, range: &NumericRange) {
    let sign = |excluded: bool| if excluded { "<" } else { "<=" };
    let (below, above) = (sign(range.excludes_min), sign(range.excludes_max));
    _ = write!(out, "NUMERIC {{{:.6} {below} @{name} {above} {:.6}}}", range.min, range.max);
}

fn show_vectors(out: &mut String, node: &Node, schema: &Schema, depth: usize) {
    let option = |out: &mut String, (name, value): &(Vec<u8>, Vec<u8>)| {
        _ = write!(out, ", {} = {}", shown(name), shown(value));
    };
    match &node.kind {
        Kind::Nearest { nearest, filter } => {
            out.push_str("VECTOR {");
            if filter.kind != Kind::All {
                out.push('\n');
                show(out, filter, schema, depth + 1);
                indent(out, depth);
                out.push_str("} => {");
            }
            let (k, vector) = (nearest.k, shown(&nearest.parameter));
            let field = shown(&schema.fields[usize::from(nearest.field)].name);
            _ = write!(
                out,
                "K={k} nearest vectors to `${vector}` in vector index associated with field @{field}"
            );
            nearest.options.iter().for_each(|pair| option(out, pair));
            _ = write!(out, ", yields distance as `{}`}}", shown(&nearest.distance_name));
        }
        Kind::Within(within) => {
            let radius = general(within.radius, 6);
            let (vector, field) =
                (shown(&within.parameter), shown(&schema.fields[usize::from(within.field)].name));
            _ = write!(
                out,
                "VECTOR {{Vectors that are within {radius} distance radius from `${vector}` in vector index associated with field @{field}"
            );
            within.options.iter().for_each(|pair| option(out, pair));
            if let Some(name) = &within.distance_name {
                _ = write!(out, ", yields distance as `{}`", shown(name));
            }
            out.push('}');
        }
        _ => {}
    }
}

fn show_attributes(out: &mut String, node: &Node) {
    let attributes = &node.attributes;
    let in_order = attributes.in_order.unwrap_or(false);
    let weight = attributes.weight.filter(|weight| *weight != 1.0);
    if weight.is_none() && attributes.slop.is_none() && !in_order {
        return;
    }
    out.push_str(" => {");
    if let Some(weight) = weight {
        _ = write!(out, " $weight: {};", general(weight, 6));
    }
    if let Some(slop) = attributes.slop {
        _ = write!(out, " $slop: {slop}; $inorder: {in_order};");
    } else if in_order {
        out.push_str(" $inorder: true;");
    }
    out.push_str(" }");
}
