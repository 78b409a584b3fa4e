//! Servers whose disk fails while they append: with `always` the process ends and nothing is lost that was acknowledged; otherwise writes are refused in
//! Redis' words until the disk is well again, and then everything that was acknowledged is there.
#![forbid(unsafe_code)]

use crash::FaultyServer;
use crash::load::Load;
use std::time::{Duration, Instant};
use testkit::{Client, await_info, await_true, info, info_number};

const POLICIES: [&str; 3] = ["always", "everysec", "no"];
const NO_SPACE: &str = "No space left on device";
const IO_ERROR: &str = "Input/output error";
/// What takes longer is told of.
const SLOW: Duration = Duration::from_secs(5);

/// What is done when the disk begins to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Clients write.
    Writes,
    /// A generation of files ends.
    Generation,
    Rewrite,
    TurnOn,
    TurnOff,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Nothing,
    /// The process.
    Ends,
    /// Writes are refused, for this reason.
    Refuses(&'static str),
    /// The same, but that goes by by itself.
    RefusesFor(&'static str),
    RewriteFails,
    /// Nothing is turned on, and who has asked for it is told.
    Declined,
}

use Moment::{Generation, Rewrite, TurnOff, TurnOn, Writes};
use Outcome::{Declined, Ends, Nothing, Refuses, RefusesFor, RewriteFails};

type Case = (Moment, &'static str, [Outcome; 3]);

const fn refuses(moment: Moment, fault: &'static str, words: &'static str) -> Case {
    (moment, fault, [Ends, Refuses(words), Refuses(words)])
}

const fn fails(moment: Moment, fault: &'static str) -> Case {
    (moment, fault, [RewriteFails; 3])
}

/// Faults, and what comes of them with each of the [`POLICIES`].
const CASES: [Case; 32] = [
    refuses(Writes, "write 28 .incr.aof", NO_SPACE),
    refuses(Writes, "write 5 .incr.aof", IO_ERROR),
    // What has been written of it cannot be cut off either.
    refuses(Writes, "write 28 .incr.aof\nset-len 5 .incr.aof", NO_SPACE),
    (Writes, "write 0 .incr.aof", [Nothing; 3]),
    // A new base, which is synced, helps for a moment.
    (Writes, "sync 5 .incr.aof", [Ends, RefusesFor(IO_ERROR), Nothing]),
    (Writes, "sync 5 .incr.aof once", [Ends, RefusesFor(IO_ERROR), Nothing]),
    refuses(Generation, "open 28 .incr.aof", NO_SPACE),
    refuses(Generation, "remove 5 .incr.aof", IO_ERROR),
    refuses(Generation, "create 28 .manifest", NO_SPACE),
    refuses(Generation, "write 28 .manifest", NO_SPACE),
    refuses(Generation, "sync 5 .manifest", IO_ERROR),
    refuses(Generation, "rename 5 .manifest", IO_ERROR),
    refuses(Generation, "sync-directory 5", IO_ERROR),
    (Generation, "write 0", [Nothing; 3]),
    fails(Rewrite, "create 28 temp-weft"),
    fails(Rewrite, "write 28 temp-weft"),
    fails(Rewrite, "write 5 temp-weft"),
    fails(Rewrite, "sync 5 temp-weft"),
    fails(Rewrite, "rename 5 .base."),
    refuses(Rewrite, "rename 5 .manifest", IO_ERROR),
    refuses(Rewrite, "sync-directory 5", IO_ERROR),
    // The manifest is placed once when the generation ends, and then for the base.
    fails(Rewrite, "create 28 .manifest 2nd"),
    fails(Rewrite, "sync 5 .manifest 2nd"),
    fails(Rewrite, "rename 5 .manifest 2nd"),
    (Rewrite, "remove 5 .base.", [Nothing; 3]),
    (Rewrite, "write 0", [Nothing; 3]),
    (TurnOn, "open 28 .incr.aof", [Declined; 3]),
    fails(TurnOn, "write 28 temp-weft"),
    fails(TurnOn, "rename 5 .manifest"),
    (TurnOn, "sync-directory 5", [Declined; 3]),
    (TurnOff, "sync 5 .incr.aof\nset-len 5", [Nothing; 3]),
    (TurnOff, "write 0", [Nothing; 3]),
];

/// A server that is tried, and its clients.
struct Trial {
    faulty: FaultyServer,
    load: Load,
    policy: usize,
    what: String,
}

fn await_rewrite(client: &mut Client) {
    await_true("the rewrite ends", || {
        info(client, "aof_rewrite_in_progress") == "0" && info(client, "aof_rewrite_scheduled") == "0"
    });
}

impl Trial {
    fn new(policy: usize, name: &str, more: &[&str]) -> Self {
        let settings =
            ["--appendonly", "yes", "--appendfsync", POLICIES[policy], "--auto-aof-rewrite-percentage", "0"];
        let faulty = FaultyServer::start(name, &[&settings[..], more].concat());
        Self { faulty, load: Load::new(3), policy, what: String::new() }
    }

    fn client(&self) -> Client {
        self.faulty.server.client()
    }

    /// The disk fails at a moment, and is well again. `is_killed`: the process ends in between.
    fn run(&mut self, case: Case, is_killed: bool) {
        let (moment, fault, outcomes) = case;
        self.what = format!("{} {case:?}, killed: {is_killed}", POLICIES[self.policy]);
        let mut client = self.client();
        let (log, failures) = (self.faulty.server.log().len(), info_number(&mut client, "aof_rewrites"));
        self.load.take_refusals();
        if moment == TurnOn {
            assert!(client.run("CONFIG SET appendonly no").is_ok());
        }
        // Nothing is under way then that might be written, or not.
        if moment != TurnOff {
            self.load.begin(&self.faulty.server);
            std::thread::sleep(Duration::from_millis(20));
        }
        self.faulty.fail(fault);
        let reply = match moment {
            Writes => None,
            Generation => client.try_cmd(&["SWAPDB", "2", "3"]).ok(),
            Rewrite => client.try_cmd(&["BGREWRITEAOF"]).ok(),
            TurnOn => client.try_cmd(&["CONFIG", "SET", "appendonly", "yes"]).ok(),
            TurnOff => client.try_cmd(&["CONFIG", "SET", "appendonly", "no"]).ok(),
        };
        let outcome = outcomes[self.policy];
        match outcome {
            Nothing => self.finds_nothing(moment, failures),
            Ends => return self.ends(log),
            Refuses(words) => self.refuses(words, false),
            RefusesFor(words) => self.refuses(words, true),
            RewriteFails => self.rewrite_fails(),
            Declined => return self.is_declined(reply.map(|reply| reply.to_string())),
        }
        if is_killed && !matches!(moment, TurnOn | TurnOff) {
            self.faulty.server.kill();
            // Written is enough for a process that ends: what was handed over to the system stays.
            return self.restart(self.policy == 0);
        }
        self.is_well_again(moment, false);
    }

    fn is_declined(&mut self, reply: Option<String>) {
        let told = "(error) ERR CONFIG SET failed (possibly related to argument 'appendonly') - Unable to turn on AOF. Check server logs.";
        assert_eq!(reply.as_deref(), Some(told), "{}", self.what);
        let mut client = self.client();
        assert_eq!(info(&mut client, "aof_enabled"), "0", "{}", self.what);
        self.faulty.fail("");
        assert!(client.run("CONFIG SET appendonly yes").is_ok(), "{}", self.what);
        self.is_well_again(TurnOn, true);
    }

    fn finds_nothing(&mut self, moment: Moment, rewrites: u64) {
        let mut client = self.client();
        if moment == Rewrite {
            await_true("the rewrite ends", || info_number(&mut client, "aof_rewrites") > rewrites);
        }
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(info(&mut client, "aof_last_write_status"), "ok", "{}", self.what);
        assert_eq!(info(&mut client, "aof_last_bgrewrite_status"), "ok", "{}", self.what);
        assert_eq!(self.load.take_refusals(), Vec::<String>::new(), "{}", self.what);
    }

    /// The process has ended: everything is there that was acknowledged.
    fn ends(&mut self, log: usize) {
        let status = self.faulty.server.wait_exit(Duration::from_secs(10)).expect("it ends");
        assert_eq!(status.code(), Some(1), "{}", self.what);
        let told = self.faulty.server.log().split_off(log);
        let words = "when the AOF fsync policy is 'always'";
        assert!(told.contains(words) && told.contains("Exiting..."), "{}: {told}", self.what);
        assert_eq!(self.load.take_refusals(), Vec::<String>::new(), "{}", self.what);
        self.restart(true);
    }

    fn refuses(&mut self, words: &str, by_itself: bool) {
        let refusal = format!("MISCONF Errors writing to the AOF file: {words}");
        let is_refusal = |text: &String| text.contains(&refusal);
        await_true(&self.what, || self.load.take_refusals().iter().any(is_refusal));
        if by_itself {
            return;
        }
        let mut client = self.client();
        assert_eq!(info(&mut client, "aof_last_write_status"), "err", "{}", self.what);
        for line in ["SET a b", "MSET a b c d e f", "PING", "DEL a b c", "INCR n", "FLUSHALL"] {
            assert_eq!(client.run(line).to_string(), format!("(error) {refusal}"), "{}: {line}", self.what);
        }
        for line in ["LLEN list:0", "DBSIZE", "INFO", "MULTI", "GET a"] {
            let reply = client.run(line);
            assert!(!reply.is_error(), "{}: {line}: {reply}", self.what);
        }
        assert_eq!(client.run("SET a b").to_string(), format!("(error) {refusal}"), "{}", self.what);
        let aborted = "(error) EXECABORT Transaction discarded because of previous errors.";
        assert_eq!(client.run("EXEC").to_string(), aborted, "{}", self.what);
        let script = "return redis.call('SET', KEYS[1], 'x')";
        let reply = client.cmd(&["EVAL", script, "1", "script"]).to_string();
        assert!(reply.starts_with(&format!("(error) {refusal} script: ")), "{}: {reply}", self.what);
        let blocked = format!(
            "(error) MISCONF Redis is configured to persist data to AOF, but it's currently unable to persist to disk. \
             Writable scripts are blocked. Use 'no-writes' flag for read only scripts. AOF error: {words}"
        );
        let reply = client.cmd(&["EVAL", &format!("#!lua\n{script}"), "1", "script"]).to_string();
        assert_eq!(reply, blocked, "{}", self.what);
        assert!(!client.cmd(&["EVAL", "#!lua flags=no-writes\nreturn 1", "0"]).is_error(), "{}", self.what);
        // Somebody may not have looked at an answer from before.
        await_true(&format!("nothing is acknowledged: {}", self.what), || {
            let acknowledged = self.load.acknowledged();
            std::thread::sleep(Duration::from_millis(50));
            self.load.acknowledged() == acknowledged
        });
    }

    fn rewrite_fails(&mut self) {
        let mut client = self.client();
        await_info(&mut client, "aof_last_bgrewrite_status", "err");
        // Clients do not care.
        let acknowledged = self.load.acknowledged();
        await_true(&self.what, || self.load.acknowledged() > acknowledged);
        assert_eq!(info(&mut client, "aof_last_write_status"), "ok", "{}", self.what);
        assert_eq!(self.load.take_refusals(), Vec::<String>::new(), "{}", self.what);
    }

    /// The disk does what it should again: so does the server, and everything is there.
    fn is_well_again(&mut self, moment: Moment, by_itself: bool) {
        self.faulty.fail("");
        let mut client = self.client();
        await_info(&mut client, "aof_last_write_status", "ok");
        let acknowledged = self.load.acknowledged();
        if moment == TurnOff {
            self.load.begin(&self.faulty.server);
        }
        await_true(&self.what, || self.load.acknowledged() > acknowledged);
        if moment == TurnOff {
            assert!(client.run("CONFIG SET appendonly yes").is_ok(), "{}", self.what);
            await_info(&mut client, "aof_enabled", "1");
            await_rewrite(&mut client);
        }
        // What was asked for is tried again after a while; or at once, if somebody asks.
        let waits = by_itself || info(&mut client, "aof_last_bgrewrite_status") == "ok";
        assert!(waits || matches!(moment, Rewrite | TurnOn), "{}", self.what);
        await_true(&self.what, || {
            let is_ok = info(&mut client, "aof_last_bgrewrite_status") == "ok";
            if !is_ok && !waits {
                client.run("BGREWRITEAOF");
            }
            is_ok && info(&mut client, "aof_enabled") == "1"
        });
        await_rewrite(&mut client);
        self.load.end();
        let all = self.load.check(&mut client, true);
        assert_eq!(all, Ok(()), "{}", self.what);
        assert!(client.run("SET last yes").is_ok());
        if POLICIES[self.policy] == "no" || moment != Writes {
            // With "no" nobody can say when something is synced.
            self.faulty.server.stop().expect("it ends");
        } else {
            let synced = client.run("WAITAOF 1 0 10000");
            assert_eq!(
                synced.items().and_then(|items| items[0].integer()),
                Some(1),
                "{}: {synced}",
                self.what
            );
            self.faulty.server.kill();
        }
        self.restart(true);
    }

    fn restart(&mut self, is_all: bool) {
        self.load.end();
        self.faulty.fail("");
        self.faulty.server.restart().unwrap_or_else(|error| panic!("{}: {error}", self.what));
        let found = self.load.check(&mut self.client(), is_all);
        assert_eq!(found, Ok(()), "{}", self.what);
    }
}

#[test]
fn each_fault_is_told_and_nothing_is_lost() {
    std::thread::scope(|scope| {
        for policy in 0..POLICIES.len() {
            for is_killed in [false, true] {
                scope.spawn(move || {
                    let name = format!("log-{policy}-{is_killed}");
                    let mut trial = Trial::new(policy, &name, &["--shards", "3"]);
                    for case in CASES {
                        let begun = Instant::now();
                        trial.run(case, is_killed);
                        if begun.elapsed() > SLOW {
                            println!("{}: {:?}", trial.what, begun.elapsed());
                        }
                    }
                });
            }
        }
    });
}

/// 1 % EIO, 1 % ENOSPC, 5 % short writes.
const AT_RANDOM: &str = "write 5 aof 1%\nwrite 28 aof 1%\nwrite 0 aof 5%\nsync 5 aof 1%\nsync 28 aof 1%\nopen 5 aof 1%\n\
    open 28 aof 1%\ncreate 5 aof 1%\ncreate 28 aof 1%\nset-len 5 aof 1%\nrename 5 aof 1%\nremove 5 aof 1%\n\
    sync-directory 5 append 1%\nwrite 5 temp 1%\nwrite 28 temp 1%\nwrite 0 temp 5%\nsync 5 temp 1%\n";
const LIVES: usize = 10;

impl Trial {
    /// Clients write while the disk fails now and then, generations end and new bases are made.
    fn live(&mut self, life: usize) {
        self.what = format!("{}, life {life}", POLICIES[self.policy]);
        self.load.begin(&self.faulty.server);
        self.faulty.fail(AT_RANDOM);
        for step in 0..10 {
            std::thread::sleep(Duration::from_millis(30));
            let Ok(mut client) = self.faulty.server.try_client() else { break };
            // And then for a while nothing that makes up for what is lost.
            match step {
                1 => drop(client.try_cmd(&["BGREWRITEAOF"])),
                2 => drop(client.try_cmd(&["SWAPDB", "2", "3"])),
                _ => {}
            }
        }
        let has_ended = !self.faulty.server.is_running();
        if has_ended {
            assert_eq!(self.policy, 0, "{}", self.what);
            let status = self.faulty.server.wait_exit(Duration::from_secs(10)).expect("it has ended");
            assert_eq!(status.code(), Some(1), "{}", self.what);
        } else if life.is_multiple_of(2) {
            return self.is_well_again(Rewrite, false);
        }
        self.faulty.server.kill();
        self.load.end();
        for refusal in self.load.take_refusals() {
            let is_known = [NO_SPACE, IO_ERROR]
                .iter()
                .any(|words| refusal == format!("(error) MISCONF Errors writing to the AOF file: {words}"));
            assert!(is_known || refusal.contains("EXECABORT"), "{}: {refusal}", self.what);
        }
        // The start may fail, too, and loses nothing by that.
        if life % 4 == 1 {
            drop(self.faulty.server.restart());
        }
        self.restart(self.policy == 0);
    }
}

#[test]
fn faults_at_random_lose_nothing() {
    std::thread::scope(|scope| {
        for policy in 0..POLICIES.len() {
            scope.spawn(move || {
                let mut trial = Trial::new(policy, &format!("random-{policy}"), &["--shards", "3"]);
                (0..LIVES).for_each(|life| trial.live(life));
                assert!(trial.load.acknowledged() > 20, "{}", trial.load.acknowledged());
            });
        }
    });
}
