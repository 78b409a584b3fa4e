//! HIGHLIGHT and SUMMARIZE: the texts of fields as they are shown.

use super::load::{Fields, Shown};
use super::request::Request;
use crate::Cx;
use search::highlight::{Context, Highlighter};
use search::schema::Kind;

/// Puts tags around the words that the query looks for, and leaves of long texts what is near them.
pub fn dress(cx: &mut Cx<'_>, request: &Request, fields: &mut Fields) {
    if request.highlight.is_none() && request.summarize.is_none() {
        return;
    }
    let question = &request.question;
    let schema = &question.definition.schema;
    let Ok(index) = question.index(cx.shard) else { return };
    let mut highlighter = Highlighter::new(&question.node);
    for (name, value) in fields {
        let Some(field) = schema.field(name) else { continue };
        let (Kind::Text(text), Shown::Text(shown)) = (&schema.fields[usize::from(field)].kind, value) else {
            continue;
        };
        let names = |fields: &Option<Vec<Vec<u8>>>| {
            fields.as_ref().is_none_or(|fields| fields.iter().any(|field| field[..] == name[..]))
        };
        let highlight = request.highlight.as_ref().filter(|highlight| names(&highlight.fields));
        let tags = highlight.map(|highlight| (&highlight.tags.0[..], &highlight.tags.1[..]));
        let language = question.language;
        let of = Context { field: text, schema, language, synonyms: &index.synonyms };
        if let Some(summarize) = request.summarize.as_ref().filter(|summarize| names(&summarize.fields)) {
            *shown = highlighter.summarize(shown, of, &summarize.summary, tags);
        } else if let Some(tags) = tags {
            *shown = highlighter.highlight(shown, text, schema, language, &index.synonyms, tags);
        }
    }
}
