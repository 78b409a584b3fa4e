//! How near to each other words stand: phrases, `$slop` and `$inorder`.

use super::cursor::Cursor;
use crate::DocumentId;
use crate::index::Index;

/// What is asked of the words of an intersection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proximity {
    /// How many words may stand between them; `None` for any number.
    pub slop: Option<u32>,
    /// Whether they stand in the order of the query.
    pub in_order: bool,
}

impl Proximity {
    /// Whether the words of these cursors stand so in a document. What has no positions, as numbers and tags, is left out.
    pub fn holds(&self, cursors: &[Cursor], index: &Index, id: DocumentId) -> bool {
        let mut lists = Vec::with_capacity(cursors.len());
        for cursor in cursors {
            let mut positions = Vec::new();
            cursor.positions(index, id, &mut positions);
            if !positions.is_empty() {
                positions.sort_unstable();
                positions.dedup();
                lists.push(positions);
            }
        }
        if lists.len() < 2 {
            return true;
        }
        if self.in_order { in_order(&lists, self.slop) } else { in_any_order(&lists, self.slop) }
    }
}

/// Words between the first and the last of `count` words.
fn between(first: u32, last: u32, count: usize) -> u32 {
    (last - first).saturating_sub(count as u32 - 1)
}

/// Ascending positions, one of each list. For each first one the others are taken as early as possible.
fn in_order(lists: &[Vec<u32>], slop: Option<u32>) -> bool {
    let mut places = vec![0; lists.len()];
    for &first in &lists[0] {
        let mut last = first;
        for (list, place) in lists.iter().zip(&mut places).skip(1) {
            while list.get(*place).is_some_and(|position| *position <= last) {
                *place += 1;
            }
            match list.get(*place) {
                Some(position) => last = *position,
                None => return false,
            }
        }
        if slop.is_none_or(|slop| between(first, last, lists.len()) <= slop) {
            return true;
        }
    }
    false
}

/// One position of each list, as near together as possible: the least is moved on again and again.
fn in_any_order(lists: &[Vec<u32>], slop: Option<u32>) -> bool {
    let Some(slop) = slop else { return true };
    let mut places = vec![0; lists.len()];
    loop {
        let now = || lists.iter().zip(&places).map(|(list, place)| list[*place]);
        let (first, last) = (now().min().unwrap_or(0), now().max().unwrap_or(0));
        if between(first, last, lists.len()) <= slop {
            return true;
        }
        let least = now().position(|position| position == first).unwrap_or(0);
        places[least] += 1;
        if places[least] == lists[least].len() {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All choices of positions.
    fn choices(lists: &[Vec<u32>]) -> Vec<Vec<u32>> {
        lists.iter().fold(vec![Vec::new()], |done, list| {
            let longer = |front: &Vec<u32>| {
                let front = front.clone();
                list.iter().map(move |position| [&front[..], &[*position]].concat()).collect::<Vec<_>>()
            };
            done.iter().flat_map(longer).collect()
        })
    }

    proptest! {
        #[test]
        fn as_trying_all_choices_says(
            lists in prop::collection::vec(prop::collection::btree_set(0..14u32, 1..4), 2..4),
            slop in prop::option::of(0..5u32),
        ) {
            let lists: Vec<Vec<u32>> = lists.into_iter().map(|list| list.into_iter().collect()).collect();
            let fits = |choice: &Vec<u32>| {
                let (first, last) = (choice.iter().min().unwrap(), choice.iter().max().unwrap());
                slop.is_none_or(|slop| i64::from(last - first) - (choice.len() as i64 - 1) <= i64::from(slop))
            };
            let ascends = |choice: &Vec<u32>| choice.windows(2).all(|pair| pair[0] < pair[1]);
            prop_assert_eq!(in_any_order(&lists, slop), choices(&lists).iter().any(fits));
            let expected = choices(&lists).iter().any(|choice| ascends(choice) && fits(choice));
            prop_assert_eq!(in_order(&lists, slop), expected);
        }
    }
}
