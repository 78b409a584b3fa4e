//! The ages of keys, as `maxmemory-policy` wants them: when a key was last used (LRU), last changed (LRM), or how often it is
//! used (LFU). How the bits are read and renewed is `keyspace::age`'s business; here is decided when.

use crate::{Cx, ShardCx};
use keyspace::AgeRule;

#[derive(Clone, Copy, Debug, Default)]
pub struct Ages {
    pub rule: AgeRule,
    /// Reads leave the age alone: it tells of the last change (LRM).
    by_change: bool,
    /// A client has asked that its reads leave ages alone (CLIENT NO-TOUCH).
    some_no_touch: bool,
    /// Either of both: a read has to look more closely.
    pub(crate) some_reads_leave: bool,
    /// The client of another shard whose command runs now has asked for it.
    pub caller_no_touch: bool,
}

impl Ages {
    /// Some client uses CLIENT NO-TOUCH; from now on reads look whose they are.
    pub fn note_no_touch(&mut self) {
        (self.some_no_touch, self.some_reads_leave) = (true, true);
    }
}

impl ShardCx {
    /// Takes the rules over from the configuration. Ages written under another rule stay and are misread until they are
    /// renewed, as in Redis.
    pub(crate) fn set_ages(&mut self) {
        let policy = self.config.maxmemory_policy;
        let rule = if policy.is_lfu() {
            AgeRule::lfu(self.config.lfu_log_factor, self.config.lfu_decay_time, self.random.next_u64())
        } else {
            AgeRule::LRU
        };
        let (by_change, some_no_touch) = (policy.is_lrm(), self.ages.some_no_touch);
        let some_reads_leave = by_change || some_no_touch;
        self.ages = Ages { rule, by_change, some_no_touch, some_reads_leave, caller_no_touch: false };
        self.dbs.set_ages(rule);
    }
}

impl Cx<'_> {
    /// Whether a read by this client renews ages.
    #[cold]
    pub(crate) fn read_renews(&self) -> bool {
        let session = self.conn.and_then(|conn| self.shard.sessions.get(conn));
        let no_touch = session.map_or(self.shard.ages.caller_no_touch, |session| session.no_touch);
        !self.shard.ages.by_change && !no_touch
    }
}
