//! Shards in this process with the simplest possible world around them: messages are handed over at once and in order,
//! the clock moves when it is told to, and replies pile up with their connections.

use crate::episode::{CONNS, START_MS};
use base::hash::HashSeed;
use command::ShardCx;
use command::session::Session;
use command::shipping::{Delivery, Shipment};
use config::{Config, Files};
use shard::effects::Request;
use shard::{Message, Shard};
use std::collections::VecDeque;
use std::sync::Arc;
use testkit::client::encode;

/// Another server is there if its name is of even length, and takes everything.
fn carry(shipment: Shipment) -> Delivery {
    let is_there = shipment.host.len().is_multiple_of(2);
    let error = (!is_there).then(|| b"IOERR error or timeout connecting to the client".to_vec());
    Delivery { taken: vec![is_there; shipment.keys.len()], keys: shipment.keys, error }
}

/// No step takes more turns of all shards than this.
const TURNS_MAX: usize = 2000;

/// Long strings are refused early: memory is not what is tested here.
const SETTINGS: &str = "enable-debug-command yes\nproto-max-bulk-len 1mb\ndatabases 4\n";

/// The configuration stands alone.
struct NoFiles;

impl Files for NoFiles {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("there is no file {path}"))
    }

    fn names(&mut self, _: &str) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    fn stdin(&mut self) -> Result<Vec<u8>, String> {
        Ok(Vec::new())
    }
}

/// Where a connection lives.
#[derive(Clone, Copy)]
struct Seat {
    shard: usize,
    index: usize,
}

pub struct Engine {
    pub shards: Vec<Shard>,
    mail: Vec<VecDeque<Message>>,
    seats: Vec<Seat>,
    pub now_ms: u64,
    /// CLIENT ID of who came last.
    next_client: u64,
    resp3: bool,
}

/// What a connection has got.
pub struct Received {
    pub bytes: Vec<u8>,
    /// The server has closed the connection (or will, after these bytes); a new one stands in its place.
    pub closed: bool,
    /// The protocol it speaks now.
    pub resp3: bool,
}

impl Engine {
    /// Shards whose random choices follow from `seed`, with [`CONNS`] connections spread over them.
    pub fn new(shards: u16, seed: u64, resp3: bool) -> Self {
        let loaded = Config::load_text(SETTINGS, &mut NoFiles).expect("these directives exist");
        let config = Arc::new(loaded.config);
        let table_seed = HashSeed::new(seed, !seed);
        let graphs = Arc::default();
        let shard = |id| {
            let mut cx = ShardCx::new(
                id,
                shards,
                Arc::clone(&config),
                table_seed.clone(),
                seed.wrapping_add(u64::from(id)),
            );
            cx.indexes.share_graphs(Arc::clone(&graphs));
            Shard::new(cx)
        };
        let mut engine = Self {
            shards: (0..shards).map(shard).collect(),
            mail: (0..shards).map(|_| VecDeque::new()).collect(),
            seats: Vec::new(),
            now_ms: START_MS,
            resp3,
            next_client: 0,
        };
        engine.pass(0);
        // The last one is the warden's.
        for conn in 0..=CONNS {
            let seat = engine.open(conn % shards as usize);
            engine.seats.push(seat);
        }
        engine
    }

    fn open(&mut self, shard: usize) -> Seat {
        self.next_client += 1;
        let session = Session {
            id: self.next_client,
            addr: "127.0.0.1:50000".into(),
            local_addr: "127.0.0.1:6379".into(),
            authenticated: true,
            resp3: self.resp3,
            created_ms: self.now_ms,
            ..Session::default()
        };
        Seat { shard, index: self.shards[shard].open(session) }
    }

    /// Whether keys may go for want of memory.
    pub fn evicts(&self) -> bool {
        let config = &self.shards[0].cx.config;
        config.maxmemory > 0 && config.maxmemory_policy != config::MaxmemoryPolicy::NoEviction
    }

