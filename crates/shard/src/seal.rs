//! BACKUP SEAL: an operation for which all shards are left alone, in two steps (`command::families::backup`).

use crate::block;
use crate::shard::Shard;
use crate::steps::{Call, Step, Steps};
use base::hash::HashSeed;
use command::families::backup::{CUT, LINK, STEP};
use command::{Args, Command, OwnArgs, ShardCx};
use resp::{Reply, reader};
use std::sync::LazyLock;

static STEP_ROW: LazyLock<Command> = LazyLock::new(|| block::as_row_of("backup", &STEP));

impl Shard {
    pub(crate) fn start_seal(&mut self, conn: usize, command: &'static Command, args: Args<'_>) {
        let asked = self.asked_alone(conn, command, args);
        let resp3 = asked.caller.resp3;
        let steps = Sealing { step: CUT, args: OwnArgs::of_words(Vec::new()), resp3 };
        self.start_open(asked, Vec::new(), Box::new(steps));
    }
}

struct Sealing {
    step: &'static [u8],
    args: OwnArgs,
    resp3: bool,
}

impl Steps for Sealing {
    fn resume(&mut self, _: &mut ShardCx, reply: Option<&Reply>) -> Step {
        match reply {
            Some(reply) if self.step == LINK || reader::is_error(&reply.buf) => {
                let mut copy = Reply::new(self.resp3);
                copy.append_part(reply, 0..reply.buf.len());
                return Step::Done(copy);
            }
            Some(_) => self.step = LINK,
            None => {}
        }
        self.args = OwnArgs::of_words(vec![b"SEAL".to_vec(), self.step.to_vec()]);
        Step::Call
    }

    fn call<'a>(&'a self, seed: &'a HashSeed) -> Call<'a> {
        Call { command: &STEP_ROW, args: self.args.args(seed), db: 0, resp3: self.resp3 }
    }
}
