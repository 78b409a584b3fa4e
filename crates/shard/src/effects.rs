//! What commands ask of the connection layer, seen to once per turn.

use crate::shard::Shard;
use command::state::Effect;

/// What is left for the caller, who owns the sockets and the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Close the connection now.
    Close(usize),
    /// Close one that has left so many bytes unread.
    CloseSlow(usize, usize),
    /// End the process; with `now`, without waiting for anything.
    Shutdown { now: bool },
    /// These directives have changed.
    ConfigChanged(Vec<&'static str>),
}

impl Shard {
    /// Nothing more is read of connections that have been killed and not closed yet: whoever killed them may know already.
    #[cold]
    pub(crate) fn silence_killed(&mut self) {
        for effect in &self.cx.effects {
            if let Effect::Kill { conn } = *effect {
                self.conns[conn].closing = true;
            }
        }
    }

    /// Does what the shard itself can do and returns the rest.
    pub fn take_requests(&mut self) -> Vec<Request> {
        let mut requests = Vec::new();
        for effect in std::mem::take(&mut self.cx.effects) {
            match effect {
                Effect::CloseAfterReply { conn } => {
                    if let Some(session) = self.cx.sessions.get_mut(conn) {
                        session.close_after_reply = true;
                        self.sync_from_session(conn);
                        self.mark_dirty(conn);
                    }
                }
                Effect::Kill { conn } => requests.push(Request::Close(conn)),
                Effect::Overrun { conn, bytes } => requests.push(Request::CloseSlow(conn, bytes)),
                Effect::Shutdown { now } => requests.push(Request::Shutdown { now }),
                Effect::ConfigChanged(names) => requests.push(Request::ConfigChanged(names)),
            }
        }
        requests
    }
}
