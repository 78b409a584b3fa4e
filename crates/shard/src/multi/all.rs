//! Commands that every shard runs a part of (DBSIZE, FLUSHALL, INFO …): one hop, the client's shard merges.

use super::{Kind, SHARE_SHIFT};
use crate::execute::{self, Caller};
use crate::message::{Ask, OpId};
use crate::shard::Shard;
use command::spec::{MergeHandler, flag};
use command::{Args, Command, Plan, ShardCx, eviction};
use resp::{Reply, reader};

impl Shard {
    /// A command that every shard takes part in.
    pub(crate) fn start_all(&mut self, conn: usize, command: &'static Command, args: Args<'_>) {
        if let Some(error) = self.refusal_of_many(command, |_| true) {
            return self.reject(conn, command, &error);
        }
        if command.flags & flag::ALONE != 0 {
            return self.start_alone(conn, command, args);
        }
        if let Some(prepare) = command.prepare {
            return self.start_prepared(conn, command, args, prepare);
        }
        self.start_parts(conn, command, args);
    }

    /// Sends every shard its part.
    pub(crate) fn start_parts(&mut self, conn: usize, command: &'static Command, args: Args<'_>) {
        if let Err(error) = eviction::before(&mut self.cx, command) {
            return self.reject(conn, command, &error);
        }
        let all: Vec<u16> = (0..self.cx.shards).collect();
        // What is about connections or scripts misses no key that is on its way to another server.
        let misses_keys = !matches!(command.group, "connection" | "scripting");
        if all.len() == 1 && (self.away.is_empty() || !misses_keys) {
            return self.run_all_alone(conn, command, args);
        }
        let conn_db = (self.conns[conn].db, self.conns[conn].resp3);
        let op = self.send_parts(command, args, conn_db);
        let parts = all.iter().map(|_| Reply::default()).collect();
        self.begin(conn, op, command, args, Kind::All { parts }, &all);
    }

    /// Parts for all shards; the number of the operation that they belong to.
    pub(super) fn send_parts(
        &mut self,
        command: &'static Command,
        args: Args<'_>,
        conn_db: (u16, bool),
    ) -> OpId {
        let op = self.next_op();
        for shard in 0..self.cx.shards {
            let batch = self.batch_for(shard as usize);
            let first = batch.spans.len();
            batch.push_args(args);
            batch.push(command, Ask::Part(op | u64::from(shard) << SHARE_SHIFT), conn_db, first);
        }
        op
    }

    fn run_all_alone(&mut self, conn: usize, command: &'static Command, args: Args<'_>) {
        let Plan::All(_, merge) = command.plan else { unreachable!() };
        if command.flags & flag::SESSIONS != 0 {
            self.sync_to_sessions();
        }
        let caller = Caller::of(conn, &self.conns[conn]);
        let mut part = Reply::new(caller.resp3);
        execute::execute(&mut self.cx, command, args, caller, &mut part);
        self.silence_killed();
        self.after_command();
        let mut out = Reply::new(caller.resp3);
        merge_parts(&mut self.cx, merge, args, &[part], &mut out);
        self.deliver_here(conn, &mut out);
        self.sync_from_session(conn);
        self.mark_dirty(conn);
        self.tell_changes();
    }
}

/// Makes the reply of the replies of all shards.
pub(crate) fn merge_parts(
    cx: &mut ShardCx,
    merge: MergeHandler,
    args: Args<'_>,
    parts: &[Reply],
    out: &mut Reply,
) {
    debug_assert!(parts.iter().all(|part| part.blobs.is_empty()), "parts hold all their bytes");
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.buf.as_slice()).collect();
    if let Some(error) = parts.iter().find(|part| reader::is_error(part)) {
        return out.raw(error);
    }
    if let Err(error) = merge(cx, args, &parts, out) {
        out.clear();
        cx.count_error(&error);
        out.error(error.line());
    }
}
