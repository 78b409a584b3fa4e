//! `weft-check`: verifies and describes the files of Weft and of Redis. Reads, never writes; a file of any size in little
//! memory, for it is read in pieces.
//!
//! Each kind of file has a module that reads it into a [`report::Report`]; which kind it is, the first bytes say.
#![forbid(unsafe_code)]

mod chunks;
mod report;
mod scan;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: weft-check [OPTIONS] FILE…

Verifies and describes RDB files, of Redis, Valkey and Weft: headers, check sums, every record and value, and the index of
chunks of our own files.

  --json      one JSON object per file and line
  --quick     pass over the values instead of building each
  --keys N    show so many of the largest keys [10]

Exit codes: 0 all is well; 1 a file is damaged, which is said with the place; 2 a file cannot be read, or an option is wrong.";

/// What the command line says.
struct Options {
    files: Vec<PathBuf>,
    json: bool,
    scan: scan::Options,
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let scan = scan::Options { quick: false, largest_keys: 10 };
    let mut options = Options { files: Vec::new(), json: false, scan };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => options.json = true,
            "--quick" => options.scan.quick = true,
            "--keys" => {
                let number = words.next().and_then(|word| word.parse().ok());
                options.scan.largest_keys = number.ok_or("--keys takes a number")?;
            }
            "--help" | "-h" => return Ok(None),
            option if option.starts_with("--") => return Err(format!("there is no option {option}")),
            file => options.files.push(file.into()),
        }
    }
    if options.files.is_empty() { Err("which file?".to_owned()) } else { Ok(Some(options)) }
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("weft-check: {wrong}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let worst = options.files.iter().map(|path| check(path, &options)).max();
    ExitCode::from(worst.unwrap_or(0))
}

/// Checks a file and tells what was found; the exit code.
fn check(path: &std::path::Path, options: &Options) -> u8 {
    let report = match scan::file(path, &options.scan) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("weft-check: {}: {error}", path.display());
            return 2;
        }
    };
    if options.json {
        println!("{}", report.json());
    } else {
        print!("{report}");
    }
    u8::from(report.damage.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line() {
        let parse = |line: &str| parse(line.split(' ').map(str::to_owned));
        let options = parse("--json a.rdb --keys 3 b.rdb --quick").expect("right").expect("no help");
        assert!(options.json && options.scan.quick && options.scan.largest_keys == 3);
        assert_eq!(options.files, [PathBuf::from("a.rdb"), PathBuf::from("b.rdb")]);
        assert!(matches!(parse("a.rdb --help"), Ok(None)));
        for wrong in ["--json", "--keys x a.rdb", "a.rdb --keys", "--all a.rdb"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
