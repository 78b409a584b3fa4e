//! A disk that fails as long as a file says so: the one that the environment names, in lines such as `write 28 temp-weft` or `sync 5 .aof 1%`. The
//! first word is a step, the second the number of the error (0: a write takes half of what it could; -1: the step waits as long as the file has this line), the third a part of the path; the fourth how
//! often: in so many percent of the cases, or `once`, whereupon the file is emptied, or `2nd`: not the first time
//! that a process comes upon this line. Both last may be left out.

use base::random::Random;
use disk::{Disk, DiskFile};
use runtime::SystemDisk;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// Names the file.
const VARIABLE: &str = "WEFT_PLANTED_DISK";
/// With this ending there is a file beside it as soon as a step has had to wait.
const WAITING: &str = "waiting";

/// The system's disk, with faults.
#[derive(Clone, Copy, Debug)]
pub struct PlantedDisk;

/// A file on it.
pub struct PlantedFile {
    path: PathBuf,
    file: <SystemDisk as Disk>::File,
}

/// Time between two looks whether a step may go on.
const LOOK: Duration = Duration::from_millis(1);

/// The number of the error with which a step fails.
fn fault(step: &str, path: &Path) -> Option<i32> {
    let mut is_told = false;
    loop {
        match planted(step, path) {
            Some(-1) => {
                if !std::mem::replace(&mut is_told, true)
                    && let Some(file) = file()
                {
                    let _ = std::fs::write(file.with_extension(WAITING), step);
                }
                std::thread::sleep(LOOK);
            }
            fault => return fault,
        }
    }
}

fn file() -> Option<&'static PathBuf> {
    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    FILE.get_or_init(|| std::env::var_os(VARIABLE).map(PathBuf::from)).as_ref()
}

fn planted(step: &str, path: &Path) -> Option<i32> {
    let file = file()?;
    let text = std::fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| {
        let mut words = line.split(' ');
        let is_it = words.next() == Some(step);
        let number = words.next()?.parse().ok()?;
        let is_here = words.next().is_none_or(|part| path.to_string_lossy().contains(part));
        (is_it && is_here && happens(words.next(), line, file)).then_some(number)
    })
}

/// The line that has been come upon.
static PASSED_OVER: Mutex<String> = Mutex::new(String::new());

/// Whether a fault that may happen does.
fn happens(how_often: Option<&str>, line: &str, file: &Path) -> bool {
    match how_often {
        None => true,
        Some("once") => std::fs::write(file, "").is_ok(),
        Some("2nd") => {
            let mut known = PASSED_OVER.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *known, line.to_owned()) == line
        }
        Some(percent) => {
            let percent: u64 = percent.trim_end_matches('%').parse().unwrap_or(0);
            // The same for the same steps, in whichever order threads take them.
            static STEPS: AtomicU64 = AtomicU64::new(0);
            Random::from_seed(STEPS.fetch_add(1, Ordering::Relaxed)).below(100) < percent
        }
    }
}

/// Fails if the step shall.
fn check(step: &str, path: &Path) -> io::Result<()> {
    match fault(step, path) {
        Some(number) => Err(io::Error::from_raw_os_error(number)),
        None => Ok(()),
    }
}

impl PlantedDisk {
    fn file(path: &Path, file: <SystemDisk as Disk>::File) -> PlantedFile {
        PlantedFile { path: path.to_owned(), file }
    }
}

impl Disk for PlantedDisk {
    type File = PlantedFile;
    type Map = <SystemDisk as Disk>::Map;

    fn create(&self, path: &Path) -> io::Result<PlantedFile> {
        check("create", path)?;
        SystemDisk.create(path).map(|file| Self::file(path, file))
    }

    fn open(&self, path: &Path) -> io::Result<PlantedFile> {
        check("open", path)?;
        SystemDisk.open(path).map(|file| Self::file(path, file))
    }

    fn map(&self, path: &Path) -> io::Result<Self::Map> {
        SystemDisk.map(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        check("rename", to)?;
        SystemDisk.rename(from, to)
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        check("link", to)?;
        SystemDisk.link(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        check("remove", path)?;
        SystemDisk.remove(path)
    }

    fn remove_abandoned(&self, path: &Path) -> io::Result<bool> {
        check("remove", path)?;
        SystemDisk.remove_abandoned(path)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        SystemDisk.list(directory)
    }

    fn make_directory(&self, path: &Path) -> io::Result<()> {
        check("create", path)?;
        SystemDisk.make_directory(path)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        check("sync-directory", directory)?;
        SystemDisk.sync_directory(directory)
    }
}

impl DiskFile for PlantedFile {
    fn again(&self) -> io::Result<Self> {
        self.file.again().map(|file| PlantedDisk::file(&self.path, file))
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn write_some_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        match fault("write", &self.path) {
            None => self.file.write_some_at(offset, bytes),
            Some(0) => self.file.write_some_at(offset, &bytes[..bytes.len().div_ceil(2)]),
            Some(number) => Err(io::Error::from_raw_os_error(number)),
        }
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        check("set-len", &self.path)?;
        self.file.set_len(bytes)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        check("sync", &self.path)?;
        self.file.sync_data()
    }

    fn sync_all(&mut self) -> io::Result<()> {
        check("sync", &self.path)?;
        self.file.sync_all()
    }
}
