//! FT.CONFIG: the old way to the `search-…` directives, which CONFIG GET and CONFIG SET show as well.

use super::{first, on_all};
use crate::spec::{acl, flag::*};
use crate::state::Effect;
use crate::{Args, Command, Cx, Error, Outcome};
use base::number::parse_i64;
use config::Caller;
use resp::Reply;
use std::sync::Arc;

pub const COMMANDS: &[Command] = &[Command::container("FT.CONFIG", SUBCOMMANDS)
    .flags(UPPER_CASE)
    .group("search")
    .since("1.0.0")
    .deprecated("8.0.0", "`CONFIG`")
    .complexity("Depends on subcommand.")
    .summary("Reads and changes settings of searches.")];

const SUBCOMMANDS: &[Command] = &[
    row(on_all("GET", get, first, READONLY))
        .complexity("O(1)")
        .deprecated("8.0.0", "`CONFIG GET`")
        .summary("Returns settings.")
        .syntax("option:string"),
    row(on_all("HELP", help, first, READONLY))
        .complexity("O(1)")
        .summary("Describes settings.")
        .syntax("option:string"),
    row(on_all("SET", set, first, 0))
        .arity(-3)
        .complexity("O(1)")
        .deprecated("8.0.0", "`CONFIG SET`")
        .summary("Changes a setting.")
        .syntax("option:string value:string"),
];

const fn row(row: Command) -> Command {
    row.arity(3).acl(acl::SEARCH | acl::ADMIN)
}

/// A setting under its old name.
struct Setting {
    name: &'static str,
    /// The directive that it is.
    directive: &'static str,
    help: &'static str,
}

const fn setting(name: &'static str, directive: &'static str, help: &'static str) -> Setting {
    Setting { name, directive, help }
}

const SETTINGS: &[Setting] = &[
    setting("MINPREFIX", "search-min-prefix", "Set the minimum prefix for expansions (`*`)"),
    setting(
        "MAXEXPANSIONS",
        "search-max-prefix-expansions",
        "Maximum prefix expansions to be used in a query",
    ),
    setting(
        "MAXPREFIXEXPANSIONS",
        "search-max-prefix-expansions",
        "Maximum prefix expansions to be used in a query",
    ),
    setting("TIMEOUT", "search-timeout", "Query (search) timeout"),
    setting(
        "ON_TIMEOUT",
        "search-on-timeout",
        "Action to perform when search timeout is exceeded (choose RETURN or FAIL)",
    ),
    setting(
        "MAXSEARCHRESULTS",
        "search-max-search-results",
        "Maximum number of results from ft.search command",
    ),
    setting(
        "MAXAGGREGATERESULTS",
        "search-max-aggregate-results",
        "Maximum number of results from ft.aggregate command",
    ),
    setting(
        "MAX_AGGREGATE_GROUPS",
        "search-max-aggregate-groups",
        "Maximum number of groups per GROUPBY step",
    ),
    setting(
        "CURSOR_MAX_IDLE",
        "search-cursor-max-idle",
        "max idle time allowed to be set for cursor, setting it high might cause high memory consumption.",
    ),
    setting(
        "CURSOR_READ_SIZE",
        "search-cursor-read-size",
        "Default number of results that a cursor gives at a time",
    ),
    setting(
        "INDEX_CURSOR_LIMIT",
        "search-index-cursor-limit",
        "Max number of cursors for a given index that can be opened inside of a shard. Default is 128",
    ),
    setting(
        "DEFAULT_DIALECT",
        "search-default-dialect",
        "Set RediSearch default dialect version throught the lifetime of the server.",
    ),
    setting("DEFAULT_SCORER", "search-default-scorer", "Default scorer to use when no scorer is specified"),
    setting("MINSTEMLEN", "search-min-stem-len", "Minimum length of a word to be stemmed"),
    setting("BM25STD_TANH_FACTOR", "search-bm25std-tanh-factor", "BM25STD.TANH factor"),
];

fn named(name: &[u8]) -> Vec<&'static Setting> {
    let is_meant = |setting: &&Setting| name == b"*" || name.eq_ignore_ascii_case(setting.name.as_bytes());
    SETTINGS.iter().filter(is_meant).collect()
}

/// As FT.CONFIG GET shows it: no results are too many for -1.
fn shown(cx: &Cx<'_>, setting: &Setting) -> Vec<u8> {
    let found = cx.shard.config.get(&[setting.directive]);
    let value = found.into_iter().next().map(|(_, value)| value).unwrap_or_default();
    if value == b"-1" { b"unlimited".to_vec() } else { value }
}

/// Writes settings that are meant, each as `words` words from its name on, the others by `write`.
fn each(
    cx: &Cx<'_>,
    args: Args<'_>,
    words: usize,
    out: &mut Reply,
    write: impl Fn(&Setting, &mut Reply),
) -> Outcome {
    let settings = named(args.at(2));
    if cx.resp3 {
        out.map(settings.len())
    } else {
        out.array(settings.len())
    }
    for setting in settings {
        if !cx.resp3 {
            out.array(words);
        }
        out.status(setting.name);
        write(setting, out);
    }
    Ok(())
}

/// FT.CONFIG GET option
fn get(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    each(cx, args, 2, out, |setting, out| out.bulk(&shown(cx, setting)))
}

/// FT.CONFIG HELP option
fn help(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    each(cx, args, 5, out, |setting, out| {
        if cx.resp3 {
            out.map(2);
        }
        out.status("Description");
        out.status(setting.help);
        out.status("Value");
        out.bulk(&shown(cx, setting));
    })
}

/// FT.CONFIG SET option value
fn set(cx: &mut Cx<'_>, args: Args<'_>, out: &mut Reply) -> Outcome {
    let refuse = |text: &str| Err(Error::text(format!("SEARCH_PARSE_ARGS {text}")));
    let settings = named(args.at(2));
    let [setting] = settings.as_slice() else {
        return Err(Error::text("SEARCH_OPTION_NOT_FOUND No such configuration option"));
    };
    let Some(value) = args.get(3) else { return refuse("Expected an argument, but none provided") };
    if args.len() > 4 {
        out.status("EXCESSARGS");
        return Ok(());
    }
    let is_word = matches!(setting.directive, "search-on-timeout" | "search-default-scorer");
    if !is_word && parse_i64(value).is_none() {
        return refuse("Could not convert argument to expected type");
    }
    let is_small = setting.directive == "search-on-timeout";
    let value = if is_small { value.to_ascii_lowercase() } else { value.to_vec() };
    let mut config = (*cx.shard.config).clone();
    if config.set(&[(setting.directive, &value)], Caller { local: true, loading: false }).is_err() {
        return refuse(match setting.directive {
            "search-on-timeout" => "Invalid ON_TIMEOUT value",
            "search-default-scorer" => "Invalid default scorer value",
            "search-bm25std-tanh-factor" if parse_i64(&value).is_some_and(|factor| factor > 0) => {
                "BM25STD_TANH_FACTOR must be between 1 and 10000 inclusive"
            }
            _ => "Value is outside acceptable bounds",
        });
    }
    cx.shard.set_config(Arc::new(config));
    cx.shard.effects.push(Effect::ConfigChanged(vec![setting.directive]));
    out.ok();
    Ok(())
}
