//! A process, from its start with what is on the disk to its end at any moment.

use super::Mistake;
use super::client::Client;
use crate::exchange::Exchange;
use crate::log::Log;
use crate::network::Link;
use crate::rules::Rules;
use crate::shard_thread::{Around, ShardThread};
use crate::witness;
use base::hash::HashSeed;
use base::random::Random;
use command::ShardCx;
use command::session::Session;
use config::Config;
use disk::simulated::SimulatedDisk;
use journal::manifest::Manifest;
use persist::append::Writer;
use recovery::{Halt, Recovery};
use std::path::Path;
use std::sync::Arc;

const DIRECTORY: &str = "appendonlydir";
const PREFIX: &str = "appendonly.aof";
/// Steps after which a process ends in any case.
const STEPS_MAX: u64 = 6_000;
/// Steps to a millisecond of the shards' clock.
const STEPS_PER_MS: u64 = 256;
/// Unix ms at which processes begin; each an hour behind the one before.
const FIRST_MS: u64 = 1_700_000_000_000;
const HOUR_MS: u64 = 3_600_000;
/// Replies that a client waits for at most before it asks for something else.
const OUTSTANDING_MAX: usize = 3;
/// A shard that stands still does so for this many steps at most.
const STILL_MAX: u64 = 600;

pub struct Life {
    random: Random,
    disk: SimulatedDisk,
    exchange: Exchange,
    threads: Vec<ShardThread>,
    links: Vec<Link>,
    log: Log,
    /// Which shard stands still, and until when.
    still: (usize, u64),
    now: u64,
    begun_ms: u64,
}

fn told(halt: Halt) -> String {
    match halt {
        Halt::Failed(reason) => reason,
        Halt::Ended => "the end came by itself".to_owned(),
    }
}

