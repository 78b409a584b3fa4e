//! From the command line to running shards, and back.

use crate::cores::Cores;
use crate::files::RealFiles;
use crate::supervisor::{PidFile, Systemd};
use crate::{REDIS_VERSION, VERSION, apply, crash, listen, log, oom_score, open_files, serve};
use config::{CommandLine, Config, DirectiveId, Invocation, Loaded, Program, StartError, Statement};
use runtime::{Listener, daemon, memory, signals};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;

const FAILED: i32 = 1;

/// Runs the program; its exit code.
pub fn run(args: Vec<OsString>) -> i32 {
    crash::install();
    signals::block();
    let args: Vec<Vec<u8>> = args.into_iter().map(OsString::into_vec).collect();
    let command_line = match CommandLine::parse(&args) {
        Ok(Invocation::Version) => {
            let bits = usize::BITS;
            println!("Weft server v={VERSION} malloc=mimalloc bits={bits} compatible=redis-{REDIS_VERSION}");
            return 0;
        }
        Ok(Invocation::Help) => {
            eprint!("{}", config::usage("weft-server"));
            return FAILED;
        }
        Ok(Invocation::Serve(command_line)) => command_line,
        Err(error) => return refuse(&error),
    };
    match Config::load(&command_line, &mut RealFiles) {
        Ok(loaded) => start(loaded, &command_line),
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &StartError) -> i32 {
    eprint!("{}", error.report(Program { title: "Weft", version: VERSION }));
    FAILED
}

fn start(loaded: Loaded, command_line: &CommandLine) -> i32 {
    let Loaded { mut config, warnings, statements } = loaded;
    if let Err(error) = rename_commands(&statements) {
        return refuse(&error);
    }
    // Relative paths of the command line are those of the directory in which the process was started.
    let config_file = command_line.file.as_ref().and_then(|path| std::path::absolute(path).ok());
    if let Err(error) = enter_directory(&mut config).and_then(|()| configure_log(&config)) {
        return refuse(&error);
    }
    greet(config_file.as_deref());
    for warning in &warnings {
        log::warning(format_args!("WARNING {warning}"));
    }
    memory::give_back_soon();
    if config.disable_thp
        && let Err(error) = memory::refuse_huge_pages()
    {
        log::warning(format_args!("WARNING Huge pages cannot be refused: {}", runtime::reason(&error)));
    }
    let cores = Cores::new(&config);
    if !open_files::make_room(&mut config, cores.shards()) {
        return FAILED;
    }
    // Before going into the background, so that the exit code tells of an address that is taken.
    let Some(listeners) = listen::listeners(&config) else { return FAILED };
    if config.daemonize
        && let Err(error) = daemon::detach()
    {
        log::warning(format_args!("Cannot go into the background: {}", runtime::reason(&error)));
        return FAILED;
    }
    serve_until_the_end(config, cores, listeners, config_file)
}

fn serve_until_the_end(
    mut config: Config,
    cores: Cores,
    listeners: Vec<Listener>,
    config_file: Option<PathBuf>,
) -> i32 {
    let config_file = config_file.map_or_else(String::new, |path| path.display().to_string());
    let pid_file = PidFile::write(&mut config);
    let systemd = Systemd::new(&config);
    oom_score::check_values(&config);
    // Without it the server still works.
    oom_score::apply(&config);
    introduce(&config);
    log::notice(format_args!("Running mode=standalone, port={}.", config.port));
    log::notice(cores.describe());
    // The working directory may be another at the end.
    let socket = config.unixsocket.as_ref().and_then(|path| std::path::absolute(path).ok());
    let ended = serve::run(Arc::new(config), &cores, listeners, &systemd, config_file);
    if let Some(path) = &socket {
        log::notice("Removing the unix socket file.");
        crate::supervisor::remove(path);
    }
    drop(pid_file);
    match ended {
        Ok(()) => {
            log::warning("Weft is now ready to exit, bye bye...");
            0
        }
        Err(reason) => {
            log::warning(reason);
            FAILED
        }
    }
}

/// Follows the `rename-command` lines.
fn rename_commands(statements: &[Statement]) -> Result<(), StartError> {
    let lines: Vec<&Statement> = statements.iter().filter(|line| line.name == "rename-command").collect();
    if lines.is_empty() {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let renames = lines.iter().map(|line| (text(&line.args[0]), text(&line.args[1]))).collect();
    command::registry::rename(renames).map_err(|(index, reason)| lines[index].error(reason))
}

/// Makes `dir` the working directory and records its whole path.
fn enter_directory(config: &mut Config) -> Result<(), StartError> {
    let whole = apply::enter_directory(config).map_err(|error| {
        let (dir, reason) = (config.dir.display(), runtime::reason(&error));
        StartError::Contradiction(format!("Can't chdir to '{dir}': {reason}"))
    })?;
    config.assign(DirectiveId::of("dir"), &whole).map_err(StartError::Contradiction)
}

fn configure_log(config: &Config) -> Result<(), StartError> {
    let failed =
        |error| StartError::Contradiction(format!("Can't open the log file: {}", runtime::reason(&error)));
    log::configure(config).map_err(failed)
}

fn greet(config_file: Option<&std::path::Path>) {
    let (bits, pid) = (usize::BITS, std::process::id());
    log::notice("Weft is starting");
    log::notice(format_args!("Weft version={VERSION}, bits={bits}, pid={pid}, just started"));
    match config_file {
        Some(path) => log::notice(format_args!("Configuration loaded from {}", path.display())),
        None => log::notice("Configuration loaded: the defaults and the command line, there is no file"),
    }
}

/// What Redis's logo says beside the picture: who reads a terminal, or a log for `PID: 4711`, finds it in the same words.
fn introduce(config: &Config) {
    if config.always_show_logo || log::is_terminal() {
        let (bits, pid, port) = (usize::BITS, std::process::id(), config.port);
        log::notice_as_is(&format!(
            "\n    Weft {VERSION}, {bits} bit, compatible with Redis {REDIS_VERSION}\n    Running in standalone mode\n    Port: {port}\n    PID: {pid}\n\n"
        ));
    }
}
