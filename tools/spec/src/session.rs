//! Plays one section against a running server.
//!
//! The keyspace is emptied first, options that the section needs are set and put back, and its connections are
//! closed at the end. Commands are held back until a reply, a wait or another connection comes, so that commands
//! in a row on one connection reach the server as one pipeline.

use crate::dialogue::{Needs, Section, Step};
use crate::expect::{Expect, Saved};
use crate::peer::Running;
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};
use testkit::client::encode;
use testkit::{Client, Value, text};

/// Whoever has not been answered by then will not be. On a machine that has much else to do, a reply may take seconds.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long `(nothing)` listens.
const SILENCE: Duration = Duration::from_millis(40);

/// How a section ended.
pub enum Verdict {
    Passed,
    Failed(Failure),
}

/// Why a section failed.
pub struct Failure {
    /// Index of the file's line at which it failed.
    pub line: usize,
    /// Lines of an expected reply that was not met; 0 when something else went wrong.
    pub expected_lines: usize,
    /// The reply that came instead, or what went wrong.
    pub got: String,
}

/// Replies recorded for `?`: index of the line, and the text of the reply.
pub type Recorded = Vec<(usize, Vec<String>)>;

/// Plays the section. Replies to `?` are put into `recorded` when that is given, and fail otherwise.
pub fn play(running: &mut Running, section: &Section, recorded: Option<&mut Recorded>) -> Verdict {
    let mut before = Vec::new();
    if let Err(what) = prepare(running, &section.needs, &mut before) {
        // The reason for the failure is worth more than whether what was set could be put back.
        let _ = restore(running, &before);
        return Verdict::Failed(at_line(section.line, what));
    }
    let mut session = Session {
        running,
        resp3: section.needs.resp3,
        connections: BTreeMap::new(),
        gathered: None,
        held: None,
        saved: Saved::new(),
        recorded,
    };
    let result = session.steps(&section.steps).and_then(|()| session.nothing_unread(section.line));
    drop(session);
    let restored = restore(running, &before);
    match result.and(restored.map_err(|what| at_line(section.line, what))) {
        Ok(()) => Verdict::Passed,
        Err(failure) => Verdict::Failed(failure),
    }
}

fn at_line(line: usize, got: String) -> Failure {
    Failure { line, expected_lines: 0, got }
}

/// Empties the server and sets options; puts the values that these had into `before`.
fn prepare(running: &mut Running, needs: &Needs, before: &mut Vec<(String, Value)>) -> Result<(), String> {
    expect_ok(&mut running.control, &["FLUSHALL"])?;
    for (name, value) in &needs.config {
        let old = running.control.try_cmd(&["CONFIG", "GET", name]).map_err(|error| error.to_string())?;
        let old = old.field(name).cloned().ok_or_else(|| format!("CONFIG GET {name}: {old}"))?;
        expect_ok(&mut running.control, &["CONFIG", "SET", name, value])?;
        before.push((name.clone(), old));
    }
    Ok(())
}

fn restore(running: &mut Running, before: &[(String, Value)]) -> Result<(), String> {
    before.iter().try_for_each(|(name, value)| {
        let value = value.bytes().unwrap_or_default();
        expect_ok(&mut running.control, &[b"CONFIG".as_slice(), b"SET", name.as_bytes(), value])
    })
}

fn expect_ok<T: AsRef<[u8]>>(control: &mut Client, command: &[T]) -> Result<(), String> {
    let shown =
        || command.iter().map(|w| w.as_ref().escape_ascii().to_string()).collect::<Vec<_>>().join(" ");
    match control.try_cmd(command) {
        Ok(reply) if reply.is_ok() => Ok(()),
        Ok(reply) => Err(format!("{}: {reply}", shown())),
        Err(error) => Err(format!("{}: {error}", shown())),
    }
}

struct Session<'a> {
    running: &'a mut Running,
    resp3: bool,
    connections: BTreeMap<String, Client>,
    /// What `@scan` has gathered, until it is compared.
    gathered: Option<Value>,
    /// Commands not sent yet, and the connection they are for.
    held: Option<(String, Vec<u8>)>,
    saved: Saved,
    recorded: Option<&'a mut Recorded>,
}

