//! Reads a dialogue file into sections of steps. Pure: text in, steps out; every mistake names its line.

use crate::expect::Expect;
use crate::notation;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use testkit::words;

/// Longest `@wait`, in milliseconds.
const WAIT_MS_MAX: u64 = 2_500;
/// Most commands of one `@repeat`.
const REPEAT_MAX: u64 = 100_000;

/// One file.
#[derive(Debug)]
pub struct Dialogue {
    /// The file's lines as they are, for reports.
    pub lines: Vec<String>,
    pub sections: Vec<Section>,
}

/// One test: it begins with an empty keyspace and its own connections.
#[derive(Debug, Clone, Default)]
pub struct Section {
    pub title: String,
    /// Index of the title in the file's lines.
    pub line: usize,
    pub needs: Needs,
    pub steps: Vec<(usize, Step)>,
}

/// What a section asks of the server and of its connections. Before the first section: for all of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Needs {
    /// `@resp3`: connections begin with HELLO 3.
    pub resp3: bool,
    /// `@since`: an older redis-server cannot confirm it.
    pub since: Option<Version>,
    /// `@weft`: only our server does this.
    pub weft_only: bool,
    /// `@needs-config`: set before the section and put back after it.
    pub config: Vec<(String, String)>,
}

/// A version of Redis: major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

/// One step of a section. `connection` is the name before the arrow, empty for the usual one.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// `> words`; `${name}` in a word is a saved value.
    Send { connection: String, words: Vec<Vec<u8>> },
    /// `>> "bytes"`
    SendRaw { connection: String, bytes: Vec<u8> },
    /// `< reply`, over `line_count` lines.
    Receive { connection: String, expect: Expect, line_count: usize },
    /// `<< "bytes"`
    ReceiveRaw { connection: String, bytes: Vec<u8> },
    /// `@wait ms`
    Wait { ms: u64 },
    /// `@blocked n`: until INFO tells of that many blocked clients.
    Blocked { count: usize },
    /// `@until text words`: the command again and again until its reply, as it is shown, has the text in it.
    Until { text: String, words: Vec<Vec<u8>> },
    /// `@repeat n words`: a pipeline in which `{i}` counts from 1; no reply may be an error.
    Repeat { count: u64, words: Vec<Vec<u8>> },
    /// `@scan words`: the command again and again with the cursor in place of `{cursor}`, from 0 until 0 comes back;
    /// the elements of all its replies together are then what the next reply is.
    Scan { connection: String, words: Vec<Vec<u8>> },
    /// `@close name`
    Close { connection: String },
}

impl Version {
    /// `7`, `7.4` or `7.4.1`.
    pub fn parse(text: &str) -> Option<Version> {
        let mut parts = text.split('.').map(|part| part.parse::<u32>().ok());
        let version =
            Version(parts.next()??, parts.next().unwrap_or(Some(0))?, parts.next().unwrap_or(Some(0))?);
        parts.next().is_none().then_some(version)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A mistake in a file: index of the line, and what is wrong with it.
pub type Mistake = (usize, String);

impl Dialogue {
    /// Reads a file's text.
    pub fn parse(text: &str) -> Result<Dialogue, Mistake> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut reader = Reader::default();
        let mut at = 0;
        while at < lines.len() {
            at += reader.line(&lines, at).map_err(|what| (at, what))?;
        }
        let dialogue = Dialogue { sections: reader.finish()?, lines };
        if dialogue.sections.is_empty() {
            Err((0, "no section: a title is written # title".into()))
        } else {
            Ok(dialogue)
        }
    }
}

#[derive(Default)]
struct Reader {
    for_all: Needs,
    sections: Vec<Section>,
    /// The connection that spoke last, to which `<` without a name belongs.
    last: String,
    titled_by: Option<usize>,
}

impl Reader {
    /// Reads the line at `at`, and those that belong to it; gives their number.
    fn line(&mut self, lines: &[String], at: usize) -> Result<usize, String> {
        let line = lines[at].trim_end();
        if line.is_empty() || line.starts_with("## ") || line == "##" {
            return Ok(1);
        }
        if let Some(title) = line.strip_prefix("# ") {
            self.title(title, at);
            return Ok(1);
        }
        if let Some(directive) = line.strip_prefix('@') {
            let (name, argument) = directive.split_once(' ').unwrap_or((directive, ""));
            self.directive(name, argument.trim(), at)?;
            return Ok(1);
        }
        let (connection, arrow, rest) =
            split_arrow(line).ok_or("not a title, directive, command or reply")?;
        let (step, used) = match arrow {
            ">" => {
                let words = words::split(rest)?;
                if words.is_empty() {
                    return Err("a command without a name".into());
                }
                (Step::Send { connection: connection.into(), words }, 1)
            }
            ">>" => (Step::SendRaw { connection: connection.into(), bytes: raw(rest)? }, 1),
            "<<" => (Step::ReceiveRaw { connection: self.speaker(connection), bytes: raw(rest)? }, 1),
            _ => self.reply(lines, at, connection)?,
        };
        if arrow.starts_with('>') {
            self.last = connection.to_owned();
        }
        self.section()?.steps.push((at, step));
        Ok(used)
    }

