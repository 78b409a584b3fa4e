//! TIMEOUT: how long a shard may work on a query, and what happens then.

use super::question::Question;
use crate::{Error, ShardCx};

/// When a part has taken too long.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    /// Monotonic ns.
    at_ns: u64,
    fails: bool,
}

/// What results say that are not all.
pub const WARNING: &str = "Timeout limit was reached";

impl Deadline {
    /// From now on.
    pub fn of(question: &Question, cx: &ShardCx) -> Self {
        let now_ns = (cx.platform.clock_ns)();
        let at_ns = match question.timeout_ms {
            0 => u64::MAX,
            ms => now_ns.saturating_add(ms.saturating_mul(1_000_000)),
        };
        // What is profiled tells that it was late.
        Self { at_ns, fails: question.settings.fails_on_timeout && question.profiling.is_none() }
    }

    /// Whether it is over, and what has been found will do.
    ///
    /// # Errors
    /// It is over, and that is an error (ON_TIMEOUT FAIL).
    pub fn is_over(self, cx: &ShardCx) -> Result<bool, Error> {
        if (cx.platform.clock_ns)() < self.at_ns {
            return Ok(false);
        }
        if self.fails { Err(Error::text(format!("SEARCH_TIMEOUT {WARNING}"))) } else { Ok(true) }
    }
}
