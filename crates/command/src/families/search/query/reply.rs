//! What FT.SEARCH answers: a flat array in RESP2, a map in RESP3.

use super::load::{Fields, Shown};
use super::request::Request;
use super::search::{Document, Found, Loaded};
use super::warnings::Warnings;
use resp::Reply;
use search::evaluate::Explanation;
use search::index::SortValue;
use search::number::result_text;

/// Writes what comes before the documents.
pub fn begin(request: &Request, found: &Found, out: &mut Reply) {
    let count = found.documents.len();
    if out.resp3 {
        begin_map(found.warnings, found.total, request.question.expands, out);
        return out.array(count);
    }
    let each = 1
        + usize::from(request.with_scores)
        + usize::from(request.with_payloads)
        + usize::from(request.with_sort_keys)
        + usize::from(!request.no_content);
    out.array(1 + each * count);
    out.natural(found.total);
}

/// Writes a document.
pub fn write(request: &Request, document: &Document, out: &mut Reply) {
    if out.resp3 {
        return write_map(request, document, out);
    }
    out.bulk(&document.key);
    write_heads(request, document, out, false);
    if !request.no_content {
        write_fields(request, document, out);
    }
}

fn write_map(request: &Request, document: &Document, out: &mut Reply) {
    let heads = usize::from(request.with_scores)
        + usize::from(request.with_payloads)
        + usize::from(request.with_sort_keys);
    out.map(2 + heads + usize::from(!request.no_content));
    out.status("id");
    out.bulk(&document.key);
    write_heads(request, document, out, true);
    if !request.no_content {
        out.status("extra_attributes");
        write_fields(request, document, out);
    }
    out.status("values");
    out.array(0);
}

/// The map of results of RESP3, up to the results themselves.
pub fn begin_map(warnings: Warnings, total: u64, expands: bool, out: &mut Reply) {
    out.map(5);
    out.status("attributes");
    out.array(0);
    out.status("warning");
    write_warnings(warnings, out);
    out.status("total_results");
    out.natural(total);
    out.status("format");
    out.status(if expands { "EXPAND" } else { "STRING" });
    out.status("results");
}

/// A list of sentences.
pub fn write_warnings(warnings: Warnings, out: &mut Reply) {
    let texts = warnings.texts();
    out.array(texts.len());
    texts.for_each(|text| out.status(text));
}

fn write_heads(request: &Request, document: &Document, out: &mut Reply, named: bool) {
    let hit = &document.hit;
    let name = |out: &mut Reply, name: &str| {
        if named {
            out.status(name);
        }
    };
    if request.with_scores {
        name(out, "score");
        match &hit.explanation {
            Some(why) => {
                out.array(2);
                out.double(hit.score);
                write_explanation(why, out);
            }
            None => out.double(hit.score),
        }
    }
    if request.with_payloads {
        name(out, "payload");
        match &document.payload {
            Some(payload) => out.bulk(payload),
            None => out.null(),
        }
    }
    if request.with_sort_keys {
        name(out, "sortkey");
        match &hit.sort_value {
            Some(SortValue::Number(number)) => {
                out.bulk(&[b"#", base::number::format_shortest(*number).as_bytes()].concat());
            }
            Some(SortValue::Text(text)) => out.bulk(&[b"$", &text[..]].concat()),
            Some(SortValue::Missing) | None => out.null(),
        }
    }
}

/// A line, or one with the lines that it was made of.
fn write_explanation(why: &Explanation, out: &mut Reply) {
    if why.children.is_empty() {
        return out.bulk(why.text.as_bytes());
    }
    out.array(2);
    out.bulk(why.text.as_bytes());
    out.array(why.children.len());
    why.children.iter().for_each(|child| write_explanation(child, out));
}

/// The distances of vectors, and what is shown of the document.
fn write_fields(request: &Request, document: &Document, out: &mut Reply) {
    let Loaded::Fields(fields) = &document.loaded else { return out.null() };
    let named = request.question.parts.names().zip(&document.hit.distances);
    let known = named.filter_map(|(name, distance)| Some((name?, (*distance)?)));
    let distances: Vec<_> = known.filter(|(name, _)| request.selection.wants(name)).collect();
    out.map(distances.len() + fields.len());
    for (name, distance) in distances {
        out.bulk(name);
        out.bulk(result_text(distance).as_bytes());
    }
    write_pairs(fields, out);
}

fn write_pairs(fields: &Fields, out: &mut Reply) {
    for (name, value) in fields {
        out.bulk(name);
        match value {
            Shown::Text(text) => out.bulk(text),
            Shown::Reply(reply) => out.raw(reply),
        }
    }
}
