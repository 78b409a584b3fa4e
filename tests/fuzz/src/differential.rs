//! The same requests to two servers, and what they answer differently, byte for byte.
//!
//! A [`sequence`] of steps is played to two [`Peer`]s, which may be two sorts of server or ours with different numbers of
//! shards. After the last step the whole of the data is compared as well ([`whole`]), and the events of keys that the
//! requests have made ([`events`]). What may differ by nature stands in
//! [`rules`]; everything else is a [`Difference`], shown with the shortest sequence that still has it ([`shrink`]).

pub mod events;
pub mod left_out;
pub mod malformed;
pub mod pair;
pub mod peer;
pub mod reply;
pub mod rules;
pub mod sequence;
pub mod shrink;
pub mod whole;

pub use peer::{Peer, Remote};
pub use reply::Reply;
pub use rules::Rules;
pub use sequence::{Sequence, Step};
pub use shrink::shrink;

use crate::episode::shown;
use std::collections::HashSet;

/// A command and its arguments.
pub type Request = Vec<Vec<u8>>;

/// Something that was answered in two ways.
#[derive(Clone, Debug)]
pub struct Difference {
    pub sequence: Sequence,
    /// The request, or what of the data differs at the end.
    pub what: String,
    /// What is the same for differences that have the same cause, most likely.
    pub kind: String,
    pub answers: [String; 2],
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Sequence { seed, resp3, steps } = &self.sequence;
        writeln!(f, "seed {seed}, RESP{}:", if *resp3 { 3 } else { 2 })?;
        for request in steps.iter().flat_map(|step| &step.requests) {
            writeln!(f, "> {}", shown(request))?;
        }
        let [first, second] = &self.answers;
        write!(f, "{}\nfirst:  {}\nsecond: {}", self.what, cut(first), cut(second))
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(1200) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.into(),
    }
}

impl Difference {
    fn of_replies(sequence: Sequence, request: &Request, answers: [Option<Reply>; 2]) -> Self {
        let name = request[0].to_ascii_uppercase();
        let answers = answers.map(|answer| answer.map_or("(no reply)".into(), |reply| reply.to_string()));
        let beginning = |text: &String| text.chars().take(24).filter(|c| !c.is_numeric()).collect::<String>();
        let kind = format!("{} {:?}", name.escape_ascii(), answers.each_ref().map(beginning));
        Self { sequence, what: format!("=> {}", shown(request)), kind, answers }
    }
}

impl Difference {
    fn of_events(sequence: Sequence, key: &str, names: [Vec<String>; 2]) -> Self {
        let [one, two] = &names;
        let same = one.iter().zip(two).take_while(|(one, two)| one == two).count();
        let kind = format!("events {:?}", names.each_ref().map(|names| names.get(same)));
        let answers = names.each_ref().map(|names| names.join(" "));
        Self { sequence, what: format!("=> events of {key}"), kind, answers }
    }
}

/// Plays a sequence to two servers with nothing in them; the first difference, if any. Two errors that differ in a way that
/// is `known` do no further harm and are passed over.
pub fn compare(
    peers: &mut [Box<dyn Peer>; 2],
    sequence: &Sequence,
    rules: &Rules,
    known: &HashSet<String>,
) -> Option<Difference> {
    let requests = sequence.requests();
    let answers = peers.each_mut().map(|peer| peer.answers(&requests));
    for (index, request) in requests.iter().enumerate() {
        let pair = answers.each_ref().map(|answers| answers.get(index));
        let same = match pair {
            [Some(first), Some(second)] => rules.same(request, sequence.resp3, first, second),
            _ => false,
        };
        if !same {
            let (mut shorter, mut left) = (sequence.clone(), index + 1 - Sequence::PREPARATIONS);
            shorter.steps.retain(|step| {
                let is_needed = left > 0;
                left = left.saturating_sub(step.requests.len());
                is_needed
            });
            let found = Difference::of_replies(shorter, request, pair.map(|reply| reply.cloned()));
            if !(pair.iter().all(|reply| reply.is_some_and(Reply::is_error)) && known.contains(&found.kind)) {
                return Some(found);
            }
        }
    }
    if let [Some(first), Some(second)] = peers.each_mut().map(|peer| peer.events())
        && let Some((key, names)) = first.difference(&second)
    {
        return Some(Difference::of_events(sequence.clone(), &key, names));
    }
    let whole = whole::compare(peers, sequence.resp3, rules)?;
    Some(Difference {
        sequence: sequence.clone(),
        what: whole.what,
        kind: whole.kind,
        answers: whole.answers,
    })
}
