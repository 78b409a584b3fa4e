//! Positions on the globe: sorted sets whose scores are geohashes. What a position, a distance and a shape are is in
//! `types::geohash`.

mod arguments;
mod position;
mod search;

use crate::Command;

pub const COMMANDS: &[&[Command]] = &[position::COMMANDS, search::COMMANDS];
