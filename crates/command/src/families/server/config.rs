//! CONFIG. All shards change their configuration at the same place in the order of commands, each by itself and with the
//! same result.

use super::{ADMINISTRATION, ANY_TIME, HELP_SUMMARY, keyspace, row, server};
use crate::platform::Change;
use crate::state::Effect;
use crate::{Args, Command, Cx, Error, Outcome, help as help_form};
use config::{Caller, Config};
use resp::Reply;
use std::sync::Arc;

pub const COMMANDS: &[Command] = &[server(Command::container("CONFIG", CONFIG))
    .since("2.0.0")
    .complexity("Depends on subcommand.")
    .summary("Reads and changes the configuration.")];

const CONFIG: &[Command] = &[
    row(Command::new("GET", get), -3, ADMINISTRATION, "2.0.0")
        .complexity("O(N) when N is the number of configuration parameters provided")
        .history(&[("7.0.0", "Added the ability to pass multiple pattern parameters in one call")])
        .summary("Returns parameters.")
        .syntax("parameter:string*"),
    row(Command::new("HELP", help), 2, ANY_TIME, "5.0.0").complexity("O(1)").summary(HELP_SUMMARY),
    row(Command::on_all("RESETSTAT", resetstat, keyspace::ok), 2, ADMINISTRATION, "2.0.0")
        .complexity("O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .summary("Sets the statistics to zero."),
    row(Command::new("REWRITE", rewrite), 2, ADMINISTRATION, "2.8.0")
        .complexity("O(1)")
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .summary("Writes the present configuration to its file."),
    row(Command::on_all("SET", set, keyspace::ok), -4, ADMINISTRATION, "2.0.0")
        .prepare_adding(prepare_set)
        .complexity("O(N) when N is the number of configuration parameters provided")
        .history(&[("7.0.0", "Added the ability to set multiple parameters in one call.")])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .summary("Changes parameters, all or none.")
        .syntax("data{parameter:string value:string}*"),
];

/// CONFIG GET parameter …
fn get(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let patterns: Vec<&[u8]> = args.from(2).collect();
    let found = cx.shard.config.get(&patterns);
    out.map(found.len());
    for (name, value) in found {
        out.bulk(name.as_bytes());
        out.bulk(&value);
    }
    Ok(())
}

/// CONFIG SET parameter value …; the parts get a last argument: whether the client is on this machine.
fn prepare_set(cx: &mut Cx<'_>, args: Args<'_>) -> Result<Vec<Vec<u8>>, Error> {
    if args.len() % 2 == 1 {
        return Err(Error::SYNTAX);
    }
    let is_local = cx.session().is_local();
    let dir = apply(cx, args, is_local)?;
    let mut sent: Vec<Vec<u8>> = args.from(0).map(<[u8]>::to_vec).collect();
    if let (Some(dir), Some(at)) = (dir, (2..args.len()).step_by(2).find(|at| args.is(*at, "dir"))) {
        sent[at + 1] = dir;
    }
    sent.push(if is_local { b"1".to_vec() } else { b"0".to_vec() });
    Ok(sent)
}

/// What concerns the process must be possible, and done, before any shard takes it over. The working directory, if it is set.
fn apply(cx: &Cx<'_>, args: Args<'_>, local: bool) -> Result<Option<Vec<u8>>, Error> {
    let pairs: Vec<(&[u8], &[u8])> =
        (2..args.len()).step_by(2).map(|i| (args.at(i), args.at(i + 1))).collect();
    let before = &cx.shard.config;
    let mut wanted = (**before).clone();
    let changed = match wanted.set(&pairs, Caller { local, loading: cx.shard.is_loading }) {
        Ok(changed) => changed,
        Err(text) if cx.shard.is_loading => return Err(Error::text(text)),
        // What is wrong with it, the parts will say.
        Err(_) => return Ok(None),
    };
    let names: Vec<&'static str> = changed.into_iter().map(|id| id.name()).collect();
    let (shards, saver) = (cx.shard.shards, cx.shard.saver.as_deref());
    let change = Change { before, wanted: &wanted, names: &names, shards, saver };
    (cx.shard.platform.apply)(&change)
        .map_err(|refusal| Error::text(config::set_failure(refusal.directive, &refusal.reason)))
}

fn set(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let local = args.int(args.len() - 1)? == 1;
    let pairs: Vec<(&[u8], &[u8])> =
        (2..args.len() - 1).step_by(2).map(|i| (args.at(i), args.at(i + 1))).collect();
    let mut config = (*cx.shard.config).clone();
    let changed = config.set(&pairs, Caller { local, loading: false }).map_err(Error::text)?;
    cx.shard.set_config(Arc::new(config));
    let names = changed.into_iter().map(|id| id.name()).collect();
    cx.shard.effects.push(Effect::ConfigChanged(names));
    out.ok();
    Ok(())
}

/// CONFIG RESETSTAT
fn resetstat(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    cx.shard.stats = Default::default();
    cx.shard.slow_log.costs.clear();
    cx.shard.commands.reset();
    cx.shard.errors.reset();
    cx.shard.bin.reset_statistics();
    out.ok();
    Ok(())
}

/// CONFIG REWRITE
fn rewrite(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let done = replace_file(cx, Config::rewrite);
    done.map_err(|reason| match reason {
        Some(reason) => Error::err(format_args!("Rewriting config file: {reason}")),
        None => Error::err("The server is running without a config file"),
    })?;
    out.ok();
    Ok(())
}

/// DEBUG CONFIG-REWRITE-FORCE-ALL: as CONFIG REWRITE, with a line for every directive.
pub fn rewrite_all(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() != 2 {
        return Err(Error::subcommand_syntax("DEBUG", args.at(1)));
    }
    replace_file(cx, Config::rewrite_all).map_err(|_| Error::err("CONFIG-REWRITE-FORCE-ALL failed"))?;
    out.ok();
    Ok(())
}

/// Replaces the configuration file by what becomes of it.
///
/// # Errors
/// Why it failed; `None` if there is no file.
fn replace_file(cx: &Cx<'_>, text: fn(&Config, &[u8]) -> Vec<u8>) -> Result<(), Option<String>> {
    let about = &cx.shard.about;
    let replace = about.rewrite_config.filter(|_| !about.config_file.is_empty()).ok_or(None)?;
    replace(&about.config_file, &|old| text(&cx.shard.config, old)).map_err(|reason| Some(reason.to_string()))
}

/// CONFIG HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let lines = [
        ("GET <pattern>", "Return the parameters whose names match, with their values."),
        ("SET <directive> <value>", "Change a parameter."),
        ("RESETSTAT", "Set the statistics that INFO shows to zero."),
        ("REWRITE", "Write the present configuration to its file."),
    ];
    help_form::reply(out, "CONFIG", &lines);
    Ok(())
}
