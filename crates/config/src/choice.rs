//! Directives whose value is one of a few names: one Rust enum each, whose names are the table's.
//! The names stand in redis-server's order, which its error messages show.

/// Defines the enum, its list of names with numbers for the table, and the way back from a number.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident {
        $($(#[$variant_doc:meta])* $variant:ident = $text:literal $(| $synonym:literal)?,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Name and number of every choice; a synonym follows the name that is shown.
            pub(crate) const NAMES: &'static [(&'static str, u32)] = &[
                $(($text, $name::$variant as u32), $(($synonym, $name::$variant as u32),)?)*
            ];

            /// The name as in a configuration file.
            pub fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            pub(crate) fn from_number(number: u32) -> Option<Self> {
                [$($name::$variant,)*].into_iter().find(|choice| *choice as u32 == number)
            }
        }
    };
}

choice! {
    /// What to evict when memory is full (`maxmemory-policy`).
    MaxmemoryPolicy {
        VolatileLru = "volatile-lru",
        VolatileLfu = "volatile-lfu",
        VolatileRandom = "volatile-random",
        VolatileTtl = "volatile-ttl",
        VolatileLrm = "volatile-lrm",
        AllkeysLru = "allkeys-lru",
        AllkeysLfu = "allkeys-lfu",
        AllkeysRandom = "allkeys-random",
        AllkeysLrm = "allkeys-lrm",
        NoEviction = "noeviction",
    }
}

impl MaxmemoryPolicy {
    /// Evicts only keys with an expiry.
    pub fn is_volatile(self) -> bool {
        use MaxmemoryPolicy::*;
        matches!(self, VolatileLru | VolatileLfu | VolatileRandom | VolatileTtl | VolatileLrm)
    }

    /// Counts how often keys are used.
    pub fn is_lfu(self) -> bool {
        matches!(self, Self::VolatileLfu | Self::AllkeysLfu)
    }

    /// Goes by the last use.
    pub fn is_lru(self) -> bool {
        matches!(self, Self::VolatileLru | Self::AllkeysLru)
    }

    /// Goes by the last change rather than the last use.
    pub fn is_lrm(self) -> bool {
        matches!(self, Self::VolatileLrm | Self::AllkeysLrm)
    }
}

choice! {
    /// How much to log (`loglevel`).
    LogLevel {
        Debug = "debug",
        Verbose = "verbose",
        Notice = "notice",
        Warning = "warning",
        Nothing = "nothing",
    }
}

choice! {
    /// Who may use a guarded feature (`enable-debug-command` and its kind).
    WhoMay { Nobody = "no", Everybody = "yes", Local = "local", }
}

choice! {
    /// Whether to set the kernel's out-of-memory score (`oom-score-adj`).
    OomScoreAdj { No = "no", Relative = "yes" | "relative", Absolute = "absolute", }
}

choice! {
    /// When append-only files are synced (`appendfsync`).
    AppendFsync { EverySecond = "everysec", Always = "always", No = "no", }
}

choice! {
    /// How results are scored (`search-default-scorer`).
    ScorerName {
        Bm25Std = "BM25STD",
        Bm25StdNorm = "BM25STD.NORM",
        Bm25StdTanh = "BM25STD.TANH",
        Bm25 = "BM25",
        TfIdf = "TFIDF",
        TfIdfDocNorm = "TFIDF.DOCNORM",
        DisMax = "DISMAX",
        DocScore = "DOCSCORE",
        Hamming = "HAMMING",
    }
}

choice! {
    /// What becomes of a search that takes too long (`search-on-timeout`).
    OnTimeout {
        Return = "return",
        Fail = "fail",
    }
}

choice! {
    /// The system interface of the event loop (`io-backend`).
    IoBackend {
        /// io_uring where the kernel allows it, else epoll.
        Auto = "auto",
        IoUring = "io_uring",
        Epoll = "epoll",
    }
}

choice! {
    /// Whether every shard is kept on a processor of its own (`cpu-pinning`).
    CpuPinning {
        /// As long as nobody else wants that processor.
        Auto = "auto",
        Yes = "yes",
        No = "no",
    }
}

/// Numbers names in their order, for choices that only the table knows yet.
macro_rules! names {
    ($($(#[$doc:meta])* $list:ident = [$($name:literal),* $(,)?];)*) => {
        $($(#[$doc])* pub(crate) const $list: &[(&str, u32)] = &number([$($name),*]);)*
    };
}

const fn number<const N: usize>(names: [&'static str; N]) -> [(&'static str, u32); N] {
    let mut numbered = [("", 0); N];
    let mut at = 0;
    while at < N {
        numbered[at] = (names[at], at as u32);
        at += 1;
    }
    numbered
}

names! {
    SUPERVISED = ["upstart", "systemd", "auto", "no"];
    SYSLOG_FACILITY =
        ["user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"];
    DISKLESS_LOAD = ["disabled", "on-empty-db", "swapdb"];
    TLS_AUTH_CLIENTS = ["no", "yes", "optional"];
    ENDPOINT_TYPE = ["ip", "hostname", "unknown-endpoint"];
    PROPAGATION_ERROR = ["ignore", "panic", "panic-on-replicas"];
    SANITIZE_DUMP = ["no", "yes", "clients"];
    PUBSUB_DEFAULT = ["allchannels", "resetchannels"];
}

/// `shutdown-on-sigint`, `shutdown-on-sigterm`: any number of these together.
pub(crate) const SHUTDOWN_FLAGS: &[(&str, u32)] = &[
    ("default", 0),
    ("save", SHUTDOWN_SAVE),
    ("nosave", SHUTDOWN_NOSAVE),
    ("now", SHUTDOWN_NOW),
    ("force", SHUTDOWN_FORCE),
];
pub(crate) const SHUTDOWN_SAVE: u32 = 1;
pub(crate) const SHUTDOWN_NOSAVE: u32 = 2;
const SHUTDOWN_NOW: u32 = 4;
const SHUTDOWN_FORCE: u32 = 8;

/// How a signal ends the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownFlags(pub(crate) u32);

impl ShutdownFlags {
    /// Whether the data is saved first; `by_default`: if nothing is said of that.
    pub fn saves(self, by_default: bool) -> bool {
        self.0 & SHUTDOWN_SAVE != 0 || by_default && self.0 & SHUTDOWN_NOSAVE == 0
    }

    /// Without waiting for clients that do not read.
    pub fn is_now(self) -> bool {
        self.0 & SHUTDOWN_NOW != 0
    }

    /// Even if the data cannot be saved.
    pub fn is_forced(self) -> bool {
        self.0 & SHUTDOWN_FORCE != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for (name, number) in MaxmemoryPolicy::NAMES {
            assert_eq!(MaxmemoryPolicy::from_number(*number).unwrap().name(), *name);
        }
        assert_eq!(MaxmemoryPolicy::from_number(99), None);
        assert_eq!(OomScoreAdj::NAMES[2], ("relative", OomScoreAdj::Relative as u32));
    }
}
