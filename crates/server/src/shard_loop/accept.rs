//! New connections: who may come in, and which shard serves them.

use super::mail::{send_mail, wake};
use super::{LISTENER_TOKENS, Mail, ShardLoop};
use crate::desk::Desk;
use crate::{listen, log};
use command::session::Session;
use runtime::socket::AfterAccept;
use runtime::{Socket, clock};
use shard::Moving;
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::atomic::Ordering;

/// Connections accepted per event; more wait for the next turn.
const ACCEPTS_MAX: usize = 256;
/// Time between two complaints about the same trouble.
const COMPLAINT_US: u64 = 1_000_000;

const TOO_MANY: &[u8] = b"-ERR max number of clients reached\r\n";
const PROTECTED: &[u8] = b"-DENIED Redis is running in protected mode because protected \
    mode is enabled and no password is set for the default user. \
    In this mode connections are only accepted from the loopback interface. \
    If you want to connect from external computers to Redis you \
    may adopt one of the following solutions: \
    1) Just disable protected mode sending the command \
    'CONFIG SET protected-mode no' from the loopback interface \
    by connecting to Redis from the same host the server is \
    running, however MAKE SURE Redis is not publicly accessible \
    from internet if you do so. Use CONFIG REWRITE to make this \
    change permanent. \
    2) Alternatively you can just disable the protected mode by \
    editing the Redis configuration file, and setting the protected \
    mode option to 'no', and then restarting the server. \
    3) If you started the server manually just for testing, restart \
    it with the '--protected-mode no' option. \
    4) Set up an authentication password for the default user. \
    NOTE: You only need to do one of the above things in order for \
    the server to start accepting connections from the outside.\r\n";

impl ShardLoop {
    /// Accepts waiting connections and deals them out.
    pub(super) fn accept(&mut self, listener: usize) {
        for _ in 0..ACCEPTS_MAX {
            // An event of one that is closed by now may still come.
            let Some(Some(open)) = self.listeners.get(listener) else { return };
            match open.accept() {
                Ok(socket) => {
                    let is_unix = open.is_unix;
                    self.admit(socket, is_unix);
                }
                Err(error) => match self.after_failure(listener, &error) {
                    AfterAccept::Done => return,
                    AfterAccept::Later => return self.accept_later(listener),
                    AfterAccept::Next | AfterAccept::NoDescriptor => {}
                },
            }
        }
        self.unread.push(LISTENER_TOKENS + listener);
    }

    /// What to do after an attempt that failed, and after what could be done about it.
    fn after_failure(&mut self, listener: usize, error: &io::Error) -> AfterAccept {
        let after = AfterAccept::of(error);
        match after {
            AfterAccept::Done | AfterAccept::Next => return after,
            AfterAccept::NoDescriptor | AfterAccept::Later => self.complain(error),
        }
        if after == AfterAccept::Later {
            return after;
        }
        match self.turn_away_one(listener) {
            Ok(()) => AfterAccept::Next,
            Err(error) => match AfterAccept::of(&error) {
                // The descriptor in reserve does not help: the limit is lower than what is open, or another thread was faster.
                AfterAccept::NoDescriptor => AfterAccept::Later,
                other => other,
            },
        }
    }

    /// The listener's next round comes with the next tick, for its event has been and comes once only.
    fn accept_later(&mut self, listener: usize) {
        if !self.stalled_listeners.contains(&listener) {
            self.stalled_listeners.push(listener);
        }
    }

    /// Has the listeners tried again that brought an error.
    pub(super) fn retry_listeners(&mut self) {
        self.unread.extend(self.stalled_listeners.drain(..).map(|listener| LISTENER_TOKENS + listener));
    }

    /// Whether this shard accepts the connections.
    pub(crate) fn has_listeners(&self) -> bool {
        !self.listeners.is_empty()
    }

    /// Listens where the configuration now says. Connections that wait at the old sockets come in first.
    pub(crate) fn listen_anew(&mut self) {
        let Some(listeners) = listen::prepared(&self.shard.cx.config) else { return };
        for index in 0..self.listeners.len() {
            if self.listeners[index].as_ref().is_none_or(|listener| listener.is_unix) {
                continue;
            }
            self.accept(index);
            if let Some(old) = self.listeners[index].take() {
                self.reactor.remove_listener(LISTENER_TOKENS + index, old.fd());
                log::notice(format_args!("Listening on {} no more", old.name));
            }
        }
        for listener in listeners {
            log::notice(format_args!("Listening on {}", listener.name));
            let token = LISTENER_TOKENS + self.listeners.len();
            if let Err(error) = self.reactor.add_listener(token, listener.fd()) {
                self.complain(&error);
            }
            self.listeners.push(Some(listener));
        }
    }

    /// Lets a connection in, or says why not.
    fn admit(&mut self, socket: Socket, is_unix: bool) {
        let config = &self.shard.cx.config;
        let before = self.process.clients.fetch_add(1, Ordering::Relaxed);
        let refusal = if before >= u64::from(config.maxclients) {
            Some(TOO_MANY)
        } else if !is_unix
            && config.protected_mode
            && config.requirepass.is_none()
            && !socket.is_from_loopback()
        {
            Some(PROTECTED)
        } else {
            None
        };
        match refusal {
            Some(text) => {
                self.process.clients.fetch_sub(1, Ordering::Relaxed);
                self.turn_away(&socket, text);
            }
            None => self.deal(socket, is_unix),
        }
    }

