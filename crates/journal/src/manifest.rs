//! Which files an append-only directory has: the manifest of Redis 7, read and written.
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b
//! file appendonly.aof.3.incr.aof seq 3 type i weft-generation 2 weft-shard 0
//! file appendonly.aof.4.incr.aof seq 4 type i weft-generation 2 weft-shard 1
//! ```
//!
//! A base, history that is about to be removed, and incremental files. redis-server plays the base and then the incremental files one after the
//! other, and passes over keys that it does not know; so do we, and keep them. What we add: the *generation* of a file, and the
//! shard whose effects it has. Files of one generation may be played in any interleaving; generations follow each other. An incremental file of
//! somebody else is a generation of its own.

use base::number;
use resp::inline;
use std::fmt;

const GENERATION: &str = "weft-generation";
const SHARD: &str = "weft-shard";

/// A line may be so long (Redis: MANIFEST_MAX_LINE).
const LINE_BYTES_MAX: usize = 1024;

/// Numbers of files and generations are below this: there is always a next.
const NUMBER_MAX: u64 = 1 << 62;

/// The files of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    prefix: String,
    base: Option<File>,
    history: Vec<File>,
    incremental: Vec<File>,
    /// The highest of all bases and of all incremental files that there were.
    base_seq: i64,
    incremental_seq: i64,
}

/// A line of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// In the directory.
    pub name: String,
    pub seq: i64,
    pub kind: Kind,
    /// Of our own incremental files.
    pub place: Option<Place>,
    /// Keys and values that mean nothing to us.
    pub others: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Base,
    History,
    Incremental,
}

/// Whose effects an incremental file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub generation: u64,
    pub shard: u16,
}

/// A base that is being made: of everything before this generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewrite {
    pub generation: u64,
}

/// Why a manifest cannot be read, in the words of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The first is 1; 0: there is none.
    pub line: usize,
    pub text: String,
    pub what: &'static str,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        if self.line > 0 {
            write!(f, ", at line {} of the manifest: '{}'", self.line, self.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for Wrong {}

/// Errors but for where they are.
type Parsed<T> = Result<T, &'static str>;
const BAD_FORMAT: &str = "Invalid AOF manifest file format";

/// The number of a file.
fn sequence(word: &str) -> Parsed<i64> {
    let seq = number::parse_i64(word.as_bytes());
    seq.filter(|seq| seq.unsigned_abs() < NUMBER_MAX).ok_or(BAD_FORMAT)
}

impl Kind {
    fn letter(self) -> char {
        match self {
            Kind::Base => 'b',
            Kind::History => 'h',
            Kind::Incremental => 'i',
        }
    }
}

impl File {
    fn new(name: String, seq: i64, kind: Kind, place: Option<Place>) -> Self {
        Self { name, seq, kind, place, others: Vec::new() }
    }

    fn parse(line: &[u8]) -> Parsed<Self> {
        let words = inline::split_words(line).ok_or(BAD_FORMAT)?;
        let words: Option<Vec<_>> = words.into_iter().map(|word| String::from_utf8(word).ok()).collect();
        let words = words.filter(|words| words.len() >= 6 && words.len() % 2 == 0).ok_or(BAD_FORMAT)?;
        let (mut name, mut seq, mut letter) = (String::new(), 0, None);
        let (mut generation, mut shard) = (None, None);
        let mut others = Vec::new();
        let number = |word: &str| number::parse_u64(word.as_bytes()).filter(|number| *number < NUMBER_MAX);
        for pair in words.chunks_exact(2) {
            let [key, value] = pair else { unreachable!("pairs are of two") };
            match key.to_ascii_lowercase().as_str() {
                "file" if value.contains(['/', '\\']) => return Err("File can't be a path, just a filename"),
                "file" => name = value.clone(),
                "seq" => seq = sequence(value)?,
                "type" => letter = value.bytes().next(),
                GENERATION => generation = Some(number(value).ok_or(BAD_FORMAT)?),
                SHARD => {
                    shard =
                        Some(number(value).and_then(|shard| u16::try_from(shard).ok()).ok_or(BAD_FORMAT)?);
                }
                _ => others.push((key.clone(), value.clone())),
            }
        }
        let kind = match letter {
            _ if name.is_empty() || matches!(&*name, "." | "..") || seq == 0 => return Err(BAD_FORMAT),
            None => return Err(BAD_FORMAT),
            Some(b'b') => Kind::Base,
            Some(b'h') => Kind::History,
            Some(b'i') => Kind::Incremental,
            Some(_) => return Err("Unknown AOF file type"),
        };
        let place = generation.zip(shard).map(|(generation, shard)| Place { generation, shard });
        Ok(Self { name, seq, kind, place, others })
    }

    fn append_to(&self, out: &mut String) {
        out.push_str("file ");
        append_word(out, &self.name);
        out.push_str(&format!(" seq {} type {}", self.seq, self.kind.letter()));
        if let Some(Place { generation, shard }) = self.place {
            out.push_str(&format!(" {GENERATION} {generation} {SHARD} {shard}"));
        }
        for (key, value) in &self.others {
            for word in [key, value] {
                out.push(' ');
                append_word(out, word);
            }
        }
        out.push('\n');
    }
}

/// Appends a word, in quotes if it needs them.
fn append_word(out: &mut String, word: &str) {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'\'');
    if !word.is_empty() && word.bytes().all(is_plain) {
        return out.push_str(word);
    }
    out.push('"');
    for byte in word.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("\\x{byte:02x}")),
        }
    }
    out.push('"');
}

