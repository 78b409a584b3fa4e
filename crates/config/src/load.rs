//! Reading configuration at the start: the file, the standard input and the options, in this order, the last
//! word winning; lists such as `save` add up.

use std::fmt;

use crate::access::{Config, refuse};
use crate::command_line::CommandLine;
use crate::directive::{Kind, Support};
use crate::error::{Place, StartError};
use crate::include::{Files, read_all};
use crate::table::DirectiveId;
use crate::value::Value;
use base::words::split_words;

/// Files that include each other in a circle must end somewhere.
const INCLUDE_DEPTH_MAX: usize = 16;

/// A configuration read completely.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    pub config: Config,
    /// Directives that were set and have no effect in this version. To be logged at the start.
    pub warnings: Vec<Warning>,
    /// `user`, `loadmodule`, `rename-command` and settings of modules (`name.setting`), in order; for the
    /// server to act upon.
    pub statements: Vec<Statement>,
}

/// A directive that was set but waits for work that is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    pub directive: String,
    pub work: &'static str,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' has no effect: this version lacks {}", self.directive, self.work)
    }
}

/// A line that is not a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// In lower case.
    pub name: String,
    pub args: Vec<Vec<u8>>,
    line: String,
    number: usize,
    place: Place,
}

impl Statement {
    /// The error that ends the start because this line cannot be followed.
    pub fn error(&self, message: impl Into<String>) -> StartError {
        StartError::Line {
            place: self.place.clone(),
            number: self.number,
            line: self.line.clone(),
            message: message.into(),
        }
    }
}

impl Config {
    /// Reads all that the command line names.
    pub fn load(command_line: &CommandLine, files: &mut dyn Files) -> Result<Loaded, StartError> {
        let mut texts = match &command_line.file {
            Some(path) => read_all(path, files)?,
            None => Vec::new(),
        };
        if command_line.stdin {
            let text = files.stdin();
            let unreadable = |reason| StartError::Unreadable { path: "-".to_owned(), reason };
            texts.push((Place::Stdin, text.map_err(unreadable)?));
        }
        // redis-server appends options to the text of the file and counts their lines on.
        let lines_before: usize =
            texts.iter().map(|(_, text)| text.iter().filter(|b| **b == b'\n').count()).sum();
        let mut loader = Loader::new(files);
        for (place, text) in &texts {
            loader.text(place, text, 1, 0)?;
        }
        loader.text(&Place::CommandLine, &command_line.options, lines_before + 2, 0)?;
        loader.finish()
    }

    /// Reads one text as if it were a configuration file. For tests and tools.
    pub fn load_text(text: &str, files: &mut dyn Files) -> Result<Loaded, StartError> {
        let mut loader = Loader::new(files);
        loader.text(&Place::File("text".to_owned()), text.as_bytes(), 1, 0)?;
        loader.finish()
    }
}

/// Whether a `user` line is what CONFIG REWRITE of Redis writes where nobody has made users: the default one, with all rights.
fn is_default_user(words: &[Vec<u8>]) -> bool {
    const RIGHTS: [&[&str]; 5] =
        [&["on"], &["nopass"], &["~*", "allkeys"], &["&*", "allchannels"], &["+@all", "allcommands"]];
    const MORE: [&str; 2] = ["sanitize-payload", "skip-sanitize-payload"];
    let [name, rights @ ..] = words else { return false };
    let is = |word: &[u8], known: &str| word.eq_ignore_ascii_case(known.as_bytes());
    let names = |word: &Vec<u8>, right: &[&str]| right.iter().any(|known| is(word, known));
    name == b"default"
        && RIGHTS.iter().all(|right| rights.iter().any(|word| names(word, right)))
        && rights.iter().all(|word| names(word, &MORE) || RIGHTS.iter().any(|right| names(word, right)))
}

struct Loader<'a> {
    files: &'a mut dyn Files,
    values: Vec<Value>,
    /// Directives that a line has set, for warnings; `save` forgets its default when it is first mentioned.
    mentioned: Vec<DirectiveId>,
    statements: Vec<Statement>,
}

impl<'a> Loader<'a> {
    fn new(files: &'a mut dyn Files) -> Self {
        let values = Config::default().values().to_vec();
        Loader { files, values, mentioned: Vec::new(), statements: Vec::new() }
    }

