//! Searches. Names and defaults are those of the search module of Redis 8.

use crate::choice::{OnTimeout, ScorerName};
use crate::directive::{Directive, I32_MAX, I64_MAX, choice, int, yes_no};

/// RediSearch counts no further.
const RESULTS_MAX: i64 = 1 << 31;

/// RediSearch groups into no more.
const GROUPS_MAX: i64 = 1 << 26;

pub(super) const SEARCH: &[Directive] = &[
    int("search-timeout", 0, I64_MAX, "500").works("Milliseconds that a search may take; 0 is any time."),
    choice("search-on-timeout", OnTimeout::NAMES, "return").works(
        "What a search answers that has taken too long: what it has found (return), or an error (fail).",
    ),
    int("search-default-dialect", 1, 4, "1").works("Dialect of queries that do not say theirs."),
    int("search-max-search-results", -1, RESULTS_MAX, "1000000")
        .works("Results that FT.SEARCH answers at most; -1 is any number."),
    int("search-max-aggregate-results", -1, RESULTS_MAX, "-1")
        .works("Rows that FT.AGGREGATE answers at most; -1 is any number."),
    int("search-max-aggregate-groups", 1, GROUPS_MAX, "1000000")
        .works("Groups that GROUPBY makes at most; more are an error."),
    int("search-min-prefix", 1, I64_MAX, "2")
        .works("Letters before `*` at least, for the words to be found."),
    int("search-max-prefix-expansions", 1, I64_MAX, "200").works("Words that `*` stands for at most."),
    int("search-min-stem-len", 2, I32_MAX, "4")
        .works("Letters of a word that is also looked for by its stem."),
    int("search-cursor-max-idle", 0, I64_MAX, "300000")
        .works("Milliseconds that a cursor may be left alone."),
    int("search-cursor-read-size", 1, RESULTS_MAX, "1000").works("Rows that a cursor gives at a time."),
    int("search-index-cursor-limit", 0, I64_MAX, "128").works("Cursors of one index on a shard."),
    choice("search-default-scorer", ScorerName::NAMES, "BM25STD")
        .works("How results of queries are scored that do not say how."),
    int("search-bm25std-tanh-factor", 1, 10_000, "4").works("Divisor of the score in BM25STD.TANH."),
    yes_no("search-_info-on-zero-indexes", "no")
        .works("INFO tells of searches also while there is no index."),
    yes_no("search-enable-unstable-features", "no")
        .accepted("Nothing that searches can do is kept behind it."),
];
