//! FT.HYBRID: the best of a query of words and the nearest of a vector, put together by their places or their scores, as rows that go through the steps of
//! FT.AGGREGATE.
//!
//! | room | |
//! |---|---|
//! | `arguments` | the command as it is written |
//! | `subqueries` | what stands behind SEARCH and VSIM |
//! | `fusion` | COMBINE, and how two lists become one |
//! | `request` | held against the definition |
//! | `command` | the rounds |

mod arguments;
pub mod command;
mod fusion;
pub mod request;
mod subqueries;

use crate::Command;
use crate::spec::{acl, flag::*};
use command::Hybrid;

pub const COMMANDS: &[Command] = &[Command::in_rounds::<Hybrid>("FT.HYBRID")
    .arity(-7)
    .flags(READONLY | UPPER_CASE)
    .acl(acl::SEARCH)
    .group("search")
    .since("8.4.4")
    .complexity("O(N+M) where N is the complexity of the text search and M is the complexity of the vector search")
    .summary("Performs hybrid search combining text search and vector similarity search")
    .syntax(
        "index:string search_expression{SEARCH@query:string SCORER@scorer:string? YIELD_SCORE_AS@yield_score_as:string?} \
         vsim_expression{VSIM@field:string vector:string KNN@knn{count:integer K@k:integer EF_RUNTIME@ef_runtime:integer? \
         SHARD_K_RATIO@shard_k_ratio:double?}? RANGE@range{count:integer RADIUS@radius:double EPSILON@epsilon:double?}? \
         YIELD_SCORE_AS@yield_score_as:string? FILTER@filter:string?} \
         COMBINE@combine{method(rrf=RRF|linear=LINEAR) count:integer CONSTANT@constant:double? WINDOW@window:integer? \
         ALPHA@alpha:double? BETA@beta:double? YIELD_SCORE_AS@yield_score_as:string?}? \
         LIMIT@limit{offset:integer num:integer}? SORTBY@sortby{count:integer fields{property:string order(asc=ASC|desc=DESC)?}*}? \
         nosort=NOSORT? LOAD@load{count:string field:string*}? \
         GROUPBY@groupby{nargs:integer property:string* REDUCE@reduce{function:string nargs:integer arg:string* \
         AS@name:string?}?**}?** APPLY@apply{expression:string AS@name:string}?** FILTER@filter:string? \
         PARAMS@params{nargs:integer values{name:string value:string}*} TIMEOUT@timeout:integer?",
    )];
