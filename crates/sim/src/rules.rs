//! The ordering rules of a loop turn, and which of them a run keeps. A run without one must show why it is there.

use crate::workload::Theme;

/// One rule of the ordering argument in `docs/ARCHITECTURE.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// No batch runs before all batches of its turn have been pushed.
    Arm,
    /// What was in the mailbox when input was collected runs before that input.
    Drain,
    /// No reply leaves before the messages of its turn are published.
    Reply,
    /// Publications with parts of multi-shard operations exclude each other.
    Exclusive,
    /// Publications without such parts stand wholly before or wholly after each one that has them.
    Sides,
    /// After writes on other shards, local writes of a connection go through the own mailbox.
    Behind,
    /// After commands that go through the own mailbox, all local commands of a connection do.
    Own,
    /// A shard looks at the clock once it has everything that it will run in this turn.
    Clock,
    /// What is published does not come to other shards ahead of the commands of its turn.
    Ahead,
    /// To those shards for which there are no commands, it goes before any of them may run.
    Together,
    /// It goes before the replies of its turn.
    News,
    /// Clients that cache are told of a change before the replies of the turn that made it.
    Tell,
    /// What they are told carries how much their shard had published when it was sent.
    Stamp,
    /// All of it comes.
    Changes,
    /// A shard that has something for an operation that waits on several shards says so.
    Claim,
    /// Whoever visits a shard that sleeps runs its mail oldest first, commands and keys to be lent alike.
    Oldest,
}

impl Rule {
    pub const ALL: [Self; 16] = [
        Self::Arm,
        Self::Drain,
        Self::Reply,
        Self::Exclusive,
        Self::Sides,
        Self::Behind,
        Self::Own,
        Self::Clock,
        Self::Ahead,
        Self::Together,
        Self::News,
        Self::Tell,
        Self::Stamp,
        Self::Changes,
        Self::Claim,
        Self::Oldest,
    ];

    /// The rule of a name as [`Rule::name`] gives it.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// What clients do to find out that it is missing.
    pub fn theme(self) -> Theme {
        match self {
            Self::Arm | Self::Drain | Self::Oldest => Theme::Order,
            Self::Reply => Theme::Watch,
            Self::Exclusive | Self::Sides | Self::Behind | Self::Own => Theme::Multi,
            Self::Clock => Theme::Expiry,
            Self::Ahead | Self::Together | Self::News => Theme::Messages,
            Self::Tell | Self::Stamp | Self::Changes => Theme::Caches,
            Self::Claim => Theme::Streams,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Arm => "arm",
            Self::Drain => "drain",
            Self::Reply => "reply",
            Self::Exclusive => "exclusive",
            Self::Sides => "sides",
            Self::Behind => "behind",
            Self::Own => "own",
            Self::Clock => "clock",
            Self::Ahead => "ahead",
            Self::Together => "together",
            Self::News => "news",
            Self::Tell => "tell",
            Self::Stamp => "stamp",
            Self::Changes => "changes",
            Self::Claim => "claim",
            Self::Oldest => "oldest",
        }
    }
}

/// The rules that a run keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    broken: u16,
}

impl Rules {
    pub const ALL: Self = Self { broken: 0 };

    /// All rules but these.
    pub fn without(broken: &[Rule]) -> Self {
        Self { broken: broken.iter().fold(0, |bits, rule| bits | 1 << *rule as u8) }
    }

    pub fn keep(self, rule: Rule) -> bool {
        self.broken & (1 << rule as u8) == 0
    }
}
