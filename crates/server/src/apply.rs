//! What CONFIG SET changes of the process, before any shard takes the new configuration over.

use crate::{listen, oom_score, open_files};
use command::platform::{Change, Refusal};
use config::Config;
use std::io;

/// Brings all of a change into force, or nothing. The working directory's whole path, if `dir` was set.
///
/// # Errors
/// What is not possible.
pub fn apply(change: &Change<'_>) -> Result<Option<Vec<u8>>, Refusal> {
    if !change.names.contains(&"dir") {
        return apply_but_dir(change).map(|()| None);
    }
    let dir = enter_directory(change.wanted)
        .map_err(|error| Refusal { directive: "dir", reason: runtime::reason(&error) })?;
    apply_but_dir(change).map(|()| Some(dir)).inspect_err(|_| {
        // If the old one is gone meanwhile, there is nowhere to go back to.
        let _ = enter_directory(change.before);
    })
}

/// Makes `dir` the working directory; its whole path, as CONFIG GET shows it.
///
/// # Errors
/// What the system says.
pub fn enter_directory(config: &Config) -> io::Result<Vec<u8>> {
    std::env::set_current_dir(&config.dir)?;
    Ok(std::env::current_dir()?.into_os_string().into_encoded_bytes())
}

fn apply_but_dir(change: &Change<'_>) -> Result<(), Refusal> {
    let log = change.saver.filter(|_| change.names.contains(&"appendonly") && change.wanted.appendonly);
    if log.is_some_and(|log| !log.turn_log_on(change.wanted)) {
        let reason = "Unable to turn on AOF. Check server logs.".to_owned();
        return Err(Refusal { directive: "appendonly", reason });
    }
    apply_but_log(change).inspect_err(|_| {
        if let Some(log) = log {
            log.turn_log_off();
        }
    })
}

fn apply_but_log(change: &Change<'_>) -> Result<(), Refusal> {
    if change.names.contains(&"maxclients") {
        raise_open_files(change)?;
    }
    if !change.names.iter().any(|name| name.starts_with("oom-score-adj")) {
        return listen_anew(change);
    }
    set_oom_score(change)?;
    listen_anew(change).inspect_err(|_| {
        // What could be done can be undone; if not, the log says so.
        oom_score::apply(change.before);
    })
}

fn set_oom_score(change: &Change<'_>) -> Result<(), Refusal> {
    let directive = change.names.iter().copied().find(|name| name.starts_with("oom-score-adj"));
    if change.names.contains(&"oom-score-adj-values") {
        oom_score::check_values(change.wanted);
    }
    match directive {
        Some(directive) if !oom_score::apply(change.wanted) => {
            oom_score::apply(change.before);
            Err(Refusal {
                directive,
                reason: "Failed to set current oom_score_adj. Check server logs.".to_owned(),
            })
        }
        _ => Ok(()),
    }
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
