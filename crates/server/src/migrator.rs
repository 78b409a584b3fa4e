//! Carrying values to other servers (MIGRATE): a thread for each of them, as long as there is something to carry and ten seconds more,
//! which keeps the connection.

use base::number::parse_u64_lenient;
use command::shipping::{Delivery, Migrator, Shipment, append_request};
use runtime::dial::{Dialed, is_timeout};
use runtime::{Waker, thread};
use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// As in Redis: how long a connection is kept, and how many are.
const KEPT: Duration = Duration::from_secs(10);
const KEPT_MAX: usize = 64;
/// What is told of an error of another server, as in Redis.
const ERROR_BYTES_MAX: usize = 1022;

type Address = (Vec<u8>, Vec<u8>);

/// Something to carry for an operation of a shard.
struct Parcel {
    shard: usize,
    op: u64,
    shipment: Shipment,
}

/// What has come of what a shard has had carried.
#[derive(Default)]
struct Returned {
    has_some: AtomicBool,
    all: Mutex<Vec<(u64, Delivery)>>,
}

pub struct ProcessMigrator {
    lines: Arc<Mutex<HashMap<Address, Sender<Parcel>>>>,
    /// Connections that are kept.
    kept: Arc<AtomicUsize>,
    returned: Arc<Vec<Returned>>,
    wakers: Arc<Vec<OnceLock<Waker>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ProcessMigrator {
    pub fn new(wakers: Arc<Vec<OnceLock<Waker>>>) -> Self {
        let returned = wakers.iter().map(|_| Returned::default()).collect();
        Self { lines: Arc::default(), kept: Arc::default(), returned: Arc::new(returned), wakers }
    }

    /// Has something carried; the shard is woken when it is over.
    pub fn send(&self, shard: usize, op: u64, shipment: Shipment) {
        let address = (shipment.host.clone(), shipment.port.clone());
        let mut parcel = Parcel { shard, op, shipment };
        let mut lines = lock(&self.lines);
        if let Some(line) = lines.get(&address) {
            match line.send(parcel) {
                Ok(()) => return,
                Err(back) => parcel = back.0,
            }
        }
        let (give, parcels) = channel();
        let is_kept = lines.len() < KEPT_MAX;
        let line = Line {
            address: is_kept.then(|| address.clone()),
            parcels,
            open: None,
            lines: Arc::clone(&self.lines),
            kept: Arc::clone(&self.kept),
            returned: Arc::clone(&self.returned),
            wakers: Arc::clone(&self.wakers),
        };
        let failed = Delivery { keys: parcel.shipment.keys.clone(), ..failure(CONNECTING) };
        give.send(parcel).expect("the other end is here");
        if thread::spawn("migrate".to_owned(), move || line.run()).is_err() {
            give_back(&self.returned, &self.wakers, shard, (op, failed));
        } else if is_kept {
            lines.insert(address, give);
        }
    }

    /// What has come of what a shard has had carried.
    #[inline]
    pub fn take(&self, shard: usize) -> Vec<(u64, Delivery)> {
        let returned = &self.returned[shard];
        if !returned.has_some.load(Ordering::Relaxed) {
            return Vec::new();
        }
        returned.has_some.store(false, Ordering::SeqCst);
        std::mem::take(&mut lock(&returned.all))
    }
}

impl Migrator for ProcessMigrator {
    fn carry(&self, shipment: Shipment) -> Delivery {
        deliver(&mut None, shipment)
    }

