//! Reading files on behalf of the configuration: the caller's side as a trait, and finding what a pattern
//! matches.

use crate::error::{Place, StartError};
use base::glob;

/// What the caller does for this crate. Paths are as written in the configuration, relative ones to the
/// working directory of the process. Errors are the system's message, such as "No such file or directory".
pub trait Files {
    /// The whole text of a file.
    fn read(&mut self, path: &str) -> Result<Vec<u8>, String>;

    /// The names in a directory (`.` and `..` may be missing); an error counts as an empty directory.
    fn names(&mut self, directory: &str) -> Result<Vec<String>, String>;

    /// The standard input to its end. Asked for when the command line says `-`.
    fn stdin(&mut self) -> Result<Vec<u8>, String>;
}

/// The text of `path`, or of every file it matches if it is a pattern, with the place for messages.
pub(crate) fn read_all(path: &str, files: &mut dyn Files) -> Result<Vec<(Place, Vec<u8>)>, StartError> {
    let paths = if is_pattern(path) { expand(path, files) } else { vec![path.to_owned()] };
    let mut texts = Vec::with_capacity(paths.len());
    for path in paths {
        let text =
            files.read(&path).map_err(|reason| StartError::Unreadable { path: path.clone(), reason })?;
        texts.push((Place::File(path), text));
    }
    Ok(texts)
}

fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

/// The paths a pattern matches, sorted. As in a shell, `*` does not cross a slash and a leading dot must be
/// written.
fn expand(path: &str, files: &mut dyn Files) -> Vec<String> {
    let mut found = vec![if path.starts_with('/') { "/".to_owned() } else { String::new() }];
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let mut matched = false;
    for part in parts {
        matched |= is_pattern(part);
        let mut next = Vec::new();
        for base in found {
            if !matched {
                next.push(join(&base, part));
                continue;
            }
            let directory = if base.is_empty() { "." } else { &base };
            let mut names = files.names(directory).unwrap_or_default();
            names.sort_unstable();
            names.dedup();
            let fits = |name: &String| {
                name.starts_with('.') == part.starts_with('.')
                    && glob::matches(part.as_bytes(), name.as_bytes())
            };
            next.extend(names.iter().filter(|name| fits(name)).map(|name| join(&base, name)));
        }
        found = next;
    }
    found
}

fn join(base: &str, name: &str) -> String {
    if base.is_empty() || base.ends_with('/') { format!("{base}{name}") } else { format!("{base}/{name}") }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Files that exist only here.
    #[derive(Default)]
    pub(crate) struct Memory {
        pub files: BTreeMap<String, String>,
        pub stdin: String,
    }

    impl Memory {
        pub(crate) fn with(files: &[(&str, &str)]) -> Self {
            let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
            Memory { files, stdin: String::new() }
        }
    }

    impl Files for Memory {
        fn read(&mut self, path: &str) -> Result<Vec<u8>, String> {
            let text = self.files.get(path).ok_or("No such file or directory")?;
            Ok(text.clone().into_bytes())
        }

        fn names(&mut self, directory: &str) -> Result<Vec<String>, String> {
            let prefix = if directory == "." { String::new() } else { join(directory, "") };
            let below = self.files.keys().filter_map(|path| path.strip_prefix(&prefix));
            Ok(below.map(|rest| rest.split('/').next().unwrap_or(rest).to_owned()).collect())
        }

        fn stdin(&mut self) -> Result<Vec<u8>, String> {
            Ok(self.stdin.clone().into_bytes())
        }
    }

    #[test]
    fn patterns_in_paths() {
        let mut files = Memory::with(&[
            ("/etc/weft/b.conf", ""),
            ("/etc/weft/a.conf", ""),
            ("/etc/weft/.hidden.conf", ""),
            ("/etc/weft/readme", ""),
            ("local.conf", ""),
        ]);
        assert_eq!(expand("/etc/weft/*.conf", &mut files), ["/etc/weft/a.conf", "/etc/weft/b.conf"]);
        assert_eq!(expand("/etc/*/a.conf", &mut files), ["/etc/weft/a.conf"]);
        assert_eq!(expand("l*.conf", &mut files), ["local.conf"]);
        assert!(expand("/none/*.conf", &mut files).is_empty());
    }
}
