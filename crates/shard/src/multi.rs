//! Commands that concern several shards, seen from the shard that coordinates them.
//!
//! - *split*: each shard runs its share of the keys (MGET, MSET, DEL …); one hop.
//! - *all*: every shard runs a part (DBSIZE, FLUSHALL, INFO …); one hop.
//! - *hold*: any other command with keys on several shards. The keys are locked where they live, their entries travel here — as
//!   pointers, however large they are —, the ordinary handler runs as if all had always been here, and the entries go back.
//!
//! All first messages of an operation leave in one exclusive publication, which gives all multi-shard operations one order.

use crate::execute::{self, Caller};
use crate::message::{Ask, Held, Message, OpId, Ticket};
use crate::shard::Shard;
use command::slowlog::Entry as SlowEntry;
use command::spec::{Merge, flag};
use command::{Args, Command, Error, OwnArgs, Plan, eviction};
use keyspace::{Found, Key};
use resp::{Reply, reader};

/// Attempts of a command that keeps finding that it needs other keys than it was given.
const HOLD_ATTEMPTS_MAX: u32 = 64;

/// An operation under way.
pub(crate) struct Operation {
    home: u16,
    ask: Ask,
    command: &'static Command,
    caller: Caller,
    args: OwnArgs,
    kind: Kind,
    /// Messages still to come.
    missing: usize,
    /// A share of it runs on this shard; on others.
    here: bool,
    elsewhere: bool,
    /// The slowest of its shares that were slow, for the slow log.
    pub(crate) slow: Option<Box<SlowEntry>>,
}

enum Kind {
    /// Replies of the shares in the order they were asked, and for each key the share it belongs to.
    Split {
        merge: Merge,
        shares: Vec<(u16, Reply)>,
        of_key: Vec<u16>,
    },
    All {
        parts: Vec<Reply>,
    },
    Hold {
        keys: Vec<(u16, Held)>,
        wanted: Vec<Vec<u8>>,
        attempts: u32,
    },
}

impl Shard {
    /// A command whose keys (at `indexes`, on `shards`) can be served by each shard alone.
    pub(crate) fn start_split(
        &mut self,
        conn: usize,
        command: &'static Command,
        args: Args<'_>,
        merge: Merge,
        indexes: &[usize],
        shards: &[u16],
    ) {
        let step = crate::route::split_step(command);
        if !(args.len() - 1).is_multiple_of(step) {
            return self.reply_error(conn, &Error::wrong_arity(command.full_name));
        }
        if let Err(error) = eviction::before(&mut self.cx, command) {
            return self.reject(conn, command, &error);
        }
        let mut involved: Vec<u16> = Vec::new();
        shards.iter().for_each(|s| {
            if !involved.contains(s) {
                involved.push(*s)
            }
        });
        let op = self.next_op();
        let conn_db = (self.conns[conn].db, self.conns[conn].resp3);
        let no_touch = self.conns[conn].no_touch;
        for (share, &shard) in involved.iter().enumerate() {
            let batch = self.batch_for(shard as usize);
            let first = batch.spans.len();
            batch.push_arg_of(args, 0);
            for (&index, _) in indexes.iter().zip(shards).filter(|(_, s)| **s == shard) {
                (index..index + step).for_each(|i| batch.push_arg_of(args, i));
            }
            // The share is told by the upper bits of the operation's number.
            let ask = Ask::Share(op | (share as u64) << SHARE_SHIFT);
            batch.push(command, ask, conn_db, first);
            if no_touch {
                batch.mark_no_touch();
            }
        }
        let of_key = shards
            .iter()
            .map(|s| involved.iter().position(|i| i == s).expect("just collected") as u16)
            .collect();
        let shares = involved.iter().map(|&s| (s, Reply::default())).collect();
        let kind = Kind::Split { merge, shares, of_key };
        self.begin(conn, op, command, args, kind, &involved);
    }

