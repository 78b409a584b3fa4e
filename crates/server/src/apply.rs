//! What CONFIG SET changes of the process, before any shard takes the new configuration over.

use crate::{listen, open_files};
use command::platform::{Change, Refusal};

/// Brings all of a change into force, or nothing.
///
/// # Errors
/// What is not possible.
pub fn apply(change: &Change<'_>) -> Result<(), Refusal> {
    if change.names.contains(&"maxclients") {
        raise_open_files(change)?;
    }
    listen_anew(change)
}

/// More clients need more descriptors. Fewer leave the limit as it is.
fn raise_open_files(change: &Change<'_>) -> Result<(), Refusal> {
    let raised = open_files::raise(change.wanted.maxclients, usize::from(change.shards));
    raised.map_err(|allowed| Refusal {
        directive: "maxclients",
        reason: format!(
            "The operating system is not able to handle the specified number of clients, try with {allowed}"
        ),
    })
}

/// Opens the sockets of a new `port` or `bind`, beside those there are.
fn listen_anew(change: &Change<'_>) -> Result<(), Refusal> {
    let place = change.names.iter().copied().find(|name| matches!(*name, "port" | "bind"));
    match place {
        Some(directive) if !listen::prepare(change.wanted) => {
            let port = "Unable to listen on this port. Check server logs.";
            let bind = "Failed to bind to specified addresses.";
            Err(Refusal { directive, reason: if directive == "port" { port } else { bind }.to_owned() })
        }
        _ => Ok(()),
    }
}
