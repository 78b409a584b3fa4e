//! The command line, as redis-server reads it: an optional file, `-` for the standard input, and options that
//! become lines of configuration read last. An option takes at least one argument and all up to the next
//! `--`.

use crate::error::StartError;
use base::words::{quote, split_words};

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invocation {
    /// `-v`, `--version`: print the version and end with status 0.
    Version,
    /// `-h`, `--help`: print [`usage`] and end with status 1, as redis-server does.
    Help,
    Serve(CommandLine),
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// The configuration file, as written.
    pub file: Option<String>,
    /// Whether to read configuration from the standard input as well, after the file.
    pub stdin: bool,
    /// The options as lines of configuration, read last.
    pub options: Vec<u8>,
}

impl CommandLine {
    /// Reads the arguments after the program's name.
    pub fn parse<A: AsRef<[u8]>>(args: &[A]) -> Result<Invocation, StartError> {
        let args: Vec<&[u8]> = args.iter().map(AsRef::as_ref).collect();
        match args.first() {
            Some(&b"-v" | &b"--version") => return Ok(Invocation::Version),
            Some(&b"-h" | &b"--help") => return Ok(Invocation::Help),
            Some(&b"--test-memory" | &b"--check-system") => {
                let option = String::from_utf8_lossy(args[0]);
                return Err(StartError::Option(format!(
                    "There is no {option}: this server does not test the machine. Use memtester or the like."
                )));
            }
            _ => {}
        }
        if args.iter().any(|arg| arg.eq_ignore_ascii_case(b"--sentinel")) {
            return Err(StartError::Option("There is no sentinel mode.".to_owned()));
        }
        let file = args.first().filter(|arg| !arg.starts_with(b"-"));
        let file = file.map(|path| String::from_utf8_lossy(path).into_owned());
        let (stdin, options) = options(&args, usize::from(file.is_some()));
        Ok(Invocation::Serve(CommandLine { file, stdin, options }))
    }
}

/// Turns the arguments from `first` on into lines; whether one of them is the `-` of the standard input.
fn options(args: &[&[u8]], first: usize) -> (bool, Vec<u8>) {
    let mut stdin = false;
    let mut lines: Vec<u8> = Vec::new();
    // Whether the last option has an argument, so that `--` starts a new one.
    let mut has_argument = true;
    for (index, arg) in args.iter().enumerate().skip(first) {
        if *arg == b"-" && (index == 0 || index == args.len() - 1) {
            stdin = true;
        } else if has_argument && arg.starts_with(b"--") {
            if !lines.is_empty() {
                lines.push(b'\n');
            }
            lines.extend(&arg[2..]);
            lines.push(b' ');
            // "--port 6380" in one argument is complete.
            has_argument = split_words(arg).is_none_or(|words| words.len() != 1);
            // `--save` alone, before another option or at the end, means `--save ""`.
            let ends = args.get(index + 1).is_none_or(|next| next.starts_with(b"--"));
            if !has_argument && ends && arg.eq_ignore_ascii_case(b"--save") {
                lines.extend(b"\"\"");
                has_argument = true;
            }
        } else {
            lines.extend(quote(arg));
            lines.push(b' ');
            has_argument = true;
        }
    }
    (stdin, lines)
}

/// The text of `--help`, for the standard error.
pub fn usage(program: &str) -> String {
    format!(
        "Usage: {program} [/path/to/weft.conf] [options] [-]\n\
         \x20      {program} - (read config from stdin)\n\
         \x20      {program} -v or --version\n\
         \x20      {program} -h or --help\n\
         \n\
         An option is the name of a directive after two dashes, then its arguments.\n\
         \n\
         Examples:\n\
         \x20      {program} (run the server with default conf)\n\
         \x20      echo 'maxmemory 128mb' | {program} -\n\
         \x20      {program} /etc/weft/6379.conf\n\
         \x20      {program} --port 7777 --shards 4\n\
         \x20      {program} /etc/weft.conf --loglevel verbose -\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serve(args: &[&str]) -> CommandLine {
        match CommandLine::parse(args).unwrap() {
            Invocation::Serve(line) => line,
            other => panic!("{other:?}"),
        }
    }

    fn lines(args: &[&str]) -> String {
        String::from_utf8(serve(args).options).unwrap()
    }

    #[test]
    fn options_become_lines() {
        assert_eq!(lines(&["--port", "7000", "--save", "60", "1"]), "port \"7000\" \nsave \"60\" \"1\" ");
        assert_eq!(lines(&["--port", "--bind", "x"]), "port \"--bind\" \"x\" ");
        assert_eq!(lines(&["--port 7000", "--bind", "x"]), "port 7000 \nbind \"x\" ");
        assert_eq!(lines(&["--save", "--port", "1"]), "save \"\"\nport \"1\" ");
        assert_eq!(lines(&["--save"]), "save \"\"");
        assert_eq!(lines(&["--save", ""]), "save \"\" ");
        assert_eq!(lines(&["--port=1", "--x"]), "port=1 \"--x\" ");
        assert_eq!(lines(&["-x"]), "\"-x\" ");
        assert_eq!(lines(&[]), "");
    }

    #[test]
    fn file_and_standard_input() {
        let line = serve(&["a.conf", "--port", "1", "-"]);
        assert_eq!((line.file.as_deref(), line.stdin), (Some("a.conf"), true));
        assert!(serve(&["-"]).stdin);
        assert!(serve(&["-", "--port", "1"]).stdin);
        let line = serve(&["a.conf", "--requirepass", "-", "--port", "1"]);
        assert!(!line.stdin);
        assert_eq!(line.options, b"requirepass \"-\" \nport \"1\" ");
    }

    #[test]
    fn what_is_not_serving() {
        assert_eq!(CommandLine::parse(&["-v"]), Ok(Invocation::Version));
        assert_eq!(CommandLine::parse(&["--help", "x"]), Ok(Invocation::Help));
        assert!(CommandLine::parse(&["--test-memory", "100"]).is_err());
        assert!(CommandLine::parse(&["a.conf", "--sentinel"]).is_err());
        assert!(usage("weft-server").contains("weft-server --port 7777"));
    }
}