    /// A command that every shard takes part in.
    pub(crate) fn start_all(&mut self, conn: usize, command: &'static Command, args: Args<'_>) {
        if let Some(prepare) = command.prepare {
            return self.start_prepared(conn, command, args, prepare);
        }
        self.start_parts(conn, command, args);
    }

    /// Sends every shard its part.
    pub(crate) fn start_parts(&mut self, conn: usize, command: &'static Command, args: Args<'_>) {
        let all: Vec<u16> = (0..self.cx.shards).collect();
        if all.len() == 1 {
            return self.run_all_alone(conn, command, args);
        }
        let op = self.next_op();
        let conn_db = (self.conns[conn].db, self.conns[conn].resp3);
        for &shard in &all {
            let batch = self.batch_for(shard as usize);
            let first = batch.spans.len();
            batch.push_args(args);
            batch.push(command, Ask::Part(op | u64::from(shard) << SHARE_SHIFT), conn_db, first);
        }
        let parts = all.iter().map(|_| Reply::default()).collect();
        self.begin(conn, op, command, args, Kind::All { parts }, &all);
    }

    fn run_all_alone(&mut self, conn: usize, command: &'static Command, args: Args<'_>) {
        let Plan::All(_, merge) = command.plan else { unreachable!() };
        if command.flags & flag::SESSIONS != 0 {
            self.sync_to_sessions();
        }
        let caller = Caller::of(conn, &self.conns[conn]);
        let mut part = Reply::new(caller.resp3);
        execute::execute(&mut self.cx, command, args, caller, &mut part);
        let mut out = Reply::new(caller.resp3);
        self.merge_parts(merge, args, &[part], &mut out);
        self.deliver_here(conn, &mut out);
        self.sync_from_session(conn);
        self.mark_dirty(conn);
    }

    /// A command whose keys lie on several shards and must be together.
    pub(crate) fn start_hold(
        &mut self,
        conn: usize,
        command: &'static Command,
        args: Args<'_>,
        keys: Vec<Vec<u8>>,
    ) {
        let ask = Ask::Whole(self.expect(conn));
        let caller = Caller::of(conn, &self.conns[conn]);
        // Whatever the connection sends next goes behind this by the same way.
        self.conns[conn].through_own_mailbox += 1;
        self.hold_keys(self.cx.id, ask, command, args, caller, keys, 0);
    }

    /// As [`Shard::start_hold`] for a command that found out while running that it needs `more` keys.
    pub(crate) fn start_hold_more(
        &mut self,
        conn: usize,
        command: &'static Command,
        args: Args<'_>,
        mut more: Vec<Vec<u8>>,
    ) {
        add_own_keys(command, args, &mut more);
        self.start_hold(conn, command, args, more);
    }

    #[allow(clippy::too_many_arguments)]
    pub(crate) fn hold_keys(
        &mut self,
        home: u16,
        ask: Ask,
        command: &'static Command,
        args: Args<'_>,
        caller: Caller,
        mut keys: Vec<Vec<u8>>,
        attempts: u32,
    ) {
        keys.sort();
        keys.dedup();
        let op = self.next_op();
        let mut dbs = vec![caller.db];
        if command.flags & flag::CROSS_DB != 0 {
            let other = command::families::other_db(args).filter(|db| *db != caller.db);
            dbs.extend(other.filter(|db| (*db as usize) < self.cx.dbs.count()));
        }
        let mut own: Vec<Vec<&Vec<u8>>> = (0..self.cx.shards).map(|_| Vec::new()).collect();
        keys.iter().for_each(|key| own[self.cx.slots.shard_of(key) as usize].push(key));
        let mut missing = 0;
        for (shard, own) in own.iter().enumerate() {
            for &db in &dbs {
                missing += self.ask_to_hold(shard, op, command, (db, caller.resp3), own);
            }
        }
        let args = OwnArgs::of(args);
        let kind = Kind::Hold { keys: Vec::new(), wanted: keys, attempts };
        let operation = Operation {
            home,
            ask,
            command,
            caller,
            args,
            kind,
            missing,
            here: true,
            elsewhere: false,
            slow: None,
        };
        self.ops.insert(op, operation);
        self.outgoing.exclusive = true;
    }