    fn title(&mut self, title: &str, at: usize) {
        // A line right below a title goes on with it.
        if self.titled_by.is_some_and(|before| before + 1 == at) {
            let section = self.sections.last_mut().expect("a title made a section");
            section.title = format!("{} {title}", section.title);
        } else {
            let needs = self.for_all.clone();
            self.sections.push(Section { title: title.trim().into(), line: at, needs, steps: Vec::new() });
            self.last.clear();
        }
        self.titled_by = Some(at);
    }

    fn reply(&self, lines: &[String], at: usize, connection: &str) -> Result<(Step, usize), String> {
        let of_this = |line: &String| {
            split_arrow(line.trim_end())
                .filter(|(name, arrow, _)| *name == connection && arrow.len() < 3)
                .filter(|(_, arrow, _)| matches!(*arrow, "<" | "<~"))
                .map(|(_, arrow, rest)| (arrow.to_owned(), rest.to_owned()))
        };
        let block: Vec<(String, String)> = lines[at..].iter().map_while(of_this).collect();
        let texts: Vec<&str> = block.iter().map(|(_, text)| text.as_str()).collect();
        let line_count = notation::reply_length(&texts);
        let mut expect = notation::parse(&texts[..line_count])?;
        if block[0].0 == "<~" {
            expect = expect.in_any_order().ok_or("<~ is for a reply with several elements")?;
        }
        Ok((Step::Receive { connection: self.speaker(connection), expect, line_count }, line_count))
    }

    fn directive(&mut self, name: &str, argument: &str, at: usize) -> Result<(), String> {
        let number = || argument.parse::<u64>().map_err(|_| format!("@{name} needs a number"));
        let step = match name {
            "wait" => {
                Step::Wait { ms: Some(number()?).filter(|ms| *ms <= WAIT_MS_MAX).ok_or("too long a wait")? }
            }
            "blocked" => Step::Blocked { count: number()? as usize },
            "until" => {
                let (text, command) = argument.split_once(' ').ok_or("@until needs a text and a command")?;
                Step::Until { text: text.to_owned(), words: words::split(command)? }
            }
            "scan" => Step::Scan { connection: self.last.clone(), words: words::split(argument)? },
            "close" => Step::Close { connection: argument.to_owned() },
            "repeat" => {
                let (count, command) =
                    argument.split_once(' ').ok_or("@repeat needs a number and a command")?;
                let count: u64 = count.parse().map_err(|_| "@repeat needs a number")?;
                let words = words::split(command)?;
                Step::Repeat { count: Some(count).filter(|n| *n <= REPEAT_MAX).ok_or("too many")?, words }
            }
            _ => return self.need(name, argument),
        };
        self.section()?.steps.push((at, step));
        Ok(())
    }

    fn need(&mut self, name: &str, argument: &str) -> Result<(), String> {
        let needs = match self.sections.last_mut() {
            Some(section) if !section.steps.is_empty() => {
                return Err(format!("@{name} belongs before the first command of its section"));
            }
            Some(section) => &mut section.needs,
            None => &mut self.for_all,
        };
        match name {
            "resp3" => needs.resp3 = true,
            "resp2" => needs.resp3 = false,
            "weft" => needs.weft_only = true,
            "since" => {
                needs.since = Some(Version::parse(argument).ok_or("@since needs a version such as 7.4")?)
            }
            "needs-config" => {
                let (option, value) =
                    argument.split_once(' ').ok_or("@needs-config needs a name and a value")?;
                let value = words::first(value.trim())?.0;
                needs.config.push((option.to_owned(), String::from_utf8_lossy(&value).into_owned()));
            }
            _ => return Err(format!("@{name} is not known")),
        }
        Ok(())
    }

    fn section(&mut self) -> Result<&mut Section, String> {
        self.sections.last_mut().ok_or_else(|| "before the first title (# title)".to_owned())
    }

    fn speaker(&self, connection: &str) -> String {
        if connection.is_empty() { self.last.clone() } else { connection.to_owned() }
    }

