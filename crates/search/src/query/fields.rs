//! Parts that name a field: `@name:…`, `@a|b:…`, `@name>=1`, `ismissing(@name)`.

use super::grammar::Context;
use super::modern::typed_part;
use super::scanner::Scanner;
use super::{Kind, Node, brackets, legacy, modern};
use crate::error::{Code, Error, shown};
use crate::schema::{self, FieldMask, FieldNumber};
use crate::text::unescape;

/// Reads what begins with `@`.
pub(super) fn clause(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Node, Error> {
    let start = scanner.at;
    scanner.at += 1;
    let name = unescape(scanner.name()).into_owned();
    if name.is_empty() {
        return Err(scanner.syntax());
    }
    let mut names = vec![name];
    scanner.skip_blanks();
    while scanner.peek() == Some(b'|') {
        scanner.at += 1;
        let name = match scanner.peek() {
            Some(b'"' | b'\'') => scanner.quoted()?,
            _ => scanner.name(),
        };
        names.push(unescape(name).into_owned());
        scanner.skip_blanks();
    }
    if !context.is_legacy
        && let [name] = &names[..]
        && let Some(node) = brackets::comparison(context, scanner, name, start)?
    {
        return Ok(node);
    }
    if !scanner.take(b":") {
        return Err(scanner.syntax());
    }
    scanner.skip_blanks();
    if let [name] = &names[..]
        && let Some(node) = typed_part(context, scanner, name, start)?
    {
        return Ok(node);
    }
    text(context, scanner, &names, start)
}

fn text(
    context: &Context<'_>,
    scanner: &mut Scanner<'_>,
    names: &[Vec<u8>],
    start: usize,
) -> Result<Node, Error> {
    scanner.descend(context.is_legacy)?;
    let mut node = if context.is_legacy {
        legacy::text_part(context, scanner)?
    } else {
        modern::text_part(context, scanner)?
    };
    scanner.depth -= 1;
    // After what is asked of them: what cannot be read is told before what the fields are not.
    let mut mask: FieldMask = 0;
    for name in names {
        match context.schema.field(name).map(|number| &context.schema.fields[usize::from(number)]) {
            Some(schema::Field { kind: schema::Kind::Text(options), .. }) => mask |= options.mask(),
            _ if context.is_legacy => {}
            Some(_) => return Err(scanner.error_near("Expected a TEXT field", start, name)),
            None => return Err(scanner.error_near("Unknown field", start, name)),
        }
    }
    if is_empty_text(&node) {
        let indexes = context.schema.mask(|field, options| field.index_empty && mask & options.mask() != 0);
        if indexes == 0 {
            let text = "Use `INDEXEMPTY` in field creation in order to index and query for empty strings";
            return Err(Error::new(Code::Syntax, text));
        }
    }
    // In dialect 1 numbers and tags may stand behind the name of another field, which says nothing of them.
    node.restrict(mask);
    Ok(node)
}

fn is_empty_text(node: &Node) -> bool {
    matches!(&node.kind, Kind::Term(term) if term.word.is_empty())
}

/// The field of that name and type. In dialect 1 a field that is not there finds nothing, and so does one of another type.
pub(super) fn of_type(
    context: &Context<'_>,
    scanner: &Scanner<'_>,
    name: &[u8],
    start: usize,
    kind: &str,
) -> Result<Option<FieldNumber>, Error> {
    match context.schema.field(name) {
        Some(number) if context.schema.fields[usize::from(number)].kind.name() == kind => Ok(Some(number)),
        _ if context.is_legacy => Ok(None),
        Some(_) => Err(scanner.error_near(&format!("Expected a {kind} field"), start, name)),
        None => Err(scanner.error_near("Unknown field", start, name)),
    }
}

/// `ismissing(@name)`, if that stands here.
pub(super) fn missing(context: &Context<'_>, scanner: &mut Scanner<'_>) -> Result<Option<Node>, Error> {
    const WORD: &[u8] = b"ismissing(";
    let start = scanner.at;
    let stands = scanner.rest().get(..WORD.len()).is_some_and(|front| front.eq_ignore_ascii_case(WORD));
    if context.is_legacy || !stands {
        return Ok(None);
    }
    scanner.at += WORD.len();
    scanner.skip_blanks();
    if !scanner.take(b"@") {
        return Err(scanner.syntax());
    }
    let name = unescape(scanner.name()).into_owned();
    scanner.skip_blanks();
    if !scanner.take(b")") {
        return Err(scanner.syntax());
    }
    let Some(field) = context.schema.field(&name) else {
        return Err(scanner.error_near("Unknown field", start, &name));
    };
    if !context.schema.fields[usize::from(field)].index_missing {
        let name = shown(&name);
        let text = format!("'ismissing' requires defining the field with 'INDEXMISSING', field: {name}");
        return Err(Error::new(Code::Syntax, text));
    }
    Ok(Some(Node::new(Kind::Missing { field })))
}
