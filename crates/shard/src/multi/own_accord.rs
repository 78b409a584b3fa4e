//! What a server does with all shards although no client has asked for it; and its end, if it saves its data first.

use super::{Kind, Operation, merge_parts};
use crate::block;
use crate::execute::{self, Caller};
use crate::message::Ask;
use crate::shard::Shard;
use command::families::LAST_SAVE;
use command::saving::Purpose;
use command::state::Effect;
use command::{Command, Error, OwnArgs, Plan};
use resp::Reply;
use std::sync::LazyLock;

static LAST_SAVE_ROW: LazyLock<Command> = LazyLock::new(|| block::as_row_of("shutdown", &LAST_SAVE));

impl Shard {
    /// Begins a save or a rewrite because it is time for one. The file has been opened.
    pub fn save_of_own_accord(&mut self, purpose: Purpose) {
        let name = match purpose {
            Purpose::Snapshot => "bgsave",
            Purpose::Rewrite => "bgrewriteaof",
        };
        self.start_for_nobody(block::row_named(name), OwnArgs::of_words(vec![name.as_bytes().to_vec()]));
    }

    /// The data is to be saved, and then the process ends.
    pub(crate) fn save_and_end(&mut self, conn: Option<usize>, now: bool, force: bool) {
        if let Some(saver) = &self.cx.saver {
            saver.give_up();
        }
        let conn = conn.filter(|conn| self.conns[*conn].open);
        if self.cx.open_save(Purpose::Snapshot).is_err() {
            if force {
                self.cx.effects.push(Effect::Shutdown { now });
                return;
            }
            self.cx.effects.push(Effect::CannotEnd);
            if let Some(conn) = conn {
                self.reply_error(conn, &Error::CANNOT_END);
            }
            return;
        }
        let digit = |yes: bool| vec![b'0' + u8::from(yes)];
        let args = OwnArgs::of_words(vec![b"SHUTDOWN".to_vec(), digit(now), digit(force)]);
        match conn {
            Some(conn) => {
                let seed = self.cx.seed.clone();
                self.start_parts(conn, &LAST_SAVE_ROW, args.args(&seed));
            }
            None => self.start_for_nobody(&LAST_SAVE_ROW, args),
        }
    }

    /// Runs a command for all shards; its reply goes nowhere.
    fn start_for_nobody(&mut self, command: &'static Command, args: OwnArgs) {
        let (seed, caller) = (self.cx.seed.clone(), Caller::elsewhere(0, false));
        if self.cx.shards == 1 {
            let Plan::All(_, merge) = command.plan else { unreachable!("it is one for all shards") };
            let (mut part, mut out) = (Reply::default(), Reply::default());
            execute::execute(&mut self.cx, command, args.args(&seed), caller, &mut part);
            self.after_command();
            return merge_parts(&mut self.cx, merge, args.args(&seed), &[part], &mut out);
        }
        let op = self.send_parts(command, args.args(&seed), (0, false));
        let (home, shards) = (self.cx.id, self.cx.shards.into());
        let kind = Kind::All { parts: (0..shards).map(|_| Reply::default()).collect() };
        let (ask, here, elsewhere, slow) = (Ask::Nobody, false, false, None);
        let missing = shards;
        let operation = Operation { home, ask, command, caller, args, kind, missing, here, elsewhere, slow };
        self.ops.insert(op, operation);
        self.outgoing.exclusive = true;
    }
}
