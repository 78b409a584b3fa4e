//! A value under a key, with an account of its memory that is kept while it changes.

use crate::edit::{self, Change, Step};
use crate::showing::Keeper;
use crate::{Node, View};

/// Invariant: `bytes` is what [`Node::heap_bytes`] of the value says.
#[derive(Clone)]
pub struct Document {
    root: Node,
    bytes: usize,
}

impl Document {
    pub fn new(root: Node) -> Self {
        let bytes = root.heap_bytes();
        Self { root, bytes }
    }

    /// The value, to be read.
    pub fn view(&self) -> View<'_> {
        self.root.view()
    }

    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Whoever changes it so that it takes more or less memory leaves the account wrong.
    pub(crate) fn root_mut(&mut self) -> &mut Node {
        &mut self.root
    }

    /// The same document once more, if it is one long array of numbers: both share these until one changes.
    pub fn shared_numbers(&self) -> Option<Self> {
        self.root.shared_numbers().is_some().then(|| self.clone())
    }

    /// Bytes of memory behind the document, itself not included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// See [`edit::apply`].
    pub fn apply(&mut self, place: &[Step], change: Change) -> bool {
        let mut keeper = Keeper::of(&mut self.root);
        let edited = edit::attempt(&mut self.root, place, change, &mut keeper);
        if keeper.bytes > 0 {
            self.add_kept(keeper.bytes);
        }
        self.bytes = self.bytes + edited.more_bytes - edited.less_bytes;
        debug_assert!(self.bytes < usize::MAX / 2, "more was freed than there was");
        edited.is_done
    }

    /// Puts another value in the place of one inside; false if there is none. Who puts another in the place of all makes a new document.
    ///
    /// # Panics
    /// If the place is the document as a whole.
    pub fn replace(&mut self, place: &[Step], value: Node) -> bool {
        match place.split_last() {
            None => panic!("a document is exchanged as a whole, for who shows it needs it"),
            Some((Step::Index(index), outer)) => {
                self.apply(outer, Change::Splice(*index..index + 1, vec![value]))
            }
            Some((Step::Name(name), outer)) => {
                edit::look_up(self.view(), place).is_some()
                    && self.apply(outer, Change::Put(name.clone(), value))
            }
        }
    }
}

impl std::fmt::Debug for Document {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view().fmt(formatter)
    }
}

/// A document on its way out, freed step by step: what is inside it waits on a stack.
pub struct Remains {
    stack: Vec<Node>,
    bytes: usize,
}

/// Nodes that a step frees.
const NODES_AT_ONCE: usize = 64;

impl Remains {
    pub fn of(document: Document) -> Self {
        Self { bytes: document.bytes, stack: vec![document.root] }
    }

    /// Heap bytes not yet freed, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Frees some more; false if nothing was left.
    pub fn free_step(&mut self) -> bool {
        let had_some = !self.stack.is_empty();
        for _ in 0..NODES_AT_ONCE {
            let Some(node) = self.stack.pop() else { break };
            let whole = node.shallow_bytes();
            match node.into_inner() {
                Ok(inner) => self.stack.extend(inner),
                Err(leaf) => drop(leaf),
            }
            self.bytes = self.bytes.saturating_sub(whole);
        }
        if self.stack.is_empty() {
            self.bytes = 0;
        }
        had_some
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn large() -> Document {
        let element = format!(r#"{{"name":"{}","numbers":[{}]}}"#, "x".repeat(100), "1.5,".repeat(99) + "1");
        let text = format!(r#"{{"a":[{}],"b":{{"c":[1,"two",null]}}}}"#, vec![element; 500].join(","));
        Document::new(parse(text.as_bytes(), None).expect("JSON"))
    }

    #[test]
    fn all_bytes_go_step_by_step() {
        let document = large();
        let bytes = document.bytes();
        assert_eq!(bytes, document.root().heap_bytes());
        let mut remains = Remains::of(document);
        assert_eq!(remains.bytes(), bytes);
        let mut steps = 0;
        while remains.free_step() {
            steps += 1;
        }
        assert!(steps > 2 && remains.bytes() == 0, "{steps} steps");
        let mut half = Remains::of(large());
        assert!(half.free_step() && half.bytes() < bytes);
    }

    #[test]
    fn the_account_follows_changes() {
        let mut document = large();
        let (a, index, name) = (Step::Name((*b"a").into()), Step::Index(7), Step::Name((*b"name").into()));
        let new = || parse(format!("[{}]", vec!["\"y\""; 4000].join(",")).as_bytes(), None).expect("JSON");
        assert!(document.replace(&[a.clone(), index.clone(), name.clone()], new()));
        assert!(document.apply(&[a.clone(), index], Change::Put((*b"more").into(), new())));
        assert!(document.apply(std::slice::from_ref(&a), Change::Take(vec![0, 3, 499])));
        assert!(!document.apply(&[a.clone(), Step::Index(0), a.clone()], Change::Take(vec![0])));
        assert!(document.apply(&[], Change::Remove((*b"b").into())));
        assert_eq!(document.bytes(), document.root().heap_bytes());
    }
}
