//! CLIENT TRACKING and what belongs to it: which keys a client wants to hear of that it caches.
//!
//! TRACKING is a command for all shards: they learn which prefixes the client wants to hear of, and the one that has the client to
//! which messages are redirected says so. The client's own shard then sets the mode.

use super::client;
use super::line::redirection;
use crate::parts::Part;
use crate::spec::flag::FENCES;
use crate::tracking::mode::{Choice, NO_SUCH_CLIENT, Options, Target};
use crate::tracking::{ClientRef, Mode};
use crate::{Args, Command, Cx, Error, Outcome, ShardCx};
use resp::Reply;

pub const TRACKING: Command = client(
    Command::on_all("TRACKING", part, merge).flags(FENCES).prepare_adding(prepare),
)
.arity(-3)
.since("6.0.0")
.complexity("O(1). Some options may introduce additional complexity.")
.summary("Turns messages for client-side caching on or off.")
.syntax(
    "status(on=ON|off=OFF) REDIRECT@client-id:integer? PREFIX@prefix:string?** bcast=BCAST? optin=OPTIN? \
             optout=OPTOUT? noloop=NOLOOP?",
);

pub const CACHING: Command = client(Command::new("CACHING", caching))
    .arity(3)
    .since("6.0.0")
    .complexity("O(1)")
    .summary("Says whether the keys of the next command are tracked.")
    .syntax("mode(yes=YES|no=NO)");

pub const GETREDIR: Command = client(Command::new("GETREDIR", getredir))
    .arity(2)
    .since("6.0.0")
    .complexity("O(1)")
    .summary("Returns the client that gets this connection's tracking messages.");

pub const TRACKINGINFO: Command = client(Command::new("TRACKINGINFO", trackinginfo))
    .arity(2)
    .since("6.2.0")
    .complexity("O(1)")
    .summary("Describes what is tracked for this connection.");

/// Who asks, as the parts are told behind the client's arguments.
#[derive(Clone, Copy)]
struct Asker {
    client: ClientRef,
    /// CLIENT ID
    id: u64,
    /// The number of its shard's wish.
    wish: u64,
}

const ASKER_BYTES: usize = 26;

impl Asker {
    fn pack(self) -> Vec<u8> {
        let ClientRef { home, conn, generation } = self.client;
        let mut bytes = Vec::with_capacity(ASKER_BYTES);
        bytes.extend(home.to_le_bytes());
        bytes.extend(conn.to_le_bytes());
        bytes.extend(generation.to_le_bytes());
        bytes.extend(self.id.to_le_bytes());
        bytes.extend(self.wish.to_le_bytes());
        bytes
    }

    fn unpack(bytes: &[u8]) -> Self {
        let number = |range: std::ops::Range<usize>| {
            let mut all = [0; 8];
            all[..range.len()].copy_from_slice(&bytes[range]);
            u64::from_le_bytes(all)
        };
        assert_eq!(bytes.len(), ASKER_BYTES, "parts are told who asks");
        let client = ClientRef {
            home: number(0..2) as u16,
            conn: number(2..6) as u32,
            generation: number(6..10) as u32,
        };
        Self { client, id: number(10..18), wish: number(18..26) }
    }
}

/// CLIENT TRACKING ON | OFF …
fn prepare(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let options = Options::parse(args, args.len())?;
    let session = cx.session();
    let (client, id) = (session.client, session.id);
    // Whether there is a client to redirect to comes first, and only all shards together know.
    if options.is_on && options.redirect == 0 {
        options.check(session.tracking.as_deref())?;
    }
    let asker = Asker { client, id, wish: cx.shard.next_wish() };
    let mut words: Vec<_> = args.from(0).map(<[u8]>::to_vec).collect();
    words.push(asker.pack());
    Ok(words)
}

/// A shard takes note of the prefixes; the one that has the client to which messages are to go says where it is.
fn part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (options, asker) = read(args)?;
    if options.is_on {
        cx.shard.set_interests(options.wishes(), asker.client.home, asker.wish);
    }
    let id = u64::try_from(options.redirect).ok().filter(|id| *id != 0);
    let Some(index) = id.and_then(|id| cx.shard.sessions.index_of(id)) else {
        out.array(0);
        return Ok(());
    };
    let session = cx.shard.sessions.get_mut(index).expect("just found");
    session.is_target = true;
    let ClientRef { home, conn, generation } = session.client;
    out.array(3);
    [home.into(), conn.into(), generation.into()].into_iter().for_each(|number: i64| out.int(number));
    Ok(())
}

