//! The state of one shard that commands work on. There is no global state: what concerns several shards travels by
//! message.

use crate::age::Ages;
use crate::ahead::KeysAhead;
use crate::blocking::Awaited;
use crate::change::{Change, DbKey, Guests};
use crate::cx::Event;
use crate::eviction::Eviction;
use crate::families::other_db;
use crate::families::search::Cursors;
use crate::hot_keys::HotKeys;
use crate::indexes::Indexes;
use crate::journal::Journal;
use crate::latency::Latency;
use crate::notices::Notices;
use crate::platform::{About, Platform};
use crate::pubsub::PubSub;
use crate::rates::Rates;
use crate::saving::{Saved, Saver, Saving};
use crate::scripting::Scripts;
use crate::scripting::whole::RunInside;
use crate::session::Sessions;
use crate::shipping::{Delivery, Migrator, Shipment};
use crate::slowlog::SlowLog;
use crate::spec::flag;
use crate::statistics::{CommandStats, ErrorStats};
use crate::tracking::Tracking;
use crate::watches::Watches;
use crate::{Args, Command};
use base::hash::HashSeed;
use base::random::Random;
use base::slot::SlotMap;
use config::Config;
use keyspace::{Bin, Databases, Db, Free, Frees, Key};
use std::sync::Arc;
use types::hash::HashLimits;
use types::list::ListLimit;
use types::set::SetLimits;
use types::stream::StreamLimits;
use types::zset::ZSetLimits;

/// The version of Redis whose behaviour clients may expect, as HELLO and INFO tell it.
pub const REDIS_VERSION: &str = "7.4.0";

/// What a command asks of the connection layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Close this connection once its replies are sent.
    CloseAfterReply { conn: usize },
    /// Close this connection now.
    Kill { conn: usize },
    /// The same, for it has left so many bytes unread.
    Overrun { conn: usize, bytes: usize },
    /// The configuration has changed; the fields are the directives' names.
    ConfigChanged(Vec<&'static str>),
    /// Stop the process.
    Shutdown { now: bool },
    /// The data could not be saved, so the process does not stop.
    CannotEnd,
    /// Have this carried to another server, for an operation.
    Ship { op: u64, shipment: Box<Shipment> },
    /// Save the data, then stop the process; if it cannot be saved, only by `force`. A client has asked for it, or nobody has.
    SaveAndEnd { conn: Option<usize>, now: bool, force: bool },
    /// No shard runs anything for clients any more, as [`Effect::SaveAndEnd`] wants it; or they do not for another such end.
    Closed { is_refused: bool },
}

/// CLIENT PAUSE: commands of all clients, or only those that write, are held back until a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    pub until_ms: u64,
    pub writes_only: bool,
}

/// How many requests clients send at a time: what stood whole in an input when it was looked at is a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parsing {
    /// Inputs that were looked at, whether a whole request was in them or not.
    pub inputs: u64,
    pub batches: u64,
    /// In all batches.
    pub requests: u64,
}

impl Parsing {
    /// An input had so many whole requests.
    #[inline]
    pub fn note(&mut self, requests: u64) {
        self.inputs += 1;
        self.batches += u64::from(requests > 0);
        self.requests += requests;
    }
}

/// Counters of one shard since start or CONFIG RESETSTAT.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    pub connections: u64,
    pub rejected_connections: u64,
    pub hits: u64,
    pub misses: u64,
    pub expired_keys: u64,
    pub expired_fields: u64,
    pub evicted_keys: u64,
    pub net_in_bytes: u64,
    pub net_out_bytes: u64,
    /// Reads from sockets that brought something, and sends that took something.
    pub reads: u64,
    pub writes: u64,
    pub parsing: Parsing,
    pub error_replies: u64,
    pub forwarded: u64,
    /// Connections that have gone to another shard.
    pub moved_connections: u64,
    /// Times this shard's thread has run the mail of another shard, which slept.
    pub visits: u64,
    /// Connections closed because they sent, or left unread, too much.
    pub input_limit_closed: u64,
    pub output_limit_closed: u64,
    /// Wrong passwords.
    pub denied_auth: u64,
    /// Payloads of RESTORE that were checked.
    pub payloads_checked: u64,
    /// Spent in looking for what has expired.
    pub expire_nanos: u64,
    pub turns: u64,
    /// Turns in which clients' input was looked at.
    pub turns_with_input: u64,
    /// Time that the shard's thread was not asleep, from where a turn reads the clock, which is when it has read what came meanwhile.
    pub awake_us: u64,
}

