//! What CLIENT TRACKING has been asked for: the options, and the mode of a connection.

use super::{ClientRef, Tracker};
use crate::{Args, Error};
use std::collections::BTreeSet;

pub const NO_SUCH_CLIENT: &str = "The client ID you want redirect to does not exist";

/// Which reads are remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    #[default]
    All,
    /// Only those behind CLIENT CACHING YES.
    OptIn,
    /// All but those behind CLIENT CACHING NO.
    OptOut,
}

/// The connection that gets what another one is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// CLIENT ID
    pub id: u64,
    pub client: ClientRef,
}

/// A connection's tracking, while it is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    pub client: ClientRef,
    pub choice: Choice,
    pub is_deaf: bool,
    /// Hears of keys by their prefixes, whether it has read them or not.
    pub is_broadcast: bool,
    pub prefixes: BTreeSet<Vec<u8>>,
    pub target: Option<Target>,
    /// The target is gone.
    pub is_broken: bool,
    /// CLIENT CACHING has been said: of the next command the opposite holds.
    pub is_excepted: bool,
    /// It was said in a transaction, with whose end that ends.
    pub is_excepted_in_block: bool,
    /// Since the client turned tracking on, which may be off and on again: another number each time.
    pub number: u32,
}

impl Mode {
    /// How its commands are marked.
    pub fn tracker(&self) -> Tracker {
        self.tracker_if(self.is_excepted)
    }

    /// How those of a transaction are marked that began without an exception: one that was said behind EXEC is not for it.
    pub fn tracker_in_block(&self) -> Tracker {
        self.tracker_if(self.is_excepted && self.is_excepted_in_block)
    }

    /// Whether what CLIENT CACHING NO has said for a transaction, as a [`Tracker`] tells it, still holds in it.
    pub fn keeps_exception(&self, exception: u32) -> bool {
        exception != 0 && self.number == exception && self.choice == Choice::OptOut
    }

    fn tracker_if(&self, is_excepted: bool) -> Tracker {
        let reads = match self.choice {
            Choice::All => !self.is_broadcast,
            Choice::OptIn => is_excepted,
            Choice::OptOut => !is_excepted,
        };
        let exception = if is_excepted && self.choice == Choice::OptOut { self.number } else { 0 };
        Tracker {
            client: self.client,
            is_on: true,
            reads,
            is_deaf: self.is_deaf,
            is_script: false,
            exception,
        }
    }
}

/// CLIENT TRACKING ON | OFF [REDIRECT id] [PREFIX prefix …] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options<'a> {
    pub is_on: bool,
    /// CLIENT ID; 0 is none.
    pub redirect: i64,
    pub prefixes: Vec<&'a [u8]>,
    pub is_broadcast: bool,
    pub opts_in: bool,
    pub opts_out: bool,
    pub is_deaf: bool,
}

