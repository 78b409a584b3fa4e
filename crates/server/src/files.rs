//! The real files behind the configuration.

use config::Files;
use std::io::Read;

pub struct RealFiles;

impl Files for RealFiles {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
        std::fs::read(path).map_err(|error| runtime::reason(&error))
    }

    fn names(&mut self, directory: &str) -> Result<Vec<String>, String> {
        let entries = std::fs::read_dir(directory).map_err(|error| runtime::reason(&error))?;
        Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
    }

    fn stdin(&mut self) -> Result<Vec<u8>, String> {
        let mut text = Vec::new();
        std::io::stdin().lock().read_to_end(&mut text).map_err(|error| runtime::reason(&error))?;
        Ok(text)
    }
}
