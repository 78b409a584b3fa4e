//! Which words of a query a document has: what `matched_terms()` tells.

use crate::DocumentId;
use crate::index::Index;
use crate::query::{Kind, Node, SOUND_MARK, STEM_MARK, SYNONYM_MARK, Term};
use crate::schema::FieldMask;

/// The words of a query that a document has, each once, in the order of the query. What stands for words (`pre*`, `%fuzzy%`) and what a word
/// sounds like are no words, and what is excluded is not looked for.
pub fn matched_terms(query: &Node, index: &Index, id: DocumentId) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    collect(query, index, id, &mut words);
    words
}

fn collect(node: &Node, index: &Index, id: DocumentId, words: &mut Vec<Vec<u8>>) {
    match &node.kind {
        Kind::Term(Term { word, .. }) => {
            let is_form = matches!(word.first(), Some(&(STEM_MARK | SYNONYM_MARK | SOUND_MARK)));
            if !is_form && !words.contains(word) && has(index, word, node.fields, id) {
                words.push(word.clone());
            }
        }
        Kind::Not(_) => {}
        _ => node.children().iter().for_each(|child| collect(child, index, id, words)),
    }
}

fn has(index: &Index, word: &[u8], fields: FieldMask, id: DocumentId) -> bool {
    let block =
        index.postings(word, false).and_then(|postings| postings.block_with(id, index.schema().economies));
    let Some((mut reader, _)) = block else { return false };
    while let Some(next) = reader.next() {
        if next >= id {
            return next == id && reader.fields() & fields != 0;
        }
    }
    false
}
