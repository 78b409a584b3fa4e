//! Values by the ids of documents.
//!
//! Ids come in containers of 65,536, of which shards take turns, and the lowest of a container are given out first. So a list for each container has few gaps, takes less memory than
//! a map, and a look-up is two reads without a search.

use crate::DocumentId;

/// Ids of a container, as a number of bits.
const CONTAINER_BITS: u32 = 16;

/// A value for some ids.
#[derive(Debug)]
pub(crate) struct ById<T> {
    containers: Vec<Vec<Option<T>>>,
    len: usize,
}

impl<T> Default for ById<T> {
    fn default() -> Self {
        Self { containers: Vec::new(), len: 0 }
    }
}

/// In which container an id is, and the how manieth there.
#[inline]
fn place(id: DocumentId) -> (usize, usize) {
    ((id >> CONTAINER_BITS) as usize, (id & ((1 << CONTAINER_BITS) - 1)) as usize)
}

impl<T> ById<T> {
    /// What one more id takes, about.
    pub const ENTRY_BYTES: usize = size_of::<Option<T>>();

    /// How many ids have a value.
    pub fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub fn get(&self, id: DocumentId) -> Option<&T> {
        let (container, at) = place(id);
        self.containers.get(container)?.get(at)?.as_ref()
    }

    /// Where the value of an id lies, to be asked for; nothing is read there.
    #[inline]
    pub fn place(&self, id: DocumentId) -> Option<&Option<T>> {
        let (container, at) = place(id);
        self.containers.get(container)?.get(at)
    }

    /// Gives an id a value; the one that it had.
    pub fn insert(&mut self, id: DocumentId, value: T) -> Option<T> {
        let (container, at) = place(id);
        if self.containers.len() <= container {
            self.containers.resize_with(container + 1, Vec::new);
        }
        let values = &mut self.containers[container];
        if values.len() <= at {
            values.resize_with(at + 1, || None);
        }
        let before = values[at].replace(value);
        self.len += usize::from(before.is_none());
        before
    }

    /// Takes the value of an id. A container that has none left gives its memory back.
    pub fn remove(&mut self, id: DocumentId) -> Option<T> {
        let (container, at) = place(id);
        let values = self.containers.get_mut(container)?;
        let value = values.get_mut(at)?.take()?;
        self.len -= 1;
        while values.last().is_some_and(Option::is_none) {
            values.pop();
        }
        if values.is_empty() {
            *values = Vec::new();
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Random;
    use std::collections::HashMap;

    #[test]
    fn it_is_a_map() {
        let mut random = Random::from_seed(9);
        let (mut values, mut model) = (ById::default(), HashMap::new());
        for step in 0..20_000_u32 {
            let id = [0, 3, 65_535][random.index(3)] << CONTAINER_BITS | random.index(300) as u32;
            if random.index(3) > 0 {
                assert_eq!(values.insert(id, step), model.insert(id, step));
            } else {
                assert_eq!(values.remove(id), model.remove(&id));
            }
            assert_eq!(values.len(), model.len());
            assert_eq!(values.get(id), model.get(&id));
        }
        for id in model.into_keys() {
            assert!(values.remove(id).is_some());
        }
        assert_eq!(values.len(), 0);
        assert!(values.containers.iter().all(|container| container.capacity() == 0));
    }
}