    /// Asks a shard to hold keys of its, in as many items as their bytes need; how many.
    fn ask_to_hold(
        &mut self,
        shard: usize,
        op: OpId,
        command: &'static Command,
        db: (u16, bool),
        keys: &[&Vec<u8>],
    ) -> usize {
        let (mut rest, mut items) = (keys, 0);
        while !rest.is_empty() {
            let batch = self.batch_for(shard);
            let first = batch.spans.len();
            while let Some((key, others)) = rest.split_first().filter(|_| !batch.is_full()) {
                batch.push_arg(key);
                rest = others;
            }
            batch.push(command, Ask::Hold(op), db, first);
            items += 1;
        }
        items
    }

    fn next_op(&mut self) -> OpId {
        self.next_op += 1;
        self.next_op & ((1 << SHARE_SHIFT) - 1)
    }

    fn begin(
        &mut self,
        conn: usize,
        op: OpId,
        command: &'static Command,
        args: Args<'_>,
        kind: Kind,
        involved: &[u16],
    ) {
        let ask = Ask::Whole(self.expect(conn));
        let slot = &mut self.conns[conn];
        let caller = Caller::of(conn, slot);
        let here = involved.contains(&self.cx.id);
        let elsewhere = command.is_write() && involved.iter().any(|s| *s != self.cx.id);
        slot.through_own_mailbox += u32::from(here);
        slot.writes_elsewhere += u32::from(elsewhere);
        let args = OwnArgs::of(args);
        let missing = involved.len();
        let home = self.cx.id;
        self.ops.insert(
            op,
            Operation { home, ask, command, caller, args, kind, missing, here, elsewhere, slow: None },
        );
        self.outgoing.exclusive = true;
    }

    /// The client of an operation of ours that is under way.
    pub(crate) fn client_of_operation(&self, tagged: OpId) -> Option<Ticket> {
        match self.ops.get(&(tagged & ((1 << SHARE_SHIFT) - 1)))?.ask {
            Ask::Whole(ticket) => Some(ticket),
            _ => None,
        }
    }

    /// The operation of ours to which a share or part belongs.
    pub(crate) fn operation_of(&mut self, tagged: OpId) -> Option<&mut Operation> {
        self.ops.get_mut(&(tagged & ((1 << SHARE_SHIFT) - 1)))
    }

    /// A share or part has been done.
    pub(crate) fn on_part(&mut self, tagged: OpId, write: impl FnOnce(&mut Reply)) {
        let (op, share) = (tagged & ((1 << SHARE_SHIFT) - 1), (tagged >> SHARE_SHIFT) as usize);
        let operation = self.ops.get_mut(&op).expect("parts belong to operations under way");
        match &mut operation.kind {
            Kind::Split { shares, .. } => write(&mut shares[share].1),
            Kind::All { parts } => write(&mut parts[share]),
            Kind::Hold { .. } => unreachable!("holds have no shares"),
        }
        operation.missing -= 1;
        if operation.missing == 0 {
            let operation = self.ops.remove(&op).expect("present");
            self.finish(operation);
        }
    }

    fn finish(&mut self, mut operation: Operation) {
        if let Some(mut entry) = operation.slow.take() {
            // A share has only some of the arguments.
            let args = operation.args.args(&self.cx.seed);
            entry.keep_args(operation.command, args, self.cx.config.slowlog_max_argc);
            self.log_slow_of(operation.ask, *entry);
        }
        let mut out = Reply::new(operation.caller.resp3);
        match &operation.kind {
            Kind::Split { merge, shares, of_key } => merge_shares(*merge, shares, of_key, &mut out),
            Kind::All { parts } => {
                let Plan::All(_, merge) = operation.command.plan else { unreachable!() };
                let seed = self.cx.seed.clone();
                let args = operation.args.args(&seed);
                self.merge_parts(merge, args, parts, &mut out);
            }
            Kind::Hold { .. } => unreachable!("holds end in `run_held`"),
        }
        self.end(operation.ask, operation.here, operation.elsewhere, &mut out);
    }

