//! Sorted sets. A key never holds an empty one: whatever takes the last member out removes the key.
//!
//! Ranges of scores, of members and of ranks all become ranks first (`ranges`), so counting, returning, storing and
//! removing share one way of choosing.

mod add;
mod algebra;
mod look;
mod pop;
mod random;
mod range;
mod ranges;
mod remove;
mod source;
pub(super) mod store;

use crate::Command;
use crate::items::{reply_item, run_item};
use resp::Reply;
use types::listpack::Item;

pub use add::Options as AddOptions;
pub use add::add_pairs;

/// Room for a member of usual length with its header, and the most room that is made beforehand.
const MEMBER_BYTES: usize = 24;
const RUN_BYTES_MAX: usize = 64 << 10;

/// Writes members in order, with their scores if wanted: flat in RESP2, pairs in RESP3.
fn reply_elements<'a>(
    out: &mut Reply,
    count: usize,
    with_scores: bool,
    elements: impl Iterator<Item = (Item<'a>, f64)>,
) {
    if !with_scores {
        out.array(count);
        let mut run = out.run(count.saturating_mul(MEMBER_BYTES).min(RUN_BYTES_MAX));
        return elements.for_each(|(member, _)| run_item(&mut run, member));
    }
    out.array(if out.resp3 { count } else { 2 * count });
    for (member, score) in elements {
        if out.resp3 {
            out.array(2);
        }
        reply_item(out, member);
        out.double(score);
    }
}

pub const COMMANDS: &[&[Command]] = &[
    add::COMMANDS,
    algebra::COMMANDS,
    look::COMMANDS,
    pop::COMMANDS,
    random::COMMANDS,
    range::COMMANDS,
    remove::COMMANDS,
];
