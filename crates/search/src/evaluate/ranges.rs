//! Ranges of numbers, circles and relations to shapes as cursors: their documents are collected first, in steps, since the index has them in the order of the
//! numbers.

use super::cursor::Progress;
use super::ids::Ids;
use crate::DocumentId;
use crate::index::{Index, Place, Shapes, covering, key};
use crate::query::{Circle, NumericRange, Relation};
use crate::schema::FieldNumber;
use crate::shape::{Extent, Shape};
use roaring::RoaringBitmap;
use std::sync::Arc;

/// Pairs of edges that are held against each other for one unit of fuel.
const PAIRS_AT_ONCE: usize = 16;

/// Documents with a value in a range.
#[derive(Debug)]
pub(super) struct Range {
    field: FieldNumber,
    test: Test,
    estimate: u64,
    state: State,
    version: u64,
}

#[derive(Debug)]
enum Test {
    Number(NumericRange),
    Circle { centre: Place, radius_metres: f64 },
    Shape { relation: Relation, shape: Arc<Shape> },
}

#[derive(Debug)]
enum State {
    /// Ranges of keys that are left, the next to be done last; where to go on in that one; what has been found.
    Collecting {
        keys: Vec<(u64, u64)>,
        from: Option<(u64, DocumentId)>,
        found: RoaringBitmap,
    },
    /// The box that shapes must meet, the leaf to go on with, what has been found.
    Meeting {
        extent: Extent,
        from: usize,
        found: RoaringBitmap,
    },
    Ready(Ids),
}

impl Range {
    pub fn numbers(index: &Index, field: FieldNumber, range: NumericRange) -> Self {
        let low = key(range.min).saturating_add(u64::from(range.excludes_min));
        let high = key(range.max).saturating_sub(u64::from(range.excludes_max));
        let keys = if low <= high { vec![(low, high)] } else { Vec::new() };
        Self::new(index, field, Test::Number(range), keys)
    }

    pub fn circle(index: &Index, field: FieldNumber, circle: &Circle) -> Self {
        let centre = Place { longitude: circle.longitude, latitude: circle.latitude };
        let radius_metres = circle.radius_metres();
        let keys = covering(centre, radius_metres);
        Self::new(index, field, Test::Circle { centre, radius_metres }, keys)
    }

    pub fn shapes(index: &Index, field: FieldNumber, relation: Relation, shape: &Arc<Shape>) -> Self {
        let all = index.shapes(field).map(Shapes::ids);
        let estimate = all.map_or(0, RoaringBitmap::len);
        let state = match relation {
            Relation::Disjoint => State::Ready(Ids::new(all.cloned().unwrap_or_default(), None)),
            _ => State::Meeting { extent: shape.extent(), from: 0, found: RoaringBitmap::new() },
        };
        let test = Test::Shape { relation, shape: Arc::clone(shape) };
        Self { field, test, estimate, state, version: index.version() }
    }

    fn new(index: &Index, field: FieldNumber, test: Test, keys: Vec<(u64, u64)>) -> Self {
        let ranges = index.ranges(field);
        let count = |(low, high): &(u64, u64)| ranges.map_or(0, |ranges| ranges.count(*low, *high) as u64);
        let estimate = keys.iter().map(count).sum();
        let state = State::Collecting { keys, from: None, found: RoaringBitmap::new() };
        Self { field, test, estimate, state, version: index.version() }
    }

    pub fn estimate(&self) -> u64 {
        self.estimate
    }

    /// Whether a document has a value in the range.
    pub fn accepts(&self, index: &Index, id: DocumentId) -> bool {
        let Some(record) = index.record(id) else { return false };
        match &self.test {
            Test::Number(range) => record.numbers(self.field).any(|number| range.contains(number)),
            Test::Circle { centre, radius_metres } => {
                record.places(self.field).any(|place| centre.distance_metres(place) <= *radius_metres)
            }
            Test::Shape { relation, shape } => {
                record.shape(self.field).is_some_and(|own| own.is(*relation, shape))
            }
        }
    }

    pub fn advance(&mut self, index: &Index, target: DocumentId, fuel: &mut usize) -> Progress {
        if !self.collect(index, fuel) {
            return Progress::Pending;
        }
        // Squares hold more than the circle; and what was collected may have changed since.
        let must_look = !matches!(self.test, Test::Number(_)) || self.version != index.version();
        let mut target = target;
        loop {
            let State::Ready(ids) = &mut self.state else { return Progress::Pending };
            let id = match ids.advance(target, fuel) {
                Progress::At(id) => id,
                other => return other,
            };
            *fuel = fuel.saturating_sub(self.effort(index, id));
            if !must_look || self.accepts(index, id) {
                return Progress::At(id);
            }
            let Some(next) = id.checked_add(1) else { return Progress::End };
            target = next;
            if *fuel == 0 {
                // What was looked at is not looked at again.
                if let State::Ready(ids) = &mut self.state {
                    ids.skip_to(next);
                }
                return Progress::Pending;
            }
        }
    }

    /// What looking at a document costs beside finding it.
    fn effort(&self, index: &Index, id: DocumentId) -> usize {
        let Test::Shape { shape, .. } = &self.test else { return 0 };
        let own = index.record(id).and_then(|record| record.shape(self.field));
        own.map_or(0, |own| own.len() * shape.len() / PAIRS_AT_ONCE)
    }

    /// Goes on collecting; says whether that is done.
    fn collect(&mut self, index: &Index, fuel: &mut usize) -> bool {
        if let State::Meeting { extent, from, found } = &mut self.state {
            let shapes = index.shapes(self.field);
            if let Some(next) = shapes.and_then(|shapes| shapes.collect(*from, extent, found, fuel)) {
                *from = next;
                return false;
            }
            self.state = State::Ready(Ids::new(std::mem::take(found), None));
        }
        let State::Collecting { keys, from, found } = &mut self.state else { return true };
        while let Some(&(low, high)) = keys.last() {
            if *fuel == 0 {
                return false;
            }
            let Some(ranges) = index.ranges(self.field) else { break };
            *from = ranges.collect(from.unwrap_or((low, 0)), high, found, fuel);
            if from.is_none() {
                keys.pop();
            }
        }
        self.state = State::Ready(Ids::new(std::mem::take(found), None));
        true
    }
}
