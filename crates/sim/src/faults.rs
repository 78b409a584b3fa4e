//! What becomes of messages on their way out of a shard when a rule about them is not kept.

use crate::rules::{Rule, Rules};
use base::random::Random;
use shard::Outgoing;
use shard::message::{Message, WaitMail};

/// A shard's messages that are lost or come late.
pub struct Faults {
    rules: Rules,
    random: Random,
    /// Messages that are sent at the end of the turn, behind its replies.
    late: Vec<(usize, Message)>,
}

impl Faults {
    pub fn new(rules: Rules, seed: u64) -> Self {
        Self { rules, random: Random::from_seed(seed), late: Vec::new() }
    }

    /// A message that is about to be sent; unless it is lost, or late.
    pub fn pass(&mut self, to: usize, message: Message) -> Option<Message> {
        let (is_late, is_lost) = match &message {
            Message::News(_) => (!self.rules.keep(Rule::News), false),
            Message::Changes(_) => (!self.rules.keep(Rule::Tell), !self.rules.keep(Rule::Changes)),
            Message::Wait(WaitMail::Claim { .. }) => (false, !self.rules.keep(Rule::Claim)),
            _ => (false, false),
        };
        if is_late {
            self.late.push((to, message));
            return None;
        }
        (!is_lost || self.random.below(4) > 0).then_some(message)
    }

    /// Takes the news out that would go with the commands of the turn, or right behind them, but are to be sent now or at its end.
    pub fn take_early(&mut self, outgoing: &mut Outgoing) -> Vec<(usize, Message)> {
        if self.rules.keep(Rule::Ahead) && self.rules.keep(Rule::News) {
            return Vec::new();
        }
        let news = outgoing.news.drain(..).map(|(to, news)| (to, Message::News(news))).collect();
        if self.rules.keep(Rule::News) {
            return news;
        }
        self.late.extend(news);
        Vec::new()
    }

    pub fn take_late(&mut self) -> Vec<(usize, Message)> {
        std::mem::take(&mut self.late)
    }

    pub fn has_late(&self) -> bool {
        !self.late.is_empty()
    }
}
