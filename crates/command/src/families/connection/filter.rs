//! Which clients CLIENT KILL and CLIENT LIST mean.

use crate::session::Session;
use crate::{Args, Error};

/// The classes of clients that TYPE names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ClientType {
    Normal,
    Replica,
    PubSub,
    Primary,
}

impl ClientType {
    /// # Errors
    /// `ERR Unknown client type '…'`
    pub fn parse(name: &[u8]) -> Result<Self, Error> {
        let known = [
            ("normal", Self::Normal),
            ("slave", Self::Replica),
            ("replica", Self::Replica),
            ("pubsub", Self::PubSub),
            ("master", Self::Primary),
        ];
        known
            .iter()
            .find(|(text, _)| name.eq_ignore_ascii_case(text.as_bytes()))
            .map(|k| k.1)
            .ok_or_else(|| Error::naming("Unknown client type '", name, "'"))
    }

    pub fn of(session: &Session) -> Self {
        if session.is_subscribed() { Self::PubSub } else { Self::Normal }
    }
}

/// The filters of CLIENT KILL; all that are given must fit.
#[derive(Default)]
pub struct Filter<'a> {
    id: Option<u64>,
    addr: Option<&'a [u8]>,
    local_addr: Option<&'a [u8]>,
    class: Option<ClientType>,
    age_s_min: Option<u64>,
    skip: Option<u64>,
}

impl<'a> Filter<'a> {
    /// Reads the arguments from 2 to `end`; `own`: the number of the client that asks.
    ///
    /// # Errors
    /// Those of CLIENT KILL.
    pub fn parse(args: Args<'a>, end: usize, own: u64) -> Result<Self, Error> {
        if end == 3 {
            return Ok(Self { addr: Some(args.at(2)), ..Self::default() });
        }
        let mut filter = Self { skip: Some(own), ..Self::default() };
        for at in (2..end).step_by(2) {
            if at + 1 >= end {
                return Err(Error::SYNTAX);
            }
            filter.option(args, at, own)?;
        }
        Ok(filter)
    }

    fn option(&mut self, args: Args<'a>, at: usize, own: u64) -> Result<(), Error> {
        let value = args.at(at + 1);
        if args.is(at, "ID") {
            let id = args.int(at + 1).ok().filter(|id| *id > 0);
            self.id = Some(id.ok_or(Error::err("client-id should be greater than 0"))? as u64);
        } else if args.is(at, "MAXAGE") {
            let age = args.int(at + 1).map_err(|_| Error::err("maxage is not an integer or out of range"))?;
            if age <= 0 {
                return Err(Error::err("maxage should be greater than 0"));
            }
            self.age_s_min = Some(age as u64);
        } else if args.is(at, "TYPE") {
            self.class = Some(ClientType::parse(value)?);
        } else if args.is(at, "ADDR") {
            self.addr = Some(value);
        } else if args.is(at, "LADDR") {
            self.local_addr = Some(value);
        } else if args.is(at, "USER") {
            if value != b"default" {
                return Err(Error::naming("No such user '", value, "'"));
            }
        } else if args.is(at, "SKIPME") && args.is(at + 1, "YES") {
            self.skip = Some(own);
        } else if args.is(at, "SKIPME") && args.is(at + 1, "NO") {
            self.skip = None;
        } else {
            return Err(Error::SYNTAX);
        }
        Ok(())
    }

    pub fn fits(&self, session: &Session, now_ms: u64) -> bool {
        let age_s = now_ms / 1000 - (session.created_ms / 1000).min(now_ms / 1000);
        self.id.is_none_or(|id| id == session.id)
            && self.skip != Some(session.id)
            && self.addr.is_none_or(|addr| addr == session.addr.as_bytes())
            && self.local_addr.is_none_or(|addr| addr == session.local_addr.as_bytes())
            && self.class.is_none_or(|class| class == ClientType::of(session))
            && self.age_s_min.is_none_or(|age| age_s >= age)
    }
}
