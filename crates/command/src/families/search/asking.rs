//! The rows of FT.SEARCH and FT.AGGREGATE.

use super::aggregate::Aggregate;
use super::query::Search;
use crate::Command;
use crate::rounds::Enquiry;
use crate::spec::{acl, flag::*};

pub const COMMANDS: &[Command] = &[
    row::<Search>("FT.SEARCH")
        .history(&[("2.0.0", "Deprecated `WITHPAYLOADS` and `PAYLOAD` arguments")])
        .complexity("O(N)")
        .summary("Searches the index with a textual query, returning either documents or just ids.")
        .syntax(
            "index:string query:string nocontent=NOCONTENT? verbatim=VERBATIM? nostopwords=NOSTOPWORDS? \
             withscores=WITHSCORES? withpayloads=WITHPAYLOADS? withsortkeys=WITHSORTKEYS? \
             FILTER@filter{numeric_field:string min:double max:double}?** \
             GEOFILTER@geo_filter{geo_field:string lon:double lat:double radius:double \
             radius_type(m=m|km=km|mi=mi|ft=ft)}?** \
             INKEYS@in_keys{count:string key:string*}? INFIELDS@in_fields{count:string field:string*}? \
             RETURN@return{count:string identifiers{identifier:string AS@property:string?}*}? \
             SUMMARIZE@summarize{FIELDS@fields{count:string field:string*}? FRAGS@num:integer? \
             LEN@fragsize:integer? SEPARATOR@separator:string?}? \
             HIGHLIGHT@highlight{FIELDS@fields{count:string field:string*}? TAGS@tags{open:string close:string}?}? \
             SLOP@slop:integer? TIMEOUT@timeout:integer? inorder=INORDER? LANGUAGE@language:string? \
             EXPANDER@expander:string? SCORER@scorer:string? explainscore=EXPLAINSCORE? PAYLOAD@payload:string? \
             SORTBY@sortby{sortby:string order(asc=ASC|desc=DESC)?}? LIMIT@limit{offset:integer num:integer}? \
             PARAMS@params{nargs:integer values{name:string value:string}*}? DIALECT@dialect:integer?",
        ),
    row::<Aggregate>("FT.AGGREGATE")
        .since("1.1.0")
        .complexity("O(1)")
        .summary("Run a search query on an index and perform aggregate transformations on the results.")
        .syntax(
            "index:string query:string verbatim=VERBATIM? LOAD@load{count:string field:string*}? \
             TIMEOUT@timeout:integer? \
             GROUPBY@groupby{nargs:integer property:string* \
             REDUCE@reduce{function:string nargs:integer arg:string* AS@name:string?}?**}?** \
             SORTBY@sortby{nargs:integer fields{property:string order(asc=ASC|desc=DESC)}?* MAX@num:integer?}? \
             APPLY@apply{expression:string AS@name:string}?** LIMIT@limit{offset:integer num:integer}? \
             FILTER@filter:string? WITHCURSOR@cursor{COUNT@read_size:integer? MAXIDLE@idle_time:integer?}? \
             PARAMS@params{nargs:integer values{name:string value:string}*}? DIALECT@dialect:integer?",
        ),
];

const fn row<E: Enquiry>(name: &'static str) -> Command {
    Command::in_rounds::<E>(name)
        .arity(-3)
        .flags(READONLY | UPPER_CASE)
        .acl(acl::SEARCH)
        .group("search")
        .since("1.0.0")
}
