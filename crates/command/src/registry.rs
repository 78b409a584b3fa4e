//! Finding a command by its name.

use crate::families;
use crate::spec::{Begin, Command, Plan, flag};
use crate::{Args, Cx, Error, Outcome};
use resp::Reply;
use std::sync::{LazyLock, OnceLock};

/// The rows with what only the whole table can tell: numbers, full names, which commands are short.
struct Table {
    rows: &'static [Command],
    by_id: Vec<&'static Command>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut next = 0;
    let rows = families::rows().map(|row| numbered(row, None, &mut next));
    // The table lives as long as the process.
    let all: &'static [Command] = Box::leak(rows.collect());
    let mut by_id: Vec<&'static Command> = all.iter().chain(all.iter().flat_map(|r| r.subcommands)).collect();
    by_id.sort_by_key(|command| command.id);
    Table { rows: renamed(all, RENAMES.get().map_or(&[], Vec::as_slice)), by_id }
});

/// What `rename-command` asks for, in order; set before the first look into the table or never.
static RENAMES: OnceLock<Vec<Rename>> = OnceLock::new();

/// One `rename-command`: the name so far, and the new one, empty to take the command away.
pub type Rename = (String, String);

/// Gives commands other names for as long as the process lives. To be called before anything else is asked of the table.
///
/// # Errors
/// Which of them cannot be followed, and why, as Redis words it.
pub fn rename(renames: Vec<Rename>) -> Result<(), (usize, &'static str)> {
    let mut names: Vec<String> = families::rows().map(|row| row.name.to_owned()).collect();
    for (index, (old, new)) in renames.iter().enumerate() {
        // Those taken away are empty, and no command is called so.
        let is_known = |known: &&String, name: &str| !name.is_empty() && known.eq_ignore_ascii_case(name);
        let known = |name: &str| names.iter().position(|known| is_known(&known, name));
        let at = known(old).ok_or((index, "No such command in rename-command"))?;
        if known(new).is_some_and(|other| other != at) {
            return Err((index, "Target command name already exists"));
        }
        names[at].clone_from(new);
    }
    let early = RENAMES.set(renames).is_ok();
    assert!(early, "commands are renamed once, at the start");
    Ok(())
}

/// The rows under the names that clients know. Numbers and full names stay: Redis shows a renamed command, and keeps its
/// statistics, under its own name.
fn renamed(all: &'static [Command], renames: &[Rename]) -> &'static [Command] {
    if renames.is_empty() {
        return all;
    }
    let mut rows = all.to_vec();
    for (old, new) in renames {
        if let Some(row) = rows.iter_mut().find(|row| row.name.eq_ignore_ascii_case(old)) {
            row.name = new.clone().leak();
        }
    }
    rows.retain(|row| !row.name.is_empty());
    rows.leak()
}

fn numbered(row: &Command, container: Option<&Command>, next: &mut u16) -> Command {
    let mut row = *row;
    row.id = *next;
    *next += 1;
    let is_upper = row.flags & flag::UPPER_CASE != 0;
    let name = if is_upper { row.name.to_owned() } else { row.name.to_ascii_lowercase() };
    row.placed_key = row.only_key().unwrap_or(0) as u16;
    if row.keys.iter().any(|spec| spec.begin == Begin::Unknown) {
        row.flags |= flag::UNKNOWN_KEYS;
    }
    row.full_name = match container {
        None => name.leak(),
        Some(container) if container.flags & flag::ONE_NAME != 0 => container.full_name,
        Some(container) => format!("{}|{name}", container.full_name).leak(),
    };
    let in_place = matches!(row.plan, Plan::Keys | Plan::Connection | Plan::Anywhere | Plan::Cursor(_));
    if in_place && (row.flags & flag::FAST != 0 || row.complexity == "O(1)") {
        row.flags |= flag::SHORT;
    }
    let has_ways =
        flag::UNKNOWN_KEYS | flag::PROTECTED | flag::SESSIONS | flag::SCRIPT | flag::BLOCKING | flag::FENCES;
    if row.placed_key != 0 && matches!(row.plan, Plan::Keys | Plan::Split(_)) && row.flags & has_ways == 0 {
        row.flags |= flag::PLAIN;
    }
    if let Plan::WithSession(expand, other) = row.plan {
        // It is the same command to all who count and tell.
        let placed_key = other.only_key().unwrap_or(0) as u16;
        let other = Command { id: row.id, full_name: row.full_name, placed_key, ..*other };
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

/// Open addressing over the folded name: one probe for nearly all.
struct Index {
    slots: Box<[Slot; SLOTS]>,
}

#[derive(Clone, Copy)]
struct Slot {
    folded: Folded,
    /// The folded name is the name in any case: it is short, and all of it letters.
    exact: bool,
    command: Option<&'static Command>,
}

const SLOTS: usize = 4096;

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut slots = Box::new([Slot { folded: Folded::of(b""), exact: false, command: None }; SLOTS]);
    for command in all() {
        let name = command.name.as_bytes();
        let folded = Folded::of(name);
        let mut at = folded.place();
        while slots[at].command.is_some() {
            at = (at + 1) % SLOTS;
        }
        let exact = name.len() <= 8 && name.iter().all(u8::is_ascii_alphabetic);
        slots[at] = Slot { folded, exact, command: Some(command) };
    }
    Index { slots }
});

/// The length of a name and eight of its bytes (all, if it has no more), without the case of letters.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Folded {
    word: u64,
    len: usize,
}

