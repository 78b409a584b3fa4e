//! The state of one shard that commands work on. There is no global state: what concerns several shards travels by
//! message.

use crate::session::Sessions;
use base::hash::HashSeed;
use base::random::Random;
use config::Config;
use keyspace::Db;
use std::sync::Arc;

/// What a command asks of the connection layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Close this connection once its replies are sent.
    CloseAfterReply { conn: usize },
    /// Close this connection now.
    Kill { conn: usize },
    /// Hold back commands of all clients (or only writes) until this time.
    Pause { until_ms: u64, writes_only: bool },
    Unpause,
    /// The configuration has changed; the fields are the directives' names.
    ConfigChanged(Vec<&'static str>),
    /// Stop the process.
    Shutdown { now: bool },
    /// This shard sleeps for a while (DEBUG SLEEP).
    Sleep { micros: u64 },
}

/// Counters of one shard since start or CONFIG RESETSTAT.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub commands: u64,
    pub connections: u64,
    pub rejected_connections: u64,
    pub hits: u64,
    pub misses: u64,
    pub expired_keys: u64,
    pub expired_fields: u64,
    pub evicted_keys: u64,
    pub net_in_bytes: u64,
    pub net_out_bytes: u64,
    pub error_replies: u64,
    pub forwarded: u64,
    pub turns: u64,
}

pub struct ShardCx {
    pub id: u16,
    pub shards: u16,
    pub dbs: Vec<Db>,
    pub seed: HashSeed,
    pub config: Arc<Config>,
    pub random: Random,
    /// Wall clock in unix ms and monotonic clock in µs, as of the beginning of the turn (or of a long command).
    pub now_ms: u64,
    pub now_us: u64,
    /// Monotonic µs at start.
    pub started_us: u64,
    pub started_ms: u64,
    /// Changes since the last save.
    pub dirty: u64,
    pub stats: Stats,
    pub sessions: Sessions,
    pub effects: Vec<Effect>,
    pub active_expire: bool,
    /// Keys of other shards that are here for the command that runs now.
    pub guests: Vec<Vec<u8>>,
}

impl ShardCx {
    pub fn new(id: u16, shards: u16, config: Arc<Config>, seed: HashSeed, random_seed: u64) -> Self {
        let dbs = (0..config.databases.max(1)).map(|_| Db::new(seed.clone())).collect();
        Self {
            id,
            shards,
            dbs,
            seed,
            config,
            random: Random::from_seed(random_seed),
            now_ms: 0,
            now_us: 0,
            started_us: 0,
            started_ms: 0,
            dirty: 0,
            stats: Stats::default(),
            sessions: Sessions::default(),
            effects: Vec::new(),
            active_expire: true,
            guests: Vec::new(),
        }
    }

    /// Bytes of all data of this shard.
    pub fn data_bytes(&self) -> usize {
        self.dbs.iter().map(Db::bytes).sum()
    }

    /// The age a key gets when it is written or read now: seconds (24 bits) under LRU.
    #[inline]
    pub fn clock_age(&self) -> u32 {
        (self.now_ms / 1000) as u32 & 0x00ff_ffff
    }
}
