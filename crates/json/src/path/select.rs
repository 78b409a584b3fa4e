//! Which values of a document a path leads to, and where they are.
//!
//! Matches come in the order of the document: a value before what is inside it, elements and members in their order. One that several selectors
//! lead to comes as often.

use super::evaluate::{Evaluation, Item};
use super::syntax::{Expression, Segment, Selector};
use super::{Body, Pick, Query, picks_of};
use crate::edit::Step;
use crate::view::{Array, Object};
use crate::{Node, View};

/// A query has taken all the steps that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMuchWork;

/// A value that was found.
#[derive(Clone, Copy)]
pub struct Match<'a> {
    pub value: View<'a>,
    /// Where it is: a number of [`Selection::place`].
    link: u32,
}

/// What a path leads to.
pub struct Selection<'a> {
    pub matches: Vec<Match<'a>>,
    trail: Trail<'a>,
}

impl Selection<'_> {
    /// Where a match is.
    pub fn place(&self, found: &Match<'_>) -> Vec<Step> {
        self.trail.place(found.link)
    }
}

/// Steps that a match costs: what it takes of memory, all the more if there are many.
const MATCH_STEPS: u64 = 16;

/// The values that a path leads to.
///
/// # Errors
/// When that takes more than so many steps.
///
/// # Panics
/// If the query is a projection.
pub fn select<'a>(query: &'a Query, root: View<'a>, steps: u64) -> Result<Selection<'a>, TooMuchWork> {
    run(query, root, steps, Trail::absent())
}

/// As [`select`], with the places of the values.
///
/// # Errors
/// When that takes more than so many steps.
///
/// # Panics
/// If the query is a projection.
pub fn places<'a>(query: &'a Query, root: View<'a>, steps: u64) -> Result<Selection<'a>, TooMuchWork> {
    run(query, root, steps, Trail::default())
}

fn run<'a>(
    query: &'a Query,
    root: View<'a>,
    steps: u64,
    trail: Trail<'a>,
) -> Result<Selection<'a>, TooMuchWork> {
    let Body::Path(segments) = &query.body else { panic!("a projection leads to no values") };
    let mut evaluation = Evaluation::new(root, steps);
    let mut walk = Walk { evaluation: &mut evaluation, trail };
    let matches = walk.along(root, segments)?;
    Ok(Selection { matches, trail: walk.trail })
}

/// What an expression makes of a document, as the list that is shown for it; of a path, the values that it leads to.
///
/// # Errors
/// When that takes more than so many steps.
pub fn project<'a>(query: &'a Query, root: View<'a>, steps: u64) -> Result<Vec<Item<'a>>, TooMuchWork> {
    match &query.body {
        Body::Path(_) => {
            let selection = select(query, root, steps)?;
            Ok(selection.matches.iter().map(|found| Item::There(found.value)).collect())
        }
        Body::Projection(expression) => {
            let mut evaluation = Evaluation::new(root, steps);
            Ok(evaluation.value(expression, root)?.into_items())
        }
    }
}

/// How each value was reached: links from it to what it is in. Off while nobody wants to know.
#[derive(Default)]
struct Trail<'a> {
    links: Vec<Link<'a>>,
    is_absent: bool,
}

struct Link<'a> {
    outer: u32,
    step: Inner<'a>,
}

#[derive(Clone, Copy)]
enum Inner<'a> {
    Name(&'a [u8]),
    Index(usize),
}

/// The link of the document itself.
const ROOT: u32 = u32::MAX;

impl<'a> Trail<'a> {
    fn absent() -> Self {
        Self { links: Vec::new(), is_absent: true }
    }

    fn link(&mut self, outer: u32, step: Inner<'a>) -> u32 {
        if self.is_absent {
            return ROOT;
        }
        self.links.push(Link { outer, step });
        (self.links.len() - 1) as u32
    }

