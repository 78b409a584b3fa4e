//! The table as a page for people: `docs/configuration.md`.

use std::fmt::Write;

use crate::directive::{Directive, Kind, Support};
use crate::table::SECTIONS;

/// The page in Markdown.
pub fn markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    for section in SECTIONS {
        let _ = write!(page, "\n## {}\n\n", section.title);
        let mut shown = section.directives.iter().filter(|row| !row.is_hidden()).peekable();
        if shown.peek().is_none() {
            page.push_str(&names(section.directives));
            continue;
        }
        page.push_str("| Directive | Takes | Default | At run time | State | |\n|---|---|---|---|---|---|\n");
        shown.for_each(|row| page.push_str(&line(row)));
    }
    page
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Generated from the table in crates/config. Do not edit; run
     cargo run -p config --example configuration_page > docs/configuration.md -->

The server reads the configuration file named on its command line, then the standard input if an argument is
`-`, then options: the name of a directive after two dashes and its arguments. The last word wins; several
`save` lines add up. Names, values and messages are those of Redis 7 and 8, so an existing `redis.conf` can be
used.

    weft-server /etc/weft.conf --port 7000 --save \"\" --shards 4

`CONFIG GET` shows every directive, `CONFIG SET` changes those that can change at run time, `CONFIG REWRITE`
writes the present values into the configuration file and keeps its comments.

Sizes take the units `k`, `m`, `g` (powers of 1000) and `kb`, `mb`, `gb` (powers of 1024).

State says what this version makes of a directive:

- *works*: it does what it says;
- *accepted*: it is kept and shown and changes nothing, for the reason given;
- *later*: it belongs to work that is not done; a warning at the start names it when it is set;
- *refused*: the server does not start with it.
";

/// For a section whose directives only load: their names.
fn names(rows: &[Directive]) -> String {
    let names: Vec<String> = rows.iter().map(|row| format!("`{}`", row.name)).collect();
    format!(
        "These load and have no effect yet; a warning at the start names one that is not set to its default. `CONFIG \
         GET` finds them by their whole names: {}.\n",
        names.join(", ")
    )
}

fn line(row: &Directive) -> String {
    let mut name = format!("`{}`", row.name);
    for alias in row.aliases {
        let _ = write!(name, ", `{alias}`");
    }
    let default = if row.kind.is_setting() { code(row.default) } else { String::new() };
    let at_run_time = match (row.kind.is_setting(), row.is_immutable(), row.is_protected()) {
        (true, false, false) => "yes",
        (true, false, true) => "protected",
        _ => "no",
    };
    let state = match row.support {
        Support::Works => "works".to_owned(),
        Support::Accepted => "accepted".to_owned(),
        Support::Later(work) => format!("later: {work}"),
        Support::Refused(_) => "refused".to_owned(),
    };
    let takes = takes(row.kind).replace('|', "\\|");
    format!("| {name} | {takes} | {default} | {at_run_time} | {state} | {} |\n", row.doc)
}

fn code(text: &str) -> String {
    if text.is_empty() { "`\"\"`".to_owned() } else { format!("`{text}`") }
}

fn takes(kind: Kind) -> String {
    let largest = |max: i64| max == i64::MAX;
    match kind {
        Kind::YesNo => "yes or no".to_owned(),
        Kind::Int { min, max } if largest(max) => format!("number from {min}"),
        Kind::Int { min, max } => format!("{min} to {max}"),
        Kind::Clamped { low, high } => format!("{low} to {high}"),
        Kind::Bytes { .. } => "size".to_owned(),
        Kind::BytesOrPercent => "size or percentage".to_owned(),
        Kind::Octal { max } => format!("octal, 0 to {max:o}"),
        Kind::Choice(names) => {
            names.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
        }
        Kind::Flags(names) => {
            let names: Vec<String> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
            format!("some of {}", names.join(", "))
        }
        Kind::Text { .. } => "text".to_owned(),
        Kind::Addresses => "up to 16 addresses".to_owned(),
        Kind::SavePoints => "pairs of seconds and changes".to_owned(),
        Kind::OutputLimits => "class, size, size, seconds".to_owned(),
        Kind::OomScores => "three numbers".to_owned(),
        Kind::KeyEvents => "letters of `Ag$lshzxeKEtmdnaocSTIV`".to_owned(),
        Kind::Percentiles => "percentiles".to_owned(),
        Kind::Primary => "host and port, or `no one`".to_owned(),
        Kind::Directory => "directory".to_owned(),
        Kind::Statement { min, max } if min == max => {
            format!("{min} arguments").replace("1 arguments", "1 argument")
        }
        Kind::Statement { .. } => "arguments".to_owned(),
        Kind::Obsolete => "1 argument".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn page_is_up_to_date() {
        let stored = include_str!("../../../docs/configuration.md");
        assert!(
            stored == super::markdown(),
            "run: cargo run -p config --example configuration_page > docs/configuration.md"
        );
    }
}
