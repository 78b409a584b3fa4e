//! The first line of scripts and libraries: `#!lua flags=no-writes`, `#!lua name=mylib`.

use crate::library::{NAME_RULE, is_name};
use resp::inline::split_words;

/// What a script or a library's function declares about itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags(pub u64);

impl Flags {
    pub const NO_WRITES: Self = Self(1);
    pub const ALLOW_OOM: Self = Self(1 << 1);
    pub const ALLOW_STALE: Self = Self(1 << 2);
    pub const NO_CLUSTER: Self = Self(1 << 3);
    pub const ALLOW_CROSS_SLOT_KEYS: Self = Self(1 << 5);

    pub fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }

    /// The names, in Redis's order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |(_, flag)| self.has(*flag)).map(|(name, _)| *name)
    }
}

const NAMES: [(&str, Flags); 5] = [
    ("no-writes", Flags::NO_WRITES),
    ("allow-oom", Flags::ALLOW_OOM),
    ("allow-stale", Flags::ALLOW_STALE),
    ("no-cluster", Flags::NO_CLUSTER),
    ("allow-cross-slot-keys", Flags::ALLOW_CROSS_SLOT_KEYS),
];

/// The bit of a flag.
pub fn flag_named(name: &[u8]) -> Option<u64> {
    NAMES.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, flag)| flag.0)
}

/// What the head of a script says: its flags (none: no shebang, the old rules hold) and the bytes to leave out when
/// compiling. The line's end stays, so that lines keep their numbers.
pub fn script_head(source: &[u8]) -> Result<(Option<Flags>, usize), String> {
    if !source.starts_with(b"#!") {
        return Ok((None, 0));
    }
    let end = source.iter().position(|&byte| byte == b'\n').ok_or("Invalid script shebang")?;
    let words = split_words(&source[..end]).filter(|words| !words.is_empty());
    let words = words.ok_or("Invalid engine in script shebang")?;
    if words[0] != b"#!lua" {
        return Err(format!("Unexpected engine in script shebang: {}", words[0].escape_lossy()));
    }
    let mut flags = Flags::default();
    for word in &words[1..] {
        let Some(list) = word.strip_prefix(b"flags=") else {
            return Err(format!("Unknown lua shebang option: {}", word.escape_lossy()));
        };
        for name in list.split(|&byte| byte == b',').filter(|_| !list.is_empty()) {
            let flag = flag_named(name)
                .ok_or_else(|| format!("Unexpected flag in script shebang: {}", name.escape_lossy()))?;
            flags.0 |= flag;
        }
    }
    Ok((Some(flags), end))
}

/// The head of a library.
#[derive(PartialEq, Eq, Debug)]
pub struct LibraryHead {
    pub name: Vec<u8>,
    /// Bytes to leave out when compiling.
    pub skip: usize,
}

/// Reads the head of a library; the error is what FUNCTION LOAD answers (without `ERR`).
pub fn library_head(code: &[u8]) -> Result<LibraryHead, String> {
    if !code.starts_with(b"#!") {
        return Err("Missing library metadata".into());
    }
    let end = code.iter().position(|&byte| byte == b'\n').ok_or("Invalid library metadata")?;
    let words =
        split_words(&code[..end]).filter(|words| !words.is_empty()).ok_or("Invalid library metadata")?;
    let mut name = None;
    for word in &words[1..] {
        if word.len() < 5 || !word[..5].eq_ignore_ascii_case(b"name=") {
            return Err(format!("Invalid metadata value given: {}", word.escape_lossy()));
        }
        if name.replace(word[5..].to_vec()).is_some() {
            return Err("Invalid metadata value, name argument was given multiple times".into());
        }
    }
    let name = name.ok_or("Library name was not given")?;
    if !is_name(&name) {
        return Err(NAME_RULE.into());
    }
    let engine = &words[0][2..];
    // The lookup of engines does not heed case.
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(format!("Engine '{}' not found", engine.escape_lossy()));
    }
    Ok(LibraryHead { name, skip: end })
}

/// Bytes in messages.
trait Lossy {
    fn escape_lossy(&self) -> String;
}

impl Lossy for [u8] {
    fn escape_lossy(&self) -> String {
        String::from_utf8_lossy(self).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(source: &str) -> Result<(Option<Flags>, usize), String> {
        script_head(source.as_bytes())
    }

    #[test]
    fn heads_of_scripts() {
        assert_eq!(script("return 1"), Ok((None, 0)));
        assert_eq!(script("#!lua\nreturn 1"), Ok((Some(Flags::default()), 5)));
        assert_eq!(script("#!lua flags=\nreturn 1"), Ok((Some(Flags::default()), 12)));
        let (flags, _) = script("#!lua flags=no-writes,allow-stale\n").unwrap();
        assert_eq!(flags.unwrap().names().collect::<Vec<_>>(), ["no-writes", "allow-stale"]);
        for (source, error) in [
            ("#!lua", "Invalid script shebang"),
            ("#!foo\n", "Unexpected engine in script shebang: #!foo"),
            ("#!\n", "Unexpected engine in script shebang: #!"),
            ("#!LUA\n", "Unexpected engine in script shebang: #!LUA"),
            ("#!lua 'a\n", "Invalid engine in script shebang"),
            ("#!lua name=a\n", "Unknown lua shebang option: name=a"),
            ("#!lua flags=x\n", "Unexpected flag in script shebang: x"),
            ("#!lua flags=no-writes,,allow-oom\n", "Unexpected flag in script shebang: "),
        ] {
            assert_eq!(script(source), Err(error.into()), "{source}");
        }
    }

    #[test]
    fn heads_of_libraries() {
        let head = library_head(b"#!lua name=\"a\"\nx").unwrap();
        assert_eq!((&*head.name, head.skip), (&b"a"[..], 14));
        for (code, error) in [
            ("x", "Missing library metadata"),
            ("#!lua name=a", "Invalid library metadata"),
            ("#!lua 'a\n", "Invalid library metadata"),
            ("#!\n", "Library name was not given"),
            ("#!lua\n", "Library name was not given"),
            ("#!foo name=a\n", "Engine 'foo' not found"),
            ("#!lua name=a-b\n", NAME_RULE),
            ("#!lua name=a b=c\n", "Invalid metadata value given: b=c"),
            ("#!lua name=a name=b\n", "Invalid metadata value, name argument was given multiple times"),
        ] {
            assert_eq!(library_head(code.as_bytes()), Err(error.into()), "{code}");
        }
    }
}
