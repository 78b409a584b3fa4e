//! What measuring tools ask before they begin.

use crate::{Args, Command, Cx, Outcome, ShardCx};
use resp::{Reply, reader};

pub const COMMANDS: &[Command] = &[
    Command::new("PING", ping),
    Command::on_all("DBSIZE", part, sum),
    Command::on_all("FLUSHALL", flush, all_ok),
    Command::new("INFO", info),
];

fn ping(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.status("PONG");
    Ok(())
}

fn info(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.bulk(b"# Server\r\nredis_version:7.4.0\r\nweft_version:0.1.0\r\n");
    Ok(())
}

fn part(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.count(cx.db().len());
    Ok(())
}

fn sum(_: &mut ShardCx, _: Args<'_>, parts: &[&[u8]], out: &mut Reply) -> Outcome {
    out.int(parts.iter().filter_map(|p| reader::integer(p)).sum());
    Ok(())
}

fn flush(cx: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    cx.shard.dbs.iter_mut().for_each(|db| db.clear());
    out.ok();
    Ok(())
}

fn all_ok(_: &mut ShardCx, _: Args<'_>, _: &[&[u8]], out: &mut Reply) -> Outcome {
    out.ok();
    Ok(())
}