    fn merge_parts(
        &mut self,
        merge: command::spec::MergeHandler,
        args: Args<'_>,
        parts: &[Reply],
        out: &mut Reply,
    ) {
        debug_assert!(parts.iter().all(|part| part.blobs.is_empty()), "parts hold all their bytes");
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.buf.as_slice()).collect();
        if let Some(error) = parts.iter().find(|part| reader::is_error(part)) {
            return out.raw(error);
        }
        if let Err(error) = merge(&mut self.cx, args, &parts, out) {
            out.clear();
            self.cx.count_error(&error);
            out.error(error.line());
        }
    }

    /// Gives a connection of this shard the reply of a split or all-shards operation.
    fn end(&mut self, ask: Ask, here: bool, elsewhere: bool, out: &mut Reply) {
        let Ask::Whole(ticket) = ask else { unreachable!("operations answer connections") };
        let conn = &mut self.conns[ticket.conn as usize];
        if conn.generation != ticket.generation {
            return;
        }
        conn.through_own_mailbox -= u32::from(here);
        conn.writes_elsewhere -= u32::from(elsewhere);
        conn.fulfil(ticket.seq, |to| to.append(out));
        self.after_fulfil(ticket.conn as usize);
    }

    /// Takes the entry of a key out of the keyspace.
    pub(crate) fn take_out(&mut self, db: u16, key: Vec<u8>) -> Held {
        let now_ms = self.cx.now_ms;
        let hashed = Key::new(&key, &self.cx.seed);
        let space = &mut self.cx.dbs[db as usize];
        let entry = match space.find(hashed, now_ms) {
            Found::Live(pos) => Some(space.take(pos)),
            Found::Expired | Found::Missing => None,
        };
        Held { db, key, entry }
    }

    fn put_back(&mut self, held: Held) {
        if let Some(entry) = held.entry {
            let key = Key::new(&held.key, &self.cx.seed);
            self.cx.dbs[held.db as usize].install(key, entry);
        }
    }

    /// Keys have come for a hold of ours.
    pub(crate) fn on_granted(&mut self, op: OpId, from: u16, held: Vec<Held>) {
        let operation = self.ops.get_mut(&op).expect("keys belong to operations under way");
        let Kind::Hold { keys, .. } = &mut operation.kind else { unreachable!() };
        keys.extend(held.into_iter().map(|h| (from, h)));
        operation.missing -= 1;
        if operation.missing == 0 {
            let operation = self.ops.remove(&op).expect("present");
            self.run_held(op, operation);
        }
    }

    /// All keys are here: runs the command among them and sends them home.
    fn run_held(&mut self, op: OpId, mut operation: Operation) {
        let Kind::Hold { keys, wanted, attempts } = &mut operation.kind else { unreachable!() };
        let (keys, mut wanted, attempts) = (std::mem::take(keys), std::mem::take(wanted), *attempts);
        let mut places = Vec::with_capacity(keys.len());
        for (from, held) in keys {
            places.push((from, held.db, held.key.clone()));
            self.put_back(held);
        }
        self.cx.guests = wanted.clone();
        let seed = self.cx.seed.clone();
        let args = operation.args.args(&seed);
        let mut caller = operation.caller;
        if !self.is_alive(operation.home, operation.ask) {
            caller.conn = None;
        }
        let mut out = Reply::new(caller.resp3);
        let needed = execute::execute(&mut self.cx, operation.command, args, caller, &mut out);
        self.cx.guests.clear();
        self.tell_slow(operation.home, operation.ask);
        self.send_home(op, places);
        match needed {
            Some(more) if attempts < HOLD_ATTEMPTS_MAX => {
                wanted.extend(more);
                let (home, ask, command) = (operation.home, operation.ask, operation.command);
                return self.hold_keys(home, ask, command, args, operation.caller, wanted, attempts + 1);
            }
            Some(_) => out.error(Error::NeedKeys(Vec::new()).line()),
            None => {}
        }
        self.answer(operation.home, operation.ask, operation.command, out);
    }

    fn is_alive(&self, home: u16, ask: Ask) -> bool {
        match ask {
            Ask::Whole(t) if home == self.cx.id => self.conns[t.conn as usize].generation == t.generation,
            _ => false,
        }
    }

    /// Takes the keys out again and gives them back to their shards, which unlocks them.
    fn send_home(&mut self, op: OpId, places: Vec<(u16, u16, Vec<u8>)>) {
        let mut back: Vec<Option<Vec<Held>>> = (0..self.cx.shards).map(|_| None).collect();
        for (from, db, key) in places {
            let held = if from == self.cx.id {
                // Ours stay where they are.
                Held { db, key, entry: None }
            } else {
                self.take_out(db, key)
            };
            back[from as usize].get_or_insert_default().push(held);
        }
        let home = self.cx.id;
        for (shard, keys) in back.into_iter().enumerate() {
            let Some(keys) = keys else { continue };
            if shard == home as usize {
                self.on_release(home, op, keys);
            } else {
                self.outgoing.posts.push((shard, Message::Release { home, op, keys }));
            }
        }
    }

    /// Keys held here come back.
    pub(crate) fn on_release(&mut self, home: u16, op: OpId, keys: Vec<Held>) {
        keys.into_iter().for_each(|held| self.put_back(held));
        let mut ready = std::mem::take(&mut self.ready);
        for id in self.holds.remove(&(home, op)).unwrap_or_default() {
            self.locks.release(id, &mut ready);
        }
        self.ready = ready;
        self.run_ready();
    }
}

