//! VSIM.

use super::add::EF_MAX;
use super::argument;
use super::filter::{Fault, Program};
use super::row;
use crate::rounds::{Answer, Part};
use crate::spec::{KeySpec, access::*, flag::*};
use crate::{Args, Command, Cx, Error, Outcome};
use base::number::{parse_f64, parse_i64};
use keyspace::Key;
use resp::Reply;
use search::sorting::Sorting;
use types::VectorSet;
use types::vectorset::{Hit, Nearing, Vector, Wanted};

pub const COMMANDS: &[Command] = &[row("VSIM", vsim)
    .arity(-4)
    .keys(&[KeySpec::at(1, RO | ACCESS)])
    .flags(READONLY | UPPER_CASE)
    .in_steps(begin_long)
    .complexity("O(log(N)) where N is the number of elements in the vector set.")
    .summary("Return elements by vector similarity.")
    .history(&[("8.2.0", "added the WITHATTRIBS option.")])
    .syntax(
        "key:key format(ele=ELE|fp32=FP32|values=VALUES) vector_or_element:string withscores=WITHSCORES? \
         withattribs=WITHATTRIBS? COUNT@count:integer? EPSILON@max_distance:double? \
         EF@search-exploration-factor:integer? FILTER@expression:string? FILTER-EF@max-filtering-effort:integer? \
         truth=TRUTH? nothread=NOTHREAD?",
    )];

/// Candidates that a search keeps if nothing else is asked for.
const EF: usize = 100;
/// For each element asked for so many are asked by a filter at most, if nothing else is said.
const FILTER_EF_SHARE: usize = 100;
/// What is not found with so many distances is looked for in steps: few searches by the graph need more.
const DISTANCES_AT_ONCE: usize = 4096;
/// Distances in half a microsecond, of vectors that may be long and lie anywhere.
const DISTANCES_PER_FUEL: usize = 4;

#[derive(Default)]
struct Options {
    with_scores: bool,
    with_attributes: bool,
    count: usize,
    /// Half the distance that is still near enough.
    epsilon: f32,
    ef: Option<usize>,
    filter: Option<Program>,
    filter_ef: Option<usize>,
    exact: bool,
}

/// What stands behind the vector. NOTHREAD has Redis search on its main thread; here no search has another.
fn options(args: Args<'_>, mut at: usize) -> Result<Options, Error> {
    let mut options = Options {
        with_scores: false,
        with_attributes: false,
        count: 10,
        epsilon: 2.0,
        ef: None,
        filter: None,
        filter_ef: None,
        exact: false,
    };
    let number = |at: usize, most: i64, error: &'static str| {
        let number = parse_i64(&args[at + 1]).filter(|number| (1..=most).contains(number));
        number.map(|number| number as usize).ok_or_else(|| Error::err(error))
    };
    while at < args.len() {
        let has_value = at + 1 < args.len();
        let mut taken = 1 + usize::from(has_value);
        if args.is(at, "COUNT") && has_value {
            options.count = number(at, i64::MAX, "invalid COUNT")?;
        } else if args.is(at, "EPSILON") && has_value {
            let epsilon = parse_f64(&args[at + 1]).filter(|epsilon| *epsilon > 0.0);
            options.epsilon = epsilon.ok_or_else(|| Error::err("invalid EPSILON"))? as f32;
        } else if args.is(at, "EF") && has_value {
            options.ef = Some(number(at, EF_MAX, "invalid EF")?);
        } else if args.is(at, "FILTER-EF") && has_value {
            options.filter_ef = Some(number(at, i64::MAX, "invalid FILTER-EF")?);
        } else if args.is(at, "FILTER") && has_value {
            options.filter = Some(filter(&args[at + 1])?);
        } else {
            taken = 1;
            if args.is(at, "WITHSCORES") {
                options.with_scores = true;
            } else if args.is(at, "WITHATTRIBS") {
                options.with_attributes = true;
            } else if args.is(at, "TRUTH") {
                options.exact = true;
            } else if !args.is(at, "NOTHREAD") {
                return Err(Error::err("syntax error in VSIM command"));
            }
        }
        at += taken;
    }
    Ok(options)
}

fn filter(expression: &[u8]) -> Result<Program, Error> {
    Program::read(expression).map_err(|fault| match fault {
        Fault::TooLong => Error::err("FILTER expression is too long"),
        Fault::At(at) => {
            let at = if at < expression.len() { at } else { 0 };
            Error::naming("syntax error in FILTER expression near: ", &expression[at..], "")
        }
    })
}

/// VSIM key ELE element|FP32 blob|VALUES n number … [WITHSCORES] [WITHATTRIBS] [COUNT n] [EPSILON delta] [EF n] [FILTER expression]
/// [FILTER-EF n] [TRUTH] [NOTHREAD]
fn vsim(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let may_be_long = !cx.deny_blocking;
    let Some(set) = cx.read::<VectorSet>(args.key(1))? else {
        out.array(0);
        return Ok(());
    };
    let (mut nearing, options) = begin(set, args)?;
    let mut distances = if may_be_long { DISTANCES_AT_ONCE } else { usize::MAX };
    if !nearing.step(set, &mut distances, &|attributes| options.passes(attributes)) {
        return Err(Error::Long);
    }
    let mut hits = nearing.finish();
    hits.retain(|hit| options.is_near(hit));
    options.begin_reply(hits.len(), out);
    hits.iter().for_each(|hit| options.reply(set, hit, out));
    Ok(())
}

