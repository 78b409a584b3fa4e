//! Enough descriptors for all clients, or fewer clients.

use crate::log;
use config::{Config, DirectiveId};
use runtime::rlimits;

/// Descriptors for all but clients: listeners, the log, files of the future, and a few for each shard.
const RESERVED: u64 = 32;
/// A shard's ring or epoll descriptor and its waker.
const RESERVED_PER_SHARD: u64 = 2;

/// Raises the limit of open files to what `maxclients` needs; lowers `maxclients` to what the limit allows. False: the
/// server cannot start, which the log explains.
pub fn make_room(config: &mut Config, shards: usize) -> bool {
    let reserved = RESERVED + RESERVED_PER_SHARD * shards as u64;
    let wish = u64::from(config.maxclients) + reserved;
    let files = match rlimits::raise_open_files(wish) {
        Ok(files) => files,
        Err(error) => {
            let reason = runtime::reason(&error);
            log::warning(format_args!(
                "Unable to obtain the current NOFILE limit ({reason}), leaving it as it is."
            ));
            return true;
        }
    };
    if let Some(error) = files.refused {
        return lower(config, wish, reserved, files.now, &runtime::reason(&error));
    }
    if files.now > files.before {
        let before = files.before;
        log::notice(format_args!(
            "Increased maximum number of open files to {wish} (it was originally set to {before})."
        ));
    }
    true
}

/// Raises the limit for a `maxclients` that comes while the server runs.
///
/// # Errors
/// How many clients the limit allows, if it is fewer.
pub fn raise(maxclients: u32, shards: usize) -> Result<(), u64> {
    let reserved = RESERVED + RESERVED_PER_SHARD * shards as u64;
    let wish = u64::from(maxclients) + reserved;
    match rlimits::raise_open_files(wish) {
        Ok(files) if files.refused.is_some() => {
            let limit = files.now;
            log::warning(format_args!(
                "maxclients {maxclients} needs {wish} open files, but the limit is {limit}."
            ));
            Err(limit.saturating_sub(reserved))
        }
        Ok(_) => Ok(()),
        Err(error) => {
            let reason = runtime::reason(&error);
            log::warning(format_args!("Unable to obtain the current NOFILE limit ({reason})."));
            Ok(())
        }
    }
}

fn lower(config: &mut Config, wish: u64, reserved: u64, limit: u64, reason: &str) -> bool {
    let asked = config.maxclients;
    if limit <= reserved {
        log::warning(format_args!(
            "Your current 'ulimit -n' of {limit} is not enough for the server to start. Please increase your open file \
             limit to at least {wish}. Exiting."
        ));
        return false;
    }
    let allowed = limit - reserved;
    config
        .assign(DirectiveId::of("maxclients"), allowed.to_string().as_bytes())
        .expect("a smaller number is good");
    log::warning(format_args!(
        "You requested maxclients of {asked} requiring at least {wish} max file descriptors."
    ));
    log::warning(format_args!(
        "Server can't set maximum open files to {wish} because of OS error: {reason}."
    ));
    log::warning(format_args!(
        "Current maximum open files is {limit}. maxclients has been reduced to {allowed} to compensate for low ulimit. \
         If you need higher maxclients increase 'ulimit -n'."
    ));
    true
}
