//! What the commands have in common: the document under a key, paths among the arguments, matches, and the errors.

use crate::{Args, Cx, Error, Outcome};
use json::edit::Step;
use json::path::{Query, SyntaxError, TooMuchWork, places, select};
use json::{Document, Node, View};
use keyspace::{Key, Update};
use resp::Reply;

/// Looks at values that a command may take. Not by the size of the document: what was done once must be possible when it is done again.
pub const STEPS: u64 = 1 << 25;

/// The path that argument `at` is, the whole document if there is none. Nothing that is computed.
pub fn path(args: Args<'_>, at: usize) -> Result<Query, Error> {
    let query = path_or_projection(args, at)?;
    if query.is_projection() {
        return Err(Error::err("a projection is not allowed here, only a path"));
    }
    Ok(query)
}

/// The path or expression that argument `at` is.
pub fn path_or_projection(args: Args<'_>, at: usize) -> Result<Query, Error> {
    args.get(at).map_or_else(|| Ok(Query::legacy_root()), |text| Query::parse(text).map_err(no_path))
}

fn no_path(error: SyntaxError) -> Error {
    Error::text(error.to_string())
}

/// Where values are, and what was seen of each.
pub type Located<T> = Vec<(Vec<Step>, T)>;

/// Answers where there is no document: nothing to those who ask in the old way.
pub fn without_document(out: &mut Reply, query: &Query, error: Error) -> Outcome {
    if !query.is_legacy() {
        return Err(error);
    }
    out.null();
    Ok(())
}

/// The document under a key, for reading.
pub fn read<'c>(cx: &'c mut Cx<'_>, key: Key<'_>) -> Result<Option<&'c Document>, Error> {
    cx.read::<Document>(key).map_err(wrong_type)
}

/// The document under a key, to be changed.
pub fn update<'c>(cx: &'c mut Cx<'_>, key: Key<'_>) -> Result<Option<Update<'c, Document>>, Error> {
    cx.update::<Document>(key).map_err(wrong_type)
}

/// As [`update`]; it must be there.
pub fn update_present<'c>(cx: &'c mut Cx<'_>, key: Key<'_>) -> Result<Update<'c, Document>, Error> {
    update(cx, key)?.ok_or_else(no_key)
}

/// Puts another value in the place of one that is there, or of the whole document; whether it is there.
pub fn replace(document: &mut Update<'_, Document>, place: &[Step], value: Node) -> bool {
    if place.is_empty() {
        document.exchange(Document::new(value));
        return true;
    }
    document.replace(place, value)
}

fn wrong_type(error: Error) -> Error {
    if error == Error::WRONG_TYPE { Error::text("Existing key has wrong Redis type") } else { error }
}

pub fn no_key() -> Error {
    Error::err("could not perform this operation on a key that doesn't exist")
}

pub fn no_path_at(query: &Query) -> Error {
    Error::err(format_args!("Path '{}' does not exist", query.shown()))
}

/// That a path, as it was given, leads to nothing of a kind: `not an array`.
pub fn no_such(path: &[u8], what: &str) -> Error {
    Error::naming("Path '", path, &format!("' does not exist or {what}"))
}

/// That a value is of another kind.
pub fn expected(kind: &str, found: View<'_>) -> Error {
    Error::text(format!("WRONGTYPE wrong type of path value - expected {kind} but found {}", kind_of(found)))
}

pub fn too_much(_: TooMuchWork) -> Error {
    Error::err("the path takes too much work")
}

pub fn index_out_of_bounds() -> Error {
    Error::err("index out of bounds")
}

/// What TYPE says.
pub fn kind_of(view: View<'_>) -> &'static str {
    match view {
        View::Null => "null",
        View::Bool(_) => "boolean",
        View::Number(number) if number.is_whole() => "integer",
        View::Number(_) => "number",
        View::String(_) => "string",
        View::Array(_) => "array",
        View::Object(_) => "object",
    }
}

/// The argument as JSON.
pub fn json(args: Args<'_>, at: usize) -> Result<Node, Error> {
    parse(&args[at], None)
}

pub fn parse(text: &[u8], hint: json::Hint) -> Result<Node, Error> {
    if std::str::from_utf8(text).is_err() {
        return Err(Error::text("Couldn't parse as UTF-8 string"));
    }
    json::parse(text, hint).map_err(Error::text)
}

/// An integer; the text is that of the library RedisJSON is made with.
pub fn integer(args: Args<'_>, at: usize) -> Result<i64, Error> {
    args.int(at).map_err(|_| Error::text("Couldn't parse as integer"))
}

/// How many arrays and objects stand around each other in a value.
pub fn depth(view: View<'_>) -> usize {
    match view {
        View::Array(json::view::Array::Numbers(_)) => 1,
        View::Array(_) | View::Object(_) => 1 + view.children().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// The values that a path leads to.
pub fn matches<'a>(document: &'a Document, query: &'a Query) -> Result<Vec<View<'a>>, Error> {
    let selection = select(query, document.view(), STEPS).map_err(too_much)?;
    Ok(selection.matches.into_iter().map(|found| found.value).collect())
}

/// Where the values are that a path leads to, and what `look` says of each.
pub fn located<T>(
    document: &Document,
    query: &Query,
    mut look: impl FnMut(View<'_>) -> T,
) -> Result<Located<T>, Error> {
    let selection = places(query, document.view(), STEPS).map_err(too_much)?;
    Ok(selection.matches.iter().map(|found| (selection.place(found), look(found.value))).collect())
}

/// The numbers of places in the order in which they may be changed one after the other: what is inside another place comes before it, what stands
/// behind another element of the same array as well.
pub fn inner_first<T>(located: &[(Vec<Step>, T)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..located.len()).collect();
    let key = |at: usize| (located[at].0.len(), &located[at].0);
    order.sort_by(|&a, &b| key(b).cmp(&key(a)));
    order
}

/// Answers with one number or null for each match of a `$` path, or the last number of a legacy one, `error` if there is none.
pub fn reply_numbers(
    out: &mut Reply,
    query: &Query,
    numbers: &[Option<i64>],
    error: impl FnOnce() -> Error,
) -> Result<(), Error> {
    if query.is_legacy() {
        let last = numbers.iter().rev().find_map(|number| *number);
        out.int(last.ok_or_else(error)?);
        return Ok(());
    }
    out.array(numbers.len());
    for number in numbers {
        match number {
            Some(number) => out.int(*number),
            None => out.null(),
        }
    }
    Ok(())
}