    fn place(&self, mut link: u32) -> Vec<Step> {
        let mut place = Vec::new();
        while let Some(Link { outer, step }) = self.links.get(link as usize) {
            place.push(match step {
                Inner::Name(name) => Step::Name((*name).into()),
                Inner::Index(index) => Step::Index(*index),
            });
            link = *outer;
        }
        place.reverse();
        place
    }
}

/// One walk along segments.
struct Walk<'w, 'a> {
    evaluation: &'w mut Evaluation<'a>,
    trail: Trail<'a>,
}

/// The values that segments lead to, for an expression.
pub(super) fn nodes<'a>(
    evaluation: &mut Evaluation<'a>,
    from: View<'a>,
    segments: &'a [Segment],
) -> Result<Vec<View<'a>>, TooMuchWork> {
    let mut walk = Walk { evaluation, trail: Trail::absent() };
    Ok(walk.along(from, segments)?.into_iter().map(|found| found.value).collect())
}

/// The value that segments lead to, each of which picks one at most; `Err` if some do not.
pub(super) fn picked<'a>(from: View<'a>, segments: &'a [Segment]) -> Result<Option<View<'a>>, ()> {
    let mut value = Some(from);
    for pick in picks_of(segments) {
        let pick = pick.ok_or(())?;
        value = value.and_then(|value| pick_in(value, pick)).map(|(value, _)| value);
    }
    Ok(value)
}

fn pick_in<'a>(value: View<'a>, pick: Pick<'a>) -> Option<(View<'a>, Inner<'a>)> {
    match (value, pick) {
        (View::Object(object), Pick::Name(name)) => object.get(name).map(|value| (value, Inner::Name(name))),
        (View::Array(array), Pick::Index(index)) => {
            let index = position(index, array.len())?;
            array.get(index).map(|value| (value, Inner::Index(index)))
        }
        _ => None,
    }
}

/// An index from the beginning; `None` if it is in front of that.
pub fn position(index: i64, len: usize) -> Option<usize> {
    let from_start = if index < 0 { index + len as i64 } else { index };
    usize::try_from(from_start).ok()
}

