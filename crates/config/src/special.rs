//! Values of the directives that fit no common kind: save points, output buffer limits, out-of-memory scores,
//! keyspace event classes, percentiles, the primary to replicate. How each is read and shown.

use crate::number::{c_int, memory};

/// One condition of `save`: a snapshot after `seconds` if at least `changes` keys changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    pub seconds: u64,
    pub changes: u64,
}

/// Reads `seconds changes` pairs.
pub(crate) fn save_points(words: &[Vec<u8>]) -> Result<Vec<SavePoint>, &'static str> {
    const INVALID: &str = "Invalid save parameters";
    let number = |word: &[u8], least: u64| -> Result<u64, &'static str> {
        let value = c_int(word, 10).and_then(|n| u64::try_from(n).ok()).ok_or(INVALID)?;
        if value < least { Err(INVALID) } else { Ok(value) }
    };
    if !words.len().is_multiple_of(2) {
        return Err(INVALID);
    }
    words
        .chunks_exact(2)
        .map(|pair| Ok(SavePoint { seconds: number(&pair[0], 1)?, changes: number(&pair[1], 0)? }))
        .collect()
}

/// When a client is closed for not reading its replies. 0 means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    pub hard_bytes: u64,
    pub soft_bytes: u64,
    pub soft_seconds: u64,
}

/// `client-output-buffer-limit`: one limit for each class of clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimits {
    pub normal: OutputLimit,
    pub replica: OutputLimit,
    pub pubsub: OutputLimit,
}

impl OutputLimits {
    pub(crate) const NONE: OutputLimits = {
        let none = OutputLimit { hard_bytes: 0, soft_bytes: 0, soft_seconds: 0 };
        OutputLimits { normal: none, replica: none, pubsub: none }
    };

    /// The limits with the classes that `words` name (`class hard soft soft-seconds` each) replaced.
    pub(crate) fn with(mut self, words: &[Vec<u8>]) -> Result<Self, &'static str> {
        if !words.len().is_multiple_of(4) {
            return Err("Wrong number of arguments in buffer limit configuration.");
        }
        for entry in words.chunks_exact(4) {
            let class = match entry[0].to_ascii_lowercase().as_slice() {
                b"normal" => &mut self.normal,
                b"slave" | b"replica" => &mut self.replica,
                b"pubsub" => &mut self.pubsub,
                _ => return Err("Invalid client class specified in buffer limit configuration."),
            };
            let seconds = c_int(&entry[3], 10).and_then(|n| u64::try_from(n).ok());
            let (Some(hard_bytes), Some(soft_bytes), Some(soft_seconds)) =
                (memory(&entry[1]), memory(&entry[2]), seconds)
            else {
                return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.");
            };
            *class = OutputLimit { hard_bytes, soft_bytes, soft_seconds };
        }
        Ok(self)
    }

    /// The classes with the name `CONFIG GET` shows and the one `CONFIG REWRITE` writes.
    pub(crate) fn classes(&self) -> [(&'static str, &'static str, OutputLimit); 3] {
        [
            ("normal", "normal", self.normal),
            ("slave", "replica", self.replica),
            ("pubsub", "pubsub", self.pubsub),
        ]
    }
}

/// Reads the three scores of `oom-score-adj-values`.
pub(crate) fn oom_scores(words: &[Vec<u8>]) -> Result<[i32; 3], &'static str> {
    let [server, replica, child] = words else { return Err("wrong number of arguments") };
    let score = |word: &[u8]| {
        let value = c_int(word, 10).filter(|n| (-2000..=2000).contains(n));
        value
            .and_then(|n| i32::try_from(n).ok())
            .ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
    };
    Ok([score(server)?, score(replica)?, score(child)?])
}

/// Classes of keyspace events (`notify-keyspace-events`), a set of bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyEvents(u32);

