//! Client-side caching: what has to be told to clients that cache (`command::tracking`), on its way to them.
//!
//! A client must never get an invalidation before the reply with the value that it is about, which it would keep for ever; and it
//! should get it before any reply that was made later. So changes travel with the replies of the shard that has the key: between the
//! replies of a batch that goes home, or as a message of their own behind what has been sent before; and at home they take their place
//! behind the last reply that has come, in front of those still awaited (`Conn::push_between`). They are sent before the reply to whoever
//! made the change.
//!
//! With BCAST there is one message per prefix and turn, as in Redis; or several, for no reply that comes of later may be before it.

use crate::message::Message;
use crate::shard::Shard;
use command::session::Session;
use command::tracking::{ClientRef, News, Target};
use resp::Reply;
use std::collections::HashMap;

/// Messages on their way among which one to the same shard is looked for, to add to it.
const LOOK_BACK_MAX: usize = 64;
/// Where clients with RESP2 get what others are told.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// A connection of the receiver and its generation.
type Reader = (u32, u32);

/// What the clients of one shard are to be told.
#[derive(Default)]
pub struct Changes {
    /// How much the receiver had published when this was sent; nothing if it was not sent, for it is where it arose.
    seen: Option<u64>,
    /// Keys, and who has read them.
    keys: Vec<(Box<[u8]>, Vec<Reader>)>,
    /// Who has read keys of which nobody knows the names any more.
    unnamed: Vec<Reader>,
    /// Keys that somebody wants to hear of by prefix, with the client that need not hear of it.
    broadcasts: HashMap<Vec<u8>, Option<ClientRef>>,
    /// How often all keys have gone.
    flushes: u32,
    redirected: Vec<Redirected>,
    /// Clients whose messages could not be redirected to the client with this CLIENT ID.
    broken: Vec<(ClientRef, u64)>,
}

/// As a message that was sent after everything that its receiver has published.
const LATEST: u64 = u64::MAX;

impl Changes {
    /// It is about to be sent to a shard that has published so much.
    pub(crate) fn see(&mut self, published: u64) {
        self.seen = Some(published);
    }
}

/// What a client would be told, for another one.
struct Redirected {
    from: ClientRef,
    to: Target,
    what: What,
}

/// What is good no longer.
#[derive(Clone)]
enum What {
    Keys(Vec<Box<[u8]>>),
    Everything,
}

impl What {
    fn write(&self, out: &mut Reply) {
        match self {
            Self::Everything => out.null(),
            Self::Keys(keys) => {
                out.array(keys.len());
                keys.iter().for_each(|key| out.bulk(key));
            }
        }
    }

    /// The message for a client. In RESP2 it is one of the channel [`CHANNEL`], for who gets it in another's place and is subscribed
    /// to anything; else there is none.
    fn message(&self, session: &Session, is_redirected: bool) -> Option<Vec<u8>> {
        let mut out = Reply::new(session.resp3);
        if session.resp3 {
            out.push(2);
            out.bulk(b"invalidate");
        } else if is_redirected && session.is_subscribed() {
            out.array(3);
            out.bulk(b"message");
            out.bulk(CHANNEL);
        } else {
            return None;
        }
        self.write(&mut out);
        Some(out.buf)
    }
}

/// Clients (ascending) by their shards.
fn by_home(readers: &[ClientRef]) -> impl Iterator<Item = (u16, impl Iterator<Item = Reader>)> {
    let homes = readers.chunk_by(|one, next| one.home == next.home);
    homes.map(|readers| (readers[0].home, readers.iter().map(|reader| (reader.conn, reader.generation))))
}

impl Shard {
    /// Sends what has to be told. To be called when a command is over.
    #[inline]
    pub(crate) fn tell_changes(&mut self) {
        if self.cx.tracking.has_news() {
            self.send_changes();
        }
    }

