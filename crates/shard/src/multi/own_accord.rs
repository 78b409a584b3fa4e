//! What a server does with all shards although no client has asked for it; and its end, if it saves its data first.

use super::{Kind, Operation, merge_parts};
use crate::block;
use crate::execute::{self, Caller};
use crate::message::Ask;
use crate::shard::Shard;
use command::families::{CLOSE, EXPIRE, REOPEN};
use command::saving::Purpose;
use command::state::Effect;
use command::{Command, Error, OwnArgs, Plan};
use resp::Reply;
use std::sync::LazyLock;

static CLOSE_ROW: LazyLock<Command> = LazyLock::new(|| block::as_row_of("shutdown", &CLOSE));
static REOPEN_ROW: LazyLock<Command> = LazyLock::new(|| block::as_row_of("shutdown", &REOPEN));

static EXPIRE_ROW: LazyLock<Command> = LazyLock::new(|| block::as_row_of("FT.DROPINDEX", &EXPIRE));

/// The end of the process once its data is saved.
pub(crate) struct Ending {
    /// The connection that waits for it, and its generation.
    conn: Option<(usize, u32)>,
    now: bool,
    force: bool,
    /// How many saves had succeeded when the last one began, if it has.
    saves_before: Option<u64>,
}

impl Shard {
    /// Begins a save or a rewrite because it is time for one. The file has been opened.
    pub fn save_of_own_accord(&mut self, purpose: Purpose) {
        let name = match purpose {
            Purpose::Snapshot => "bgsave",
            Purpose::Rewrite => "bgrewriteaof",
        };
        self.start_for_nobody(block::row_named(name), OwnArgs::of_words(vec![name.as_bytes().to_vec()]));
    }

    /// A TEMPORARY index goes that nobody has asked for too long. One shard looks after them: the first, which counts what they are asked.
    pub fn expire_index(&mut self) {
        if self.cx.id != 0 || self.cx.is_kept_as_is() {
            return;
        }
        if let Some((name, number)) = self.cx.indexes.take_idle(self.cx.now_us) {
            let words = vec![b"FT.DROPINDEX".to_vec(), name, number.to_string().into_bytes()];
            self.start_for_nobody(&EXPIRE_ROW, OwnArgs::of_words(words));
        }
    }

    /// The data is to be saved, and then the process ends. Until then nothing begins for clients, on any shard.
    pub(crate) fn save_and_end(&mut self, conn: Option<usize>, now: bool, force: bool) {
        let conn = conn.filter(|conn| self.conns[*conn].open);
        let in_the_way = self.occupants.first().map(|known| known.error());
        let is_ending = self.ending.is_some().then_some(Error::CANNOT_END);
        if let Some(error) = in_the_way.filter(|_| conn.is_some()).or(is_ending) {
            return conn.into_iter().for_each(|conn| self.reply_error(conn, &error));
        }
        let conn = conn.map(|conn| (conn, self.conns[conn].generation));
        self.ending = Some(Ending { conn, now, force, saves_before: None });
        let home = self.cx.id.to_string().into_bytes();
        self.start_for_nobody(&CLOSE_ROW, OwnArgs::of_words(vec![b"SHUTDOWN".to_vec(), home]));
    }

    /// All that clients were told of has happened, or will have before a command for all shards that begins now.
    pub(crate) fn on_closed(&mut self, is_refused: bool) {
        let Some(ending) = &self.ending else { return };
        let (now, force) = (ending.now, ending.force);
        if is_refused {
            return self.cannot_end();
        }
        let Some(saver) = self.cx.saver.clone() else { return };
        saver.give_up();
        let count = saver.report().count;
        if self.cx.open_save(Purpose::Snapshot).is_ok() {
            self.ending.as_mut().expect("seen above").saves_before = Some(count);
            self.save_of_own_accord(Purpose::Snapshot);
        } else if force {
            self.cx.effects.push(Effect::Shutdown { now });
        } else {
            self.reopen();
        }
    }

    /// Whether the end of the process waits for its data to be saved, and this shard sees to it.
    #[inline]
    pub fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Ends the process if the data is saved by now; call once per turn.
    #[cold]
    pub fn see_to_ending(&mut self) {
        let (Some(ending), Some(saver)) = (&self.ending, &self.cx.saver) else { return };
        let Some(saves_before) = ending.saves_before else { return };
        let report = saver.report();
        if report.under_way.is_some() {
            return;
        }
        if report.count > saves_before || ending.force {
            self.cx.effects.push(Effect::Shutdown { now: ending.now });
            self.ending = None;
        } else {
            self.reopen();
        }
    }

    /// The process goes on, and clients are served again.
    fn reopen(&mut self) {
        self.cannot_end();
        self.start_for_nobody(&REOPEN_ROW, OwnArgs::of_words(vec![b"SHUTDOWN".to_vec()]));
    }

    fn cannot_end(&mut self) {
        self.cx.effects.push(Effect::CannotEnd);
        let conn = self.ending.take().and_then(|ending| ending.conn);
        if let Some((conn, generation)) = conn
            && self.conns[conn].open
            && self.conns[conn].generation == generation
        {
            self.reply_error(conn, &Error::CANNOT_END);
        }
    }

    /// Runs a command for all shards; its reply goes nowhere.
    fn start_for_nobody(&mut self, command: &'static Command, args: OwnArgs) {
        let (seed, caller) = (self.cx.seed.clone(), Caller::elsewhere(0, false));
        if self.cx.shards == 1 && self.away.is_empty() {
            let Plan::All(_, merge) = command.plan else { unreachable!("it is one for all shards") };
            let (mut part, mut out) = (Reply::default(), Reply::default());
            execute::execute(&mut self.cx, command, args.args(&seed), caller, &mut part);
            self.after_command();
            return merge_parts(&mut self.cx, merge, args.args(&seed), &[part], &mut out);
        }
        let op = self.send_parts(command, args.args(&seed), (0, false));
        let (home, shards) = (self.cx.id, self.cx.shards.into());
        let kind = Kind::All { parts: (0..shards).map(|_| Reply::default()).collect() };
        let (ask, here, elsewhere) = (Ask::Nobody, false, false);
        let (slow, earlier) = (None, None);
        let missing = shards;
        let operation =
            Operation { home, ask, command, caller, args, kind, missing, here, elsewhere, slow, earlier };
        self.ops.insert(op, operation);
        self.outgoing.exclusive = true;
    }
}