/// When small collections stop being packed, from the configuration.
#[derive(Clone, Copy)]
pub struct Limits {
    pub list: ListLimit,
    pub set: SetLimits,
    pub hash: HashLimits,
    pub zset: ZSetLimits,
    pub stream: StreamLimits,
    /// `hll-sparse-max-bytes`
    pub hll_sparse_bytes_max: usize,
    /// `proto-max-bulk-len`: no string grows longer.
    pub string_bytes_max: usize,
    /// `maxmemory`; 0 is no limit.
    pub memory_bytes_max: u64,
}

impl Limits {
    pub fn new(config: &Config) -> Self {
        Self {
            list: ListLimit::new(config.list_max_listpack_size),
            set: SetLimits {
                max_intset_entries: config.set_max_intset_entries as usize,
                max_listpack_entries: config.set_max_listpack_entries as usize,
                max_listpack_value: config.set_max_listpack_value as usize,
            },
            hash: HashLimits {
                max_listpack_entries: config.hash_max_listpack_entries as usize,
                max_listpack_value: config.hash_max_listpack_value as usize,
            },
            zset: ZSetLimits {
                max_listpack_entries: config.zset_max_listpack_entries as usize,
                max_listpack_value: config.zset_max_listpack_value as usize,
            },
            stream: StreamLimits {
                block_bytes_max: config.stream_node_max_bytes as usize,
                block_entries_max: config.stream_node_max_entries as usize,
            },
            hll_sparse_bytes_max: config.hll_sparse_max_bytes as usize,
            string_bytes_max: config.proto_max_bulk_len as usize,
            memory_bytes_max: config.maxmemory,
        }
    }
}

