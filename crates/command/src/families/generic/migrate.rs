//! MIGRATE: keys go to another server.
//!
//! It runs twice, among its keys, which are held: first it says what is to be carried; meanwhile the shard does other things; then it
//! learns what has come of that, and removes what the other server has taken.

use crate::journal::RESTORE_VERSION;
use crate::shipping::{Delivery, Shipment, append_request};
use crate::spec::{KeySpec, access::*, acl, flag::*};
use crate::{Args, Command, Cx, Error, Event, Outcome};
use keyspace::{Free, Key};
use rdb::encode::Options;
use resp::Reply;
use std::ops::Range;

pub const COMMANDS: &[Command] = &[Command::new("MIGRATE", migrate)
    .arity(-6)
    .keys(&[
        KeySpec::at(3, RW | ACCESS | DELETE).found_by(the_key),
        KeySpec::last_keyword("KEYS", -2, RW | ACCESS | DELETE | INCOMPLETE).found_by(more_keys),
    ])
    .flags(WRITE | MOVABLEKEYS | AWAY)
    .acl(acl::KEYSPACE | acl::DANGEROUS)
    .group("generic")
    .since("2.6.0")
    .summary("Hands keys over to another server.")
    .complexity(
        "As DUMP and DEL of each key here and RESTORE there, and O(N) for N bytes on their way between the servers.",
    )
    .tips(&["nondeterministic_output"])
    .history(&[
        ("3.0.0", "Added the `COPY` and `REPLACE` options."),
        ("3.0.6", "Added the `KEYS` option."),
        ("4.0.7", "Added the `AUTH` option."),
        ("6.0.0", "Added the `AUTH2` option."),
    ])
    .syntax(
        "host:string port:integer key-selector(key:key|empty-string=\"\") destination-db:integer timeout:integer \
         copy=COPY?^3.0.0 replace=REPLACE?^3.0.0 authentication(AUTH@auth/password:string^4.0.7|\
         AUTH2@auth2{username:string password:string}^6.0.0)? KEYS@keys/key:key?*^3.0.6#1",
    )];

const TIMEOUT_MS: u64 = 1000;
const KEYS_AND_KEY: &str = "When using MIGRATE KEYS option, the key argument must be set to the empty string";

/// What stands behind the timeout.
#[derive(Default)]
struct Given {
    copies: bool,
    replaces: bool,
    /// User, if one is named, and password.
    auth: Option<Range<usize>>,
    /// Arguments that are keys.
    keys: Option<Range<usize>>,
}

impl Given {
    fn read(args: &Args<'_>) -> Result<Self, Error> {
        let mut it = Self::default();
        let mut at = 6;
        while at < args.len() {
            let more = args.len() - 1 - at;
            if args.is(at, "COPY") {
                it.copies = true;
            } else if args.is(at, "REPLACE") {
                it.replaces = true;
            } else if args.is(at, "AUTH") && more >= 1 {
                it.auth = Some(at + 1..at + 2);
                at += 1;
            } else if args.is(at, "AUTH2") && more >= 2 {
                it.auth = Some(at + 1..at + 3);
                at += 2;
            } else if args.is(at, "KEYS") {
                if !args[3].is_empty() {
                    return Err(Error::err(KEYS_AND_KEY));
                }
                it.keys = Some(at + 1..args.len());
                break;
            } else {
                return Err(Error::SYNTAX);
            }
            at += 1;
        }
        Ok(it)
    }
}

/// Whether an argument is a password, or the user's name beside it.
pub fn is_secret(args: &Args<'_>, at: usize) -> bool {
    Given::read(args).is_ok_and(|options| options.auth.is_some_and(|auth| auth.contains(&at)))
}

fn the_key(args: &Args<'_>) -> Range<usize> {
    match Given::read(args) {
        Ok(Given { keys: Some(_), .. }) => 0..0,
        _ => 3..4.min(args.len()).max(3),
    }
}

fn more_keys(args: &Args<'_>) -> Range<usize> {
    Given::read(args).ok().and_then(|options| options.keys).unwrap_or(0..0)
}