    /// Lets time pass, with the expiry that belongs to it.
    pub fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        let now_us = (self.now_ms - START_MS) * 1000;
        for shard in &mut self.shards {
            shard.set_time(self.now_ms, now_us);
            if ms > 1000 {
                command::sweep::sweep(&mut shard.cx);
            }
        }
    }

    /// Whether new connections speak RESP3.
    pub fn speaks_resp3(&self) -> bool {
        self.resp3
    }

    /// Runs requests that arrive together until nothing is under way any more. The replies are [`Engine::received`].
    ///
    /// # Errors
    /// When there is no end to it.
    pub fn run<'a>(&mut self, requests: impl Iterator<Item = (usize, &'a [Vec<u8>])>) -> Result<(), String> {
        let mut inputs = vec![Vec::new(); self.seats.len()];
        requests.for_each(|(conn, words)| inputs[conn].extend(encode(words)));
        self.run_bytes(inputs)
    }

    /// As [`Engine::run`], with the bytes that each connection brings.
    ///
    /// # Errors
    /// When there is no end to it.
    pub fn run_bytes(&mut self, mut inputs: Vec<Vec<u8>>) -> Result<(), String> {
        inputs.resize(self.seats.len(), Vec::new());
        // Each request may wait once.
        for _ in 0..TURNS_MAX {
            self.settle(&mut inputs)?;
            if !self.free_blocked(&mut inputs) {
                return Ok(());
            }
        }
        Err("clients wait again and again".to_owned())
    }

    /// Whoever waits for something is told to go on by the warden; whether anybody was.
    fn free_blocked(&mut self, inputs: &mut [Vec<u8>]) -> bool {
        let warden = self.seats[CONNS];
        self.shards[warden.shard].conn_mut(warden.index).out.clear();
        for seat in &self.seats[..CONNS] {
            let slot = self.shards[seat.shard].conn(seat.index);
            if slot.open && slot.outstanding() > 0 {
                let session = self.shards[seat.shard].cx.sessions.get(seat.index);
                let id = session.map_or(0, |session| session.id).to_string();
                let words = [&b"CLIENT"[..], b"UNBLOCK", id.as_bytes()].map(<[u8]>::to_vec);
                inputs[CONNS].extend(encode(&words));
            }
        }
        !inputs[CONNS].is_empty()
    }

    /// Runs until nothing is under way.
    fn settle(&mut self, inputs: &mut [Vec<u8>]) -> Result<(), String> {
        for _ in 0..TURNS_MAX {
            for shard in 0..self.shards.len() {
                self.turn(shard, inputs);
            }
            let runs = self.shards.iter().any(Shard::has_ready_input);
            if !runs && self.mail.iter().all(VecDeque::is_empty) {
                return Ok(());
            }
        }
        Err(format!("messages still go to and fro after {TURNS_MAX} turns"))
    }

    fn turn(&mut self, id: usize, inputs: &mut [Vec<u8>]) {
        let shard = &mut self.shards[id];
        while let Some(message) = self.mail[id].pop_front() {
            shard.on_message(message);
        }
        let (mut buf, mut ranges) = (Vec::new(), Vec::new());
        for (seat, input) in self.seats.iter().zip(inputs) {
            if seat.shard == id && !input.is_empty() {
                ranges.push((seat.index as u32, buf.len()..buf.len() + input.len()));
                buf.append(input);
            }
        }
        shard.end_pause();
        shard.receive(&buf, &ranges);
        shard.resume();
        shard.send_news();
        for request in shard.take_requests() {
            match request {
                Request::Close(index) | Request::CloseSlow(index, _) => shard.conn_mut(index).closing = true,
                Request::Ship { op, shipment } => {
                    let delivery = Box::new(carry(*shipment));
                    self.mail[id].push_back(Message::Delivered { op, delivery });
                }
                _ => {}
            }
        }
        shard.outgoing.exclusive = false;
        shard.outgoing.has_batches = false;
        for (to, news) in shard.outgoing.news.drain(..) {
            self.mail[to].push_back(Message::News(news));
        }
        for (to, batch) in shard.outgoing.batches.iter_mut().enumerate() {
            self.mail[to].extend(batch.take().map(Message::Commands));
        }
        for (to, message) in shard.outgoing.posts.drain(..) {
            self.mail[to].push_back(message);
        }
        for index in std::mem::take(&mut shard.dirty_conns) {
            shard.conn_mut(index as usize).dirty = false;
        }
    }

    /// What a connection has received since the last time.
    pub fn received(&mut self, conn: usize) -> Received {
        let seat = self.seats[conn];
        let slot = self.shards[seat.shard].conn_mut(seat.index);
        let (mut bytes, mut at) = (Vec::with_capacity(slot.out.len()), 0);
        for (position, blob) in &slot.out.blobs {
            bytes.extend_from_slice(&slot.out.buf[at..*position]);
            bytes.extend_from_slice(blob);
            at = *position;
        }
        bytes.extend_from_slice(&slot.out.buf[at..]);
        slot.out.clear();
        let received = Received { bytes, closed: slot.closing, resp3: slot.resp3 };
        if received.closed {
            self.shards[seat.shard].close(seat.index);
            self.seats[conn] = self.open(seat.shard);
            // What it watched elsewhere is forgotten there. If that has no end, nothing is quiet.
            let _ = self.run_bytes(vec![Vec::new(); self.seats.len()]);
        }
        received
    }

    /// What must hold whenever nothing is under way.
    ///
    /// # Errors
    /// What does not.
    pub fn check_quiet(&self) -> Result<(), String> {
        for shard in &self.shards {
            let id = shard.cx.id;
            if shard.holds_locks() {
                return Err(format!("shard {id} still holds locks"));
            }
            if shard.awaits_others() || shard.has_outgoing() {
                return Err(format!("shard {id} still waits for others"));
            }
            if shard.cx.guests.are_here() {
                return Err(format!("keys of others are still on shard {id}"));
            }
            for (db, it) in shard.cx.dbs.iter().enumerate() {
                let (kept, counted) = (it.accounts(), it.recount());
                if kept != counted {
                    return Err(format!(
                        "shard {id} db {db}: the accounts say {kept:?}, a recount {counted:?}"
                    ));
                }
            }
        }
        match (0..self.seats.len()).find(|&conn| {
            let seat = self.seats[conn];
            let slot = self.shards[seat.shard].conn(seat.index);
            slot.outstanding() > 0 || !slot.input.is_empty()
        }) {
            Some(conn) => Err(format!("connection {conn} still has requests without a reply")),
            None => Ok(()),
        }
    }
}
