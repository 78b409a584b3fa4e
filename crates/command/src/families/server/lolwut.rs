//! LOLWUT: a picture of how evenly keys spread over slots, drawn with the shard's own random numbers.

use super::server;
use crate::spec::flag::*;
use crate::state::REDIS_VERSION;
use crate::{Args, Command, Cx, Outcome};
use resp::Reply;

pub const COMMANDS: &[Command] = &[server(Command::new("LOLWUT", lolwut))
    .arity(-1)
    .flags(READONLY | FAST)
    .since("5.0.0")
    .summary("Draws a picture and tells the version.")
    .syntax("VERSION@version:integer?")];

const WIDTH: usize = 48;
const HEIGHT: usize = 12;

/// LOLWUT [VERSION version]
pub fn lolwut(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() > 1 && args.is(1, "VERSION") && args.len() > 2 {
        args.int(2)?;
    }
    let mut hills = [0usize; WIDTH];
    // Sums of a few random numbers: a warp of hills.
    for _ in 0..WIDTH * HEIGHT / 2 {
        let dice = (0..3).map(|_| cx.shard.random.below(WIDTH as u64 / 3 + 1) as usize).sum::<usize>();
        let column = dice.min(WIDTH - 1);
        hills[column] = (hills[column] + 1).min(HEIGHT);
    }
    let mut text = String::new();
    for row in (0..HEIGHT).rev() {
        let line: String = hills
            .iter()
            .map(|&height| {
                if height > row {
                    '#'
                } else if row == 0 {
                    '.'
                } else {
                    ' '
                }
            })
            .collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push_str(&format!("\nA heap of random threads, for your pleasure.\nRedis ver. {REDIS_VERSION}\n"));
    out.verbatim(b"txt", text.as_bytes());
    Ok(())
}