pub struct ShardCx {
    pub id: u16,
    pub shards: u16,
    /// Which of them has a key.
    pub slots: SlotMap,
    pub dbs: Databases,
    /// What the databases have let go of and is freed step by step.
    pub bin: Bin,
    pub seed: HashSeed,
    pub config: Arc<Config>,
    /// Derived from `config`; see [`ShardCx::set_config`].
    pub limits: Limits,
    pub random: Random,
    /// Wall clock in unix ms and monotonic clock in µs, as of the beginning of the turn (or of a long command).
    pub now_ms: u64,
    pub now_us: u64,
    /// Monotonic µs at start.
    pub started_us: u64,
    pub started_ms: u64,
    /// Changes since the last save.
    pub dirty: u64,
    /// Saves the data, where there are files; this shard's part of the save under way; what the last one took in.
    pub saver: Option<Arc<dyn Saver>>,
    pub saving: Option<Saving>,
    /// Large values have come of which saves need more, of other shards or of this one.
    pub has_begun_values: bool,
    /// Carries what goes to other servers, while a command waits for it.
    pub migrator: Option<Arc<dyn Migrator>>,
    /// For the command that runs next: what has come of what it had carried.
    pub delivery: Option<Box<Delivery>>,
    /// What is about to take the place of the data (DEBUG RELOAD).
    pub aside: Option<Box<crate::families::reload::Aside>>,
    pub saved: Saved,
    /// What commands leave to be written down.
    pub journal: Journal,
    /// The data could not be saved: nothing may be written until it can.
    pub refuses_writes: bool,
    /// Data is being loaded: commands that have to do with it are refused, and nothing is done with it.
    pub is_loading: bool,
    /// The data is being saved before the process ends: nothing begins for clients any more.
    pub is_closed: bool,
    pub stats: Stats,
    pub commands: CommandStats,
    pub errors: ErrorStats,
    pub rates: Rates,
    pub slow_log: SlowLog,
    pub hot_keys: HotKeys,
    pub latency: Latency,
    pub platform: Platform,
    pub about: Arc<About>,
    /// Shards that have monitors; connections of this shard that are; lines of this turn for them.
    pub monitors: Vec<u16>,
    pub monitoring: Vec<usize>,
    pub monitored: Vec<u8>,
    pub sessions: Sessions,
    pub effects: Vec<Effect>,
    pub active_expire: bool,
    /// Nothing is done of the shard's own accord: no expiry, no eviction (DEBUG PAUSE-CRON).
    pub cron_paused: bool,
    /// Scripts may call DEBUG (DEBUG SET-DISABLE-DENY-SCRIPTS).
    pub scripts_may_debug: bool,
    /// When the script began (unix µs) that has called the command that runs now.
    pub in_script: Option<u64>,
    /// RESTORE takes payloads whose check sum is wrong (DEBUG SET-SKIP-CHECKSUM-VALIDATION).
    pub skip_checksums: bool,
    pub ages: Ages,
    pub eviction: Eviction,
    /// Set while commands are held back; ended by the connection layer.
    pub pause: Option<Pause>,
    /// Keys of several shards, this one included, that are locked for the command that runs now and are here.
    pub guests: Guests,
    /// Who watches keys of this shard.
    pub watches: Watches,
    /// Which events of keys are published.
    pub notices: Notices,
    /// Who is subscribed to what, and what has been published.
    pub pubsub: PubSub,
    /// Keys that blocked clients wait for.
    pub awaited: Awaited,
    /// Clients that cache what they have read.
    pub tracking: Tracking,
    /// What FT.* searches.
    pub indexes: Indexes,
    /// Rows of aggregations that have not been read.
    pub cursors: Cursors,
    /// Scripts, and the one that runs now.
    pub scripts: Scripts,
    /// How scripts and transactions run the commands inside them.
    pub run_inside: RunInside,
    /// The command that has just said which keys it needs does not know whether these are all: it is to get them as it goes.
    pub learns: bool,
    /// A script that has run for too long is in the middle of its work: nothing else may change data, not even the shard itself.
    pub is_occupied: bool,
    /// An operation that is not over has this shard for itself: keys neither expire nor are evicted but by what it does.
    pub is_left_alone: bool,
    /// What a script has changed so far that may have to be taken back: nobody is told yet.
    pub untold: Option<Vec<Change>>,
    /// Keys of this shard are locked, or somebody waits for that.
    pub has_locks: bool,
    /// Keys whose memory has been asked for.
    pub keys_ahead: KeysAhead,
    /// Somebody wants to know of changes of keys; see [`ShardCx::hear`].
    pub is_listening: bool,
}

impl ShardCx {
    /// Whether keys neither expire nor are evicted of the shard's own accord.
    pub fn is_kept_as_is(&self) -> bool {
        self.cron_paused || self.is_occupied || self.is_loading || self.is_left_alone
    }

