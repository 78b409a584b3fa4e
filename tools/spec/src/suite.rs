//! Replays all dialogue files against the servers asked for, a few at a time, and reports.

use crate::dialogue::{Dialogue, Section};
use crate::peer::{Peer, Running};
use crate::record;
use crate::session::{self, Failure, Recorded, Verdict};
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

/// What to replay, and how.
pub struct Options {
    /// The directory with the files, `tests/spec`.
    pub directory: PathBuf,
    pub peers: Vec<Peer>,
    /// Only sections whose file path or title contains one of these; all when empty.
    pub filters: Vec<String>,
    /// Most servers that run at a time.
    pub workers_max: usize,
    /// Fill in replies for `?` instead of failing there.
    pub record: bool,
}

/// Counts of sections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Tally {
    /// Adds the counts of another.
    pub fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Replays everything and prints failures and a summary line for each server. An error means that files could
/// not be read or a server could not be started at all.
pub fn run(options: &Options) -> io::Result<Tally> {
    let files = files_below(&options.directory)?;
    let mut total = Tally::default();
    for peer in &options.peers {
        let start = Instant::now();
        let tally = run_peer(options, peer, &files)?;
        println!("spec against {}: {tally} in {:.1} s", peer.name, start.elapsed().as_secs_f64());
        total.add(tally);
    }
    Ok(total)
}

/// All `.spec` files below a directory, sorted.
pub fn files_below(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "spec") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn run_peer(options: &Options, peer: &Peer, files: &[PathBuf]) -> io::Result<Tally> {
    let queue: Mutex<VecDeque<&PathBuf>> = Mutex::new(files.iter().collect());
    let workers = options.workers_max.clamp(1, files.len().max(1));
    std::thread::scope(|scope| {
        let work =
            || scope.spawn(|| Worker { options, peer, running: None, tally: Tally::default() }.work(&queue));
        let handles: Vec<_> = (0..workers).map(|_| work()).collect();
        let mut total = Tally::default();
        for handle in handles {
            total.add(handle.join().expect("a worker does not panic")?);
        }
        Ok(total)
    })
}

struct Worker<'a> {
    options: &'a Options,
    peer: &'a Peer,
    running: Option<Running>,
    tally: Tally,
}

impl Worker<'_> {
    fn work(mut self, queue: &Mutex<VecDeque<&PathBuf>>) -> io::Result<Tally> {
        loop {
            let next = queue.lock().expect("no worker panics").pop_front();
            match next {
                Some(path) => self.file(path)?,
                None => return Ok(self.tally),
            }
        }
    }

    fn file(&mut self, path: &Path) -> io::Result<()> {
        let text = fs::read_to_string(path)?;
        let shown = path.strip_prefix(&self.options.directory).unwrap_or(path).display().to_string();
        let dialogue = match Dialogue::parse(&text) {
            Ok(dialogue) => dialogue,
            Err((line, what)) => {
                println!("FAILED {shown}:{}: {what}", line + 1);
                self.tally.failed += 1;
                return Ok(());
            }
        };
        let mut recorded = Recorded::new();
        for section in &dialogue.sections {
            if self.is_wanted(&shown, section) {
                self.section(&shown, &dialogue, section, &mut recorded)?;
            }
        }
        if !recorded.is_empty() {
            fs::write(path, record::filled_in(&dialogue.lines, &recorded))?;
        }
        Ok(())
    }

    fn is_wanted(&self, path: &str, section: &Section) -> bool {
        let filters = &self.options.filters;
        filters.is_empty()
            || filters.iter().any(|filter| path.contains(filter) || section.title.contains(filter))
    }

    fn section(
        &mut self,
        path: &str,
        dialogue: &Dialogue,
        section: &Section,
        recorded: &mut Recorded,
    ) -> io::Result<()> {
        let running = self.server()?;
        let too_old =
            section.needs.since.zip(running.version).is_some_and(|(since, version)| version < since);
        if too_old || (section.needs.weft_only && !self.peer.is_weft) {
            self.tally.skipped += 1;
            return Ok(());
        }
        let recorded = self.options.record.then_some(recorded);
        let running = self.server()?;
        match session::play(running, section, recorded) {
            Verdict::Passed => self.tally.passed += 1,
            Verdict::Failed(failure) => {
                let log = self.log_if_ended();
                println!("{}{log}", report(path, &self.peer.name, dialogue, section, &failure));
                self.tally.failed += 1;
            }
        }
        Ok(())
    }

    fn server(&mut self) -> io::Result<&mut Running> {
        if self.running.is_none() {
            self.running = Some(self.peer.start()?);
        }
        Ok(self.running.as_mut().expect("started above"))
    }

    /// The end of the log of a server that did not survive; the next section gets a new one.
    fn log_if_ended(&mut self) -> String {
        let Some(running) = &mut self.running else { return String::new() };
        std::thread::sleep(std::time::Duration::from_millis(20));
        if running.is_alive() {
            // The control connection may be the one that broke.
            if running.control.try_cmd(&["PING"]).is_err() {
                self.running = None;
            }
            return String::new();
        }
        let log = running.server.as_ref().map(|server| server.log_tail()).unwrap_or_default();
        self.running = None;
        format!("  the server has ended; its log:\n{log}\n")
    }
}

/// The dialogue up to the reply that was not as expected, with a difference there.
fn report(path: &str, peer: &str, dialogue: &Dialogue, section: &Section, failure: &Failure) -> String {
    let mut out = format!("FAILED {path}:{}: {} [{peer}]\n", failure.line + 1, section.title);
    let shown = dialogue.lines.get(section.line + 1..failure.line).unwrap_or_default();
    for line in shown {
        out.push_str(&format!("    {line}\n"));
    }
    let expected = &dialogue.lines[failure.line..failure.line + failure.expected_lines.max(1)];
    if failure.expected_lines == 0 {
        out.push_str(&format!("    {}\n  ! {}\n", expected[0], failure.got.replace('\n', "\n  ! ")));
        return out;
    }
    let got: Vec<&str> = failure.got.lines().collect();
    let arrow = expected[0].split(' ').next().unwrap_or("<");
    let said = |line: &str| line.split_once(' ').map_or(String::new(), |(_, text)| text.to_owned());
    let same = expected.iter().zip(&got).take_while(|(line, got)| said(line) == **got).count();
    for line in &expected[..same] {
        out.push_str(&format!("    {line}\n"));
    }
    for line in &expected[same..] {
        out.push_str(&format!("  - {line}\n"));
    }
    for line in &got[same..] {
        out.push_str(&format!("  + {arrow} {line}\n"));
    }
    out
}