impl std::ops::BitOr for KeyEvents {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl KeyEvents {
    pub const NONE: KeyEvents = KeyEvents(0);
    pub const GENERIC: KeyEvents = KeyEvents(1 << 0);
    pub const STRING: KeyEvents = KeyEvents(1 << 1);
    pub const LIST: KeyEvents = KeyEvents(1 << 2);
    pub const SET: KeyEvents = KeyEvents(1 << 3);
    pub const HASH: KeyEvents = KeyEvents(1 << 4);
    pub const ZSET: KeyEvents = KeyEvents(1 << 5);
    pub const EXPIRED: KeyEvents = KeyEvents(1 << 6);
    pub const EVICTED: KeyEvents = KeyEvents(1 << 7);
    pub const STREAM: KeyEvents = KeyEvents(1 << 8);
    pub const MODULE: KeyEvents = KeyEvents(1 << 9);
    pub const NEW: KeyEvents = KeyEvents(1 << 10);
    pub const KEYSPACE: KeyEvents = KeyEvents(1 << 11);
    pub const KEYEVENT: KeyEvents = KeyEvents(1 << 12);
    pub const MISS: KeyEvents = KeyEvents(1 << 13);
    pub const OVERWRITTEN: KeyEvents = KeyEvents(1 << 14);
    pub const TYPE_CHANGED: KeyEvents = KeyEvents(1 << 15);
    pub const ARRAY: KeyEvents = KeyEvents(1 << 16);
    /// Channels that name the fields of hashes (Redis 8.8).
    pub const SUBKEYSPACE: KeyEvents = KeyEvents(1 << 17);
    pub const SUBKEYEVENT: KeyEvents = KeyEvents(1 << 18);
    pub const SUBKEYSPACEITEM: KeyEvents = KeyEvents(1 << 19);
    pub const SUBKEYSPACEEVENT: KeyEvents = KeyEvents(1 << 20);
    /// `A`: every class of keys and commands, but for misses, and for keys that are new, overwritten or of another type.
    pub const ALL: KeyEvents = KeyEvents(((1 << 10) - 1) | Self::ARRAY.0);

    /// Letters in the order they are shown.
    const LETTERS: [(u8, KeyEvents); 21] = [
        (b'g', Self::GENERIC),
        (b'$', Self::STRING),
        (b'l', Self::LIST),
        (b's', Self::SET),
        (b'h', Self::HASH),
        (b'z', Self::ZSET),
        (b'x', Self::EXPIRED),
        (b'e', Self::EVICTED),
        (b't', Self::STREAM),
        (b'd', Self::MODULE),
        (b'a', Self::ARRAY),
        (b'n', Self::NEW),
        (b'o', Self::OVERWRITTEN),
        (b'c', Self::TYPE_CHANGED),
        (b'K', Self::KEYSPACE),
        (b'E', Self::KEYEVENT),
        (b'm', Self::MISS),
        (b'S', Self::SUBKEYSPACE),
        (b'T', Self::SUBKEYEVENT),
        (b'I', Self::SUBKEYSPACEITEM),
        (b'V', Self::SUBKEYSPACEEVENT),
    ];

    /// Whether all classes of `other` are in this set.
    pub fn contains(self, other: KeyEvents) -> bool {
        self.0 & other.0 == other.0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether any class of `other` is in this set.
    pub fn has_any(self, other: KeyEvents) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        let mut bits = 0;
        for letter in text {
            bits |= match letter {
                b'A' => Self::ALL.0,
                _ => Self::LETTERS
                    .iter()
                    .find(|(known, _)| known == letter)
                    .map(|(_, class)| class.0)
                    .ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?,
            };
        }
        Ok(KeyEvents(bits))
    }