    pub fn new(id: u16, shards: u16, config: Arc<Config>, seed: HashSeed, random_seed: u64) -> Self {
        let bin = Bin::default();
        let dbs = Databases::new(config.databases as usize, seed.clone(), bin.clone());
        let (limits, first) = (Limits::new(&config), Arc::clone(&config));
        let mut cx = Self {
            id,
            shards,
            slots: SlotMap::new(shards),
            dbs,
            bin,
            seed,
            limits,
            config,
            random: Random::from_seed(random_seed),
            now_ms: 0,
            now_us: 0,
            started_us: 0,
            started_ms: 0,
            dirty: 0,
            saver: None,
            saving: None,
            has_begun_values: false,
            aside: None,
            migrator: None,
            delivery: None,
            saved: Saved::default(),
            journal: Journal::default(),
            refuses_writes: false,
            is_loading: false,
            is_closed: false,
            stats: Stats::default(),
            commands: CommandStats::default(),
            errors: ErrorStats::default(),
            rates: Rates::default(),
            slow_log: SlowLog::default(),
            hot_keys: HotKeys::default(),
            latency: Latency::default(),
            platform: Platform::default(),
            about: Arc::default(),
            monitors: Vec::new(),
            monitoring: Vec::new(),
            monitored: Vec::new(),
            sessions: Sessions::default(),
            effects: Vec::new(),
            active_expire: true,
            cron_paused: false,
            scripts_may_debug: false,
            in_script: None,
            skip_checksums: false,
            ages: Ages::default(),
            eviction: Eviction::default(),
            pause: None,
            guests: Guests::default(),
            watches: Watches::default(),
            notices: Notices::default(),
            pubsub: PubSub::default(),
            awaited: Awaited::default(),
            tracking: Tracking::default(),
            indexes: Indexes::default(),
            cursors: Cursors::default(),
            scripts: Scripts::default(),
            run_inside: |_, _, _, _, _| unreachable!("the shard says how"),
            learns: false,
            is_occupied: false,
            is_left_alone: false,
            untold: None,
            has_locks: false,
            keys_ahead: KeysAhead::default(),
            is_listening: false,
        };
        cx.set_config(first);
        cx
    }

    /// Sets the clocks to now if the turn has taken long: a key that was given a short time may be over once what gave it to it is.
    pub fn catch_up(&mut self) {
        let elapsed_us = ((self.platform.clock_ns)() / 1000).saturating_sub(self.now_us);
        if elapsed_us >= 1000 {
            self.now_ms += elapsed_us / 1000;
            self.now_us += elapsed_us;
        }
    }

    /// Takes over a changed configuration.
    pub fn set_config(&mut self, config: Arc<Config>) {
        self.limits = Limits::new(&config);
        self.commands.keeps_times = config.latency_tracking;
        if !config.latency_tracking {
            self.commands.forget_times();
        }
        let frees = Frees {
            overwritten: Free::later_if(config.lazyfree_lazy_server_del),
            expired: Free::later_if(config.lazyfree_lazy_expire),
        };
        self.dbs.set_frees(frees);
        self.tracking.set_keys_max(config.tracking_table_max_keys, self.shards);
        self.journal.is_timed = config.aof_timestamp_enabled;
        self.config = config;
        self.set_timing();
        self.set_notices();
        self.set_ages();
    }

    /// Whether the command that runs now may use a key: it belongs to this shard; or, if keys have been brought here for
    /// the command, it is among them (an own key that is not may be away, or change before the command is run again).
    pub fn has_key(&self, db: u16, key: &[u8]) -> bool {
        if self.shards == 1 {
            return true;
        }
        if self.guests.are_here() {
            return self.guests.has(db, key);
        }
        self.slots.shard_of(key) == self.id
    }

    /// The keys of a command that its arguments name at `indexes`, each with the databases it may be used in.
    pub fn keys_at(&self, command: &Command, args: Args<'_>, db: u16, indexes: &[usize]) -> Vec<DbKey> {
        let other = if command.flags & flag::CROSS_DB != 0 { other_db(args) } else { None };
        let other = other.filter(|other| *other != db && usize::from(*other) < self.dbs.count());
        let dbs = || std::iter::once(db).chain(other);
        indexes.iter().flat_map(|&index| dbs().map(move |db| (db, args[index].to_vec()))).collect()
    }

    /// All keys that a command names; none if their count is wrong.
    pub fn keys_of(&self, command: &Command, args: Args<'_>, db: u16) -> Vec<DbKey> {
        let mut indexes = Vec::new();
        match command.key_indexes(&args, &mut indexes) {
            Ok(()) => self.keys_at(command, args, db, &indexes),
            Err(_) => Vec::new(),
        }
    }