    fn kept_connections(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }
}

fn give_back(returned: &[Returned], wakers: &[OnceLock<Waker>], shard: usize, delivery: (u64, Delivery)) {
    lock(&returned[shard].all).push(delivery);
    returned[shard].has_some.store(true, Ordering::SeqCst);
    if let Some(waker) = wakers[shard].get() {
        waker.wake();
    }
}

/// What goes to one server, one thing after the other.
struct Line {
    /// `None`: there are too many to keep this one.
    address: Option<Address>,
    parcels: Receiver<Parcel>,
    open: Option<Open>,
    lines: Arc<Mutex<HashMap<Address, Sender<Parcel>>>>,
    kept: Arc<AtomicUsize>,
    returned: Arc<Vec<Returned>>,
    wakers: Arc<Vec<OnceLock<Waker>>>,
}

impl Line {
    /// Delivers something, and says so.
    fn carry(&mut self, Parcel { shard, op, shipment }: Parcel) {
        let was_open = self.open.is_some();
        let delivery = deliver(&mut self.open, shipment);
        match (was_open, self.open.is_some()) {
            (false, true) if self.address.is_some() => drop(self.kept.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(self.kept.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
        // Who sees what has come of it sees the count as well.
        give_back(&self.returned, &self.wakers, shard, (op, delivery));
    }

    fn run(mut self) {
        loop {
            match self.parcels.recv_timeout(KEPT) {
                Ok(parcel) => {
                    self.carry(parcel);
                    if self.address.is_none() {
                        return;
                    }
                }
                Err(_) => {
                    let Some(address) = &self.address else { return };
                    // Whoever sends holds the lock, so nothing is left behind.
                    let mut lines = lock(&self.lines);
                    if let Ok(parcel) = self.parcels.try_recv() {
                        drop(lines);
                        self.carry(parcel);
                        continue;
                    }
                    lines.remove(address);
                    self.kept.fetch_sub(usize::from(self.open.is_some()), Ordering::Relaxed);
                    return;
                }
            }
        }
    }
}

/// A connection, and the database that is selected there if that is known.
struct Open {
    dialed: Dialed,
    db: Option<i64>,
}

/// At what it has failed.
#[derive(Clone, Copy)]
enum At {
    Writing,
    Reading,
}

impl At {
    fn failure(self) -> String {
        let doing = match self {
            Self::Writing => "writing",
            Self::Reading => "reading",
        };
        format!("IOERR error or timeout {doing} to target instance")
    }
}

const CONNECTING: &str = "IOERR error or timeout connecting to the client";

fn failure(line: &str) -> Delivery {
    Delivery { error: Some(line.as_bytes().to_vec()), ..Delivery::default() }
}

/// Carries it over a connection, which is made if there is none. As in Redis a connection that turns out to be closed is made anew once.
fn deliver(open: &mut Option<Open>, shipment: Shipment) -> Delivery {
    let mut may_retry = true;
    loop {
        if open.is_none() {
            match dial(&shipment) {
                Ok(dialed) => *open = Some(Open { dialed, db: None }),
                // Redis sees that only when it writes.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    return Delivery { keys: shipment.keys, ..failure(&At::Writing.failure()) };
                }
                Err(_) => return Delivery { keys: shipment.keys, ..failure(CONNECTING) },
            }
        }
        let connection = open.as_mut().expect("just made");
        let (mut delivery, stopped) = exchange(connection, &shipment);
        let Some((at, error)) = stopped else {
            connection.db = delivery.error.is_none().then_some(shipment.db);
            return Delivery { keys: shipment.keys, ..delivery };
        };
        *open = None;
        // Nothing has been done there, as far as can be told.
        if std::mem::replace(&mut may_retry, false) && delivery.taken.is_empty() && !is_timeout(&error) {
            continue;
        }
        delivery.error.get_or_insert_with(|| at.failure().into_bytes());
        return Delivery { keys: shipment.keys, ..delivery };
    }
}

fn dial(shipment: &Shipment) -> io::Result<Dialed> {
    // As `atoi` reads it.
    let port = shipment.port.trim_ascii_start();
    let port = port.strip_prefix(b"+").unwrap_or(port);
    let digits = port.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let port = parse_u64_lenient(&port[..digits]).and_then(|port| u16::try_from(port).ok());
    let host = std::str::from_utf8(&shipment.host).ok();
    let (Some(port), Some(host)) = (port, host) else { return Err(io::ErrorKind::InvalidInput.into()) };
    Dialed::connect(host, port, Duration::from_millis(shipment.timeout_ms))
}

/// Sends everything and reads all replies: what has been answered for the keys so far, and why it was not for all.
fn exchange(open: &mut Open, shipment: &Shipment) -> (Delivery, Option<(At, io::Error)>) {
    let timeout = Duration::from_millis(shipment.timeout_ms);
    let mut delivery = Delivery::default();
    let mut request = shipment.auth.clone();
    let selects = open.db != Some(shipment.db);
    if selects {
        append_request(&mut request, &[b"SELECT", shipment.db.to_string().as_bytes()]);
    }
    request.extend_from_slice(&shipment.restores);
    if let Err(error) = open.dialed.send(&request, timeout) {
        return (delivery, Some((At::Writing, error)));
    }
    drop(request);
    // What AUTH and SELECT answer is about all keys.
    let before = usize::from(!shipment.auth.is_empty()) + usize::from(selects);
    let (mut of_all, mut first) = (None, None);
    for at in 0..before + shipment.keys.len() {
        let line = match open.dialed.line(timeout) {
            Ok(line) => line,
            Err(error) => {
                delivery.error = first.filter(|_| at > before).map(told);
                return (delivery, Some((At::Reading, error)));
            }
        };
        let error = line.strip_prefix(b"-").map(<[u8]>::to_vec);
        if at < before {
            of_all = of_all.or(error);
            continue;
        }
        let error = of_all.clone().or(error);
        delivery.taken.push(error.is_none());
        first = first.or(error);
    }
    delivery.error = first.map(told);
    (delivery, None)
}

/// What the client is told of an error of the other server.
fn told(mut line: Vec<u8>) -> Vec<u8> {
    line.truncate(ERROR_BYTES_MAX);
    [b"ERR Target instance replied with error: ", &line[..]].concat()
}
