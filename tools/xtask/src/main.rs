//! The developers' front door: `cargo xtask <task>`. Each task is a module; this file only chooses.
#![forbid(unsafe_code)]

mod arm;
mod clients;
mod command_line;
mod provision;
mod redis_py_suite;
mod spec_task;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <task>

  test [--list] [step…]     everything CI runs, or only the steps named
  tidy [--quick] [--shrink] formatting, clippy and the rules of the house; --quick leaves out cargo fmt and
                            clippy, --shrink lowers the recorded lengths of files and functions that shrank
  spec [options] [filter…]  replay the dialogues of tests/spec; see cargo xtask spec --help
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((task, rest)) = arguments.split_first() else {
        eprint!("{USAGE}");
        return ExitCode::from(2);
    };
    let result = match task.as_str() {
        "test" => test::main(rest),
        "tidy" => tidy::main(rest),
        "spec" => spec_task::main(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(true)
        }
        _ => Err(format!("there is no task {task}\n{USAGE}")),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// The directory of the workspace.
fn root() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    here.canonicalize().unwrap_or(here)
}
