//! Clients that write, and what they have been told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use testkit::{Client, Server, Value};

/// The keys of one client that are written together: on several shards, if there are several.
const TOGETHER: [&str; 4] = ["a", "b", "c", "d"];
/// Between one client's writes: what counts is the moment, not how many there are.
const PAUSE: Duration = Duration::from_millis(1);

/// The last number that was sent, acknowledged, of each kind of write.
#[derive(Clone, Debug, Default)]
struct Numbers {
    /// An element of a list, by its number.
    list: u64,
    several: u64,
    block: u64,
}

/// What one client has sent and been told.
#[derive(Clone, Debug, Default)]
struct Told {
    sent: Numbers,
    acknowledged: Numbers,
    /// What was refused, and why: each reason once.
    refusals: Vec<String>,
}

/// Clients that write all the time.
pub struct Load {
    told: Vec<Arc<Mutex<Told>>>,
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    /// So many of them; nobody writes yet.
    pub fn new(clients: usize) -> Self {
        let told = (0..clients).map(|_| Arc::default()).collect();
        Self { told, is_over: Arc::default(), threads: Vec::new() }
    }

    /// They write, until they are stopped or nobody answers.
    pub fn begin(&mut self, server: &Server) {
        self.is_over.store(false, Ordering::SeqCst);
        for (name, told) in self.told.iter().enumerate() {
            let (client, told, is_over) = (server.client(), Arc::clone(told), Arc::clone(&self.is_over));
            self.threads.push(std::thread::spawn(move || write(client, name, &told, &is_over)));
        }
    }

    /// Nobody writes any more.
    pub fn end(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.threads.drain(..).for_each(|thread| thread.join().expect("it has not panicked"));
    }

    /// Why something was refused, since the last call.
    pub fn take_refusals(&self) -> Vec<String> {
        let mut all: Vec<String> =
            self.told.iter().flat_map(|told| std::mem::take(&mut lock(told).refusals)).collect();
        all.sort();
        all.dedup();
        all
    }

    /// Writes that were acknowledged.
    pub fn acknowledged(&self) -> u64 {
        self.told.iter().map(|told| lock(told).acknowledged.list).sum()
    }

    /// What is there must be what was written: everything that was acknowledged (`is_all`), or else what came first; nothing by halves, nothing twice. The
    /// clients go on from there.
    ///
    /// # Errors
    /// What is not so.
    pub fn check(&self, client: &mut Client, is_all: bool) -> Result<(), String> {
        self.told.iter().enumerate().try_for_each(|(name, told)| check(client, name, &mut lock(told), is_all))
    }
}

/// Whether a write was done. What becomes of one that is not answered nobody knows.
fn is_done(reply: std::io::Result<Value>, told: &Mutex<Told>) -> Option<bool> {
    let reply = reply.ok()?;
    if !reply.is_error() {
        return Some(true);
    }
    let text = reply.to_string();
    let mut told = lock(told);
    if !told.refusals.contains(&text) {
        told.refusals.push(text);
    }
    Some(false)
}

fn write(mut client: Client, name: usize, told: &Mutex<Told>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::SeqCst) && write_once(&mut client, name, told).is_some() {
        std::thread::sleep(PAUSE);
    }
}

/// Writes one thing after the other; `None` when nobody answers.
fn write_once(client: &mut Client, name: usize, told: &Mutex<Told>) -> Option<()> {
    let list = lock(told).acknowledged.list + 1;
    lock(told).sent.list = list;
    if is_done(client.try_cmd(&["RPUSH", &format!("list:{name}"), &list.to_string()]), told)? {
        lock(told).acknowledged.list = list;
    }
    let several = lock(told).sent.several + 1;
    lock(told).sent.several = several;
    let pairs = TOGETHER.iter().flat_map(|key| [format!("{key}:{name}"), several.to_string()]);
    let words: Vec<String> = std::iter::once("MSET".to_owned()).chain(pairs).collect();
    if is_done(client.try_cmd(&words), told)? {
        lock(told).acknowledged.several = several;
    }
    let block = lock(told).sent.block + 1;
    lock(told).sent.block = block;
    let mut is_queued = is_done(client.try_cmd(&["MULTI"]), told)?;
    for key in TOGETHER {
        let words = ["SET", &format!("block:{key}:{name}"), &block.to_string()];
        is_queued &= is_done(client.try_cmd(&words), told)?;
    }
    if is_done(client.try_cmd(&["EXEC"]), told)? && is_queued {
        lock(told).acknowledged.block = block;
    }
    Some(())
}

fn number(client: &mut Client, key: &str) -> u64 {
    client.cmd(&["GET", key]).string().map_or(0, |text| text.parse().expect("a number"))
}

fn check(client: &mut Client, name: usize, told: &mut Told, is_all: bool) -> Result<(), String> {
    let least = if is_all { told.acknowledged.clone() } else { Numbers::default() };
    let fits = |what: &str, found: u64, least: u64, sent: u64| match (least..=sent).contains(&found) {
        true => Ok(()),
        false => Err(format!("client {name}: {what} is {found}, not from {least} to {sent}")),
    };
    let list = client.cmd(&["LRANGE", &format!("list:{name}"), "0", "-1"]);
    let list: Vec<u64> =
        list.items().unwrap_or_default().iter().filter_map(|n| n.clone().string()?.parse().ok()).collect();
    if !list.iter().copied().eq(1..=list.len() as u64) {
        return Err(format!("client {name}: the list has gaps, or something twice: {list:?}"));
    }
    fits("the list", list.len() as u64, least.list, told.sent.list)?;
    let mut together = [0; 2];
    for (prefix, together) in ["", "block:"].into_iter().zip(&mut together) {
        let found: Vec<u64> =
            TOGETHER.iter().map(|key| number(client, &format!("{prefix}{key}:{name}"))).collect();
        if found.iter().any(|one| *one != found[0]) {
            return Err(format!("client {name}: half of {prefix} is there: {found:?}"));
        }
        *together = found[0];
    }
    fits("MSET", together[0], least.several, told.sent.several)?;
    fits("EXEC", together[1], least.block, told.sent.block)?;
    let found = Numbers { list: list.len() as u64, several: told.sent.several, block: told.sent.block };
    let acknowledged = Numbers { list: found.list, several: together[0], block: together[1] };
    (told.sent, told.acknowledged) = (found, acknowledged);
    Ok(())
}
