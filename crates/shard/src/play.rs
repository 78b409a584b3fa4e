//! Commands that were written down, played again before anybody is served.
//!
//! As in Redis nothing expires meanwhile by itself: what was over when it was met has been deleted by a command of its own. So
//! the clock stands still, at the beginning of time, but for commands that count from now, which no server writes down.

use crate::execute;
use crate::shard::Shard;
use command::spec::flag;
use command::{Args, Command, Cx, Error, OwnArgs, Plan, lookup, registry};
use keyspace::{Found, Key};
use resp::Reply;

impl Shard {
    /// Plays a command again, in a database, without a client: nothing is refused for want of memory, nobody is told, nothing is written
    /// down or counted. What stands between MULTI and EXEC is played one after the other. All keys must be this shard's.
    ///
    /// # Errors
    /// Why it has done nothing: its name or arguments are wrong, or it has failed.
    pub fn play(&mut self, db: u16, words: &[&[u8]]) -> Result<(), String> {
        let mut own = std::mem::take(&mut self.playing);
        own.refill_with(words);
        let played = self.play_args(db, &own);
        own.clear_to(KEPT_BYTES_MAX);
        self.playing = own;
        played
    }

    fn play_args(&mut self, db: u16, own: &OwnArgs) -> Result<(), String> {
        let seed = self.cx.seed.clone();
        let args = own.args(&seed);
        let command = played_by(args)?;
        if usize::from(db) >= self.cx.dbs.count() {
            return Err(format!("there is no database {db}"));
        }
        if self.cx.shards > 1 {
            self.check_owner(command, args, db)?;
        }
        let now_ms = self.cx.now_ms;
        if !counts_from_now(command, args) {
            self.cx.now_ms = 0;
        }
        let (dirty, hits, misses) = (self.cx.dirty, self.cx.stats.hits, self.cx.stats.misses);
        self.cx.is_listening = false;
        let outcome = self.run_played(command, args, db);
        self.set_ages(command, args, db, now_ms);
        self.cx.set_listening();
        (self.cx.dirty, self.cx.stats.hits, self.cx.stats.misses) = (dirty, hits, misses);
        self.cx.now_ms = now_ms;
        outcome.map_err(|error| match error {
            Error::Reply(line) => String::from_utf8_lossy(&line).into_owned(),
            Error::NeedKeys(_) => "it needs keys of other shards".to_owned(),
            Error::Wait(_) | Error::Away(_) | Error::Long => "it would have to wait".to_owned(),
        })
    }

    /// What has been changed is as young as if it had been changed now.
    fn set_ages(&mut self, command: &Command, args: Args<'_>, db: u16, now_ms: u64) {
        let says_itself = command.full_name == "restore" && args.len() > 6;
        if says_itself {
            return;
        }
        let age = self.cx.ages.rule.fresh(now_ms);
        match usize::from(command.placed_key) {
            0 => {
                let seed = self.cx.seed.clone();
                let keys = self.cx.keys_of(command, args, db);
                keys.iter().for_each(|(db, key)| self.set_age(*db, Key::new(key, &seed), age));
            }
            index => self.set_age(db, args.key(index), age),
        }
    }

    fn set_age(&mut self, db: u16, key: Key<'_>, age: u32) {
        let space = &mut self.cx.dbs[usize::from(db)];
        if let Found::Live(pos) = space.find(key, 0) {
            space.set_age(pos, age);
        }
    }

    fn check_owner(&self, command: &Command, args: Args<'_>, db: u16) -> Result<(), String> {
        let keys = self.cx.keys_of(command, args, db);
        match keys.iter().find(|(_, key)| self.cx.slots.shard_of(key) != self.cx.id) {
            Some((_, key)) => Err(format!("key \"{}\" is another shard's", key.escape_ascii())),
            None => Ok(()),
        }
    }

    fn run_played(&mut self, command: &'static Command, args: Args<'_>, db: u16) -> Result<(), Error> {
        let mut cx = Cx { shard: &mut self.cx, db, resp3: false, conn: None, deny_blocking: true };
        let mut out = std::mem::take(&mut self.scratch);
        let outcome = match command.prepare {
            None => (command.handler)(&mut cx, args, &mut out),
            Some(prepare) => prepare(&mut cx, args).and_then(|words| {
                let own = OwnArgs::of_words(words);
                (command.handler)(&mut cx, own.args(args.seed()), &mut out)
            }),
        };
        // Scripts answer errors of theirs without failing.
        let failed = outcome.is_ok() && out.buf.first() == Some(&b'-');
        let outcome = match failed {
            true => Err(Error::Reply(first_line(&out).into())),
            false => outcome,
        };
        out.clear();
        self.scratch = out;
        outcome
    }
}

