//! FT.EXPLAIN and FT.EXPLAINCLI: how a query was read.

use super::query::request::Request;
use super::{first, on_all};
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;

pub const COMMANDS: &[Command] = &[
    on_all("FT.EXPLAIN", explain, first, READONLY)
        .arity(-3)
        .complexity("O(1)")
        .summary("Returns the execution plan for a complex query.")
        .syntax("index:string query:string DIALECT@dialect:integer?"),
    on_all("FT.EXPLAINCLI", explain_lines, first, READONLY)
        .arity(-3)
        .complexity("O(1)")
        .summary("Returns the execution plan for a complex query, line by line.")
        .syntax("index:string query:string DIALECT@dialect:integer?"),
];

fn explained(cx: &mut Cx<'_>, args: Args<'_>) -> Result<String, Error> {
    cx.shard.count_admin(args.at(1));
    let request = Request::new(cx, args.at(1), args, None)?;
    Ok(search::query::explain(&request.question.node, &request.question.definition.schema))
}

/// FT.EXPLAIN index query [DIALECT dialect]
fn explain(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    out.bulk(explained(cx, args)?.as_bytes());
    Ok(())
}

/// FT.EXPLAINCLI index query [DIALECT dialect]
fn explain_lines(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let text = explained(cx, args)?;
    out.array(text.split('\n').count());
    text.split('\n').for_each(|line| out.bulk(line.as_bytes()));
    Ok(())
}