    #[cold]
    fn send_changes(&mut self) {
        let mut own = Changes::default();
        for news in self.cx.tracking.take_news() {
            match news {
                News::Key(key, readers) => {
                    for (home, conns) in by_home(&readers) {
                        self.changes_for(home, &mut own).keys.push((key.clone(), conns.collect()));
                    }
                }
                News::Unnamed(readers) => {
                    for (home, conns) in by_home(&readers) {
                        self.changes_for(home, &mut own).unnamed.extend(conns);
                    }
                }
                News::Broadcast { key, homes, spared } => {
                    for home in homes {
                        self.changes_for(home, &mut own).broadcasts.insert(key.clone(), spared);
                    }
                }
                News::Flushed => {
                    (0..self.cx.shards).for_each(|home| self.changes_for(home, &mut own).flushes += 1);
                }
            }
        }
        self.on_changes(own);
    }

    /// Where changes for a shard's clients are to be added now: they go behind everything that has been sent to it.
    fn changes_for<'a>(&'a mut self, home: u16, own: &'a mut Changes) -> &'a mut Changes {
        if self.batch_from == Some(home) {
            return self.batch_changes.get_or_insert_default();
        }
        if home == self.cx.id {
            return own;
        }
        let posts = &mut self.outgoing.posts;
        let last = posts.iter().rev().take(LOOK_BACK_MAX).position(|(to, _)| *to == home as usize);
        let at =
            last.map(|back| posts.len() - 1 - back).filter(|at| matches!(posts[*at].1, Message::Changes(_)));
        let at = at.unwrap_or_else(|| {
            posts.push((home as usize, Message::Changes(Box::default())));
            posts.len() - 1
        });
        match &mut posts[at].1 {
            Message::Changes(changes) => changes,
            _ => unreachable!("as has just been seen"),
        }
    }

    /// Tells this shard's clients.
    pub(crate) fn on_changes(&mut self, changes: Changes) {
        let Changes { seen, keys, unnamed, broadcasts, flushes, redirected, broken } = changes;
        let seen = seen.unwrap_or(LATEST);
        for _ in 0..flushes {
            self.cx.end_tracked_flush();
            for conn in self.cx.tracking.conns().to_vec() {
                self.tell(conn as usize, What::Everything, seen);
            }
        }
        for (key, conns) in keys {
            for (conn, generation) in conns {
                if self.tracks_reads(conn as usize, generation) {
                    self.tell(conn as usize, What::Keys(vec![key.clone()]), seen);
                }
            }
        }
        for (conn, generation) in unnamed {
            if self.tracks_reads(conn as usize, generation) {
                self.tell(conn as usize, What::Everything, seen);
            }
        }
        for (key, spared) in broadcasts {
            self.cx.tracking.hear_broadcast(&key, spared);
        }
        redirected.into_iter().for_each(|redirected| self.on_redirected(redirected));
        broken.into_iter().for_each(|(client, target)| self.on_broken(client, target));
    }

    /// Whether a connection is still there and wants to hear of what it has read.
    fn tracks_reads(&self, conn: usize, generation: u32) -> bool {
        let is_there = self.conns.get(conn).is_some_and(|conn| conn.open && conn.generation == generation);
        let session = self.cx.sessions.get(conn).filter(|_| is_there);
        session.and_then(|session| session.tracking.as_ref()).is_some_and(|mode| !mode.is_broadcast)
    }

    /// Tells a client of this shard, or the one to which its messages go.
    fn tell(&mut self, conn: usize, what: What, seen: u64) {
        let Some(session) = self.cx.sessions.get(conn) else { return };
        let Some(mode) = &session.tracking else { return };
        let from = session.client;
        match mode.target {
            Some(to) => self.redirect(Redirected { from, to, what }),
            None => {
                if let Some(message) = what.message(session, false) {
                    self.push_between(conn, &message, seen);
                }
            }
        }
    }

    fn redirect(&mut self, redirected: Redirected) {
        let home = redirected.to.client.home;
        if home == self.cx.id {
            return self.on_redirected(redirected);
        }
        self.changes_for(home, &mut Changes::default()).redirected.push(redirected);
    }

