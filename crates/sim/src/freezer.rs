//! Stops a shard for a while, as an operating system may at any point, rather where it hurts.

use crate::exchange::Exchange;
use crate::shard_thread::ShardThread;
use crate::workload::Theme;
use base::random::Random;

/// Where a shard may be stopped, with the chance of it in thousandths of its steps.
struct Chances {
    /// In the middle of a publication.
    torn: u64,
    /// With messages that it has not begun to push; and with replies to what was asked behind them.
    unpublished: u64,
    ahead: u64,
    /// While it collects input.
    collecting: u64,
    /// At the first message in its empty mailbox.
    mail: u64,
    /// Before it has run all it took.
    loaded: u64,
    elsewhere: u64,
}

/// At most one shard stands still.
pub struct Freezer {
    chances: Chances,
    /// For how many steps, at most.
    long: u64,
    frozen: Option<(usize, u64)>,
    /// Shards that had mail when they were last looked at.
    mail: Vec<bool>,
    rests: bool,
}

impl Freezer {
    pub fn new(theme: Theme, random: &mut Random) -> Self {
        let mut one_of = |choice: [u64; 3]| choice[random.index(3)];
        let chances = match theme {
            Theme::Broad => Chances {
                torn: one_of([20, 150, 500]),
                unpublished: one_of([0, 20, 100]),
                ahead: 0,
                collecting: one_of([0, 5, 50]),
                mail: one_of([0, 20, 100]),
                loaded: one_of([0, 40, 150]),
                elsewhere: one_of([2, 8, 25]),
            },
            Theme::Expiry => Chances {
                torn: 0,
                unpublished: 0,
                ahead: 0,
                collecting: one_of([50, 200, 400]),
                mail: one_of([0, 0, 100]),
                loaded: 0,
                elsewhere: one_of([0, 2, 8]),
            },
            Theme::Watch => Chances {
                torn: 0,
                unpublished: one_of([200, 400, 800]),
                ahead: 0,
                collecting: 0,
                mail: 0,
                loaded: 0,
                elsewhere: one_of([0, 0, 8]),
            },
            // A change has to be on its way to a shard that has taken requests and not published them, while others read and write.
            Theme::Caches => Chances {
                torn: one_of([0, 0, 300]),
                unpublished: one_of([0, 100, 400]),
                ahead: one_of([200, 900, 900]),
                collecting: one_of([0, 0, 50]),
                mail: one_of([0, 0, 100]),
                loaded: 0,
                elsewhere: one_of([0, 0, 8]),
            },
            Theme::Messages => Chances {
                torn: one_of([100, 300, 800]),
                unpublished: one_of([0, 100, 400]),
                ahead: 0,
                collecting: one_of([0, 0, 50]),
                mail: one_of([0, 0, 100]),
                loaded: one_of([0, 0, 40]),
                elsewhere: one_of([0, 2, 8]),
            },
            Theme::Order => Chances {
                torn: one_of([0, 400, 900]),
                unpublished: 0,
                ahead: 0,
                collecting: 0,
                mail: one_of([0, 0, 300]),
                loaded: 0,
                elsewhere: one_of([0, 0, 8]),
            },
            _ => Chances {
                torn: one_of([0, 300, 800]),
                unpublished: one_of([0, 100, 400]),
                ahead: 0,
                collecting: one_of([0, 5, 50]),
                mail: one_of([0, 100, 400]),
                loaded: one_of([0, 0, 40]),
                elsewhere: one_of([0, 2, 8]),
            },
        };
        let long = if theme == Theme::Broad { one_of([200, 400, 1000]) } else { one_of([400, 1000, 2000]) };
        Self { chances, long, frozen: None, mail: Vec::new(), rests: false }
    }

    /// Stops nobody any more.
    pub fn rest(&mut self) {
        self.rests = true;
        self.frozen = None;
    }

    pub fn holds(&self, shard: usize) -> bool {
        self.frozen.is_some_and(|(frozen, _)| frozen == shard)
    }

    pub fn thaw(&mut self, now: u64) {
        self.frozen = self.frozen.filter(|(_, until)| *until > now);
    }

    /// A shard has taken a step.
    pub fn consider(
        &mut self,
        id: usize,
        threads: &[ShardThread],
        exchange: &Exchange,
        now: u64,
        random: &mut Random,
    ) {
        let had_mail = std::mem::take(&mut self.mail);
        self.mail = (0..threads.len()).map(|shard| exchange.has_mail(shard)).collect();
        if self.frozen.is_some() || self.rests {
            return;
        }
        let got_mail =
            |shard: &usize| self.mail[*shard] && had_mail.get(*shard).is_none_or(|had| !had) && *shard != id;
        let receiver = (0..threads.len()).find(got_mail);
        let thread = &threads[id];
        let chance = if thread.is_mid_publication() {
            self.chances.torn
        } else if self.chances.ahead > 0 && thread.is_ahead() {
            self.chances.ahead
        } else if thread.is_unpublished() {
            self.chances.unpublished
        } else if thread.is_collecting() {
            self.chances.collecting
        } else if thread.is_loaded() {
            self.chances.loaded
        } else {
            self.chances.elsewhere
        };
        let victim = match receiver {
            Some(receiver) if random.below(1000) < self.chances.mail => Some(receiver),
            _ => (random.below(1000) < chance).then_some(id),
        };
        self.frozen = victim.map(|victim| (victim, now + 30 + random.below(self.long)));
    }
}