impl Session<'_> {
    fn steps(&mut self, steps: &[(usize, Step)]) -> Result<(), Failure> {
        for (line, step) in steps {
            self.step(*line, step).map_err(|mut failure| {
                failure.line = *line;
                failure
            })?;
        }
        Ok(())
    }

    fn step(&mut self, line: usize, step: &Step) -> Result<(), Failure> {
        match step {
            Step::Send { connection, words } => {
                let words = words.iter().map(|word| self.filled_in(word)).collect::<Result<Vec<_>, _>>();
                let bytes = encode(&words.map_err(|what| at_line(line, what))?);
                self.hold(connection, &bytes).map_err(failed)
            }
            Step::SendRaw { connection, bytes } => self.hold(connection, bytes).map_err(failed),
            Step::Receive { connection, expect, line_count } => {
                self.flush().map_err(failed)?;
                let met = self.receive(line, connection, expect);
                met.map_err(|got| Failure { line, expected_lines: *line_count, got })
            }
            Step::ReceiveRaw { connection, bytes } => {
                self.flush().map_err(failed)?;
                self.receive_raw(connection, bytes)
            }
            Step::Wait { ms } => {
                self.flush().map_err(failed)?;
                std::thread::sleep(Duration::from_millis(*ms));
                Ok(())
            }
            Step::Blocked { count } => {
                self.flush().map_err(failed)?;
                self.wait_for_blocked(*count)
            }
            Step::Until { text, words } => {
                self.flush().map_err(failed)?;
                self.wait_until(text, words)
            }
            Step::Repeat { count, words } => {
                self.flush().map_err(failed)?;
                self.repeat(*count, words)
            }
            Step::Scan { connection, words } => {
                self.flush().map_err(failed)?;
                self.gathered = Some(self.scan(connection, words)?);
                Ok(())
            }
            Step::Close { connection } => {
                self.flush().map_err(failed)?;
                self.connections.remove(connection);
                Ok(())
            }
        }
    }

    fn connection(&mut self, name: &str) -> io::Result<&mut Client> {
        if !self.connections.contains_key(name) {
            let mut client = Client::connect(("127.0.0.1", self.running.port))?;
            client.set_timeout(REPLY_TIMEOUT);
            if self.resp3 {
                let greeting = client.try_cmd(&["HELLO", "3"])?;
                if greeting.is_error() {
                    return Err(io::Error::other(format!("HELLO 3: {greeting}")));
                }
            }
            self.connections.insert(name.to_owned(), client);
        }
        Ok(self.connections.get_mut(name).expect("inserted above"))
    }

    fn hold(&mut self, connection: &str, bytes: &[u8]) -> io::Result<()> {
        match &mut self.held {
            Some((name, held)) if name == connection => held.extend_from_slice(bytes),
            _ => {
                self.flush()?;
                self.held = Some((connection.to_owned(), bytes.to_vec()));
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.held.take() {
            Some((name, bytes)) => self.connection(&name)?.send_raw(&bytes),
            None => Ok(()),
        }
    }

    /// Waits for a reply and compares it; what came instead is the error.
    fn receive(&mut self, line: usize, connection: &str, expect: &Expect) -> Result<(), String> {
        if matches!(expect, Expect::Nothing | Expect::Closed) {
            let client = self.connection(connection).map_err(|error| error.to_string())?;
            return if *expect == Expect::Closed { expect_closed(client) } else { expect_nothing(client) };
        }
        let value = match self.gathered.take() {
            Some(gathered) => gathered,
            None => {
                self.connection(connection).and_then(Client::receive).map_err(|error| format!("({error})"))?
            }
        };
        if let (Expect::Unrecorded, Some(recorded)) = (expect, &mut self.recorded) {
            recorded.push((line, text::lines(&value)));
            return Ok(());
        }
        if !expect.matches(&value, &self.saved) {
            return Err(value.to_string());
        }
        expect.capture(&value, &mut self.saved);
        Ok(())
    }

    fn receive_raw(&mut self, connection: &str, bytes: &[u8]) -> Result<(), Failure> {
        let client = self.connection(connection).map_err(failed)?;
        let got = match client.receive_raw(bytes.len()) {
            Ok(got) => got,
            Err(_) => client.receive_within(Duration::from_millis(1)),
        };
        if got == bytes {
            Ok(())
        } else {
            Err(Failure { line: 0, expected_lines: 1, got: text::quote(&got) })
        }
    }

    fn wait_for_blocked(&mut self, count: usize) -> Result<(), Failure> {
        let wanted = format!("blocked_clients:{count}");
        let info = ["INFO", "clients"].map(|word| word.as_bytes().to_vec());
        self.repeat_until(&info, |reply| {
            let reply = reply.string().unwrap_or_default();
            let line = reply.lines().find(|line| line.starts_with("blocked_clients:"));
            if line == Some(&wanted) {
                return Ok(());
            }
            Err(format!("{} instead of {wanted}", line.unwrap_or("no blocked_clients")))
        })
    }

    fn wait_until(&mut self, text: &str, words: &[Vec<u8>]) -> Result<(), Failure> {
        self.repeat_until(words, |reply| {
            let shown = reply.to_string();
            if shown.contains(text) { Ok(()) } else { Err(format!("no {text} in {shown}")) }
        })
    }

    /// Sends a command, on a connection of its own, until the reply is as it should be.
    fn repeat_until(
        &mut self,
        words: &[Vec<u8>],
        check: impl Fn(&Value) -> Result<(), String>,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + REPLY_TIMEOUT;
        loop {
            let reply = self.running.control.try_cmd(words).map_err(failed)?;
            let Err(what) = check(&reply) else { return Ok(()) };
            if Instant::now() > deadline {
                return Err(at_line(0, what));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn scan(&mut self, connection: &str, words: &[Vec<u8>]) -> Result<Value, Failure> {
        const CALLS_MAX: usize = 100_000;
        let client = self.connection(connection).map_err(failed)?;
        let mut cursor = b"0".to_vec();
        let mut all = Vec::new();
        for _ in 0..CALLS_MAX {
            let words: Vec<_> = words.iter().map(|word| replace(word, b"{cursor}", &cursor)).collect();
            let reply = client.try_cmd(&words).map_err(failed)?;
            match reply {
                Value::Array(parts) if parts.len() == 2 => {
                    cursor = parts[0].bytes().unwrap_or_default().to_vec();
                    all.extend_from_slice(parts[1].items().unwrap_or_default());
                }
                other => return Ok(other),
            }
            if cursor == b"0" {
                return Ok(Value::Array(all));
            }
        }
        Err(at_line(0, format!("the cursor did not come back to 0 in {CALLS_MAX} calls")))
    }

    fn repeat(&mut self, count: u64, words: &[Vec<u8>]) -> Result<(), Failure> {
        const BATCH: u64 = 1000;
        let client = self.connection("").map_err(failed)?;
        for start in (1..=count).step_by(BATCH as usize) {
            let numbers = start..=count.min(start + BATCH - 1);
            let command = |number: u64| -> Vec<u8> {
                let number = number.to_string();
                encode(&words.iter().map(|word| replace(word, b"{i}", number.as_bytes())).collect::<Vec<_>>())
            };
            let bytes: Vec<u8> = numbers.clone().flat_map(command).collect();
            client.send_raw(&bytes).map_err(failed)?;
            for number in numbers {
                let reply = client.reply().map_err(failed)?;
                if reply.is_error() {
                    return Err(at_line(0, format!("number {number}: {reply}")));
                }
            }
        }
        Ok(())
    }

    /// The word with saved values in place of `${name}`.
    fn filled_in(&self, word: &[u8]) -> Result<Vec<u8>, String> {
        let mut filled = word.to_vec();
        for (name, value) in &self.saved {
            let value = match value {
                Value::Integer(number) => number.to_string().into_bytes(),
                value => value.bytes().unwrap_or_default().to_vec(),
            };
            filled = replace(&filled, format!("${{{name}}}").as_bytes(), &value);
        }
        Ok(filled)
    }

    fn nothing_unread(&mut self, line: usize) -> Result<(), Failure> {
        for (name, client) in &self.connections {
            if !client.unread().is_empty() {
                let unread = text::quote(client.unread());
                return Err(at_line(
                    line,
                    format!("no reply was expected on connection \"{name}\", but {unread} came"),
                ));
            }
        }
        Ok(())
    }
}

fn expect_nothing(client: &mut Client) -> Result<(), String> {
    let bytes = client.receive_within(SILENCE);
    if bytes.is_empty() { Ok(()) } else { Err(text::quote(&bytes)) }
}

fn expect_closed(client: &mut Client) -> Result<(), String> {
    if !client.is_closed_within(REPLY_TIMEOUT) {
        return Err("the connection is still open".into());
    }
    let unread = client.unread();
    if unread.is_empty() { Ok(()) } else { Err(format!("(closed) after {}", text::quote(unread))) }
}

fn failed(error: io::Error) -> Failure {
    at_line(0, error.to_string())
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(from) {
            out.extend_from_slice(to);
            at += from.len();
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}