/// MIGRATE host port key | "" destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password] [KEYS key…]
fn migrate(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let options = Given::read(&args)?;
    if let Some(delivery) = cx.shard.delivery.take() {
        return take_over(cx, options.copies, *delivery, out);
    }
    let (timeout_ms, db) = (args.int(5)?, args.int(4)?);
    let (mut keys, mut lacks_some) = (Vec::new(), false);
    let is_held = cx.shard.guests.are_here();
    for at in options.keys.clone().unwrap_or(3..4) {
        let may_be_seen = !is_held || cx.shard.guests.has(cx.db, &args[at]);
        match may_be_seen && cx.find(args.key(at)).is_some() {
            true => keys.push(at),
            false => lacks_some |= may_be_seen,
        }
    }
    if keys.is_empty() {
        out.status("NOKEY");
        return Ok(());
    }
    if cx.shard.in_script.is_some() {
        return Err(Error::err("MIGRATE is not allowed from scripts"));
    }
    // Keys that are not here are not held: the other server may be about to hand over what has their names.
    if !cx.deny_blocking && (!is_held || lacks_some) {
        let keys = keys.iter().map(|&at| (cx.db, args[at].to_vec()));
        return Err(Error::NeedKeys(keys.collect()));
    }
    let timeout_ms = u64::try_from(timeout_ms).ok().filter(|ms| *ms > 0).unwrap_or(TIMEOUT_MS);
    let (host, port) = (args[1].to_vec(), args[2].to_vec());
    let auth = auth_request(&args, options.auth.clone());
    let mut shipment = Shipment { host, port, timeout_ms, db, auth, ..Shipment::default() };
    keys.iter().for_each(|&at| pack(cx, &args[at], options.replaces, &mut shipment));
    if !cx.deny_blocking {
        return Err(Error::Away(Box::new(shipment)));
    }
    let delivery = match cx.shard.migrator.clone() {
        Some(migrator) => migrator.carry(shipment),
        None => Delivery {
            error: Some(b"IOERR error or timeout connecting to the client".to_vec()),
            ..Delivery::default()
        },
    };
    take_over(cx, options.copies, delivery, out)
}

fn auth_request(args: &Args<'_>, auth: Option<Range<usize>>) -> Vec<u8> {
    let mut request = Vec::new();
    if let Some(auth) = auth {
        let mut words = vec![&b"AUTH"[..]];
        words.extend(auth.map(|at| args.at(at)));
        append_request(&mut request, &words);
    }
    request
}

/// Adds a key and its value.
fn pack(cx: &mut Cx<'_>, name: &[u8], replaces: bool, shipment: &mut Shipment) {
    let now_ms = cx.now_ms();
    let compress = cx.shard.config.rdbcompression;
    let key = Key::new(name, &cx.shard.seed.clone());
    let Some(pos) = cx.find_for_write(key) else { return };
    let ttl_ms = cx.db().expire(pos).map_or(0, |at_ms| at_ms.saturating_sub(now_ms).max(1));
    let options = Options { compress, version: RESTORE_VERSION };
    let payload = rdb::dump::payload(cx.db().value(pos), &options);
    let ttl = ttl_ms.to_string();
    let words = [&b"RESTORE"[..], name, ttl.as_bytes(), &payload, b"REPLACE"];
    append_request(&mut shipment.restores, &words[..if replaces { 5 } else { 4 }]);
    shipment.keys.push(name.to_vec());
}

/// What the other server has taken is not here any more, unless it is a copy.
fn take_over(cx: &mut Cx<'_>, copies: bool, delivery: Delivery, out: &mut Reply) -> Outcome {
    cx.log_nothing();
    let seed = cx.shard.seed.clone();
    let taken = delivery.keys.iter().zip(&delivery.taken).filter(|(_, is_taken)| **is_taken && !copies);
    for (name, _) in taken {
        if cx.discard(Key::new(name, &seed), Free::Now) {
            cx.event(Event::Generic, "del", name);
        }
        cx.log_deleted(name);
    }
    match delivery.error {
        Some(line) => Err(Error::Reply(line.into())),
        None => {
            out.ok();
            Ok(())
        }
    }
}
