//! Reading large arguments, straight into the buffers that become values.

use super::ShardLoop;
use std::io::ErrorKind;
use std::ops::Range;

/// Bytes of large arguments read in one turn, of one connection and of all, so that other clients do not wait long.
const BYTES_PER_CONN: usize = 256 * 1024;
const BYTES_PER_TURN: usize = 1 << 20;

impl ShardLoop {
    /// Reads from a connection that is in the middle of a request with large arguments. What is not part of them goes to `room`
    /// in the shared buffer; how much of that is used now.
    #[cold]
    pub(super) fn read_large(&mut self, token: usize, room: Range<usize>) -> usize {
        if self.large_bytes >= BYTES_PER_TURN {
            self.passed_over.push(token);
            return room.start;
        }
        let (mut none, whole) = (Vec::new(), room.len());
        let conn = self.shard.conn_mut(token);
        let (body, missing) = conn.large.as_mut().and_then(|l| l.room()).unwrap_or((&mut none, 0));
        let share = missing.min(BYTES_PER_CONN).min(body.capacity() - body.len());
        // What comes behind the argument can be read only together with its end.
        let rest = if share == missing { &mut self.input[room.clone()] } else { &mut [] };
        let asked = share + rest.len();
        let (body_bytes, rest_bytes) = match self.reactor.recv_apart(token, body, share, rest) {
            Ok((0, 0)) => {
                self.end_of_input(token);
                return room.start;
            }
            Ok(counts) => counts,
            Err(error) => {
                match error.kind() {
                    ErrorKind::WouldBlock => {}
                    ErrorKind::Interrupted => self.unread.push(token),
                    _ => self.close(token),
                }
                return room.start;
            }
        };
        debug_assert!(rest_bytes <= whole);
        self.large_bytes += body_bytes;
        self.shard.has_read(token, body_bytes);
        if self.sends_too_much(token, rest_bytes) {
            self.close(token);
            return room.start;
        }
        self.has_input(token, room.start..room.start + rest_bytes);
        if body_bytes + rest_bytes == asked {
            self.unread.push(token);
        }
        room.start + rest_bytes
    }
}