    pub(crate) fn text(self) -> String {
        // With all classes in, "A" stands for them and (as in redis-server) also hides `n`, `o` and `c`.
        let all = self.contains(Self::ALL);
        let hidden_by_all = Self::NEW | Self::OVERWRITTEN | Self::TYPE_CHANGED;
        let hidden = |class: KeyEvents| all && (Self::ALL.contains(class) || hidden_by_all.contains(class));
        let shown = Self::LETTERS.iter().filter(|(_, class)| self.contains(*class) && !hidden(*class));
        all.then_some('A').into_iter().chain(shown.map(|(letter, _)| char::from(*letter))).collect()
    }
}

/// Reads percentiles between 0 and 100.
pub(crate) fn percentiles(words: &[Vec<u8>]) -> Result<Vec<f64>, &'static str> {
    let read = |word: &Vec<u8>| -> Result<f64, &'static str> {
        let text = std::str::from_utf8(word).ok();
        let value: Option<f64> = text.and_then(|t| t.parse().ok()).filter(|v: &f64| !v.is_nan());
        let value = value.ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&value) {
            return Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
        }
        Ok(value)
    };
    words.iter().map(read).collect()
}

/// Six decimals at most, without trailing zeros.
pub(crate) fn percentile_text(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The server to replicate (`replicaof`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Primary {
    pub host: Vec<u8>,
    pub port: u16,
}

/// Reads `host port` or `no one`.
pub(crate) fn primary(words: &[Vec<u8>]) -> Result<Option<Primary>, &'static str> {
    let [host, port] = words else { return Err("wrong number of arguments") };
    if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
        return Ok(None);
    }
    let port = c_int(port, 10).and_then(|n| u16::try_from(n).ok()).ok_or("Invalid master port")?;
    Ok(Some(Primary { host: host.clone(), port }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::words::split_words;

    fn words(text: &str) -> Vec<Vec<u8>> {
        split_words(text.as_bytes()).unwrap()
    }

    #[test]
    fn key_event_letters() {
        for (given, shown) in [
            ("", ""),
            ("KEA", "AKE"),
            ("Elg$m", "g$lEm"),
            ("KEx", "xKE"),
            ("g$lshzxetda", "A"),
            ("An", "A"),
            ("VITSKm", "KmSTIV"),
            ("ShA", "AS"),
        ] {
            assert_eq!(KeyEvents::parse(given.as_bytes()).unwrap().text(), shown, "{given}");
        }
        assert!(KeyEvents::parse(b"KEQ").is_err());
        assert!(KeyEvents::parse(b"A").unwrap().contains(KeyEvents::EVICTED));
        assert!(!KeyEvents::parse(b"A").unwrap().contains(KeyEvents::MISS));
    }

    #[test]
    fn output_limits_replace_only_named_classes() {
        let limits = OutputLimits::NONE.with(&words("Replica 1mb 2k 3 slave 5 6 7 normal 1 1 1")).unwrap();
        assert_eq!(limits.replica, OutputLimit { hard_bytes: 5, soft_bytes: 6, soft_seconds: 7 });
        assert_eq!(limits.pubsub, OutputLimits::NONE.pubsub);
        for bad in ["normal 1", "master 1 1 1", "x 1 1 1", "normal 1 1 -1", "normal 1 1 x", "normal -1 1 1"] {
            assert!(OutputLimits::NONE.with(&words(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn percentile_shapes() {
        assert_eq!(percentiles(&words("50 99.95 1e1")).unwrap(), [50.0, 99.95, 10.0]);
        for bad in ["x", "nan", "101", "-1", "\"\""] {
            assert!(percentiles(&words(bad)).is_err(), "{bad}");
        }
        assert_eq!(percentile_text(99.9), "99.9");
        assert_eq!(percentile_text(100.0), "100");
        assert_eq!(percentile_text(99.99999999), "100");
    }

    #[test]
    fn primaries() {
        assert_eq!(primary(&words("No One")), Ok(None));
        assert_eq!(primary(&words("h 6379")).unwrap().unwrap().port, 6379);
        assert_eq!(primary(&words("h 70000")), Err("Invalid master port"));
        assert_eq!(primary(&words("h")), Err("wrong number of arguments"));
    }
}
