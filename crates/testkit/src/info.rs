//! Lines of INFO, and waiting for what they say.

use crate::Client;
use std::time::{Duration, Instant};

/// Longest time that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What a line of INFO says.
pub fn info(client: &mut Client, name: &str) -> String {
    let text = client.cmd(&["INFO", "everything"]).string().expect("INFO is text");
    let (_, rest) = text.split_once(&format!("\n{name}:")).unwrap_or_else(|| panic!("INFO has no {name}"));
    rest.lines().next().unwrap_or_default().to_owned()
}

/// What a line of INFO says that is a whole number.
pub fn info_number(client: &mut Client, name: &str) -> u64 {
    let value = info(client, name);
    value.parse().unwrap_or_else(|_| panic!("{name} is {value}, not a number"))
}

/// Waits until a line of INFO says something.
pub fn await_info(client: &mut Client, name: &str, value: &str) {
    await_true(&format!("{name} becomes {value}"), || info(client, name) == value);
}

/// Waits until something is so.
pub fn await_true(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not in {PATIENCE:?}: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}
