//! COMMAND: what the table of commands knows, for clients.

use super::{ANY_TIME, HELP_SUMMARY, command_table, docs as command_docs, row, server};
use crate::spec::{Begin, Find, access, acl, flag, flag::*};
use crate::{Args, Command, Cx, Error, Outcome, help as help_form, registry};
use resp::Reply;

pub const COMMANDS: &[Command] = &[server(Command::new("COMMAND", all).plan(crate::Plan::Container))
    .with_subcommands(COMMAND)
    .arity(-1)
    .flags(LOADING | STALE)
    .acl(acl::CONNECTION)
    .since("2.8.13")
    .complexity("O(N) where N is the total number of Redis commands")
    .tips(&["nondeterministic_output_order"])
    .summary("Describes all commands.")];

const COMMAND: &[Command] = &[
    row(Command::new("COUNT", count), 2, ANY_TIME, "2.8.13")
        .acl(acl::CONNECTION)
        .complexity("O(1)")
        .summary("Counts the commands."),
    row(Command::new("DOCS", docs), -2, ANY_TIME, "7.0.0")
        .acl(acl::CONNECTION)
        .complexity("O(N) where N is the number of commands to look up")
        .tips(&["nondeterministic_output_order"])
        .summary("Documents commands.")
        .syntax("command-name:string?*"),
    row(Command::new("GETKEYS", getkeys), -3, ANY_TIME, "2.8.13")
        .acl(acl::CONNECTION)
        .complexity("O(N) where N is the number of arguments to the command")
        .summary("Finds the keys in a command.")
        .syntax("command:string arg:string?*"),
    row(Command::new("GETKEYSANDFLAGS", getkeysandflags), -3, ANY_TIME, "7.0.0")
        .acl(acl::CONNECTION)
        .complexity("O(N) where N is the number of arguments to the command")
        .summary("Finds the keys in a command, and what it does with them.")
        .syntax("command:string arg:string?*"),
    row(Command::new("HELP", help), 2, ANY_TIME, "5.0.0")
        .acl(acl::CONNECTION)
        .complexity("O(1)")
        .summary(HELP_SUMMARY),
    row(Command::new("INFO", info), -2, ANY_TIME, "2.8.13")
        .acl(acl::CONNECTION)
        .complexity("O(N) where N is the number of commands to look up")
        .history(&[("7.0.0", "Allowed to be called with no argument to get info on all commands.")])
        .tips(&["nondeterministic_output_order"])
        .summary("Describes commands.")
        .syntax("command-name:string?*"),
    row(Command::new("LIST", list), -2, ANY_TIME, "7.0.0")
        .acl(acl::CONNECTION)
        .complexity("O(N) where N is the total number of Redis commands")
        .tips(&["nondeterministic_output_order"])
        .summary("Lists the names of commands.")
        .syntax(
            "FILTERBY@filterby(MODULE@module-name:string|ACLCAT@category:string|PATTERN@pattern:pattern)?",
        ),
];

/// COMMAND
fn all(_: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if let Some(sub) = args.get(1) {
        return Err(Error::unknown_subcommand("COMMAND", sub));
    }
    write_all(out);
    Ok(())
}

fn write_all(out: &mut Reply) {
    out.array(registry::all().count());
    registry::all().for_each(|row| command_table::reply(row, out));
}

/// COMMAND COUNT
fn count(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    out.count(registry::all().count());
    Ok(())
}

/// COMMAND INFO [name …]
pub fn info(_: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    if args.len() == 2 {
        write_all(out);
        return Ok(());
    }
    out.array(args.len() - 2);
    for name in args.from(2) {
        match registry::lookup_full(name) {
            Some(row) => command_table::reply(row, out),
            None => out.null(),
        }
    }
    Ok(())
}

/// COMMAND DOCS [name …]
pub fn docs(_: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let rows: Vec<&Command> = match args.len() {
        2 => registry::all().collect(),
        _ => args.from(2).filter_map(registry::lookup_full).collect(),
    };
    out.map(rows.len());
    for row in rows {
        out.bulk(row.full_name.as_bytes());
        command_docs::reply(row, out);
    }
    Ok(())
}

/// COMMAND LIST [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]
fn list(_: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let filtered = args.len() == 5 && args.is(2, "FILTERBY");
    if args.len() != 2 && !filtered {
        return Err(Error::SYNTAX);
    }
    let with_subcommands = registry::all().flat_map(|row| {
        let subcommands = if row.flags & flag::ONE_NAME != 0 { &[] } else { row.subcommands };
        std::iter::once(row).chain(subcommands)
    });
    let names: Vec<&str> = if !filtered {
        with_subcommands.map(|row| row.full_name).collect()
    } else if args.is(3, "MODULE") {
        let group = super::modules::group_of(&args[4]);
        with_subcommands.filter(|row| Some(row.group) == group).map(|row| row.full_name).collect()
    } else if args.is(3, "ACLCAT") {
        let category = acl::NAMES.iter().find(|(_, name)| args[4].eq_ignore_ascii_case(name.as_bytes()));
        let bit = category.map_or(0, |(bit, _)| *bit);
        with_subcommands
            .filter(|row| command_table::categories(row) & bit != 0)
            .map(|r| r.full_name)
            .collect()
    } else if args.is(3, "PATTERN") {
        let fits = |name: &str| base::glob::matches_nocase(&args[4], name.as_bytes());
        with_subcommands.map(|row| row.full_name).filter(|name| fits(name)).collect()
    } else {
        return Err(Error::SYNTAX);
    };
    out.array(names.len());
    names.iter().for_each(|name| out.bulk(name.as_bytes()));
    Ok(())
}

