//! What FT.CONFIG says of queries.

use crate::ShardCx;
use config::OnTimeout;
use search::evaluate::Settings;
use search::query::Dialect;

/// Results, where there is no other limit.
const RESULTS_MAX: usize = 1 << 31;

/// Limits and defaults of queries.
#[derive(Clone, Copy, Debug)]
pub struct QuerySettings {
    /// MINPREFIX and MAXPREFIXEXPANSIONS.
    pub words: Settings,
    /// TIMEOUT; 0 for none.
    pub timeout_ms: u64,
    /// ON_TIMEOUT FAIL, not RETURN.
    pub fails_on_timeout: bool,
    /// DEFAULT_DIALECT.
    pub dialect: Dialect,
    /// MAXSEARCHRESULTS.
    pub results_max: usize,
    /// MAXAGGREGATERESULTS.
    pub rows_max: usize,
    /// MAX_AGGREGATE_GROUPS.
    pub groups_max: usize,
    /// CURSOR_READ_SIZE.
    pub cursor_rows: usize,
    /// CURSOR_MAX_IDLE.
    pub cursor_idle_ms: u64,
    /// INDEX_CURSOR_LIMIT.
    pub cursors_max: usize,
    /// MINSTEMLEN.
    pub stem_letters_min: usize,
    /// DEFAULT_SCORER.
    pub scorer: &'static str,
    /// BM25STD_TANH_FACTOR.
    pub tanh_factor: u64,
}

impl QuerySettings {
    /// As they are now.
    pub fn of(cx: &ShardCx) -> Self {
        let config = &cx.config;
        let results = |max: i64| usize::try_from(max).unwrap_or(RESULTS_MAX);
        Self {
            words: Settings {
                prefix_letters_min: config.search_min_prefix as usize,
                expansions_max: config.search_max_prefix_expansions as usize,
            },
            timeout_ms: config.search_timeout_ms,
            fails_on_timeout: config.search_on_timeout == OnTimeout::Fail,
            dialect: Dialect::from_number(config.search_default_dialect).unwrap_or(Dialect::One),
            results_max: results(config.search_max_search_results),
            rows_max: results(config.search_max_aggregate_results),
            groups_max: config.search_max_aggregate_groups as usize,
            cursor_rows: config.search_cursor_read_size as usize,
            cursor_idle_ms: config.search_cursor_max_idle_ms,
            cursors_max: config.search_index_cursor_limit as usize,
            stem_letters_min: config.search_min_stem_len as usize,
            scorer: config.search_default_scorer.name(),
            tanh_factor: config.search_bm25std_tanh_factor,
        }
    }
}
