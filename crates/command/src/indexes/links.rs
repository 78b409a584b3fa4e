//! Graphs in files: how vectors are linked stands behind the keys, in fields of their own, so that a start need not link them anew.
//!
//! Every shard writes the links of its own documents, some in each step of a save, after its keys: what has changed since the save began does no harm (`vector`, *remembered*). When a file is
//! read the fields are kept until all of it has been, for the indexes may be others until then.

use super::Indexes;
use super::documents::Documents;
use search::DocumentId;
use search::schema::FieldNumber;
use std::sync::Arc;

/// Documents whose links are written at once: about 100 µs.
const DOCUMENTS_AT_ONCE: u32 = 32;

/// A save on its way through the graphs.
#[derive(Debug)]
pub(super) struct SavingLinks {
    /// Indexes by name, with fields; the last is the next.
    left: Vec<(Vec<u8>, FieldNumber)>,
    /// How many slots of documents have been seen of that.
    seen: u32,
}

/// What a file says of the links of some vectors. A copy shares the bytes.
#[derive(Clone, Debug)]
pub struct Links {
    index: Arc<[u8]>,
    field: FieldNumber,
    links: Arc<[u8]>,
}

impl Indexes {
    /// A save begins.
    pub(crate) fn begin_saving_links(&mut self) {
        let fields = |(name, index): (&Vec<u8>, &super::ShardIndex)| {
            let name = name.clone();
            index.index.graph_fields().map(move |field| (name.clone(), field)).collect::<Vec<_>>()
        };
        self.saving_links =
            Some(SavingLinks { left: self.by_name.iter().flat_map(fields).collect(), seen: 0 });
    }

    /// The value of the next field of a file; `None` if all have been written.
    pub(crate) fn links_to_save(&mut self) -> Option<Vec<u8>> {
        let saving = self.saving_links.as_mut()?;
        while let Some((name, field)) = saving.left.last() {
            let index = self.by_name.get(name);
            let ids = |documents: &Documents| {
                let slots = saving.seen..saving.seen.saturating_add(DOCUMENTS_AT_ONCE);
                documents.ids_of(slots).map(Iterator::collect::<Vec<DocumentId>>)
            };
            let Some((index, ids)) = index.and_then(|index| Some((index, ids(&index.documents)?))) else {
                saving.left.pop();
                saving.seen = 0;
                continue;
            };
            saving.seen += DOCUMENTS_AT_ONCE;
            let mut links = Vec::new();
            index.index.save_links(*field, &ids, &mut links);
            if !links.is_empty() {
                let words = [name.as_slice(), &field.to_le_bytes(), &links];
                return Some(rdb::statements::encode(words.into_iter()));
            }
        }
        self.saving_links = None;
        None
    }

    /// Keeps what such a field says until all has been loaded. One that is damaged says nothing.
    pub fn keep_links(&mut self, value: &[u8]) {
        if let Some([index, field, links]) = rdb::statements::decode(value).as_deref()
            && let Ok(field) = <[u8; _]>::try_from(*field)
        {
            let field = FieldNumber::from_le_bytes(field);
            self.kept_links.push(Links { index: (*index).into(), field, links: (*links).into() });
        }
    }

    /// What has been kept, for other shards whose documents were loaded here.
    pub fn kept_links(&self) -> Vec<Links> {
        self.kept_links.clone()
    }

    /// Keeps what another shard has kept, too.
    pub fn keep_links_of_another(&mut self, links: &[Links]) {
        self.kept_links.extend_from_slice(links);
    }

    /// All has been loaded and is about to be indexed.
    pub(super) fn hand_over_links(&mut self) {
        for Links { index, field, links } in std::mem::take(&mut self.kept_links) {
            if let Some(index) = self.by_name.get(&*index) {
                index.index.remember_links(field, &links);
            }
        }
    }

    /// All that this shard, of so many, has loaded is indexed.
    pub(super) fn have_all_back(&self, shards: u16) {
        self.by_name.values().for_each(|index| index.index.has_all_back(shards.into()));
    }
}
