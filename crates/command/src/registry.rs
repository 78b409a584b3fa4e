//! Finding a command by its name.

use crate::families;
use crate::spec::{Command, Plan, flag};
use crate::{Args, Cx, Error, Outcome};
use resp::Reply;
use std::sync::LazyLock;

/// The rows with what only the whole table can tell: numbers, full names, which commands are short.
struct Table {
    rows: &'static [Command],
    by_id: Vec<&'static Command>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut next = 0;
    let rows =
        families::ALL.iter().flat_map(|family| family.iter()).map(|row| numbered(row, None, &mut next));
    // The table lives as long as the process.
    let rows: &'static [Command] = Box::leak(rows.collect());
    let mut by_id: Vec<&'static Command> =
        rows.iter().chain(rows.iter().flat_map(|r| r.subcommands)).collect();
    by_id.sort_by_key(|command| command.id);
    Table { rows, by_id }
});

fn numbered(row: &Command, container: Option<&Command>, next: &mut u16) -> Command {
    let mut row = *row;
    row.id = *next;
    *next += 1;
    let name = row.name.to_ascii_lowercase();
    row.full_name = match container {
        None => name.leak(),
        Some(container) if container.flags & flag::ONE_NAME != 0 => container.full_name,
        Some(container) => format!("{}|{name}", container.full_name).leak(),
    };
    let in_place = matches!(row.plan, Plan::Keys | Plan::Connection | Plan::Cursor);
    if in_place && (row.flags & flag::FAST != 0 || row.complexity == "O(1)") {
        row.flags |= flag::SHORT;
    }
    if let Plan::WithSession(expand, other) = row.plan {
        // It is the same command to all who count and tell.
        let other = Command { id: row.id, full_name: row.full_name, ..*other };
        row.plan = Plan::WithSession(expand, Box::leak(Box::new(other)));
    }
    let subcommands = row.subcommands.iter().map(|sub| numbered(sub, Some(&row), next)).collect::<Vec<_>>();
    row.subcommands = subcommands.leak();
    row
}

/// All top-level commands, in the order of the families.
pub fn all() -> impl Iterator<Item = &'static Command> {
    TABLE.rows.iter()
}

/// Number of commands and subcommands: their `id`s lie below.
pub fn ids() -> usize {
    TABLE.by_id.len()
}

/// The command or subcommand with this number.
pub fn by_id(id: usize) -> &'static Command {
    TABLE.by_id[id]
}

/// The row for a full name such as `get` or `config|get`, in any case.
pub fn lookup_full(name: &[u8]) -> Option<&'static Command> {
    let Some(bar) = name.iter().position(|&b| b == b'|') else { return lookup(name) };
    let container = lookup(&name[..bar]).filter(|c| c.flags & flag::ONE_NAME == 0)?;
    subcommand(container, &name[bar + 1..])
}

/// Open addressing over the first eight bytes and the length of the upper-case name: one probe for nearly all.
struct Index {
    slots: Vec<Option<&'static Command>>,
}

const SLOTS: usize = 4096;

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut slots = vec![None; SLOTS];
    for command in all() {
        let mut at = place(command.name.as_bytes());
        while slots[at].is_some() {
            at = (at + 1) % SLOTS;
        }
        slots[at] = Some(command);
    }
    Index { slots }
});

#[inline]
fn place(name: &[u8]) -> usize {
    let mut word = [0u8; 8];
    let head = &name[..name.len().min(8)];
    word[..head.len()].copy_from_slice(head);
    // Bit 5 is the case of ASCII letters.
    let folded = u64::from_le_bytes(word) & !0x2020_2020_2020_2020;
    let tail = u64::from(name.last().copied().unwrap_or(0) & !0x20) << 8 | name.len() as u64;
    ((folded ^ tail.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xff51_afd7_ed55_8ccd) >> 52) as usize
}

/// The row of the command with this name, in any case.
#[inline]
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    let index = &*INDEX;
    let mut at = place(name);
    while let Some(command) = index.slots[at] {
        if command.name.len() == name.len() && name.eq_ignore_ascii_case(command.name.as_bytes()) {
            return Some(command);
        }
        at = (at + 1) % SLOTS;
    }
    None
}

/// The subcommand's row within a container.
pub fn subcommand(container: &Command, name: &[u8]) -> Option<&'static Command> {
    container.subcommands.iter().find(|sub| name.eq_ignore_ascii_case(sub.name.as_bytes()))
}

/// The handler of containers: reached when no subcommand of that name exists.
pub(crate) fn container_without_subcommand(_: &mut Cx<'_>, args: Args<'_>, _: &mut Reply) -> Outcome {
    Err(Error::unknown_subcommand(&String::from_utf8_lossy(&args[0]), args.get(1).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_names_full() {
        (0..ids()).for_each(|id| assert_eq!(by_id(id).id as usize, id));
        assert_eq!(lookup_full(b"GET").unwrap().full_name, "get");
    }

    #[test]
    fn every_command_is_found_in_any_case() {
        for command in all() {
            let name = command.name.to_ascii_lowercase();
            assert!(std::ptr::eq(lookup(name.as_bytes()).unwrap(), lookup(command.name.as_bytes()).unwrap()));
        }
        assert!(lookup(b"").is_none());
        assert!(lookup(b"nosuchcommand").is_none());
    }
}