fn read(args: Args<'_>) -> Result<(Options<'_>, Asker), Error> {
    let last = args.len() - 1;
    Ok((Options::parse(args, last)?, Asker::unpack(args.at(last))))
}

fn target(parts: &[&[u8]], id: i64) -> Option<Target> {
    parts.iter().find_map(|part| {
        let mut part = Part::new(part);
        (part.array() > 0).then(|| {
            let (home, conn, generation) = (part.int() as u16, part.int() as u32, part.int() as u32);
            Target { id: id as u64, client: ClientRef { home, conn, generation } }
        })
    })
}

fn merge(cx: &mut ShardCx, args: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    let (options, asker) = read(args)?;
    let target = target(parts, options.redirect);
    let conn = asker.client.conn as usize;
    let session = cx.sessions.get(conn).filter(|session| session.client == asker.client);
    let (is_there, now) =
        (session.is_some(), session.and_then(|session| session.tracking.as_deref().cloned()));
    let verdict = if options.redirect != 0 && target.is_none() {
        Err(Error::err(NO_SUCH_CLIENT))
    } else if options.is_on {
        options.check(now.as_ref())
    } else {
        Ok(())
    };
    match &verdict {
        Ok(()) if is_there && options.is_on => {
            cx.set_mode(conn, options.mode(now, asker.client, target), asker.wish);
        }
        Ok(()) if is_there => cx.end_mode(conn),
        _ => options.wishes().for_each(|prefix| cx.tracking.forgo(prefix, asker.wish)),
    }
    verdict?;
    out.ok();
    Ok(())
}

/// CLIENT CACHING YES | NO
fn caching(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let is_in_block = cx.deny_blocking;
    let Some(mode) = &mut cx.session().tracking else {
        return Err(Error::err(
            "CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        ));
    };
    if args.is(2, "YES") {
        if mode.choice != Choice::OptIn {
            return Err(Error::err(
                "CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
            ));
        }
    } else if args.is(2, "NO") {
        if mode.choice != Choice::OptOut {
            return Err(Error::err(
                "CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
            ));
        }
    } else {
        return Err(Error::SYNTAX);
    }
    mode.is_excepted = true;
    mode.is_excepted_in_block = is_in_block;
    // In a transaction, what follows in it.
    let tracker = mode.tracker();
    if cx.shard.tracking.caller.is_on {
        cx.shard.tracking.caller = tracker;
    }
    out.ok();
    Ok(())
}

/// CLIENT GETREDIR
fn getredir(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.int(redirection(cx.session()));
    Ok(())
}

/// The words that describe a mode.
fn words(mode: Option<&Mode>) -> Vec<&'static str> {
    let Some(mode) = mode else { return vec!["off"] };
    let words = [
        (true, "on"),
        (mode.is_broadcast, "bcast"),
        (mode.choice == Choice::OptIn, "optin"),
        (mode.choice == Choice::OptIn && mode.is_excepted, "caching-yes"),
        (mode.choice == Choice::OptOut, "optout"),
        (mode.choice == Choice::OptOut && mode.is_excepted, "caching-no"),
        (mode.is_deaf, "noloop"),
        (mode.is_broken, "broken_redirect"),
    ];
    words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect()
}

/// CLIENT TRACKINGINFO
fn trackinginfo(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let session = cx.session();
    let mode = session.tracking.as_deref();
    let words = words(mode);
    out.map(3);
    out.bulk(b"flags");
    out.set(words.len());
    words.iter().for_each(|word| out.bulk(word.as_bytes()));
    out.bulk(b"redirect");
    out.int(redirection(session));
    out.bulk(b"prefixes");
    let prefixes = mode.map(|mode| &mode.prefixes);
    out.array(prefixes.map_or(0, |prefixes| prefixes.len()));
    prefixes.into_iter().flatten().for_each(|prefix| out.bulk(prefix));
    Ok(())
}
