//! FT.PROFILE: a search, an aggregation or a hybrid search, and what its parts did and how long they took. It goes the rounds of the command that it profiles.

pub mod meter;
pub mod reply;

use super::aggregate::request::Request as AggregateRequest;
use super::hybrid::command::{self as hybrid, Hybrid};
use super::hybrid::request::Request as HybridRequest;
use super::query::gather::{self, AfterRound, Heard};
use super::query::request::Request as SearchRequest;
use crate::rounds::{Answer, Enquiry, Merge, Next, Part};
use crate::spec::{acl, flag::*};
use crate::{Args, Command, Cx, Error};
use meter::Profiling;
use resp::Reply;

pub const COMMANDS: &[Command] = &[Command::in_rounds::<Profile>("FT.PROFILE")
    .arity(-5)
    .flags(READONLY | UPPER_CASE)
    .acl(acl::SEARCH)
    .group("search")
    .since("2.2.0")
    .complexity("O(N)")
    .summary("Performs a `FT.SEARCH`, `FT.HYBRID`, or `FT.AGGREGATE` command and collects performance information")
    .syntax("index:string querytype(search=SEARCH|hybrid=HYBRID|aggregate=AGGREGATE) limited=LIMITED? QUERY@query:string")];

/// The command.
struct Profile;

impl Enquiry for Profile {
    fn begin(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Box<dyn Part>, Error> {
        let is_limited = args.is(3, "LIMITED");
        let place = 3 + usize::from(is_limited);
        let profiling = Some(Profiling::begin(cx.shard, is_limited));
        let is_known = ["SEARCH", "AGGREGATE", "HYBRID"].iter().any(|word| args.is(2, word));
        if !is_known {
            return Err(Error::text("No `SEARCH`, `AGGREGATE`, or `HYBRID` provided"));
        }
        if !args.is(place, "QUERY") {
            return Err(Error::text("The QUERY keyword is expected"));
        }
        if args.len() == place + 1 {
            return Err(Error::wrong_arity("FT.PROFILE"));
        }
        let (index, is_search, is_hybrid) = (args.at(1), args.is(2, "SEARCH"), args.is(2, "HYBRID"));
        if args.is(2, "AGGREGATE")
            && args.from(place + 2).any(|word| word.eq_ignore_ascii_case(b"WITHCURSOR"))
        {
            return Err(Error::text("FT.PROFILE does not support cursor"));
        }
        // The query stands where it does in the command that is profiled.
        let args = args.skip(place - 1);
        cx.shard.count_query(index);
        if is_hybrid {
            return HybridRequest::new(cx, index, args, profiling).map(hybrid::begin);
        }
        if is_search {
            let request = SearchRequest::new(cx, index, args, profiling)?;
            gather::begin(cx.shard, request)
        } else {
            let request = AggregateRequest::new(cx, index, args, profiling)?;
            gather::begin(cx.shard, request)
        }
    }

    fn merge() -> Box<dyn Merge> {
        Box::new(AfterFirst)
    }
}

/// The answers say which command was profiled.
struct AfterFirst;

impl Merge for AfterFirst {
    fn merge(self: Box<Self>, cx: &mut Cx<'_>, answers: Vec<Answer>, out: &mut Reply) -> Result<Next, Error> {
        let first = answers.first().expect("there is a shard");
        let merge = if first.is::<Heard<SearchRequest>>() {
            AfterRound::<SearchRequest>::boxed()
        } else if first.is::<Heard<AggregateRequest>>() {
            AfterRound::<AggregateRequest>::boxed()
        } else {
            Hybrid::merge()
        };
        merge.merge(cx, answers, out)
    }
}