impl<'a> Options<'a> {
    /// Reads `args[2..end]`.
    ///
    /// # Errors
    /// Anything that is wrong with the options themselves.
    pub fn parse(args: Args<'a>, end: usize) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut at = 3;
        while at < end {
            let has_more = at + 1 < end;
            if args.is(at, "REDIRECT") && has_more {
                if options.redirect != 0 {
                    return Err(Error::err("A client can only redirect to a single other client"));
                }
                options.redirect = args.int(at + 1)?;
                if options.redirect == 0 {
                    return Err(Error::err(NO_SUCH_CLIENT));
                }
                at += 1;
            } else if args.is(at, "PREFIX") && has_more {
                options.prefixes.push(args.at(at + 1));
                at += 1;
            } else if args.is(at, "BCAST") {
                options.is_broadcast = true;
            } else if args.is(at, "OPTIN") {
                options.opts_in = true;
            } else if args.is(at, "OPTOUT") {
                options.opts_out = true;
            } else if args.is(at, "NOLOOP") {
                options.is_deaf = true;
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        options.is_on = args.is(2, "ON");
        if !options.is_on && !args.is(2, "OFF") {
            return Err(Error::SYNTAX);
        }
        Ok(options)
    }

    /// Whether ON is possible with these, for a client whose tracking is as `now`.
    ///
    /// # Errors
    /// If they do not go together, or not with what there is.
    pub fn check(&self, now: Option<&Mode>) -> Result<(), Error> {
        if !self.is_broadcast && !self.prefixes.is_empty() {
            return Err(Error::err("PREFIX option requires BCAST mode to be enabled"));
        }
        if now.is_some_and(|now| now.is_broadcast != self.is_broadcast) {
            return Err(Error::err(
                "You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with \
                 a different mode.",
            ));
        }
        if self.is_broadcast && (self.opts_in || self.opts_out) {
            return Err(Error::err("OPTIN and OPTOUT are not compatible with BCAST"));
        }
        if self.opts_in && self.opts_out {
            return Err(Error::err("You can't specify both OPTIN mode and OPTOUT mode"));
        }
        let choice = now.map_or(Choice::All, |now| now.choice);
        if self.opts_in && choice == Choice::OptOut || self.opts_out && choice == Choice::OptIn {
            return Err(Error::err(
                "You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with \
                 a different mode.",
            ));
        }
        self.check_prefixes(now)
    }

    fn check_prefixes(&self, now: Option<&Mode>) -> Result<(), Error> {
        let overlap = |one: &[u8], which: &str, other: &[u8]| {
            let words: [&[u8]; 7] = [
                b"ERR Prefix '",
                one,
                b"' overlaps with ",
                which.as_bytes(),
                b" prefix '",
                other,
                b"'. Prefixes for a single client must not overlap.",
            ];
            Error::Reply(words.concat().into())
        };
        for (at, prefix) in self.prefixes.iter().enumerate() {
            let mut known = now.into_iter().flat_map(|now| &now.prefixes);
            if let Some(known) = known.find(|known| overlaps(known, prefix)) {
                return Err(overlap(prefix, "an existing", known));
            }
            if let Some(other) = self.prefixes[at + 1..].iter().find(|other| overlaps(other, prefix)) {
                return Err(overlap(prefix, "another provided", other));
            }
        }
        Ok(())
    }

    /// The mode that a client has then, which was in mode `now`.
    pub fn mode(&self, now: Option<Mode>, client: ClientRef, target: Option<Target>) -> Mode {
        let now = now.unwrap_or_default();
        let mut prefixes = now.prefixes;
        prefixes.extend(self.wishes().map(<[u8]>::to_vec));
        let choice = match (self.opts_in, self.opts_out) {
            (true, _) => Choice::OptIn,
            (_, true) => Choice::OptOut,
            _ => Choice::All,
        };
        let (is_deaf, is_broadcast) = (self.is_deaf, self.is_broadcast);
        let is_excepted = now.is_excepted && choice != Choice::All;
        let (is_excepted_in_block, number) = (is_excepted && now.is_excepted_in_block, now.number);
        Mode {
            client,
            choice,
            is_deaf,
            is_broadcast,
            prefixes,
            target,
            is_broken: false,
            is_excepted,
            is_excepted_in_block,
            number,
        }
    }

    /// The prefixes that are asked for: with BCAST, all keys if none is named.
    pub fn wishes(&self) -> impl Iterator<Item = &'a [u8]> {
        let all = (self.is_broadcast && self.prefixes.is_empty()).then_some(&b""[..]);
        self.prefixes.iter().copied().chain(all)
    }
}

fn overlaps(one: &[u8], other: &[u8]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OwnArgs;
    use base::hash::HashSeed;

    fn check(words: &str, now: Option<&Mode>) -> Result<Mode, String> {
        let seed = HashSeed::new(1, 2);
        let words = format!("CLIENT TRACKING {words}");
        let own = OwnArgs::of_words(words.split(' ').map(|word| word.as_bytes().to_vec()).collect());
        let args = own.args(&seed);
        let text = |error: Error| String::from_utf8_lossy(error.line()).into_owned();
        let options = Options::parse(args, args.len()).map_err(text)?;
        options.check(now).map_err(text)?;
        Ok(options.mode(now.cloned(), ClientRef::default(), None))
    }

    #[test]
    fn options_that_do_not_go_together() {
        let plain = check("ON", None).unwrap();
        let broadcast = check("on bcast prefix a prefix b", None).unwrap();
        assert_eq!(broadcast.prefixes, [b"a".to_vec(), b"b".to_vec()].into());
        assert!(check("ON PREFIX a", None).unwrap_err().starts_with("ERR PREFIX option"));
        assert!(check("ON BCAST", Some(&plain)).unwrap_err().starts_with("ERR You can't switch BCAST"));
        assert!(check("ON", Some(&broadcast)).unwrap_err().starts_with("ERR You can't switch BCAST"));
        assert!(
            check("ON BCAST PREFIX cc PREFIX ab", Some(&broadcast))
                .unwrap_err()
                .contains("'ab' overlaps with an existing prefix 'a'")
        );
        assert!(
            check("ON BCAST PREFIX cc PREFIX c", None)
                .unwrap_err()
                .contains("'cc' overlaps with another provided prefix 'c'")
        );
        assert_eq!(check("ON BCAST PREFIX c", Some(&broadcast)).unwrap().prefixes.len(), 3);
        assert_eq!(check("MAYBE", None).unwrap_err(), "ERR syntax error");
        assert_eq!(check("ON REDIRECT", None).unwrap_err(), "ERR syntax error");
    }

    #[test]
    fn reads_are_remembered_as_the_mode_says() {
        let reads = |words: &str, is_excepted: bool| {
            let mode = Mode { is_excepted, ..check(words, None).unwrap() };
            mode.tracker().reads
        };
        assert_eq!(
            [reads("ON", false), reads("ON OPTIN", false), reads("ON OPTIN", true)],
            [true, false, true]
        );
        assert_eq!([reads("ON OPTOUT", false), reads("ON OPTOUT", true)], [true, false]);
        assert!(!reads("ON BCAST", false));
    }
}