/// Adds the keys that a command names itself to those it asked for while it ran.
pub(crate) fn add_own_keys(command: &Command, args: Args<'_>, keys: &mut Vec<Vec<u8>>) {
    let mut indexes = Vec::new();
    if command.key_indexes(&args, &mut indexes).is_ok() {
        keys.extend(indexes.iter().map(|&i| args[i].to_vec()));
    }
}

/// Operation numbers use the bits below; the share's number stands above.
pub(crate) const SHARE_SHIFT: u32 = 48;

fn merge_shares(merge: Merge, shares: &[(u16, Reply)], of_key: &[u16], out: &mut Reply) {
    if let Some((_, error)) = shares.iter().find(|(_, reply)| reader::is_error(&reply.buf)) {
        return out.raw(&error.buf);
    }
    match merge {
        Merge::Ok => out.ok(),
        Merge::Sum => {
            out.int(shares.iter().filter_map(|(_, reply)| reader::integer(&reply.buf)).sum());
        }
        Merge::Elements => {
            // Walk each share's array in step with the keys.
            let mut at: Vec<usize> = shares
                .iter()
                .map(|(_, reply)| reader::header(&reply.buf, 0).map_or(0, |(_, _, next)| next))
                .collect();
            out.array(of_key.len());
            for &share in of_key {
                let (reply, at) = (&shares[share as usize].1, &mut at[share as usize]);
                *at += copy_element(reply, *at, out);
            }
        }
    }
}

/// Copies the element of `reply` that begins at `start` in its buffer; its length there.
fn copy_element(reply: &Reply, start: usize, out: &mut Reply) -> usize {
    let shared = reply.blobs.iter().find(|(pos, _)| *pos > start);
    if let (Some((_, count, next)), Some((pos, blob))) = (reader::header(&reply.buf, start), shared) {
        // The element's header, then the shared bytes, then the line end.
        if *pos == next && count as usize == blob.len() {
            out.bulk_shared(blob.clone());
            return next + 2 - start;
        }
    }
    let len = reader::reply_len(&reply.buf[start..]).expect("shards write whole replies");
    out.raw(&reply.buf[start..start + len]);
    len
}