    fn finish(self) -> Result<Vec<Section>, Mistake> {
        let mut titles = HashSet::new();
        for section in &self.sections {
            if section.steps.is_empty() {
                return Err((section.line, "a section without steps".into()));
            }
            if !titles.insert(&section.title) {
                return Err((section.line, "this title was used before in the file".into()));
            }
            if let Some((name, sent, received)) = unanswered(section) {
                let of = if name.is_empty() { String::new() } else { format!(" of {name}") };
                let what =
                    format!("{sent} commands{of} and {received} replies; write < ? to have replies recorded");
                return Err((section.line, what));
            }
        }
        Ok(self.sections)
    }
}

/// The first connection that sends more commands than it expects replies, and how many of each. Where replies may
/// rightly be missing nothing is said: after raw bytes, CLIENT REPLY, and for a connection that ends on the way.
fn unanswered(section: &Section) -> Option<(&str, usize, usize)> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    let mut exempt = BTreeSet::new();
    for (_, step) in &section.steps {
        match step {
            Step::Send { connection, words } => {
                counts.entry(connection).or_default().0 += 1;
                let is = |index: usize, name: &[u8]| {
                    words.get(index).is_some_and(|w| w.eq_ignore_ascii_case(name))
                };
                if is(0, b"CLIENT") && is(1, b"REPLY") {
                    exempt.insert(connection.as_str());
                }
            }
            Step::Scan { connection, .. } => counts.entry(connection).or_default().0 += 1,
            Step::Receive { expect: Expect::Closed, connection, .. }
            | Step::SendRaw { connection, .. }
            | Step::Close { connection } => {
                exempt.insert(connection);
            }
            Step::Receive { expect: Expect::Nothing, .. } => {}
            Step::Receive { connection, .. } => counts.entry(connection).or_default().1 += 1,
            _ => {}
        }
    }
    let (name, (sent, received)) =
        counts.into_iter().find(|(name, (sent, received))| sent > received && !exempt.contains(name))?;
    Some((name, sent, received))
}

/// The connection's name, the arrow and what follows it.
pub(crate) fn split_arrow(line: &str) -> Option<(&str, &str, &str)> {
    let name = line.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit())?;
    let (connection, rest) = line.split_at(name);
    let arrow = [">>", "<<", "<~", ">", "<"].into_iter().find(|arrow| rest.starts_with(arrow))?;
    let text = &rest[arrow.len()..];
    match text.strip_prefix(' ') {
        Some(text) => Some((connection, arrow, text)),
        None => text.is_empty().then_some((connection, arrow, "")),
    }
}

fn raw(text: &str) -> Result<Vec<u8>, String> {
    if !text.starts_with('"') {
        return Err("raw bytes stand in double quotes".into());
    }
    Ok(words::split(text)?.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::Value;

    #[test]
    fn a_section_has_steps_and_needs() {
        let dialogue = Dialogue::parse(
            "@resp3\n\n# First\n@since 7.4\n@needs-config maxmemory-policy noeviction\n> SET k \"a b\"\n< OK\n\
             other> GET k\n< \"a b\"\n@wait 5\n\n# Second\n> A\n> B\n< OK\n< 1) \"x\"\n< 2) \"y\"\n",
        )
        .unwrap();
        let [first, second] = &dialogue.sections[..] else { panic!("two sections") };
        assert_eq!((first.needs.resp3, first.needs.since), (true, Some(Version(7, 4, 0))));
        assert_eq!(first.needs.config, [("maxmemory-policy".to_owned(), "noeviction".to_owned())]);
        assert_eq!(first.steps.len(), 5);
        let reply = Step::Receive {
            connection: "other".into(),
            expect: Expect::Exact(Value::bulk("a b")),
            line_count: 1,
        };
        assert_eq!(first.steps[3].1, reply);
        assert!(second.needs.resp3 && second.needs.since.is_none());
        assert_eq!(second.steps.len(), 4);
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, line) in [
            ("# t\n> GET k\n", 0),
            ("\n# t\n> GET k\nc> A\nc< (nil)\n> GET k\n< (nil)\n", 1),
            ("> GET k\n< (nil)\n", 0),
            ("# t\n> GET k\n< (nul)\n", 2),
            ("# t\n@wiat 5\n", 1),
            ("# t\n> GET k\n< (nil)\n@resp3\n", 3),
            ("# t\n> GET \"k\n< (nil)\n", 1),
            ("# t\nGET k\n", 1),
            ("# t\n@wait 100000\n", 1),
            ("# t\n> A\n< OK\n\n# t\n> A\n< OK\n", 4),
            ("", 0),
        ] {
            assert_eq!(Dialogue::parse(text).unwrap_err().0, line, "{text}");
        }
    }
}
