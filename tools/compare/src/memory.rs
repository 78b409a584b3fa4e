//! Memory per element: a fresh server, a data set, and what the process grew by.

use std::time::Duration;

use crate::Outcome;
use crate::cases::MemoryCase;
use crate::client::{Client, info_field};
use crate::process::{Launch, Server};
use crate::procstat::{resident_bytes, settle};
use crate::report::MemoryResult;

const SETTLE_LONGEST: Duration = Duration::from_secs(10);

/// Growth per element, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Growth {
    /// As the kernel counts it.
    pub resident: f64,
    /// As the server counts it (INFO used_memory), if it does.
    pub used: Option<f64>,
}

/// Measures one case on one server after the other; each is started for it and stopped after it.
pub fn measure(case: &MemoryCase, launches: &[Launch]) -> MemoryResult {
    let growths = launches.iter().map(|launch| growth(case, launch).map_err(|error| error.to_string()));
    MemoryResult { case: case.name, payload_bytes: case.payload_bytes, growths: growths.collect() }
}

fn growth(case: &MemoryCase, launch: &Launch) -> Outcome<Growth> {
    let server = Server::start(launch)?;
    let mut client = server.client()?;
    let (resident_before, used_before) = state(&server, &mut client)?;
    case.data.load(&mut client)?;
    let (resident_after, used_after) = state(&server, &mut client)?;
    let per_element = |before: u64, after: u64| (after as f64 - before as f64) / case.data.count as f64;
    let growth = Growth {
        resident: per_element(resident_before, resident_after),
        used: used_before.zip(used_after).map(|(before, after)| per_element(before, after)),
    };
    let used = growth.used.map_or("-".into(), |used| format!("{used:.1}"));
    eprintln!("{:<14} {}: resident {:.1}, used {used} bytes each", case.name, server.name, growth.resident);
    Ok(growth)
}

fn state(server: &Server, client: &mut Client) -> Outcome<(u64, Option<u64>)> {
    settle(server.pid, SETTLE_LONGEST)?;
    let info = client.info("memory")?;
    let used = info_field(&info, "used_memory").and_then(|used| used.parse().ok());
    Ok((resident_bytes(server.pid)?, used))
}
