//! What FT.CONFIG says of queries.

use crate::ShardCx;
use search::evaluate::Settings;
use search::query::Dialect;

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
    /// CURSOR_READ_SIZE.
    pub cursor_rows: usize,
    /// CURSOR_MAX_IDLE.
    pub cursor_idle_ms: u64,
    /// INDEX_CURSOR_LIMIT.
    pub cursors_max: usize,
    /// MINSTEMLEN.
    pub stem_letters_min: usize,
    /// BM25STD_TANH_FACTOR.
    pub tanh_factor: u64,
}

impl QuerySettings {
    /// As they are now.
    pub fn of(_cx: &ShardCx) -> Self {
        Self {
            words: Settings::default(),
            timeout_ms: 500,
            fails_on_timeout: false,
            dialect: Dialect::One,
            results_max: 1_000_000,
            rows_max: 1 << 31,
            cursor_rows: 1000,
            cursor_idle_ms: 300_000,
            cursors_max: 128,
            stem_letters_min: 4,
            tanh_factor: 4,
        }
    }
}