impl<'a> Walk<'_, 'a> {
    fn along(&mut self, from: View<'a>, segments: &'a [Segment]) -> Result<Vec<Match<'a>>, TooMuchWork> {
        let mut matches = vec![Match { value: from, link: ROOT }];
        for segment in segments {
            let mut next = Vec::new();
            for found in &matches {
                if segment.is_descendant {
                    self.descend(*found, &segment.selectors, &mut next)?;
                } else {
                    self.select_each(*found, &segment.selectors, &mut next)?;
                }
            }
            matches = next;
        }
        Ok(matches)
    }

    /// Applies selectors to a value and to all inside it.
    fn descend(
        &mut self,
        from: Match<'a>,
        selectors: &'a [Selector],
        out: &mut Vec<Match<'a>>,
    ) -> Result<(), TooMuchWork> {
        let mut stack = vec![from];
        while let Some(found) = stack.pop() {
            self.select_each(found, selectors, out)?;
            let first = stack.len();
            self.each_child(found, |_, inner| {
                if matches!(inner.value, View::Array(_) | View::Object(_)) {
                    stack.push(inner);
                }
                Ok(())
            })?;
            stack[first..].reverse();
        }
        Ok(())
    }

    fn select_each(
        &mut self,
        found: Match<'a>,
        selectors: &'a [Selector],
        out: &mut Vec<Match<'a>>,
    ) -> Result<(), TooMuchWork> {
        selectors.iter().try_for_each(|selector| self.select(found, selector, out))
    }

    fn select(
        &mut self,
        found: Match<'a>,
        selector: &'a Selector,
        out: &mut Vec<Match<'a>>,
    ) -> Result<(), TooMuchWork> {
        self.evaluation.step()?;
        match (selector, found.value) {
            (Selector::Name(name), _) => self.pick(found, Pick::Name(name), out)?,
            (Selector::Index(index), _) => self.pick(found, Pick::Index(*index), out)?,
            (Selector::Wildcard, _) => self.each_child(found, |evaluation, inner| {
                evaluation.steps(MATCH_STEPS)?;
                out.push(inner);
                Ok(())
            })?,
            (Selector::Slice { start, end, step }, View::Array(array)) => {
                self.slice(found.link, array, (*start, *end, *step), out)?;
            }
            (Selector::Filter(filter), _) => self.filter(found, filter, out)?,
            (Selector::Slice { .. }, _) => {}
        }
        Ok(())
    }

    fn pick(
        &mut self,
        found: Match<'a>,
        pick: Pick<'a>,
        out: &mut Vec<Match<'a>>,
    ) -> Result<(), TooMuchWork> {
        if let Some((value, step)) = pick_in(found.value, pick) {
            self.evaluation.steps(MATCH_STEPS)?;
            out.push(Match { value, link: self.trail.link(found.link, step) });
        }
        Ok(())
    }

    fn filter(
        &mut self,
        found: Match<'a>,
        filter: &'a Expression,
        out: &mut Vec<Match<'a>>,
    ) -> Result<(), TooMuchWork> {
        self.each_child(found, |evaluation, inner| {
            if evaluation.is_true(filter, inner.value)? {
                evaluation.steps(MATCH_STEPS)?;
                out.push(inner);
            }
            Ok(())
        })
    }

    /// Shows the elements or members of a value.
    fn each_child(
        &mut self,
        found: Match<'a>,
        mut visit: impl FnMut(&mut Evaluation<'a>, Match<'a>) -> Result<(), TooMuchWork>,
    ) -> Result<(), TooMuchWork> {
        match found.value {
            View::Array(array) => {
                for (index, value) in array.iter().enumerate() {
                    self.evaluation.step()?;
                    let link = self.trail.link(found.link, Inner::Index(index));
                    visit(self.evaluation, Match { value, link })?;
                }
            }
            View::Object(object) => {
                for (name, value) in Object::iter(object) {
                    self.evaluation.step()?;
                    let link = self.trail.link(found.link, Inner::Name(name));
                    visit(self.evaluation, Match { value, link })?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// As RFC 9535 has it: bounds are cut to the array.
    fn slice(
        &mut self,
        outer: u32,
        array: Array<'a>,
        (start, end, step): (Option<i64>, Option<i64>, i64),
        out: &mut Vec<Match<'a>>,
    ) -> Result<(), TooMuchWork> {
        let len = array.len() as i64;
        let from_start = |bound: i64| if bound < 0 { bound.saturating_add(len) } else { bound };
        if step > 0 {
            let first = from_start(start.unwrap_or(0)).clamp(0, len);
            let behind = from_start(end.unwrap_or(len)).clamp(first, len);
            let range = array.iter().enumerate().skip(first as usize).take((behind - first) as usize);
            for (index, value) in range.step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
                self.evaluation.steps(MATCH_STEPS)?;
                out.push(Match { value, link: self.trail.link(outer, Inner::Index(index)) });
            }
        } else if step < 0 {
            let last = from_start(start.unwrap_or(len - 1)).clamp(-1, len - 1);
            let before = end.map_or(-1, from_start).clamp(-1, last);
            let values: Vec<_> = array.iter().enumerate().take((last + 1) as usize).collect();
            let range = values[(before + 1) as usize..].iter().rev();
            for &(index, value) in range.step_by(usize::try_from(step.unsigned_abs()).unwrap_or(usize::MAX)) {
                self.evaluation.steps(MATCH_STEPS)?;
                out.push(Match { value, link: self.trail.link(outer, Inner::Index(index)) });
            }
        }
        Ok(())
    }
}

/// A value of its own of what a selection shows.
impl From<&Item<'_>> for Node {
    fn from(item: &Item<'_>) -> Self {
        match item {
            Item::There(view) => Self::of(*view),
            Item::Made(node) => node.clone(),
        }
    }
}
