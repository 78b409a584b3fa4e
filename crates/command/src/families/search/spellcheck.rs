//! FT.SPELLCHECK: what words of a query may have been meant to be that no document has.
//!
//! Each shard looks through its words, a little in each turn; what they have found is added up. Of RediSearch's errors only some sentences are known, the others
//! are a guess.

use super::query::options::dialect;
use super::query::settings::QuerySettings;
use super::query::words::Words;
use crate::indexes::definition::Definition;
use crate::indexes::index_not_found;
use crate::rounds::{Answer, Enquiry, Merge, Next, Part};
use crate::spec::{acl, flag::*};
use crate::{Args, Command, Cx, Error};
use base::number::parse_u64;
use resp::Reply;
use search::query::{Dialect, Parameters, parse};
use search::spellcheck::{Asked, DISTANCE_MAX, Spelling, Spellings, near, words};
use std::collections::BTreeSet;
use std::sync::Arc;

pub const COMMANDS: &[Command] = &[Command::in_rounds::<SpellCheck>("FT.SPELLCHECK")
    .arity(-3)
    .flags(READONLY | UPPER_CASE)
    .acl(acl::SEARCH)
    .group("search")
    .since("1.4.0")
    .complexity("O(1)")
    .summary("Performs spelling correction on a query, returning suggestions for misspelled terms")
    .syntax(
        "index:string query:string DISTANCE@distance:integer? \
         TERMS@terms{inclusion(include=INCLUDE|exclude=EXCLUDE) dictionary:string}?** \
         PARAMS@params{nargs:integer values{name:string value:string}*}? DIALECT@dialect:integer?",
    )];

/// What is asked, the same on all shards.
struct Request {
    dialect: Dialect,
    /// The words of the query.
    asked: Vec<Asked>,
    distance: usize,
    /// Dictionaries.
    included: Vec<Vec<u8>>,
    excluded: Vec<Vec<u8>>,
}

impl Request {
    fn new(args: Args<'_>, usual: Dialect, definition: &Definition) -> Result<Self, Error> {
        let mut request = Self {
            dialect: usual,
            asked: Vec::new(),
            distance: 1,
            included: Vec::new(),
            excluded: Vec::new(),
        };
        let mut parameters = Parameters::default();
        let mut given = Words::new(args, 3);
        while given.left() > 0 {
            if given.take("DISTANCE") {
                request.distance = distance(given.next())?;
            } else if given.take("TERMS") {
                let (operation, name) = (given.next(), given.next());
                let (Some(operation), Some(name)) = (operation, name) else {
                    return Err(Error::err("TERM arg is given but no TERM params comes after"));
                };
                match operation.to_ascii_uppercase().as_slice() {
                    b"INCLUDE" => request.included.push(name.to_vec()),
                    b"EXCLUDE" => request.excluded.push(name.to_vec()),
                    _ => return Err(Error::err("bad format, exclude/include operation was not given")),
                }
            } else if given.take("DIALECT") {
                request.dialect = dialect(&mut given)?;
            } else if given.take("PARAMS") {
                parameters = Parameters::new(&given.counted("PARAMS")?).map_err(Error::search)?;
            } else {
                let unknown = given.next().unwrap_or_default();
                return Err(Error::coded("SEARCH_ARG_UNRECOGNIZED Unknown argument: ", unknown));
            }
        }
        let query = parse(args.at(2), request.dialect, &definition.schema, &parameters, true);
        request.asked = words(&query.map_err(Error::search)?);
        Ok(request)
    }
}

fn distance(text: Option<&[u8]>) -> Result<usize, Error> {
    let text = text.ok_or_else(|| Error::err("DISTANCE arg is given but no DISTANCE comes after"))?;
    let distance = parse_u64(text).and_then(|distance| usize::try_from(distance).ok());
    distance.filter(|distance| (1..=DISTANCE_MAX).contains(distance)).ok_or_else(|| {
        Error::err(format!(
            "bad distance given, distance must be a natural number between 1 to {DISTANCE_MAX}"
        ))
    })
}

/// The command.
struct SpellCheck;

impl Enquiry for SpellCheck {
    fn begin(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Box<dyn Part>, Error> {
        let usual = QuerySettings::of(cx.shard).dialect;
        cx.shard.count_query(args.at(1));
        let definition = Arc::clone(&cx.shard.index(args.at(1))?.definition);
        let request = Request::new(args, usual, &definition)?;
        cx.shard.count_dialect(args.at(1), request.dialect);
        for name in request.included.iter().chain(&request.excluded) {
            if !cx.shard.indexes.dictionaries.contains_key(name) {
                return Err(Error::coded("ERR Dict does not exist: ", name));
            }
        }
        let spelling = Some(Spelling::new(request.asked.clone(), request.distance));
        Ok(Box::new(Look { request: Some(request), index: definition, spelling }))
    }

    fn merge() -> Box<dyn Merge> {
        Box::new(AfterLook)
    }
}

/// A shard's look through its words.
struct Look {
    request: Option<Request>,
    index: Arc<Definition>,
    spelling: Option<Spelling>,
}

impl Part for Look {
    fn step(&mut self, cx: &mut Cx<'_>, fuel: &mut usize) -> Result<Option<Answer>, Error> {
        let name = &self.index.name;
        let index = &cx.shard.indexes.get(name).ok_or_else(|| index_not_found(name))?.index;
        let spelling = self.spelling.as_mut().expect("it is not done");
        if !spelling.step(index, fuel) {
            return Ok(None);
        }
        let found = self.spelling.take().expect("seen above").finish(index);
        Ok(Some(Box::new((self.request.take().expect("it is not done"), found))))
    }
}

struct AfterLook;

impl Merge for AfterLook {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let (mut request, mut found) = (None, Spellings::default());
        for answer in answers {
            let (asked, theirs) = *answer.downcast::<(Request, Spellings)>().expect("of this round");
            request.get_or_insert(asked);
            found.merge(theirs);
        }
        write(cx, &request.expect("there is a shard"), &found, out);
        Ok(Next::Done)
    }
}

fn write(cx: &Cx<'_>, request: &Request, found: &Spellings, out: &mut Reply) {
    let dictionaries = &cx.shard.indexes.dictionaries;
    let words_of = |names: &[Vec<u8>]| -> Vec<&BTreeSet<Vec<u8>>> {
        names.iter().filter_map(|name| dictionaries.get(name)).collect()
    };
    let (included, excluded) = (words_of(&request.included), words_of(&request.excluded));
    let is_wrong = |place: &usize| {
        let word = &request.asked[*place].word;
        !found.is_known(*place) && !excluded.iter().any(|dictionary| dictionary.contains(word))
    };
    let wrong: Vec<usize> = (0..request.asked.len()).filter(is_wrong).collect();
    if out.resp3 {
        out.map(1);
        out.bulk(b"results");
        out.map(wrong.len());
    } else {
        out.array(wrong.len());
    }
    for place in wrong {
        let word = &request.asked[place].word;
        let more = included.iter().copied().flatten().map(Vec::as_slice);
        let suggestions = found.suggestions(place, near(word, request.distance, more));
        if !out.resp3 {
            out.array(3);
            out.bulk(b"TERM");
        }
        out.bulk(word);
        out.array(suggestions.len());
        for suggestion in suggestions {
            if out.resp3 {
                out.map(1);
                out.bulk(&suggestion.word);
                out.double(suggestion.score);
            } else {
                out.array(2);
                out.double(suggestion.score);
                out.bulk(&suggestion.word);
            }
        }
    }
}