impl Life {
    /// Starts with what is there.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(
        disk: &SimulatedDisk,
        shards: usize,
        mistake: Option<Mistake>,
        mut random: Random,
    ) -> Result<Self, String> {
        let (config, graphs) = (Arc::new(Config::default()), Arc::default());
        let begun_ms = FIRST_MS + random.below(1000) + clock(disk) * HOUR_MS;
        let mut threads: Vec<ShardThread> = (0..shards)
            .map(|id| ShardThread::new(id, shards, Rules::ALL, (&config, &graphs), &mut random))
            .collect();
        let manifest = recover(disk, &config, &mut threads, begun_ms)?;
        let writer = Writer::new(disk.clone(), DIRECTORY.into(), manifest, shards as u16);
        let mut writer = writer.map_err(|failure| failure.to_string())?;
        writer.open(false).map_err(|failure| failure.to_string())?;
        Ok(Self {
            disk: disk.clone(),
            exchange: Exchange::new(shards, Rules::ALL),
            threads,
            links: Vec::new(),
            log: Log::new(writer, shards, mistake, random.fork()),
            still: (0, 0),
            now: 0,
            begun_ms,
            random,
        })
    }

    /// What is under a key before anybody is served: a number, or those of a list.
    pub fn read(&mut self, key: &str) -> Vec<u64> {
        let owner = self.threads[0].shard.cx.slots.shard_of(key.as_bytes());
        let shard = &mut self.threads[usize::from(owner)].shard;
        let words: &[&str] =
            if key.starts_with("list:") { &["LRANGE", key, "0", "-1"] } else { &["GET", key] };
        let conn = shard.open(Session { authenticated: true, ..Session::default() });
        let request = testkit::client::encode(words);
        shard.receive(&request, &[(conn as u32, 0..request.len())]);
        let out = std::mem::take(&mut shard.conn_mut(conn).out.buf);
        shard.dirty_conns.clear();
        shard.conn_mut(conn).dirty = false;
        shard.close(conn);
        let reply = testkit::decode(&out).ok().flatten().map(|(reply, _)| reply);
        let reply = reply.expect("a shard answers at once for what is its own");
        let values = reply.items().map_or_else(|| vec![reply.clone()], <[_]>::to_vec);
        values.iter().filter_map(|value| value.string()?.parse().ok()).collect()
    }

    /// Clients ask until the power goes: before a step of the disk, or while it rests.
    ///
    /// # Errors
    /// What a client was told that cannot be.
    pub fn live(&mut self, clients: &mut [Client]) -> Result<(), String> {
        self.threads.iter_mut().for_each(|thread| thread.shard.set_journal(true));
        let shards = self.threads.len();
        self.links = clients.iter().map(|_| Link::new(self.random.index(shards), usize::MAX)).collect();
        let steps = 200 + self.random.below(STEPS_MAX);
        if self.random.below(2) == 0 {
            self.disk.crash_at(self.disk.steps() + self.random.below(120));
        }
        while self.now < steps {
            self.now += 1;
            match self.random.below(16) {
                // Some disks are slow.
                0 => match self.log.step() {
                    Ok(true) => (0..shards).for_each(|id| self.exchange.set_asleep(id, false)),
                    Ok(false) => {}
                    Err(_) => break,
                },
                1..6 => self.client_step(clients)?,
                _ => self.seat_step(),
            }
        }
        clients.iter_mut().for_each(Client::is_cut_off);
        witness::take(0);
        Ok(())
    }

    /// Whether something was handed over that is not safe.
    pub fn is_amid(&self) -> bool {
        self.log.handed() > self.log.safe()
    }

    pub fn rounds(&self) -> u64 {
        self.log.rounds
    }

    fn seat_step(&mut self) {
        let id = self.random.index(self.threads.len());
        if self.still.1 > self.now && self.still.0 == id {
            return;
        }
        let mut around = Around {
            now_ms: self.begun_ms + self.now / STEPS_PER_MS,
            now_us: self.now,
            exchange: &mut self.exchange,
            links: &mut self.links,
            random: &mut self.random,
            log: Some(&mut self.log),
        };
        self.threads[id].step(&mut around);
        for host in self.threads[id].take_visits() {
            if self.threads[host].be_visited(&mut around) {
                self.threads[id].has_visited();
            }
        }
        if self.random.below(200) == 0 {
            self.still = (id, self.now + self.random.below(STILL_MAX));
        }
    }

    fn client_step(&mut self, clients: &mut [Client]) -> Result<(), String> {
        let index = self.random.index(clients.len());
        self.links[index].deliver(self.random.below(4) > 0, &mut self.random);
        while let Some((reply, used)) =
            testkit::decode(&self.links[index].arrived).map_err(|error| error.to_string())?
        {
            self.links[index].arrived.drain(..used);
            if let Some((other, way, number)) = clients[index].hear(&reply)? {
                clients[other].is_seen(way, number);
            }
        }
        if clients[index].outstanding() < OUTSTANDING_MAX && self.random.below(3) == 0 {
            let count = clients.len();
            for request in clients[index].ask(count, &mut self.random) {
                self.links[index].send(&testkit::client::encode(&request));
            }
        }
        Ok(())
    }
}

/// Something that is greater at each start: no two operations of a file have the same number.
fn clock(disk: &SimulatedDisk) -> u64 {
    disk.names().len() as u64
}

/// Plays what the files say, on all shards; the manifest to go on with.
fn recover(
    disk: &SimulatedDisk,
    config: &Arc<Config>,
    threads: &mut [ShardThread],
    now_ms: u64,
) -> Result<Manifest, String> {
    let shards = threads.len();
    let recovery = Recovery::open(disk.clone(), (), config, (Path::new(DIRECTORY), PREFIX), shards)?;
    threads.iter_mut().for_each(|thread| thread.shard.set_time(now_ms, 0));
    let whole = || ShardCx::new(0, 1, Arc::clone(config), HashSeed::new(7, 11), 1);
    threads.iter_mut().try_for_each(|thread| recovery.look(&mut thread.shard)).map_err(told)?;
    recovery.judge();
    threads.iter_mut().try_for_each(|thread| recovery.play(&mut thread.shard, whole)).map_err(told)?;
    threads.iter_mut().try_for_each(|thread| recovery.take(&mut thread.shard)).map_err(told)?;
    recovery.finish().map(|(_, manifest)| manifest)
}
