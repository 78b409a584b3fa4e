//! FT.AGGREGATE's GROUPBY: rows in groups, each with reducers that add them up. What a shard has added up is a [`Groups`], and those of
//! several shards make one: every reducer keeps what it takes to be put together with another.

mod collect;
mod partial;
mod reducer;
mod rows;

use crate::error::{Code, Error, OUT_OF_BOUNDS, shown};
use crate::expression::{Row, Value};
use base::random::Random;
use partial::Partial;
use std::collections::{HashMap, HashSet};

pub use collect::Collect;
pub use reducer::{Reducer, ReducerKind};
pub use rows::{Fields, SortKey, compare_rows};

/// GROUPBY with its REDUCEs.
#[derive(Clone, Debug)]
pub struct Grouping {
    /// The properties whose values make a group; none for one group of all.
    pub properties: Vec<Vec<u8>>,
    pub reducers: Vec<Reducer>,
    /// MAX_AGGREGATE_GROUPS: more are an error.
    pub groups_max: usize,
}

/// GROUPBY names no more properties.
const PROPERTIES_MAX: usize = u16::MAX as usize;

impl Grouping {
    /// Groups by these properties, written with `@`.
    ///
    /// # Errors
    /// A property without `@`, too many of them, or two of one name among properties and reducers.
    pub fn new(properties: &[&[u8]], reducers: Vec<Reducer>, groups_max: usize) -> Result<Self, Error> {
        if properties.len() > PROPERTIES_MAX {
            return Err(Error::bad_argument("GROUPBY", OUT_OF_BOUNDS));
        }
        let named = properties.iter().map(|property| {
            property.strip_prefix(b"@").map(<[u8]>::to_vec).ok_or_else(|| {
                let name = shown(property);
                Error::bad_argument("GROUPBY", &format!("Unknown property `{name}`. Did you mean `@{name}`?"))
            })
        });
        let properties = named.collect::<Result<Vec<_>, _>>()?;
        let mut seen = HashSet::new();
        let names = properties.iter().chain(reducers.iter().map(|reducer| &reducer.alias));
        for name in names {
            if !seen.insert(name) {
                let text = format!("Property `{}` specified more than once", shown(name));
                return Err(Error::new(Code::Arguments, text));
            }
        }
        Ok(Self { properties, reducers, groups_max })
    }

    fn check(&self, groups: usize) -> Result<(), Error> {
        if groups <= self.groups_max {
            return Ok(());
        }
        let text =
            format!("Aggregate GROUPBY exceeded MAX_AGGREGATE_GROUPS limit of {} groups", self.groups_max);
        Err(Error::new(Code::Limit, text))
    }
}

/// Groups that rows have been put into.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    /// Where the group with these values is.
    places: HashMap<Vec<u8>, usize>,
    /// In the order in which they came up.
    groups: Vec<Group>,
}

/// A group, and what its reducers have of its rows.
#[derive(Clone, Debug)]
pub struct Group {
    values: Vec<Value>,
    partials: Vec<Partial>,
}

impl Group {
    /// Its row: its values under their names, then what the reducers say under their aliases.
    pub fn into_row(self, grouping: &Grouping) -> Fields {
        let values = grouping.properties.iter().cloned().zip(self.values);
        let reduced = grouping.reducers.iter().zip(self.partials);
        let reduced = reduced.map(|(reducer, partial)| (reducer.alias.clone(), partial.finish(reducer)));
        Fields::new(values.chain(reduced))
    }
}

/// Groups one after the other, in the order in which they came up; each takes its share of the memory with it.
#[derive(Debug)]
pub struct EachGroup {
    groups: std::vec::IntoIter<Group>,
    places: std::collections::hash_map::IntoIter<Vec<u8>, usize>,
}

impl Iterator for EachGroup {
    type Item = Group;

    fn next(&mut self) -> Option<Group> {
        self.places.next();
        self.groups.next()
    }
}

impl IntoIterator for Groups {
    type Item = Group;
    type IntoIter = EachGroup;

    fn into_iter(self) -> EachGroup {
        EachGroup { groups: self.groups.into_iter(), places: self.places.into_iter() }
    }
}

impl Groups {
    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Puts a row into its group; into several if a property is a list, one for each of its values. `random` draws samples.
    ///
    /// # Errors
    /// There would be too many groups, of this row alone or of all.
    pub fn add(&mut self, grouping: &Grouping, row: &dyn Row, random: &mut Random) -> Result<(), Error> {
        let mut choices: Vec<Vec<Value>> = vec![Vec::new()];
        for property in &grouping.properties {
            let value = row.property(property).unwrap_or_default();
            let values = match value {
                Value::List(values) if values.is_empty() => vec![Value::Null],
                Value::List(values) => values,
                value => vec![value],
            };
            // Lists multiply.
            grouping.check(choices.len().saturating_mul(values.len()))?;
            let longer = |front: Vec<Value>| {
                values.iter().map(move |value| [&front[..], std::slice::from_ref(value)].concat())
            };
            choices = choices.into_iter().flat_map(longer).collect();
        }
        for values in choices {
            let group = self.group(values, grouping);
            for (partial, reducer) in group.partials.iter_mut().zip(&grouping.reducers) {
                partial.add(reducer, row, random);
            }
            grouping.check(self.len())?;
        }
        Ok(())
    }

    fn group(&mut self, values: Vec<Value>, grouping: &Grouping) -> &mut Group {
        let identity = Value::List(values.clone()).identity();
        let groups = &mut self.groups;
        let place = *self.places.entry(identity).or_insert_with(|| {
            let partials = grouping.reducers.iter().map(Partial::new).collect();
            groups.push(Group { values, partials });
            groups.len() - 1
        });
        &mut self.groups[place]
    }

    /// Adds a group of another shard.
    ///
    /// # Errors
    /// There are too many.
    pub fn take_in(&mut self, other: Group, grouping: &Grouping) -> Result<(), Error> {
        let own = self.group(other.values, grouping);
        for ((own, theirs), reducer) in own.partials.iter_mut().zip(other.partials).zip(&grouping.reducers) {
            own.merge(theirs, reducer);
        }
        grouping.check(self.len())
    }
}