/// As [`vsim`], in steps.
struct Vsim {
    key: Vec<u8>,
    /// None if there is no set.
    uid: Option<u64>,
    options: Options,
    stage: Stage,
    out: Reply,
}

enum Stage {
    Search(Box<Nearing>),
    Sort(Sorting<Hit>),
    /// What is near enough, and how many of it are written.
    Write(Vec<Hit>, usize),
    Over,
}

fn begin_long(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Box<dyn Part>, Error> {
    let out = Reply::new(cx.resp3);
    let key = args[1].to_vec();
    let Some(set) = cx.peek_vectors(args.key(1))? else {
        return Ok(Box::new(Vsim { key, uid: None, options: Options::default(), stage: Stage::Over, out }));
    };
    let (nearing, options) = begin(set, args)?;
    Ok(Box::new(Vsim { key, uid: Some(set.uid()), options, stage: Stage::Search(Box::new(nearing)), out }))
}

impl Vsim {
    /// Goes on with a stage; what follows.
    fn advance(&mut self, set: &VectorSet, stage: Stage, fuel: &mut usize) -> Stage {
        let options = &self.options;
        match stage {
            Stage::Search(mut nearing) => {
                let before = fuel.saturating_mul(DISTANCES_PER_FUEL);
                let mut left = before;
                let is_over = nearing.step(set, &mut left, &|attributes| options.passes(attributes));
                *fuel = fuel.saturating_sub((before - left) / DISTANCES_PER_FUEL + 1);
                if is_over {
                    Stage::Sort(Sorting::new(nearing.into_hits(), usize::MAX))
                } else {
                    Stage::Search(nearing)
                }
            }
            Stage::Sort(mut sorting) => {
                if !sorting.step(Hit::compare, fuel) {
                    return Stage::Sort(sorting);
                }
                let mut hits = sorting.finish();
                hits.truncate(hits.partition_point(|hit| options.is_near(hit)));
                options.begin_reply(hits.len(), &mut self.out);
                Stage::Write(hits, 0)
            }
            Stage::Write(hits, from) => {
                let some = &hits[from..from.saturating_add(*fuel).min(hits.len())];
                some.iter().for_each(|hit| options.reply(set, hit, &mut self.out));
                let from = from + some.len();
                *fuel -= some.len();
                if from == hits.len() { Stage::Over } else { Stage::Write(hits, from) }
            }
            Stage::Over => Stage::Over,
        }
    }
}

impl Part for Vsim {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        let key = Key::new(&self.key, &cx.shard.seed);
        // Nothing changes it meanwhile, but it may go as a whole, and another come; then it is as if it had been looked for later.
        let set = cx.peek_vectors(key).ok().flatten();
        let Some(set) = set.filter(|set| Some(set.uid()) == self.uid) else {
            let mut out = Reply::new(self.out.resp3);
            out.array(0);
            return Ok(Some(Box::new(out)));
        };
        while *fuel > 0 && !matches!(self.stage, Stage::Over) {
            let stage = std::mem::replace(&mut self.stage, Stage::Over);
            self.stage = self.advance(set, stage, fuel);
        }
        if matches!(self.stage, Stage::Over) {
            return Ok(Some(Box::new(std::mem::take(&mut self.out))));
        }
        Ok(None)
    }
}

fn begin(set: &VectorSet, args: Args<'_>) -> Result<(Nearing, Options), Error> {
    let (vector, next) = query(set, args)?;
    let options = options(args, next)?;
    let effort = options.filter_ef.unwrap_or(options.count.saturating_mul(FILTER_EF_SHARE));
    let wanted = Wanted {
        count: options.count,
        ef: options.ef.unwrap_or(EF),
        exact: options.exact,
        effort: options.filter.is_some().then_some(effort),
    };
    Ok((set.begin_nearest(vector, &wanted), options))
}

/// What is looked for, and where the options begin.
fn query(set: &VectorSet, args: Args<'_>) -> Result<(Vector, usize), Error> {
    if !args.is(2, "ELE") {
        let given = argument::vector(args, 2, false)?;
        return Ok((given.for_set(set)?, given.next));
    }
    let kept = set.find(&args[3]).and_then(|number| set.kept(number));
    let kept = kept.ok_or_else(|| Error::err("element not found in set"))?;
    let shape = set.shape();
    // As in Redis: of the numbers that it stands for.
    let numbers = shape.quant.numbers(&kept, shape.dimension);
    let vector = Vector { norm: kept.norm, range: kept.range, kept: kept.bytes.into_owned() };
    Ok((shape.quant.vector(&numbers).unwrap_or(vector), 4))
}

impl Options {
    fn passes(&self, attributes: &[u8]) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.passes(attributes))
    }

    fn is_near(&self, hit: &Hit) -> bool {
        hit.distance / 2.0 <= self.epsilon
    }

    /// Writes what comes before the elements, which are so many.
    fn begin_reply(&self, count: usize, out: &mut Reply) {
        let each = usize::from(self.with_scores) + usize::from(self.with_attributes);
        match out.resp3 && each > 0 {
            true => out.map(count),
            false => out.array(count * (1 + each)),
        }
    }

    /// Writes an element.
    fn reply(&self, set: &VectorSet, hit: &Hit, out: &mut Reply) {
        out.bulk(set.name(hit.number).unwrap_or_default());
        if out.resp3 && self.with_scores && self.with_attributes {
            out.array(2);
        }
        if self.with_scores {
            out.double(1.0 - f64::from(hit.distance) / 2.0);
        }
        if self.with_attributes {
            match set.attributes(hit.number) {
                Some(attributes) => out.bulk(attributes),
                None => out.null(),
            }
        }
    }
}
