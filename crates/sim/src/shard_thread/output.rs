//! What a connection has to send: gated until the disk has what it tells of, and taken by the network in parts.

use super::{Around, ShardThread};
use shard::conn::Conn;
use std::collections::VecDeque;

/// Of a connection's output, what waits for the disk.
#[derive(Default)]
pub(super) struct Gate {
    /// The hand-overs that must be safe, and up to where the output may be sent then.
    turns: VecDeque<(u64, usize)>,
    /// Up to where it may be sent now.
    free: usize,
}

impl ShardThread {
    /// What was added to a connection's output waits until everything is safe that has been handed over by now.
    pub(super) fn gate(&mut self, conn: u32, around: &Around<'_>) {
        let Some(log) = &around.log else { return };
        let end = whole_output(self.shard.conn(conn as usize)).len();
        self.gates[conn as usize].turns.push_back((log.handed(), end));
    }

    /// Whether somebody waits for what has become safe.
    pub(super) fn has_open_gate(&self, around: &Around<'_>) -> bool {
        let Some(log) = &around.log else { return false };
        let is_open = |conn: &u32| {
            self.gates[*conn as usize].turns.front().is_some_and(|(ticket, _)| *ticket <= log.safe())
        };
        self.gated.iter().any(is_open)
    }

    /// Up to where a connection's output may be sent.
    pub(super) fn free_to(&mut self, conn: usize, bytes: usize, around: &Around<'_>) -> usize {
        let Some(log) = &around.log else { return bytes };
        let gate = &mut self.gates[conn];
        let safe = gate.turns.partition_point(|(ticket, _)| *ticket <= log.safe());
        gate.free = gate.turns.drain(..safe).next_back().map_or(gate.free, |(_, end)| end);
        if log.keeps_gate() { gate.free } else { bytes }
    }

    pub(super) fn send(&mut self, conn: usize, around: &mut Around<'_>) {
        let state = self.shard.conn(conn);
        if !state.open {
            return;
        }
        let bytes = whole_output(state);
        let free = self.free_to(conn, bytes.len(), around);
        let link = &mut around.links[self.link_of[conn]];
        let rest = &bytes[self.sent[conn]..free.max(self.sent[conn])];
        match link.reply(rest) {
            None if !rest.is_empty() && around.random.below(2) == 0 => self.close(conn, link),
            Some(count) if count < rest.len() => {
                self.sent[conn] += count;
                self.cuts += 1;
                if !self.blocked.contains(&(conn as u32)) {
                    self.blocked.push(conn as u32);
                }
            }
            _ if free < bytes.len() => {
                self.sent[conn] += rest.len();
                if !self.gated.contains(&(conn as u32)) {
                    self.gated.push(conn as u32);
                }
            }
            _ => {
                self.shard.conn_mut(conn).out.clear();
                self.sent[conn] = 0;
                self.gates[conn] = Gate::default();
            }
        }
    }
}

/// All that a connection's client is to get, with the bytes of shared values.
fn whole_output(conn: &Conn) -> Vec<u8> {
    let (mut bytes, mut from) = (Vec::new(), 0);
    for (position, blob) in &conn.out.blobs {
        bytes.extend_from_slice(&conn.out.buf[from..*position]);
        bytes.extend_from_slice(blob);
        from = *position;
    }
    bytes.extend_from_slice(&conn.out.buf[from..]);
    bytes
}
