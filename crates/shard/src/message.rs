//! What travels between shards.
//!
//! Commands travel in batches: per loop turn and destination one [`Batch`] with the arguments' bytes in one arena. The
//! receiver writes the replies into the same batch and sends it back, so a forwarded command allocates nothing.

use command::slowlog::Entry as SlowEntry;
use command::{Args, Command, args};
use keyspace::Entry;
use resp::reply::Blob;
use resp::{Reply, Span};

/// Where a reply belongs: the connection (index and generation, for connections come and go) and the place in its
/// order of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub conn: u32,
    pub generation: u32,
    pub seq: u64,
}

/// A multi-shard operation under way on its home shard.
pub type OpId = u64;

/// What is asked of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Run the command; the reply belongs to a connection.
    Whole(Ticket),
    /// Run this share of a split command; the reply is merged at home.
    Share(OpId),
    /// Run the all-shards part of the command; the reply is merged at home.
    Part(OpId),
    /// Lock the keys (the arguments are the keys) and send their entries home.
    Hold(OpId),
}

impl Ask {
    /// Whether the command runs, or a part of it; else its keys are held for another shard.
    pub fn runs(self) -> bool {
        !matches!(self, Self::Hold(_))
    }
}

/// One command, or part of one, in a batch.
pub struct Item {
    pub command: &'static Command,
    pub ask: Ask,
    pub db: u16,
    pub resp3: bool,
    /// First of its spans in [`Batch::spans`] and how many.
    pub spans: (u32, u32),
    /// Index of the key whose hash is known, 0 for none.
    pub key_index: u16,
    pub hash: u64,
    /// Where its reply stands in [`Batch::replies`]; `None` while it waits for a lock.
    pub reply: Option<(u32, u32)>,
}

/// The commands of one turn of one shard for another.
#[derive(Default)]
pub struct Batch {
    pub from: u16,
    pub turn: u64,
    pub items: Vec<Item>,
    pub spans: Vec<Span>,
    pub args: Vec<u8>,
    /// Arguments that do not stand in `args`; gone once the commands have run.
    pub outside: Vec<Blob>,
    pub replies: Reply,
    /// The shard that ran it, once it has.
    pub executed_by: u16,
}

impl Batch {
    pub fn clear(&mut self) {
        self.items.clear();
        self.spans.clear();
        self.args.clear();
        self.outside.clear();
        self.replies.clear();
    }

    /// Copies one argument in.
    #[inline]
    pub fn push_arg(&mut self, arg: &[u8]) {
        self.spans.push(Span { start: self.args.len() as u32, len: arg.len() as u32 });
        self.args.extend_from_slice(arg);
    }

    /// Copies all arguments in, but for those that stand outside their buffer, which are shared.
    #[inline]
    pub fn push_args(&mut self, args: Args<'_>) {
        if args.all_inside() {
            return args.from(0).for_each(|arg| self.push_arg(arg));
        }
        (0..args.len()).for_each(|index| self.push_arg_of(args, index));
    }

    /// The same with one of them.
    pub fn push_arg_of(&mut self, args: Args<'_>, index: usize) {
        args::push(args, index, &mut self.args, &mut self.spans, &mut self.outside);
    }
}

/// A key with what stands under it, on its way between shards. The entry is out of any keyspace meanwhile, its key locked.
pub struct Held {
    pub db: u16,
    pub key: Vec<u8>,
    pub entry: Option<Entry>,
}

pub enum Message {
    /// Executable once the sender's turn is published.
    Commands(Box<Batch>),
    /// A batch that comes back with the replies it has.
    Replies(Box<Batch>),
    /// The reply of a command that had waited for a lock.
    Late { ask: Ask, command: &'static Command, reply: Reply },
    /// The keys that an operation asked to hold, from shard `from`.
    Granted { op: OpId, from: u16, keys: Vec<Held> },
    /// The operation is over (or starts anew): put the entries back, unlock.
    Release { home: u16, op: OpId, keys: Vec<Held> },
    /// A command that ran elsewhere was slow: for the slow log of the shard whose client it is.
    Slow { ask: Ask, entry: Box<SlowEntry> },
    /// Lines for the monitors of the receiver.
    Monitored { from: u16, lines: Vec<u8> },
    /// Shard `from` has no monitors any more.
    MonitorsGone { from: u16 },
}

impl Message {
    /// Whether it has a part of a command that all shards run.
    pub fn has_part(&self) -> bool {
        let is_part = |item: &Item| matches!(item.ask, Ask::Part(_));
        matches!(self, Self::Commands(batch) if batch.items.iter().any(is_part))
    }
}
