//! BACKUP: copies of all data while clients write.

use super::{ANY_TIME, HELP_SUMMARY, row, server};
use crate::backup::{Report, State};
use crate::saving::Saver;
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Error, Outcome, ShardCx, help as help_form};
use resp::Reply;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

pub const COMMANDS: &[Command] = &[server(Command::container("BACKUP", BACKUP))
    .arity(2)
    .since("8.10.0")
    .complexity("Depends on subcommand.")
    .summary("Copies all data while clients write.")];

const SINCE: &str = "8.10.0";

const BACKUP: &[Command] = &[
    row(Command::new("ABORT", abort), 2, ADMIN | NOSCRIPT, SINCE)
        .complexity("O(1)")
        .summary("Gives up a backup that is not sealed."),
    row(Command::new("CLEANUP", cleanup), 2, ADMIN | NOSCRIPT, SINCE)
        .complexity("O(1)")
        .summary("Removes the files of a backup that is over."),
    row(Command::new("HELP", help), 2, ANY_TIME, SINCE).complexity("O(1)").summary(HELP_SUMMARY),
    row(Command::new("LIST", list), 2, ADMIN | STALE, SINCE)
        .complexity("O(1)")
        .summary("Lists the files that the backup has so far."),
    row(Command::on_all("SEAL", part, done), 2, ADMIN | NOSCRIPT | NO_MULTI | ALONE, SINCE)
        .complexity("O(1)")
        .summary("Ends the backup: from here on it does not change."),
    row(Command::new("START", start), 2, ADMIN | NOSCRIPT, SINCE)
        .complexity("O(1)")
        .summary("Begins a backup in the directory `backupdirname`."),
    row(Command::new("STATUS", status), 2, ADMIN | STALE, SINCE)
        .complexity("O(1)")
        .summary("Tells how far the backup is."),
];

fn saver(cx: &ShardCx) -> Result<Arc<dyn Saver>, Error> {
    cx.saver.clone().ok_or_else(|| Error::err("There are no files here"))
}

fn report(cx: &ShardCx) -> Report {
    cx.saver.as_ref().map_or_else(Report::default, |saver| saver.backup_report())
}

fn answer(outcome: Result<(), String>, out: &mut Reply) -> Outcome {
    outcome.map_err(Error::err)?;
    out.ok();
    Ok(())
}

/// BACKUP START
fn start(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let config = Arc::clone(&cx.shard.config);
    answer(saver(cx.shard)?.start_backup(&config), out)
}

/// The steps of BACKUP SEAL, which all shards do together (the `shard` crate has them); the word behind the name says which. What a shard has written
/// down before the first has been handed over before the second: a wait for the files in one go would be for itself.
pub const STEP: Command = Command::on_all("SEAL", part, done).prepare(begin);

/// Every shard's file ends.
pub const CUT: &[u8] = b"cut";
/// The files are those of the backup.
pub const LINK: &[u8] = b"link";

fn begin(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    saver(cx.shard)?;
    if report(cx.shard).state != State::Incrementing {
        return Err(Error::err("No backup ready to seal"));
    }
    Ok(args.from(0).map(<[u8]>::to_vec).collect())
}

fn part(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.is(1, "cut") && cx.shard.journal.is_on {
        cx.shard.journal.end_generation(None);
    }
    out.ok();
    Ok(())
}

fn done(cx: &mut ShardCx, args: Args<'_>, _: &[&[u8]], out: &mut Reply) -> Outcome {
    let sealed = if args.is(1, "link") { saver(cx)?.seal_backup(cx) } else { Ok(()) };
    answer(sealed, out)
}

/// BACKUP ABORT
fn abort(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    answer(saver(cx.shard)?.abort_backup(), out)
}

/// BACKUP CLEANUP
fn cleanup(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    answer(saver(cx.shard)?.clean_backup_up(), out)
}

/// BACKUP LIST
fn list(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let files = cx.shard.saver.as_ref().map_or_else(Vec::new, |saver| saver.backup_files());
    out.array(files.len());
    files.iter().for_each(|file| out.bulk(file.as_os_str().as_bytes()));
    Ok(())
}

/// BACKUP STATUS
fn status(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let Report { state, error, started_s, sealed_s } = report(cx.shard);
    out.map(4);
    let texts = [
        ("state", state.name().to_owned()),
        ("error", error),
        ("start_time", started_s.to_string()),
        ("end_time", sealed_s.to_string()),
    ];
    for (name, text) in texts {
        out.bulk(name.as_bytes());
        out.bulk(text.as_bytes());
    }
    Ok(())
}

/// BACKUP HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let lines = [
        ("ABORT", "Cancel a backup that has not been sealed yet."),
        ("CLEANUP", "Remove sealed backup files and return to idle."),
        ("LIST", "List the immutable backup file paths pinned so far."),
        ("SEAL", "Freeze the current backup (BASE + INCR + manifest)."),
        ("START", "Start a new backup into the configured 'backupdirname'."),
        ("STATUS", "Report the current backup state."),
    ];
    help_form::reply(out, "BACKUP", &lines);
    Ok(())
}