    /// Finds out whether anybody wants to know of changes of keys. To be called whenever somebody begins or ends to.
    pub fn set_listening(&mut self) {
        let someone_waits = !self.watches.is_empty() || !self.awaited.is_empty() || self.notices.any;
        let is_noted = self.guests.are_here() || self.untold.is_some();
        self.is_listening =
            is_noted || someone_waits || self.tracking.is_listening() || self.indexes.follow();
    }

    /// A key has changed, or may have. Whoever waits for that lives on the shard that owns it: of a guest it is told when it goes home.
    pub fn hear(&mut self, change: Change) {
        let Change { db, key, event, subkeys, by, is_read } = change;
        let caller = std::mem::replace(&mut self.tracking.caller, by);
        match is_read {
            true => {
                let key = Key::new(&key, &self.seed.clone());
                let may_miss = self.dbs.key_of(key.hash, &|name| name == key.bytes).is_none();
                self.remember_read(db, key, by.client, may_miss);
            }
            false => self.hear_of(db, event, &key, &subkeys),
        }
        self.tracking.caller = caller;
    }

    /// As [`ShardCx::hear`], of a change that is not kept unless somebody wants it.
    #[cold]
    pub fn hear_of(&mut self, db: u16, event: Option<(Event, &'static str)>, key: &[u8], subkeys: &[u8]) {
        if self.notices.births {
            self.tell_births();
        }
        if self.guests.are_here() && !matches!(event, Some((Event::Expired | Event::Evicted, _))) {
            self.note_changed(db, key);
        }
        self.tell_change(db, event, key, subkeys);
    }

    pub(crate) fn tell_change(
        &mut self,
        db: u16,
        event: Option<(Event, &'static str)>,
        key: &[u8],
        subkeys: &[u8],
    ) {
        let by = self.author();
        let change =
            || Change { db, key: key.to_vec(), event, subkeys: subkeys.to_vec(), by, is_read: false };
        if let Some(changes) = &mut self.untold {
            return changes.push(change());
        }
        if self.guests.are_here() && self.slots.shard_of(key) != self.id {
            return self.guests.note(change());
        }
        self.note_for_indexes(db, event, key);
        if self.notices.any
            && let Some((class, name)) = event
            && !name.is_empty()
        {
            self.publish_event(db, class, name, key, subkeys);
        }
        // A group that is set back has nothing for those who wait for news.
        if !self.awaited.is_empty() && !matches!(event, Some((Event::Group, "xgroup-setid"))) {
            self.awaited.note(db, key);
        }
        if matches!(event, Some((Event::Group, _))) {
            return;
        }
        if !self.watches.is_empty() {
            self.watches.touch(db, key.to_vec());
        }
        if self.tracking.is_listening() {
            self.track_change(key);
        }
    }

    /// Whether what has run has brought something for others: clients to serve, changes to tell.
    #[inline]
    pub fn has_news(&self) -> bool {
        self.awaited.has_news() || self.tracking.has_news() || self.pubsub.has_much()
    }

    /// Bytes of all data of this shard, what is still to be freed included.
    pub fn data_bytes(&self) -> usize {
        self.dbs.iter().map(Db::bytes).sum::<usize>() + self.bin.bytes()
    }

    /// What indexes and cursors owned when this was last counted.
    pub fn search_bytes(&self) -> usize {
        self.indexes.bytes + self.cursors.bytes()
    }

    /// Counts what indexes own.
    pub fn count_search_bytes(&mut self) {
        self.indexes.count_bytes();
    }

    /// The age a key gets when it is made now; see [`Ages`].
    #[inline]
    pub fn clock_age(&self) -> u32 {
        self.ages.rule.fresh(self.now_ms)
    }
}