    fn text(&mut self, place: &Place, text: &[u8], first: usize, depth: usize) -> Result<(), StartError> {
        for (index, line) in text.split(|b| *b == b'\n').enumerate() {
            let line = trim(line);
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let at = Statement {
                name: String::new(),
                args: Vec::new(),
                line: String::from_utf8_lossy(line).into_owned(),
                number: first + index,
                place: place.clone(),
            };
            let words =
                split_words(line).ok_or_else(|| at.error("Unbalanced quotes in configuration line"))?;
            self.line(words, at, depth)?;
        }
        Ok(())
    }

    fn line(&mut self, words: Vec<Vec<u8>>, mut at: Statement, depth: usize) -> Result<(), StartError> {
        const BAD: &str = "Bad directive or wrong number of arguments";
        let mut words = words.into_iter();
        let Some(name) = words.next() else { return Ok(()) };
        at.name = String::from_utf8_lossy(&name).to_ascii_lowercase();
        at.args = words.collect();
        let Some(id) = DirectiveId::find(&name) else {
            return self.module_setting(at, BAD);
        };
        match id.row().kind {
            Kind::Obsolete if at.args.len() == 1 => Ok(()),
            Kind::Obsolete => Err(at.error(BAD)),
            Kind::Statement { min, max } => {
                if !(min..=max).contains(&at.args.len()) {
                    return Err(at.error(BAD));
                }
                if at.name == "user" && is_default_user(&at.args) {
                    return Ok(());
                }
                if let Support::Refused(reason) = id.row().support {
                    return Err(at.error(reason));
                }
                if at.name == "include" { self.include(&at, depth) } else { self.keep(id, at) }
            }
            _ => self.setting(id, &at).map_err(|message| at.error(message)),
        }
    }

    fn keep(&mut self, id: DirectiveId, statement: Statement) -> Result<(), StartError> {
        self.mentioned.push(id);
        self.statements.push(statement);
        Ok(())
    }

    /// A name with a dot in it is a setting of a module.
    fn module_setting(&mut self, at: Statement, bad: &str) -> Result<(), StartError> {
        if !at.name.contains('.') {
            return Err(at.error(bad));
        }
        if at.args.is_empty() {
            return Err(at.error("Module config specified without value"));
        }
        self.statements.push(at);
        Ok(())
    }

    fn include(&mut self, at: &Statement, depth: usize) -> Result<(), StartError> {
        if depth == INCLUDE_DEPTH_MAX {
            return Err(at.error("Too many files include each other"));
        }
        let path = String::from_utf8_lossy(&at.args[0]);
        for (place, text) in read_all(&path, self.files)? {
            self.text(&place, &text, 1, depth + 1)?;
        }
        Ok(())
    }

    fn setting(&mut self, id: DirectiveId, at: &Statement) -> Result<(), String> {
        let row = id.row();
        let mut words = at.args.clone();
        if row.kind.takes_many() {
            // One argument may hold them all: --save "60 1".
            if let [only] = words.as_slice()
                && !only.is_empty()
            {
                words = split_words(only).unwrap_or_default();
            }
        } else if words.len() != 1 {
            return Err("wrong number of arguments".to_owned());
        }
        let value = &mut self.values[id.index()];
        let fresh = row.kind == Kind::SavePoints && !self.mentioned.contains(&id);
        let base = if fresh { Value::SavePoints(Vec::new()) } else { value.clone() };
        *value = refuse(row.support, Value::parse(row, &words, &base)?, id)?;
        self.mentioned.push(id);
        Ok(())
    }

    fn finish(self) -> Result<Loaded, StartError> {
        let mut config = Config::default();
        config.replace(self.values);
        if config.cluster_enabled && config.replicaof.is_some() {
            let message = "replicaof directive not allowed in cluster mode";
            return Err(StartError::Contradiction(message.to_owned()));
        }
        let mut mentioned = self.mentioned;
        mentioned.sort_unstable();
        mentioned.dedup();
        let mut warnings = config.warnings(&mentioned);
        for statement in &self.statements {
            let work = match DirectiveId::find(statement.name.as_bytes()).map(|id| id.row().support) {
                None => "modules",
                Some(Support::Later(work)) => work,
                Some(_) => continue,
            };
            let warning = Warning { directive: statement.name.clone(), work };
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        Ok(Loaded { config, warnings, statements: self.statements })
    }
}

/// A line without blanks, tabs and line ends on both sides.
pub(crate) fn trim(line: &[u8]) -> &[u8] {
    let is_trimmed = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = line.iter().position(|byte| !is_trimmed(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !is_trimmed(byte)).map_or(start, |last| last + 1);
    &line[start..end]
}

#[cfg(test)]
mod tests;
