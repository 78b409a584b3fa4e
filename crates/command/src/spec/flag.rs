//! Flags of commands, named as COMMAND INFO names them.

pub const WRITE: u64 = 1 << 0;
pub const READONLY: u64 = 1 << 1;
pub const DENYOOM: u64 = 1 << 2;
pub const ADMIN: u64 = 1 << 3;
pub const PUBSUB: u64 = 1 << 4;
pub const NOSCRIPT: u64 = 1 << 5;
pub const BLOCKING: u64 = 1 << 6;
pub const LOADING: u64 = 1 << 7;
pub const STALE: u64 = 1 << 8;
pub const SKIP_MONITOR: u64 = 1 << 9;
pub const SKIP_SLOWLOG: u64 = 1 << 10;
pub const ASKING: u64 = 1 << 11;
pub const FAST: u64 = 1 << 12;
pub const NO_AUTH: u64 = 1 << 13;
pub const MAY_REPLICATE: u64 = 1 << 14;
pub const NO_MANDATORY_KEYS: u64 = 1 << 15;
pub const NO_ASYNC_LOADING: u64 = 1 << 16;
pub const NO_MULTI: u64 = 1 << 17;
pub const ALLOW_BUSY: u64 = 1 << 18;
pub const MOVABLEKEYS: u64 = 1 << 19;
pub const PROTECTED: u64 = 1 << 20;
/// Its keys may be in two databases (COPY, MOVE); not shown to clients.
pub const CROSS_DB: u64 = 1 << 30;
/// Its parts look at the sessions, which must be up to date; not shown to clients.
pub const SESSIONS: u64 = 1 << 29;
/// Its subcommands are rows for our sake; clients see one command (DEBUG). Not shown to clients.
pub const ONE_NAME: u64 = 1 << 28;
/// Takes so little time that it is timed together with its neighbours: set by the registry; not shown to clients.
pub const SHORT: u64 = 1 << 27;
/// Touches keys that no specification names (SORT … BY): set by the registry; not shown to clients.
pub const UNKNOWN_KEYS: u64 = 1 << 26;
/// Has its one key at a fixed place, and nothing but that key to do with: set by the registry; not shown to clients.
pub const PLAIN: u64 = 1 << 25;
/// Clients have no use for it (`syscmd` in COMMAND DOCS).
pub const SYSTEM: u64 = 1 << 24;
/// Takes as many elements as its last argument says, if there is one, however fast it is with one (LPOP). Not shown to clients.
pub const COUNTED: u64 = 1 << 23;
/// Runs a script, which may use keys that it has not declared.
pub const SCRIPT: u64 = 1 << 22;
/// Publishes messages: those of one client are to come in its order. Not shown to clients.
pub const PUBLISHES: u64 = 1 << 21;
/// Begins or ends subscriptions. Not shown to clients.
pub const LISTENS: u64 = 1 << 31;
/// What its connection sends next waits until it is done. Not shown to clients.
pub const FENCES: u64 = 1 << 32;

/// All shards are left alone to it, for it takes several steps. Not shown to clients.
pub const ALONE: u64 = 1 << 33;

/// What it does takes another server as long as that likes; its keys are held meanwhile. Not shown to clients.
pub const AWAY: u64 = 1 << 34;

/// Clients see its name in upper case, as of commands that a module of Redis has named so. Not shown to clients.
pub const UPPER_CASE: u64 = 1 << 35;

/// The flags that COMMAND INFO does not show.
const UNSHOWN: [u64; 16] = [
    UPPER_CASE,
    AWAY,
    ALONE,
    MAY_REPLICATE,
    PROTECTED,
    CROSS_DB,
    SESSIONS,
    ONE_NAME,
    SHORT,
    UNKNOWN_KEYS,
    PLAIN,
    SYSTEM,
    COUNTED,
    PUBLISHES,
    FENCES,
    LISTENS,
];

// Every flag has a bit of its own.
const _: () = {
    let (mut seen, mut index) = (0, 0);
    while index < NAMES.len() + UNSHOWN.len() {
        let bit = if index < NAMES.len() { NAMES[index].0 } else { UNSHOWN[index - NAMES.len()] };
        assert!(bit.is_power_of_two() && seen & bit == 0, "two flags share a bit");
        seen |= bit;
        index += 1;
    }
};

/// Names in the order Redis lists them; it does not show MAY_REPLICATE and PROTECTED.
pub const NAMES: [(u64, &str); 20] = [
    (WRITE, "write"),
    (READONLY, "readonly"),
    (DENYOOM, "denyoom"),
    (ADMIN, "admin"),
    (PUBSUB, "pubsub"),
    (NOSCRIPT, "noscript"),
    (BLOCKING, "blocking"),
    (LOADING, "loading"),
    (STALE, "stale"),
    (SKIP_MONITOR, "skip_monitor"),
    (SKIP_SLOWLOG, "skip_slowlog"),
    (ASKING, "asking"),
    (FAST, "fast"),
    (NO_AUTH, "no_auth"),
    (NO_MANDATORY_KEYS, "no_mandatory_keys"),
    (NO_ASYNC_LOADING, "no_async_loading"),
    (NO_MULTI, "no_multi"),
    (ALLOW_BUSY, "allow_busy"),
    (MOVABLEKEYS, "movablekeys"),
    (SCRIPT, "script_runner"),
];
