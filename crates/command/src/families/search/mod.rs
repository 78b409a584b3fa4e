//! Searching (FT.*): one file for each group of commands.

mod suggestions;

use crate::Command;

pub const COMMANDS: &[&[Command]] = &[suggestions::COMMANDS];
