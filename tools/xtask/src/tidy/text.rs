//! What the repository holds is text: no archive, program or picture of bytes gets in by mistake.

use super::Problem;
use crate::command_line::{capture, command};
use std::fs;
use std::path::Path;

/// Larger files are made by a machine and can be made again.
const BYTES_MAX: usize = 512 << 10;

/// The broken rules of all files that are tracked, or would be with `git add --all`. Without git there is nothing to get in.
pub fn check(root: &Path) -> Vec<Problem> {
    let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let Some(paths) = capture(&mut command("git", &list)) else { return Vec::new() };
    let paths = paths.split('\0').filter(|path| !path.is_empty());
    // A tracked file may have been removed and not yet committed.
    paths.filter_map(|path| problem(path, &fs::read(root.join(path)).ok()?)).collect()
}

fn problem(path: &str, bytes: &[u8]) -> Option<Problem> {
    let what = if std::str::from_utf8(bytes).is_err() || bytes.contains(&0) {
        "is not text; what is fetched or built stays out of the repository".to_owned()
    } else if bytes.len() > BYTES_MAX {
        format!("has {} bytes; {BYTES_MAX} are allowed", bytes.len())
    } else {
        return None;
    };
    Some(Problem { path: path.to_owned(), line: 0, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_and_large_files_are_found() {
        assert_eq!(problem("a.md", "text, müde".as_bytes()), None);
        assert!(problem("a.whl", b"PK\x03\x04\x00\x00").is_some());
        assert!(problem("a.bin", &[0xff, 0xfe]).is_some());
        assert!(problem("a.csv", &vec![b'1'; BYTES_MAX + 1]).is_some());
    }
}
