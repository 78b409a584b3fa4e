//! Other names of indexes: FT.ALIASADD, FT.ALIASUPDATE, FT.ALIASDEL, FT.ALIASLIST.

use super::{count_change, first, on_all, write_name};
use crate::indexes::index_not_found;
use crate::spec::flag::*;
use crate::{Args, Command, Cx, Error, Outcome};
use resp::Reply;

pub const COMMANDS: &[Command] = &[
    on_all("FT.ALIASADD", add, first, WRITE | DENYOOM)
        .arity(3)
        .complexity("O(1)")
        .summary("Gives an index another name.")
        .syntax("alias:string index:string"),
    on_all("FT.ALIASUPDATE", update, first, WRITE | DENYOOM)
        .arity(3)
        .complexity("O(1)")
        .summary("Gives an index another name, which may have been another's.")
        .syntax("alias:string index:string"),
    on_all("FT.ALIASDEL", delete, first, WRITE)
        .arity(2)
        .complexity("O(1)")
        .summary("Takes a name from an index.")
        .syntax("alias:string"),
    on_all("FT.ALIASLIST", list, first, READONLY)
        .arity(2)
        .since("8.10.0")
        .complexity("O(N) where N is the number of aliases")
        .summary("Returns the other names of an index.")
        .syntax("index:string"),
];

fn check_index(cx: &Cx<'_>, name: &[u8]) -> Outcome {
    if cx.shard.indexes.is_name(name) {
        return Ok(());
    }
    Err(Error::text("SEARCH_INDEX_NOT_FOUND Unknown index name (or name is an alias itself)"))
}

fn check_alias(cx: &Cx<'_>, alias: &[u8]) -> Outcome {
    if cx.shard.indexes.is_name(alias) {
        return Err(Error::text("SEARCH_INDEX_EXISTS Alias conflicts with an existing index name"));
    }
    Ok(())
}

/// FT.ALIASADD alias index
fn add(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (alias, name) = (args.at(1), args.at(2));
    check_index(cx, name)?;
    check_alias(cx, alias)?;
    if cx.shard.indexes.has_alias(alias) {
        return Err(Error::text("SEARCH_INDEX_EXISTS Alias already exists"));
    }
    cx.shard.indexes.set_alias(alias, name);
    cx.shard.count_admin(name);
    count_change(cx.shard);
    out.ok();
    Ok(())
}

/// FT.ALIASUPDATE alias index
fn update(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let (alias, name) = (args.at(1), args.at(2));
    check_index(cx, name)?;
    check_alias(cx, alias)?;
    // Both the index that had the name and the one that gets it are asked.
    cx.shard.count_admin(alias);
    cx.shard.indexes.set_alias(alias, name);
    cx.shard.count_admin(name);
    count_change(cx.shard);
    out.ok();
    Ok(())
}

/// FT.ALIASDEL alias
fn delete(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    cx.shard.count_admin(args.at(1));
    if !cx.shard.indexes.remove_alias(args.at(1)) {
        return Err(Error::text("SEARCH_INDEX_NOT_FOUND Alias does not exist"));
    }
    count_change(cx.shard);
    out.ok();
    Ok(())
}

/// FT.ALIASLIST index
fn list(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let name = args.at(1);
    if !cx.shard.indexes.is_name(name) {
        return Err(index_not_found(name));
    }
    cx.shard.count_admin(name);
    let aliases: Vec<&[u8]> = cx.shard.indexes.aliases_of(name).collect();
    out.set(aliases.len());
    aliases.into_iter().for_each(|alias| write_name(alias, out));
    Ok(())
}
