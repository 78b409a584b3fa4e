//! The consumer groups of a stream, by name.
//!
//! Invariant: the bytes of all groups are known without asking each; a group is changed only through the guard that keeps the account.

use super::StreamId;
use super::group::Group;
use std::ops::{Deref, DerefMut};

/// Groups, ascending by name.
#[derive(Debug, Default)]
pub struct Groups {
    groups: Vec<Group>,
    /// Heap bytes of the groups, without the vector.
    heap_bytes: usize,
}

impl Clone for Groups {
    fn clone(&self) -> Self {
        let groups = self.groups.clone();
        let heap_bytes = groups.iter().map(Group::bytes).sum();
        Self { groups, heap_bytes }
    }
}

impl Groups {
    #[inline]
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Heap bytes held.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.heap_bytes + self.groups.capacity() * size_of::<Group>()
    }

    fn find(&self, name: &[u8]) -> Result<usize, usize> {
        self.groups.binary_search_by(|group| group.name().cmp(name))
    }

    pub fn get(&self, name: &[u8]) -> Option<&Group> {
        self.find(name).ok().map(|index| &self.groups[index])
    }

    /// A group, to be changed.
    pub fn get_mut(&mut self, name: &[u8]) -> Option<GroupMut<'_>> {
        let index = self.find(name).ok()?;
        Some(GroupMut::new(&mut self.groups[index], &mut self.heap_bytes))
    }

    /// Adds a group unless there is one of its name; whether it did.
    pub fn add(&mut self, group: Group) -> bool {
        let Err(index) = self.find(group.name()) else { return false };
        self.heap_bytes += group.bytes();
        self.groups.insert(index, group);
        true
    }

    /// Takes a group out.
    pub fn remove(&mut self, name: &[u8]) -> Option<Group> {
        let group = self.groups.remove(self.find(name).ok()?);
        self.heap_bytes -= group.bytes();
        Some(group)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Group> {
        self.groups.iter()
    }

    /// Whether some group has yet to deliver an entry, or waits for it to be acknowledged.
    pub fn refer_to(&self, id: StreamId) -> bool {
        self.groups.iter().any(|group| group.last_id < id || group.pending().get(id).is_some())
    }

    /// No group waits for the entry to be acknowledged any more; whether one did.
    pub fn forget(&mut self, id: StreamId) -> bool {
        let mut did = false;
        for group in &mut self.groups {
            did |= GroupMut::new(group, &mut self.heap_bytes).acknowledge(id);
        }
        did
    }

    /// Frees some of what there is, of a stream on its way out; false if nothing was left.
    pub fn free_step(&mut self) -> bool {
        let Some(group) = self.groups.last_mut() else { return false };
        if !GroupMut::new(group, &mut self.heap_bytes).free_step()
            && let Some(group) = self.groups.pop()
        {
            self.heap_bytes -= group.bytes();
        }
        true
    }
}

/// The right to change a group; the account follows when it ends.
pub struct GroupMut<'a> {
    group: &'a mut Group,
    account: &'a mut usize,
    bytes_before: usize,
}

impl<'a> GroupMut<'a> {
    fn new(group: &'a mut Group, account: &'a mut usize) -> Self {
        let bytes_before = group.bytes();
        Self { group, account, bytes_before }
    }
}

impl Deref for GroupMut<'_> {
    type Target = Group;
    fn deref(&self) -> &Group {
        self.group
    }
}

impl DerefMut for GroupMut<'_> {
    fn deref_mut(&mut self) -> &mut Group {
        self.group
    }
}

impl Drop for GroupMut<'_> {
    fn drop(&mut self) {
        *self.account = *self.account - self.bytes_before + self.group.bytes();
    }
}

#[cfg(test)]
mod tests;