/// Room that the arguments keep for the next command.
const KEPT_BYTES_MAX: usize = 1 << 20;

fn first_line(out: &Reply) -> Vec<u8> {
    let line = out.buf.split(|byte| *byte == b'\r').next().unwrap_or_default();
    line.strip_prefix(b"-").unwrap_or(line).to_vec()
}

/// The command that is to be played.
fn played_by(args: Args<'_>) -> Result<&'static Command, String> {
    let name = args.get(0).ok_or("a command without a name")?;
    let mut command = lookup(name)
        .ok_or_else(|| String::from_utf8_lossy(execute::unknown_command(name, args).line()).into_owned())?;
    if matches!(command.plan, Plan::Container)
        && let Some(sub) = args.get(1).and_then(|word| registry::subcommand(command, word))
    {
        command = sub;
    }
    if !command.takes(args.len()) {
        let error = Error::wrong_arity(command.full_name);
        return Err(String::from_utf8_lossy(error.line()).into_owned());
    }
    let is_played = match command.plan {
        Plan::Keys | Plan::Split(_) | Plan::Anywhere | Plan::Cursor(_) => true,
        Plan::All(..) => command.flags & flag::WRITE != 0,
        Plan::Connection
        | Plan::Rounds(_)
        | Plan::WithSession(..)
        | Plan::Container
        | Plan::Transaction(_)
        | Plan::Block => false,
    };
    match is_played {
        true => Ok(command),
        false => Err(format!("{} changes no data", command.full_name)),
    }
}

/// Whether a command says when keys or fields are over by what is left of their time.
fn counts_from_now(command: &Command, args: Args<'_>) -> bool {
    let has = |words: &[&str]| (1..args.len()).any(|index| words.iter().any(|word| args.is(index, word)));
    match command.full_name {
        "expire" | "pexpire" | "setex" | "psetex" | "hexpire" | "hpexpire" => true,
        "set" | "getex" | "hgetex" | "hsetex" | "msetex" => args.len() > 3 && has(&["EX", "PX"]),
        "restore" => args.get(2).is_some_and(|ttl| ttl != b"0") && !has(&["ABSTTL"]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::trial::{Trial, request};

    fn play(trial: &mut Trial, shard: usize, line: &str) -> Result<(), String> {
        let words: Vec<_> = line.split(' ').map(str::as_bytes).collect();
        trial.shards[shard].play(0, &words)
    }

    #[test]
    fn what_was_over_is_deleted_by_commands_only() {
        let mut trial = Trial::new(1);
        trial.set_time(50_000_000);
        for line in ["SET a 1 PXAT 1000", "INCR a", "SET b 1 EX 100", "SET c 1 PXAT 2000", "DEL c", "INCR c"]
        {
            assert_eq!(play(&mut trial, 0, line), Ok(()), "{line}");
        }
        let conn = trial.connect();
        assert_eq!(trial.ask(conn, &request(&["DBSIZE"])), b":3\r\n");
        assert_eq!(trial.ask(conn, &request(&["PTTL", "b"])), b":100000\r\n");
        assert_eq!(trial.ask(conn, &request(&["MGET", "a", "c"])), b"*2\r\n$-1\r\n$1\r\n1\r\n");
        assert_eq!(trial.ask(conn, &request(&["OBJECT", "IDLETIME", "b"])), b":0\r\n");
        assert_eq!(trial.shards[0].cx.dirty, 0);
    }

    #[test]
    fn what_cannot_be_played_says_so() {
        let mut trial = Trial::new(2);
        let (here, there) = (trial.key_on(0, "a"), trial.key_on(1, "b"));
        assert_eq!(play(&mut trial, 0, &format!("LPUSH {here} x")), Ok(()));
        let wrong = [
            format!("LPUSH {there} x"),
            format!("SADD {here} x"),
            format!("SADD {here}"),
            "NOSUCH a b".into(),
            "PING".into(),
            "MULTI".into(),
            "CONFIG SET maxmemory 1".into(),
            "XGROUP NOSUCH a".into(),
        ];
        for line in wrong {
            assert!(play(&mut trial, 0, &line).is_err(), "{line}");
        }
        assert_eq!(
            trial.shards[0].play(16, &[b"SET", here.as_bytes(), b"1"]),
            Err("there is no database 16".into())
        );
        assert_eq!(play(&mut trial, 0, "FLUSHALL"), Ok(()));
        let conn = trial.connect();
        assert_eq!(trial.ask(conn, &request(&["DBSIZE"])), b":0\r\n");
    }
}