    /// The caller closes the socket.
    fn turn_away(&mut self, socket: &Socket, text: &[u8]) {
        // A client that cannot even take this line gets none.
        let _ = socket.send(&[IoSlice::new(text)]);
        self.shard.cx.stats.rejected_connections += 1;
    }

    /// With no descriptor left, the connections that wait would wait for ever. One after the other is answered and closed
    /// with the help of the descriptor in reserve.
    fn turn_away_one(&mut self, listener: usize) -> io::Result<()> {
        let Some(Some(listener)) = self.listeners.get(listener) else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let answered = self.reserve.lend(|| {
            let socket = listener.accept()?;
            // A client that cannot even take this line gets none.
            let _ = socket.send(&[IoSlice::new(TOO_MANY)]);
            io::Result::Ok(())
        });
        answered?;
        self.shard.cx.stats.rejected_connections += 1;
        Ok(())
    }

    /// Gives the connection to the shard whose turn it is, of those that take any.
    fn deal(&mut self, socket: Socket, is_unix: bool) {
        let connection_shards = self.process.connection_shards;
        let to = self.next_dealt * self.port.shards() / connection_shards;
        self.next_dealt = (self.next_dealt + 1) % connection_shards;
        if to == self.id {
            self.adopt(socket, is_unix);
        } else {
            send_mail(&mut self.port, &self.process.wakers, to, Mail::Adopt { socket, is_unix });
        }
    }

    /// Serves a connection that has been let in and counted.
    pub(super) fn adopt(&mut self, socket: Socket, is_unix: bool) {
        let config = &self.shard.cx.config;
        if !is_unix {
            socket.set_tcp_options(i32::try_from(config.tcp_keepalive_s).unwrap_or(i32::MAX));
        }
        let (addr, local_addr) = if is_unix { self.unix_addresses() } else { socket.addresses() };
        log::verbose(format_args!("Accepted {addr}"));
        let (now_ms, _) = clock::now();
        let session = Session {
            id: self.process.next_client.fetch_add(1, Ordering::Relaxed),
            addr,
            local_addr,
            authenticated: config.requirepass.is_none(),
            unix_socket: is_unix,
            fd: socket.fd(),
            created_ms: now_ms,
            last_active_ms: now_ms,
            ..Session::default()
        };
        let token = self.shard.open(session);
        self.shard.conn_mut(token).last_active_ms = now_ms;
        self.watch(token, socket);
    }

    /// Sends connections to the shards that serve most of them. A command that all shards run (CLIENT LIST, CLIENT KILL) finds each
    /// once: here if it has come already, for then nobody leaves before it has run; else there, for it comes there later.
    pub(super) fn move_away(&mut self) {
        if !self.shard.has_movers() {
            return;
        }
        let (Desk { shard, mail, .. }, reactor) = (self.shard.desk(), &mut self.reactor);
        let leave = |mail: &VecDeque<Mail>| {
            if mail.iter().any(|mail| matches!(mail, Mail::Commands(batch) if batch.has_part())) {
                return Vec::new();
            }
            let movers = shard.movers().into_iter().filter_map(|(token, to)| {
                let socket = reactor.remove(token)?;
                let moving = shard.detach(token)?;
                Some((usize::from(to), Mail::Move(Box::new((socket, moving)))))
            });
            movers.collect()
        };
        self.port.send_between(mail, leave, |to| wake(&self.process.wakers, to));
    }

    /// Serves a connection that another shard has served so far. What its client has sent meanwhile waits in the socket.
    pub(super) fn attach(&mut self, socket: Socket, moving: Moving) {
        let token = self.shard.attach(moving);
        self.watch(token, socket);
    }

    /// Begins to watch a connection's socket.
    fn watch(&mut self, token: usize, socket: Socket) {
        if self.sent.len() <= token {
            self.sent.resize(token + 1, Default::default());
        }
        self.sent[token] = Default::default();
        if self.reactor.add(token, socket).is_err() {
            self.close(token);
        }
    }

    /// (peer, local) of a connection over the Unix socket, as CLIENT LIST shows them.
    fn unix_addresses(&self) -> (String, String) {
        let path = self.shard.cx.config.unixsocket.as_deref();
        let name = path.map_or_else(String::new, |path| format!("{}:0", path.display()));
        (name.clone(), name)
    }

    /// Logs an error of accepting, not more than once a second.
    fn complain(&mut self, error: &io::Error) {
        let (_, now_us) = clock::now();
        if now_us >= self.next_complaint_us {
            self.next_complaint_us = now_us + COMPLAINT_US;
            log::warning(format_args!("Error accepting a client connection: {}", runtime::reason(error)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_protected_mode_is_one_line() {
        let text = std::str::from_utf8(PROTECTED).unwrap();
        assert!(text.contains("protected mode is enabled and") && !text.contains("  "));
        assert_eq!(text.matches('\n').count(), 1);
    }
}