    /// A message for a client of this shard in another's place.
    fn on_redirected(&mut self, redirected: Redirected) {
        let Redirected { from, to, what } = redirected;
        let conn = to.client.conn as usize;
        let session = self.cx.sessions.get(conn).filter(|session| session.client == to.client);
        match session {
            Some(session) => {
                if let Some(message) = what.message(session, true) {
                    self.push_between(conn, &message, LATEST);
                }
            }
            None if from.home == self.cx.id => self.on_broken(from, to.id),
            None => self.changes_for(from.home, &mut Changes::default()).broken.push((from, to.id)),
        }
    }

    /// The client to which a client's messages go is gone.
    fn on_broken(&mut self, client: ClientRef, target: u64) {
        let conn = client.conn as usize;
        let Some(session) = self.cx.sessions.get_mut(conn).filter(|session| session.client == client) else {
            return;
        };
        let Some(mode) = &mut session.tracking else { return };
        if mode.target.is_none_or(|to| to.id != target) {
            return;
        }
        mode.is_broken = true;
        if session.resp3 {
            let mut out = Reply::new(true);
            out.push(2);
            out.bulk(b"tracking-redir-broken");
            out.int(target as i64);
            self.push_between(conn, &out.buf, LATEST);
        }
    }

    fn push_between(&mut self, conn: usize, message: &[u8], seen: u64) {
        let slot = &mut self.conns[conn];
        if slot.open && !slot.closing {
            slot.push_between(message, seen);
            self.mark_dirty(conn);
        }
    }

    /// What this turn has brought for clients of this shard that want to hear of prefixes, and for the other shards that no client does
    /// any more.
    pub(crate) fn tell_prefixes(&mut self) {
        if self.cx.tracks_too_many() {
            self.cx.trim_tracking();
        }
        self.tell_changes();
        self.tell_heard();
        if self.cx.tracking.has_forgone() {
            self.tell_forgone();
        }
    }

    /// What the mail has brought of prefixes is told before anything that is run now is answered.
    #[inline]
    pub(crate) fn tell_heard(&mut self) {
        if self.cx.tracking.has_broadcasts() {
            self.tell_broadcasts();
        }
    }

    /// The same before a reply takes its place, if its client may have to hear of it.
    #[inline]
    pub(crate) fn tell_heard_before(&mut self, conn: usize) {
        if self.conns[conn].tracker.is_on {
            self.tell_heard();
        }
    }

    #[cold]
    fn tell_broadcasts(&mut self) {
        for (conns, keys) in self.cx.tracking.take_broadcasts() {
            let all = What::Keys(keys.keys().map(|key| key.as_slice().into()).collect());
            for conn in conns {
                let Some(session) = self.cx.sessions.get(conn as usize) else { continue };
                let own = Some(session.client);
                let is_deaf = session.tracking.as_ref().is_some_and(|mode| mode.is_deaf);
                if !is_deaf || keys.values().all(|spared| *spared != own) {
                    self.tell(conn as usize, all.clone(), LATEST);
                    continue;
                }
                let others = keys.iter().filter(|(_, spared)| **spared != own);
                let others: Vec<_> = others.map(|(key, _)| key.as_slice().into()).collect();
                if !others.is_empty() {
                    self.tell(conn as usize, What::Keys(others), LATEST);
                }
            }
        }
    }

    #[cold]
    fn tell_forgone(&mut self) {
        let forgone = self.cx.tracking.take_forgone();
        let home = self.cx.id;
        for shard in (0..self.cx.shards).filter(|shard| *shard != home) {
            let prefixes = forgone.clone();
            self.outgoing.posts.push((shard as usize, Message::Forgone { home, prefixes }));
        }
        self.on_forgone(home, forgone);
    }

    /// No client of shard `home` wants to hear of these prefixes any more.
    pub(crate) fn on_forgone(&mut self, home: u16, prefixes: Vec<(Vec<u8>, u64)>) {
        prefixes.iter().for_each(|(prefix, number)| self.cx.end_interest(prefix, home, *number));
    }
}

#[cfg(test)]
mod tests;
