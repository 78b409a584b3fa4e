//! Indexes in files: the commands that make them again, without what they have of documents, which is found in the keys once these are
//! there.

use super::definition::Definition;
use super::{Indexes, scan};
use crate::{Error, Outcome, ShardCx};
use std::collections::BTreeMap;

/// The words of a command.
pub type Statement = Vec<Vec<u8>>;

/// Where numbers of indexes begin that a shard has from another: those that it has made itself while files were played are others.
const NUMBERS_HANDED_ON: u64 = 1 << 32;

fn statement(words: &[&[u8]], more: impl Iterator<Item = Vec<u8>>) -> Statement {
    words.iter().map(|word| word.to_vec()).chain(more).collect()
}

impl Indexes {
    /// What a data file says of them: names and values of AUX fields.
    pub fn fields(&self) -> Vec<(&'static str, Vec<u8>)> {
        let value = |words: &Statement| rdb::statements::encode(words.iter().map(Vec::as_slice));
        self.statements().iter().map(|words| (rdb::statements::FIELD, value(words))).collect()
    }

    /// All of them in the order in which they were made, with aliases, synonyms and dictionaries.
    pub fn statements(&self) -> Vec<Statement> {
        let mut all = Vec::new();
        let mut indexes: Vec<_> = self.iter().collect();
        indexes.sort_by_key(|(_, index)| index.definition.number);
        for (name, index) in indexes {
            let [created, altered @ ..] = index.definition.words.as_slice() else { continue };
            all.push(statement(&[b"FT.CREATE", name], created.iter().cloned()));
            for fields in altered {
                let head = [&b"FT.ALTER"[..], name, b"SKIPINITIALSCAN", b"SCHEMA", b"ADD"];
                all.push(statement(&head, fields.iter().cloned()));
            }
            let mut groups = BTreeMap::<&[u8], Vec<&[u8]>>::new();
            for (word, of) in index.synonyms.iter() {
                of.iter().for_each(|group| groups.entry(group).or_default().push(word));
            }
            for (group, mut words) in groups {
                words.sort_unstable();
                let head = [&b"FT.SYNUPDATE"[..], name, group, b"SKIPINITIALSCAN"];
                all.push(statement(&head, words.into_iter().map(<[u8]>::to_vec)));
            }
        }
        for (alias, name) in &self.aliases {
            all.push(statement(&[b"FT.ALIASADD", alias, name], std::iter::empty()));
        }
        for (dictionary, words) in &self.dictionaries {
            all.push(statement(&[b"FT.DICTADD", dictionary], words.iter().cloned()));
        }
        all
    }
}

impl ShardCx {
    /// Does again what one of [`Indexes::statements`] says. No key is looked at.
    ///
    /// # Errors
    /// It is none.
    pub fn restore_index(&mut self, words: &[&[u8]]) -> Outcome {
        let no_statement = || Error::text("it says nothing of indexes");
        let indexes = &mut self.indexes;
        match words {
            [b"FT.CREATE", name, schema @ ..] => {
                let number = indexes.next_number();
                let definition = Definition::parse(name, number, schema)?;
                if indexes.get(name).is_some() {
                    return Err(Error::text("the index is there twice"));
                }
                self.insert_index(definition);
            }
            [b"FT.ALTER", name, b"SKIPINITIALSCAN", b"SCHEMA", b"ADD", fields @ ..] => {
                let definition = self.index(name)?.definition.with_fields(fields)?;
                self.alter_index(definition, false);
            }
            [b"FT.SYNUPDATE", name, group, b"SKIPINITIALSCAN", words @ ..] => {
                self.add_synonyms(name, group, words, false)?;
            }
            [b"FT.ALIASADD", alias, name] if indexes.is_name(name) => indexes.set_alias(alias, name),
            [b"FT.DICTADD", dictionary, words @ ..] => {
                let known = indexes.dictionaries.entry(dictionary.to_vec()).or_default();
                known.extend(words.iter().map(|word| word.to_vec()));
            }
            _ => return Err(no_statement()),
        }
        Ok(())
    }

    /// As [`ShardCx::restore_index`], of a field of a data file.
    ///
    /// # Errors
    /// It is damaged.
    pub fn restore_saved_index(&mut self, value: &[u8]) -> Outcome {
        let words = rdb::statements::decode(value).ok_or_else(|| Error::text("it is damaged"))?;
        self.restore_index(&words)
    }

    /// Has the indexes that another shard has made while it played what was written down, and no others.
    ///
    /// # Errors
    /// Why one of them is none.
    pub fn replace_indexes(&mut self, statements: &[Statement]) -> Outcome {
        self.indexes.clear();
        self.indexes.last_number = NUMBERS_HANDED_ON;
        statements.iter().try_for_each(|words| {
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            self.restore_index(&words)
        })
    }

    /// The data has been loaded: begins to look at all keys.
    pub fn begin_indexing_loaded(&mut self) {
        self.indexes.changed.clear();
        self.indexes.hand_over_links();
        let names: Vec<Vec<u8>> = self.indexes.names().map(<[u8]>::to_vec).collect();
        names.iter().for_each(|name| self.begin_scan(name, scan::Purpose::New));
        self.set_listening();
    }

    /// Goes on with it for some keys; whether there are more. Nothing is over meanwhile: that is found out, and written down, later.
    pub fn index_loaded(&mut self) -> bool {
        let now_ms = std::mem::take(&mut self.now_ms);
        let has_more = self.scan_some();
        self.now_ms = now_ms;
        if !has_more {
            self.indexes.have_all_back(self.shards);
        }
        has_more
    }
}
