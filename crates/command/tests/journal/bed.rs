//! A shard alone, whose commands leave effects, and one where effects are played again.

use base::hash::HashSeed;
use command::session::Session;
use command::{Args, Command, Cx, OwnArgs, Plan, ShardCx, lookup, registry};
use config::Config;
use resp::Reply;
use std::sync::Arc;

/// The time at which cases run, unix ms.
pub const NOW_MS: u64 = 1_800_000_000_000;

/// A command with its database.
pub type Written = (u16, Vec<Vec<u8>>);

pub struct Bed {
    pub shard: ShardCx,
    /// The last command has said itself what it has done.
    pub is_told: bool,
}

pub fn words(line: &str) -> Vec<Vec<u8>> {
    line.split_whitespace().map(|word| word.as_bytes().to_vec()).collect()
}

pub fn line(words: &[Vec<u8>]) -> String {
    let shown = |word: &Vec<u8>| word.escape_ascii().to_string().replace("\\\"", "\"");
    words.iter().map(shown).collect::<Vec<_>>().join(" ")
}

/// The row that runs, be it that of a subcommand.
pub fn row_of(words: &[Vec<u8>]) -> &'static Command {
    let row = lookup(&words[0]).unwrap_or_else(|| panic!("a command: {}", line(words)));
    match row.plan {
        Plan::Container => registry::subcommand(row, &words[1]).expect("a subcommand"),
        _ => row,
    }
}

impl Bed {
    pub fn new(seed: u64, settings: &[(&str, &str)]) -> Self {
        let mut config = Config::default();
        config.set(settings, config::Caller::default()).expect("good settings");
        let mut shard = ShardCx::new(0, 1, Arc::new(config), HashSeed::new(seed, seed + 1), seed + 2);
        shard.sessions.put(0, Session::default());
        shard.now_ms = NOW_MS;
        shard.started_ms = NOW_MS;
        Self { shard, is_told: false }
    }

    /// Runs a command; the reply as it is sent.
    pub fn run(&mut self, db: u16, words: &[Vec<u8>]) -> Vec<u8> {
        let row = row_of(words);
        assert!(row.takes(words.len()), "{}", line(words));
        let (own, seed) = (OwnArgs::of_words(words.to_vec()), self.shard.seed.clone());
        let (dirty, mut out) = (self.shard.dirty, Reply::new(false));
        let outcome = self.handle(row, own.args(&seed), db, &mut out);
        self.is_told = self.shard.journal.is_told;
        match outcome {
            Ok(()) if self.shard.logs() => self.shard.write_down(row, own.args(&seed), db, dirty),
            Err(_) if self.shard.logs() => self.shard.write_failed(),
            _ => {}
        }
        if let Err(error) = outcome {
            return [b"-", error.line(), b"\r\n"].concat();
        }
        out.buf
    }

    fn handle(
        &mut self,
        row: &'static Command,
        args: Args<'_>,
        db: u16,
        out: &mut Reply,
    ) -> Result<(), command::Error> {
        let mut cx = Cx { shard: &mut self.shard, db, resp3: false, conn: Some(0), deny_blocking: true };
        match row.prepare {
            None => (row.handler)(&mut cx, args, out),
            Some(prepare) => {
                let own = OwnArgs::of_words(prepare(&mut cx, args)?);
                (row.handler)(&mut cx, own.args(args.seed()), out)
            }
        }
    }

    /// Runs a line of words.
    pub fn ask(&mut self, text: &str) -> String {
        let reply = self.run(0, &words(text));
        String::from_utf8_lossy(&reply).into_owned()
    }

    /// As DEBUG DIGEST answers it.
    pub fn digest(&mut self) -> String {
        let (words, seed) = (words("DEBUG DIGEST"), self.shard.seed.clone());
        let (part, own) = (self.run(0, &words), OwnArgs::of_words(words.clone()));
        let Plan::All(_, merge) = row_of(&words).plan else { panic!("all shards have a part") };
        let mut out = Reply::new(false);
        merge(&mut self.shard, own.args(&seed), &[&part], &mut out).expect("a digest");
        String::from_utf8_lossy(&out.buf).trim_start_matches('+').trim_end().to_owned()
    }

    /// What has been written down since.
    pub fn take(&mut self) -> Vec<Written> {
        let told = self.shard.journal.end_gathering();
        self.shard.journal.begin_gathering();
        told.iter().map(|it| (it.db, it.words.map(<[u8]>::to_vec).collect())).collect()
    }

    /// Plays what was written down.
    ///
    /// # Errors
    /// Which command fails, and how.
    pub fn play(&mut self, written: &[Written]) -> Result<(), String> {
        let now_ms = std::mem::replace(&mut self.shard.now_ms, 0);
        for (db, words) in written {
            let reply = self.run(*db, words);
            let text = String::from_utf8_lossy(&reply);
            if text.starts_with('-') {
                return Err(format!("{}: {text}", line(words)));
            }
        }
        self.shard.now_ms = now_ms;
        Ok(())
    }
}