/// COMMAND GETKEYS command [arg …]
fn getkeys(_: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let keys = keys_of(args)?;
    out.array(keys.len());
    keys.iter().for_each(|(key, _)| out.bulk(key));
    Ok(())
}

/// COMMAND GETKEYSANDFLAGS command [arg …]
fn getkeysandflags(_: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let keys = keys_of(args)?;
    out.array(keys.len());
    for (key, bits) in keys {
        out.array(2);
        out.bulk(key);
        command_table::write_access(bits, out);
    }
    Ok(())
}

/// The keys of the command that stands behind the first two arguments, with what it does with them.
fn keys_of<'a>(args: Args<'a>) -> Result<Vec<(&'a [u8], u16)>, Error> {
    let inner = args.skip(2);
    let invalid = Error::err("Invalid arguments specified for command");
    let mut row = registry::lookup(&inner[0]).ok_or(Error::err("Invalid command specified"))?;
    if let (Some(name), false) = (inner.get(1), row.subcommands.is_empty() || row.flags & flag::ONE_NAME != 0)
    {
        row = registry::subcommand(row, name).ok_or(Error::err("Invalid command specified"))?;
    }
    if row.keys.iter().all(|spec| spec.access & access::NOT_KEY != 0) {
        return Err(Error::err("The command has no key arguments"));
    }
    if !row.takes(inner.len()) {
        return Err(Error::err("Invalid number of arguments specified for command"));
    }
    let needs_keys = row.flags & flag::NO_MANDATORY_KEYS == 0;
    let mut keys = Vec::new();
    for spec in row.keys.iter().filter(|spec| spec.access & access::NOT_KEY == 0) {
        let mut indexes = Vec::new();
        match spec.find(&inner, &mut indexes) {
            // A count that does not fit is none, as in Redis.
            Err(_) if !needs_keys => return Ok(Vec::new()),
            found => found?,
        }
        let expected =
            matches!(spec.begin, Begin::Index(_)) && spec.find != Find::Unknown && spec.finder.is_none();
        if expected && indexes.is_empty() && needs_keys {
            return Err(invalid);
        }
        let bits = access_of(row, &inner).unwrap_or(spec.access) & !access::INCOMPLETE;
        keys.extend(indexes.into_iter().map(|index| (inner.at(index), bits)));
    }
    if needs_keys && keys.is_empty() {
        return Err(invalid);
    }
    Ok(keys)
}

const COMPARISONS: [&str; 4] = ["IFEQ", "IFNE", "IFDEQ", "IFDNE"];

/// What a command does with its key, where that depends on the other arguments.
fn access_of(row: &Command, inner: &Args<'_>) -> Option<u16> {
    use access::{ACCESS, DELETE, OW, RM, RO, RW, UPDATE};
    let has = |from: usize, words: &[&str]| {
        (from..inner.len()).any(|at| words.iter().any(|word| inner.is(at, word)))
    };
    match row.name {
        // Without GET and comparisons, SET does not look at the old value.
        "SET" if has(3, &["GET"]) => Some(RW | ACCESS | UPDATE),
        "SET" if has(3, &COMPARISONS) => Some(RW | UPDATE),
        "SET" => Some(OW | UPDATE),
        "DELEX" if has(2, &COMPARISONS) => Some(RW | DELETE),
        "DELEX" => Some(RM | DELETE),
        "BITFIELD" if only_reads_bits(inner) => Some(RO | ACCESS),
        "BITFIELD" => Some(RW | ACCESS | UPDATE),
        _ => None,
    }
}

/// Whether a BITFIELD has no other operation than GET.
fn only_reads_bits(inner: &Args<'_>) -> bool {
    let mut index = 2;
    while index < inner.len() {
        let left = inner.len() - index - 1;
        index += match () {
            () if inner.is(index, "GET") && left >= 2 => 3,
            () if inner.is(index, "OVERFLOW") && left >= 1 => 2,
            () => return false,
        };
    }
    true
}

/// COMMAND HELP
fn help(_: &mut Cx<'_>, _: Args<'_>, out: &mut Reply) -> Outcome {
    let lines = [
        ("(no subcommand)", "Describe all commands."),
        ("COUNT", "Return the number of commands."),
        ("LIST [FILTERBY (MODULE <name>|ACLCAT <cat>|PATTERN <pattern>)]", "Return the names of commands."),
        ("INFO [<command-name> ...]", "Describe these commands, or all."),
        ("DOCS [<command-name> ...]", "Document these commands, or all."),
        ("GETKEYS <full-command>", "Return the keys in a command."),
        ("GETKEYSANDFLAGS <full-command>", "Return the keys in a command, and what it does with them."),
    ];
    help_form::reply(out, "COMMAND", &lines);
    Ok(())
}
