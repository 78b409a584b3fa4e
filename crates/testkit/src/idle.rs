//! Waiting until a server has closed idle clients, with one beside them that is not idle.

use crate::{Client, Server, Value};
use std::time::{Duration, Instant};

/// Longest time that this is waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two requests.
const ASK_EVERY: Duration = Duration::from_millis(20);

/// Asks the server for something again and again until it has closed all of `idle`. `timeout` is what it gives idle clients.
///
/// However slow the machine is, who asks may be closed only if this process has let so much time pass between two requests.
pub fn await_end_of_idle(server: &Server, idle: &mut [Client], timeout: Duration) {
    let begun = Instant::now();
    let mut busy = server.client();
    let mut last_request = Instant::now();
    while !idle.iter_mut().all(|client| client.is_closed_within(ASK_EVERY)) {
        assert!(begun.elapsed() < PATIENCE, "idle clients are not closed");
        let previous = std::mem::replace(&mut last_request, Instant::now());
        match busy.try_cmd(&["GET", "none"]) {
            Ok(reply) => assert_eq!(reply, Value::Null),
            Err(error) => {
                assert!(
                    previous.elapsed() >= timeout,
                    "closed {:?} after a request: {error}",
                    previous.elapsed()
                );
                busy = server.client();
            }
        }
    }
}