impl Folded {
    fn of(name: &[u8]) -> Self {
        let mut word = [0; 8];
        match (name.first_chunk::<4>(), name.last_chunk::<4>()) {
            (Some(front), Some(back)) if name.len() > 8 => {
                word[..4].copy_from_slice(front);
                word[4..].copy_from_slice(back);
            }
            _ => word[..name.len()].copy_from_slice(name),
        }
        Self::of_word(u64::from_le_bytes(word), name.len())
    }

    #[inline]
    fn of_word(word: u64, len: usize) -> Self {
        // Bit 5 is the case of ASCII letters.
        Self { word: word & !0x2020_2020_2020_2020, len }
    }

    /// As [`Folded::of`] for a short name, which begins the bytes given: they are taken in one go.
    #[inline]
    fn of_front(front: [u8; 8], len: usize) -> Self {
        Self::of_word(u64::from_le_bytes(front) & u64::MAX >> (64 - 8 * len), len)
    }

    #[inline]
    fn place(self) -> usize {
        let mixed = self.word ^ (self.len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed.wrapping_mul(0xff51_afd7_ed55_8ccd) >> 52) as usize
    }
}

/// The row of the command with this name, in any case.
#[inline(never)]
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    let folded = Folded::of(name);
    probe(folded, folded.place(), name)
}

/// The row of the command that a request names. Every request passes here.
#[inline(always)]
pub fn lookup_request(args: Args<'_>) -> Option<&'static Command> {
    let Some((front, len)) = args.front_of_name() else { return lookup(args.at(0)) };
    let folded = Folded::of_front(front, len);
    let (slots, at) = (&INDEX.slots, folded.place());
    let slot = &slots[at % SLOTS];
    if slot.folded == folded && slot.exact { slot.command } else { probe(folded, at, args.at(0)) }
}

/// The row of a name, looked for from a place on.
#[inline(never)]
fn probe(folded: Folded, mut at: usize, name: &[u8]) -> Option<&'static Command> {
    let slots = &INDEX.slots;
    loop {
        let slot = &slots[at % SLOTS];
        let command = slot.command?;
        if slot.folded == folded && (slot.exact || name.eq_ignore_ascii_case(command.name.as_bytes())) {
            return Some(command);
        }
        at += 1;
    }
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
    fn renamed_rows_keep_their_full_names() {
        let names = |renames: &[(&str, &str)]| {
            let renames: Vec<_> = renames.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
            renamed(TABLE.rows, &renames)
        };
        let find = |rows: &'static [Command], name: &str| rows.iter().find(|row| row.name == name);
        let rows = names(&[("get", "fetch"), ("FLUSHALL", ""), ("Fetch", "take")]);
        assert_eq!(rows.len(), TABLE.rows.len() - 1);
        assert_eq!(find(rows, "take").map(|row| row.full_name), Some("get"));
        assert!(find(rows, "GET").is_none() && find(rows, "FLUSHALL").is_none());
        assert!(std::ptr::eq(names(&[]), TABLE.rows));
    }

    #[test]
    fn names_that_are_not_there_or_taken_are_refused() {
        let refused = |old: &str, new: &str| rename(vec![(old.to_owned(), new.to_owned())]).unwrap_err();
        assert_eq!(refused("nosuch", "a"), (0, "No such command in rename-command"));
        assert_eq!(refused("", "a"), (0, "No such command in rename-command"));
        assert_eq!(refused("get", "SET"), (0, "Target command name already exists"));
        let twice = vec![("get".to_owned(), String::new()), ("GET".to_owned(), "b".to_owned())];
        assert_eq!(rename(twice).unwrap_err().0, 1);
        let of_nothing = ["get", "set", ""].map(|name| (name.to_owned(), String::new())).to_vec();
        assert_eq!(rename(of_nothing).unwrap_err().0, 2);
    }

    #[test]
    fn every_command_is_found_in_any_case() {
        for command in all() {
            let name = command.name.to_ascii_lowercase();
            assert!(std::ptr::eq(lookup(name.as_bytes()).unwrap(), lookup(command.name.as_bytes()).unwrap()));
        }
        assert!(lookup(b"").is_none());
        assert!(lookup(b"nosuchcommand").is_none());
        // Names that differ from a command's in bytes that no letter has, or in the middle.
        for name in [&b"EVAL\x7fRO"[..], b"G\x45\x14", b"SETRAxGE", b"INCRBYxxxOAT"] {
            assert!(lookup(name).is_none_or(|command| command.name.as_bytes().eq_ignore_ascii_case(name)));
        }
    }
}
