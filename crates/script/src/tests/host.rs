//! A server of one hash map, which answers what scripts in tests ask for.

use crate::{Engine, Env, Kind, Limits, Resume, Run, Script, Step, Words};
use resp::Reply;
use std::collections::HashMap;

/// An engine and what its scripts work on.
pub struct Host {
    pub engine: Engine,
    pub values: HashMap<Vec<u8>, Vec<u8>>,
    pub log: Vec<(u8, String)>,
    pub resp3: bool,
    pub ticks: usize,
    pub ticks_max: usize,
    pub calls: usize,
}

impl Host {
    pub fn new() -> Self {
        Self::with(Kind::Scripts, Limits { memory_bytes_max: 64 << 20 })
    }

    pub fn with(kind: Kind, limits: Limits) -> Self {
        let engine = Engine::new(kind, limits);
        let (values, log) = (HashMap::new(), Vec::new());
        Self { engine, values, log, resp3: false, ticks: 0, ticks_max: 1000, calls: 0 }
    }

    /// The reply to EVAL, readable: `\r\n` are `;`.
    pub fn eval(&mut self, source: &str) -> String {
        self.eval_with(source, &[], &[])
    }

    pub fn eval_with(&mut self, source: &str, keys: &[&str], args: &[&str]) -> String {
        match self.engine.load(source.as_bytes()) {
            Ok(script) => self.run(&script, keys, args),
            Err(error) => format!("-ERR {};", String::from_utf8_lossy(&error)),
        }
    }

    /// The bytes of the reply; `;` for line ends, `SHA` for the script's.
    pub fn eval_bytes(&mut self, source: &str) -> Vec<u8> {
        let script = match self.engine.load(source.as_bytes()) {
            Ok(script) => script,
            Err(error) => return [b"-ERR ", &*error, b";"].concat(),
        };
        let mut run = self.engine.start(&script, &[], &[], Env::default());
        let reply = self.finish_bytes(&mut run);
        let reply = replace(&reply, b"\r\n", b";");
        replace(&reply, script.sha(), b"SHA")
    }

    pub fn run(&mut self, script: &Script, keys: &[&str], args: &[&str]) -> String {
        let keys: Vec<&[u8]> = keys.iter().map(|it| it.as_bytes()).collect();
        let args: Vec<&[u8]> = args.iter().map(|it| it.as_bytes()).collect();
        let mut run = self.engine.start(script, &keys, &args, Env::default());
        self.finish(&mut run).replace(std::str::from_utf8(script.sha()).unwrap(), "SHA")
    }

    /// Runs to the end; readable.
    pub fn finish(&mut self, run: &mut Run) -> String {
        String::from_utf8_lossy(&self.finish_bytes(run)).replace("\r\n", ";")
    }

    fn finish_bytes(&mut self, run: &mut Run) -> Vec<u8> {
        let mut out = Reply::new(self.resp3);
        let mut reply = Reply::new(false);
        let mut resume = Resume::Go;
        loop {
            match run.resume(&mut self.engine, resume, &mut out) {
                Step::Call(call) => {
                    reply.clear();
                    reply.resp3 = call.is_resp3;
                    self.calls += 1;
                    answer(&mut self.values, &list(run.words()), &mut reply);
                    resume = Resume::Reply(&reply);
                }
                Step::AclCheck(words) => {
                    resume = Resume::Allowed(match words.get(0) {
                        Some(b"get") => Some(true),
                        Some(b"set") => Some(false),
                        _ => None,
                    });
                }
                Step::Log { level, line } => {
                    self.log.push((level, String::from_utf8_lossy(line).into_owned()));
                    resume = Resume::Go;
                }
                Step::Clock => resume = Resume::Clock(1.5),
                Step::Tick => {
                    self.ticks += 1;
                    resume = if self.ticks > self.ticks_max {
                        Resume::Kill("Script killed by user with SCRIPT KILL...")
                    } else {
                        Resume::Go
                    };
                }
                Step::Done(done) => {
                    assert!(!done.is_raised || out.buf.starts_with(b"-"), "raised errors are error replies");
                    return out.buf;
                }
            }
        }
    }
}

/// The words of a command.
pub fn list<'a>(words: Words<'a>) -> Vec<&'a [u8]> {
    (0..words.len()).map(|at| words.get(at).expect("each stands in the text")).collect()
}

fn replace(text: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(what.len()).position(|window| window == what) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(by);
        rest = &rest[at + what.len()..];
    }
    out.extend_from_slice(rest);
    out
}

/// A few commands.
pub fn answer(values: &mut HashMap<Vec<u8>, Vec<u8>>, args: &[&[u8]], out: &mut Reply) {
    let command = args[0].to_ascii_lowercase();
    match (&*command, &args[1..]) {
        (b"get", [key]) => match values.get(*key) {
            Some(value) => out.bulk(value),
            None => out.null(),
        },
        (b"set", [key, value]) => {
            values.insert(key.to_vec(), value.to_vec());
            out.ok();
        }
        (b"incr", [key]) => {
            let value = values.entry(key.to_vec()).or_insert_with(|| b"0".to_vec());
            match base::number::parse_i64(value) {
                Some(number) => {
                    *value = (number + 1).to_string().into_bytes();
                    out.int(number + 1);
                }
                None => out.error("ERR value is not an integer or out of range"),
            }
        }
        (b"echo", [text]) => out.bulk(text),
        (b"list", items) => {
            out.array(items.len());
            items.iter().for_each(|item| out.bulk(item));
        }
        // Whatever reply a test wants.
        (b"raw", [text]) => out.raw(text),
        (b"shared", [text]) => {
            out.array(2);
            out.bulk_shared(resp::reply::Blob::from(text.to_vec()));
            out.bulk(b"after");
        }
        _ => out.error("ERR Unknown Redis command called from script"),
    }
}
