//! Checks of texts beyond their kind, with redis-server's messages.

use super::DirectiveId;
use crate::value::Value;

type Outcome = Result<(), &'static str>;

fn is_file_name(text: &[u8]) -> bool {
    !text.contains(&b'/') && !text.contains(&b'\\')
}

fn all(text: &[u8], fine: impl Fn(u8) -> bool, message: &'static str) -> Outcome {
    if text.iter().all(|b| fine(*b)) { Ok(()) } else { Err(message) }
}

pub(super) fn file_name(text: &[u8]) -> Outcome {
    if is_file_name(text) { Ok(()) } else { Err("dbfilename can't be a path, just a filename") }
}

pub(super) fn append_file_name(text: &[u8]) -> Outcome {
    match text {
        [] => Err("appendfilename can't be empty"),
        _ if is_file_name(text) => Ok(()),
        _ => Err("appendfilename can't be a path, just a filename"),
    }
}

pub(super) fn append_directory_name(text: &[u8]) -> Outcome {
    match text {
        [] => Err("appenddirname can't be empty"),
        _ if is_file_name(text) => Ok(()),
        _ => Err("appenddirname can't be a path, just a dirname"),
    }
}

pub(super) fn backup_directory_name(text: &[u8]) -> Outcome {
    match text {
        [] => Err("backupdirname can't be empty"),
        _ if is_file_name(text) => Ok(()),
        _ => Err("backupdirname can't be a path, just a dirname"),
    }
}

pub(super) fn preload_file(text: &[u8]) -> Outcome {
    let path = text.strip_prefix(b"rdb:").or_else(|| text.strip_prefix(b"aof:"));
    let has_extension = |path: &[u8]| {
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        matches!(name.iter().rposition(|byte| *byte == b'.'), Some(at) if at + 1 < name.len())
    };
    match path {
        None if text.is_empty() => Ok(()),
        None => Err("preload-file argument must be in the format <aof|rdb>:<path>"),
        Some(path) if has_extension(path) => Ok(()),
        Some(_) => Err("preload-file must end with an extension"),
    }
}

pub(super) fn host_name(text: &[u8]) -> Outcome {
    if text.len() >= 256 {
        return Err("Hostnames must be less than 256 characters");
    }
    let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    all(text, fine, "Hostnames may only contain alphanumeric characters, hyphens or dots")
}

pub(super) fn node_name(text: &[u8]) -> Outcome {
    let fine = |b: u8| !b"!#$%&()*+:;<>?@[]^{|}~".contains(&b);
    all(text, fine, "Announced human node name contained invalid character")
}

/// Variables in braces must be known, braces closed, and something must remain to be seen.
pub(super) fn proc_title(text: &[u8]) -> Outcome {
    const KNOWN: [&[u8]; 7] =
        [b"title", b"listen-addr", b"server-mode", b"port", b"tls-port", b"unixsocket", b"config-file"];
    /// Those that are never empty.
    const SEEN: [&[u8]; 3] = [b"listen-addr", b"port", b"tls-port"];
    const INVALID: &str = "template format is invalid or contains unknown variables";
    let is_seen = |text: &[u8]| !text.trim_ascii().is_empty();
    let (mut rest, mut is_any_seen) = (text, false);
    while let Some(open) = rest.iter().position(|b| *b == b'{') {
        let name = &rest[open + 1..];
        let close = name.iter().position(|b| *b == b'}');
        let Some(name) = close.map(|close| &name[..close]).filter(|name| KNOWN.contains(name)) else {
            return Err(INVALID);
        };
        is_any_seen |= SEEN.contains(&name) || is_seen(&rest[..open]);
        rest = &rest[open + name.len() + 2..];
    }
    if is_any_seen || is_seen(rest) { Ok(()) } else { Err(INVALID) }
}

/// Numbers and ranges with commas between them: `0-3,8`.
pub(super) fn cpu_list(text: &[u8]) -> Outcome {
    if text.is_empty() || crate::settings::cpus(text).is_some() {
        return Ok(());
    }
    Err("argument must be a list of cores such as 0-3,8")
}

/// A power of two; its bounds are checked before.
pub(super) fn array_slice_size(text: &[u8]) -> Outcome {
    let size = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse::<u64>().ok());
    if size.is_some_and(u64::is_power_of_two) {
        return Ok(());
    }
    Err("array-slice-size must be a power of two")
}

/// Whether the one bound is not zero and not above the other.
fn are_sparse_bounds_crossed(values: &[Value]) -> bool {
    let int = |name| match values[DirectiveId::of(name).index()] {
        Value::Int(value) => value,
        _ => unreachable!("it is a number"),
    };
    (1..=int("array-sparse-kmin")).contains(&int("array-sparse-kmax"))
}

pub(super) fn array_sparse_kmax(values: &[Value]) -> Outcome {
    if are_sparse_bounds_crossed(values) {
        return Err("array-sparse-kmax must be greater than array-sparse-kmin when non-zero");
    }
    Ok(())
}

pub(super) fn array_sparse_kmin(values: &[Value]) -> Outcome {
    if are_sparse_bounds_crossed(values) {
        return Err("array-sparse-kmin must be less than array-sparse-kmax");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slice_sizes() {
        assert!(array_slice_size(b"4096").is_ok() && array_slice_size(b"5000").is_err());
    }

    #[test]
    fn names() {
        assert!(file_name(b"dump.rdb").is_ok() && file_name(b"").is_ok());
        assert!(file_name(b"a/b").is_err() && file_name(b"a\\b").is_err());
        assert!(append_file_name(b"").is_err() && append_directory_name(b"a/b").is_err());
        assert!(
            host_name(b"a-b.C1").is_ok() && host_name(b"a_b").is_err() && host_name(&[b'a'; 256]).is_err()
        );
        assert!(node_name(b"node 1").is_ok() && node_name(b"a;b").is_err());
    }

    #[test]
    fn titles() {
        assert!(proc_title(b"{title} x {port}").is_ok());
        assert!(proc_title(b"{title}").is_err() && proc_title(b"{title} {port}").is_ok());
        assert!(proc_title(b"{x}").is_err() && proc_title(b" ").is_err() && proc_title(b"{title").is_err());
    }

    #[test]
    fn cores() {
        assert!(cpu_list(b"0-3,8").is_ok() && cpu_list(b"").is_ok());
        assert!(cpu_list(b"3-0").is_err() && cpu_list(b"a").is_err() && cpu_list(b"0-99999999999").is_err());
    }
}