impl Manifest {
    /// That of an empty directory. `prefix`: what the names of the files begin with (`appendfilename`).
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            base: None,
            history: Vec::new(),
            incremental: Vec::new(),
            base_seq: 0,
            incremental_seq: 0,
        }
    }

    /// Reads a manifest.
    ///
    /// # Errors
    /// If redis-server would not take it either.
    pub fn parse(prefix: &str, text: &[u8]) -> Result<Self, Wrong> {
        let mut manifest = Self::new(prefix);
        if text.is_empty() {
            return Err(Wrong { line: 0, text: String::new(), what: "Found an empty AOF manifest" });
        }
        for (index, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if line.first() != Some(&b'#') {
                manifest.line(line).map_err(|what| {
                    let text = line[..line.len().min(LINE_BYTES_MAX)].trim_ascii();
                    Wrong { line: index + 1, text: String::from_utf8_lossy(text).into_owned(), what }
                })?;
            }
        }
        Ok(manifest)
    }

    fn line(&mut self, line: &[u8]) -> Parsed<()> {
        if line.len() > LINE_BYTES_MAX || line.last() != Some(&b'\n') {
            return Err("The AOF manifest file contains too long line");
        }
        let file = File::parse(line.trim_ascii())?;
        match file.kind {
            Kind::Base if self.base.is_some() => return Err("Found duplicate base file information"),
            Kind::Base => {
                self.base_seq = self.base_seq.max(file.seq);
                self.base = Some(file);
            }
            Kind::History => self.history.push(file),
            Kind::Incremental => {
                if file.seq <= self.incremental_seq {
                    return Err("Found a non-monotonic sequence number");
                }
                self.incremental_seq = file.seq;
                self.incremental.push(file);
            }
        }
        Ok(())
    }

    /// The text of the manifest: the base, history, incremental files.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for file in self.base.iter().chain(&self.history).chain(&self.incremental) {
            file.append_to(&mut text);
        }
        text
    }

    /// The manifest's own name.
    pub fn name(&self) -> String {
        format!("{}.manifest", self.prefix)
    }

    /// Under which name a manifest is written before it takes the place of the one before.
    pub fn temporary_name(&self) -> String {
        format!("temp-{}.manifest", self.prefix)
    }

    /// Whether there is nothing to play.
    pub fn is_empty(&self) -> bool {
        self.base.is_none() && self.incremental.is_empty()
    }

    pub fn base(&self) -> Option<&File> {
        self.base.as_ref()
    }

    pub fn history(&self) -> &[File] {
        &self.history
    }

    /// The incremental files in the order in which they are to be played: those of one generation together.
    pub fn generations(&self) -> impl Iterator<Item = &[File]> {
        let generation = |file: &File| file.place.map(|place| place.generation);
        self.incremental.chunk_by(move |a, b| generation(a).is_some() && generation(a) == generation(b))
    }

    /// The newest generation of ours; 0: there is none.
    pub fn generation(&self) -> u64 {
        let files = self.incremental.iter().chain(&self.history);
        files.filter_map(|file| Some(file.place?.generation)).max().unwrap_or(0)
    }

    /// All shards go on in new files: their names, by shard. Let there be these files before the manifest that lists them.
    ///
    /// # Panics
    /// If there are no shards.
    pub fn begin_generation(&mut self, shards: u16) -> Vec<String> {
        assert!(shards > 0, "somebody must go on");
        let generation = self.generation() + 1;
        let begin = |shard| {
            self.incremental_seq += 1;
            let (seq, place) = (self.incremental_seq, Some(Place { generation, shard }));
            let name = format!("{}.{seq}.incr.aof", self.prefix);
            self.incremental.push(File::new(name.clone(), seq, Kind::Incremental, place));
            name
        };
        (0..shards).map(begin).collect()
    }

    /// Begins a generation, and a new base of everything before it.
    pub fn begin_rewrite(&mut self, shards: u16) -> (Rewrite, Vec<String>) {
        let names = self.begin_generation(shards);
        (Rewrite { generation: self.generation() }, names)
    }

    /// What the next base will be called. `is_rdb`: `aof-use-rdb-preamble`.
    pub fn next_base_name(&self, is_rdb: bool) -> String {
        let format = if is_rdb { "rdb" } else { "aof" };
        format!("{}.{}.base.{format}", self.prefix, self.base_seq + 1)
    }

    /// The new base takes the place of everything before its generation, which becomes history. It must stand under its name, and
    /// safely, before this manifest is written.
    pub fn end_rewrite(&mut self, rewrite: Rewrite, is_rdb: bool) {
        let name = self.next_base_name(is_rdb);
        self.base_seq += 1;
        let base = File::new(name, self.base_seq, Kind::Base, None);
        let old = self.base.replace(base);
        let is_kept = |file: &File| file.place.is_some_and(|place| place.generation >= rewrite.generation);
        let kept = self.incremental.iter().position(is_kept).unwrap_or(self.incremental.len());
        let gone = old.into_iter().chain(self.incremental.drain(..kept));
        self.history.extend(gone.map(|file| File { kind: Kind::History, ..file }));
    }

    /// What a copy of the files before a generation is listed in, without history.
    pub fn before(&self, generation: u64) -> Self {
        let is_before = |file: &&File| file.place.is_none_or(|place| place.generation < generation);
        let incremental = self.incremental.iter().filter(is_before).cloned().collect();
        Self { history: Vec::new(), incremental, ..self.clone() }
    }

    /// History is to be removed from the directory, and then the manifest written that does not list it.
    pub fn take_history(&mut self) -> Vec<File> {
        std::mem::take(&mut self.history)
    }

    /// Makes an append-only file of before Redis 7 the base of the directory, as Redis does: it keeps its name, which is the prefix.
    ///
    /// # Panics
    /// If there are files already.
    pub fn adopt_old(&mut self) {
        assert!(self.is_empty(), "there is something else to play");
        self.base_seq = 1;
        self.base = Some(File::new(self.prefix.clone(), 1, Kind::Base, None));
    }
}

#[cfg(test)]
mod tests;
