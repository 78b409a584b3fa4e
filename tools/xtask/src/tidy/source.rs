//! A Rust source file, and the same with comments, strings and character literals blanked out, so that rules can
//! search for code by plain text without being fooled. Not a parser: it knows just enough of the lexical grammar.

use std::fs;
use std::io;
use std::path::Path;

/// Where sources are looked for, below the workspace.
const PLACES: [&str; 4] = ["crates", "tools", "benches", "tests"];

/// One file.
pub struct Source {
    /// Relative to the workspace, with `/`.
    pub path: String,
    pub text: String,
    /// As long as `text`, with the same lines; what is not code is blank.
    pub code: String,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    pub name: String,
    /// Line of `fn`, counted from 1.
    pub line: usize,
    /// From `fn` to the closing brace.
    pub line_count: usize,
}

/// All `.rs` files of the workspace, sorted by path.
pub fn all(root: &Path) -> io::Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut directories: Vec<_> =
        PLACES.iter().map(|place| root.join(place)).filter(|path| path.is_dir()).collect();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            if path.is_dir() && !path.ends_with("target") {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
                sources.push(Source::new(relative, fs::read_to_string(&path)?));
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

impl Source {
    /// A file with that text.
    pub fn new(path: String, text: String) -> Source {
        let code = blanked(&text);
        Source { path, text, code }
    }

    /// The line of a place in the text, counted from 1.
    pub fn line_of(&self, at: usize) -> usize {
        1 + self.code.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count()
    }

    /// The code without the items under `#[cfg(test)]`.
    pub fn code_without_tests(&self) -> String {
        const MARK: &str = "#[cfg(test)]";
        let mut code = self.code.clone();
        while let Some(start) = code.find(MARK) {
            let body = start + MARK.len();
            let end = item_end(&code, body);
            let blank = blank(&code[start..end]);
            code.replace_range(start..end, &blank);
        }
        code
    }

    /// All functions that have a body.
    pub fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        let mut from = 0;
        while let Some(found) = self.code[from..].find("fn ") {
            let at = from + found;
            from = at + 3;
            let before = self.code[..at].chars().next_back();
            let rest = self.code[from..].trim_start();
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if name.is_empty() || before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
                continue;
            }
            let end = item_end(&self.code, from);
            if self.code[..end].ends_with('}') {
                let line = self.line_of(at);
                functions.push(Function { name, line, line_count: self.line_of(end - 1) + 1 - line });
            }
        }
        functions
    }
}

/// The end of the item that begins at `from`: behind its closing brace, or behind the semicolon of one without a body.
fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0usize;
    let mut in_braces = false;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' | b'{' => {
                in_braces |= byte == b'{' && depth == 0;
                depth += 1;
            }
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && in_braces && byte == b'}' {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let length = not_code(&text[at..], out.chars().next_back());
        if length > 0 {
            out.push_str(&blank(&text[at..at + length]));
            at += length;
        } else {
            let c = text[at..].chars().next().expect("not at the end");
            // A character of several bytes becomes as many, so that places in both texts agree.
            if c.is_ascii() {
                out.push(c)
            } else {
                out.push_str(&"_".repeat(c.len_utf8()))
            }
            at += c.len_utf8();
        }
    }
    out
}

/// The length of the comment, string or character literal at the front; 0 when there is none.
fn not_code(text: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return block_comment(text);
    }
    if text.starts_with('"') {
        return quoted(text, 0);
    }
    if !in_word {
        let prefix = text.bytes().take_while(|byte| matches!(byte, b'b' | b'c' | b'r')).count();
        let hashes = text[prefix..].bytes().take_while(|&byte| byte == b'#').count();
        let is_raw = prefix > 0 && text[..prefix].contains('r') && text[prefix + hashes..].starts_with('"');
        if is_raw {
            let open = prefix + hashes + 1;
            let close = format!("\"{}", "#".repeat(hashes));
            return text[open..].find(&close).map_or(text.len(), |found| open + found + close.len());
        }
    }
    if text.starts_with('\'') { character(text) } else { 0 }
}

fn block_comment(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at + 1 < bytes.len() {
        match &bytes[at..at + 2] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn quoted(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = from + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// A character literal, as opposed to a lifetime: `'\…'`, or one character between quotes.
fn character(text: &str) -> usize {
    let mut inside = text[1..].chars();
    match inside.next() {
        Some('\\') => text[3..].find('\'').map_or(0, |found| found + 4),
        Some(c) if text[1 + c.len_utf8()..].starts_with('\'') => c.len_utf8() + 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(text: &str) -> Source {
        Source::new("x.rs".into(), text.into())
    }

    #[test]
    fn only_code_is_left() {
        let text = "a /* x /* y */ z */ b // c\n\"d\\\"d\" r#\"e\"e\"# 'f' '\\'' 'g: &'h str b\"i\" for";
        let code = source(text).code;
        assert_eq!(code.len(), text.len());
        assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "b", "'g:", "&'h", "str", "b", "for"]);
        assert_eq!(source("\"ü\" é x").code, "     __ x");
    }

    #[test]
    fn functions_are_measured() {
        let text =
            "fn a() {\n  \"}\"\n}\ntrait T {\n  fn b(x: [u8; 2]);\n  fn c() -> u8 { 1 }\n}\nlet f: fn (u8);";
        let measured = |name: &str, line, line_count| Function { name: name.into(), line, line_count };
        assert_eq!(source(text).functions(), [measured("a", 1, 3), measured("c", 6, 1)]);
    }

    #[test]
    fn test_modules_are_left_out() {
        let code = source("fn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }\n#[cfg(test)] use c;\nfn d() {}");
        let code = code.code_without_tests();
        assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["fn", "a()", "{}", "fn", "d()", "{}"]);
    }
}
