//! FT.TAGVALS: the values of a TAG field, in slices.

use super::query::question::index_of;
use crate::indexes::definition::Definition;
use crate::rounds::{Answer, Enquiry, FEW, Merge, Next, Part, RepliesWith};
use crate::spec::{acl, flag::*};
use crate::{Args, Command, Cx, Error};
use resp::Reply;
use search::schema::{FieldNumber, Kind};
use search::sorting::Sorting;
use std::sync::Arc;

pub const COMMANDS: &[Command] = &[Command::in_rounds::<TagValues>("FT.TAGVALS")
    .arity(3)
    .flags(READONLY | UPPER_CASE)
    .acl(acl::SEARCH)
    .group("search")
    .since("1.0.0")
    .complexity("O(N)")
    .summary("Returns the distinct tags indexed in a Tag field.")
    .syntax("index:string field_name:string")];

/// The command.
pub struct TagValues;

type Value = Arc<[u8]>;

/// So many values are one unit of fuel.
const VALUES: usize = 4;

impl Enquiry for TagValues {
    /// FT.TAGVALS index field_name
    fn begin(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Box<dyn Part>, Error> {
        let index = cx.shard.index_for_admin(args.at(1))?;
        let schema = &index.definition.schema;
        let field = schema.field(args.at(2)).ok_or_else(|| Error::text("SEARCH_ATTR_BAD No such field"))?;
        if !matches!(schema.fields[usize::from(field)].kind, Kind::Tag(_)) {
            return Err(Error::text("SEARCH_ATTR_BAD Not a tag field"));
        }
        Ok(Box::new(Collect { definition: Arc::clone(&index.definition), field, values: Vec::new() }))
    }

    fn merge() -> Box<dyn Merge> {
        Box::new(AfterCollect)
    }
}

/// The values on a shard, in order.
struct Collect {
    definition: Arc<Definition>,
    field: FieldNumber,
    values: Vec<Value>,
}

impl Part for Collect {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        let index = &index_of(&self.definition, cx.shard)?.index;
        let last = self.values.last().cloned();
        let (before, room) = (self.values.len(), fuel.saturating_mul(VALUES));
        self.values.extend(index.tag_values(self.field, last.as_deref()).take(room).cloned());
        let count = self.values.len() - before;
        *fuel = fuel.saturating_sub(count / VALUES + 1);
        Ok(if count < room { Some(Box::new(std::mem::take(&mut self.values))) } else { None })
    }
}

struct AfterCollect;

impl Merge for AfterCollect {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let of_shard = |answer: Answer| *answer.downcast::<Vec<Value>>().expect("of this round");
        let runs: Vec<_> = answers.into_iter().map(of_shard).collect();
        let count: usize = runs.iter().map(Vec::len).sum();
        let stage = Stage::Sort(Sorting::of_runs(runs.into_iter(), usize::MAX));
        let part = Box::new(Write { stage, reply: Reply::new(out.resp3) });
        RepliesWith { part, end: Box::new(|_, _| {}) }.go(cx, count <= FEW, out)
    }
}

/// Puts the values of all shards together, each once, and writes them.
struct Write {
    stage: Stage,
    reply: Reply,
}

enum Stage {
    Sort(Sorting<Value>),
    Once(std::vec::IntoIter<Value>, Vec<Value>),
    Write(std::vec::IntoIter<Value>),
}

impl Part for Write {
    fn step(&mut self, _: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        while *fuel > 0 {
            match &mut self.stage {
                Stage::Sort(sorting) => {
                    if sorting.step(Value::cmp, fuel) {
                        let sorted = std::mem::replace(sorting, Sorting::new(Vec::new(), 0)).finish();
                        self.stage = Stage::Once(sorted.into_iter(), Vec::new());
                    }
                }
                Stage::Once(values, once) => {
                    *fuel -= 1;
                    for value in values.by_ref().take(VALUES) {
                        if once.last() != Some(&value) {
                            once.push(value);
                        }
                    }
                    if values.as_slice().is_empty() {
                        let once = std::mem::take(once);
                        self.reply.set(once.len());
                        self.stage = Stage::Write(once.into_iter());
                    }
                }
                Stage::Write(values) => {
                    *fuel -= 1;
                    values.by_ref().take(VALUES).for_each(|value| self.reply.bulk(&value));
                    if values.as_slice().is_empty() {
                        return Ok(Some(Box::new(std::mem::take(&mut self.reply))));
                    }
                }
            }
        }
        Ok(None)
    }
}
