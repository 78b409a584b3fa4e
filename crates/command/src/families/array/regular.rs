//! Regular expressions: read in the extended syntax of POSIX with the additions of TRE, which Redis uses, and put into the
//! syntax of the `regex` crate, which finds matches in time proportional to the text.
//!
//! Texts and expressions are bytes; `.` is any of them, a line feed included. What is beyond the additions that TRE's own manual
//! names (flags within the expression, approximate matching) is refused as invalid, and so are, on purpose as in Redis,
//! references back to a group.

use std::fmt::Write;

/// TRE's names for what can be wrong.
pub const INVALID: &str = "Invalid regexp";
const COLLATION: &str = "Unknown collating element";
const CLASS: &str = "Unknown character class name";
const TRAILING: &str = "Trailing backslash";
const REFERENCE: &str = "Invalid back reference";
const BRACKET: &str = "Missing ']'";
const PARENTHESIS: &str = "Missing ')'";
const BRACE: &str = "Missing '}'";
const BOUND: &str = "Invalid contents of {}";
const RANGE: &str = "Invalid character range";
pub const TOO_LARGE: &str = "Out of memory";
const REPETITION: &str = "Invalid use of repetition operators";

/// The most that `{}` may ask for (`RE_DUP_MAX`).
const REPEAT_MAX: u32 = 255;

/// An expression in the syntax of the `regex` crate.
#[derive(Debug)]
pub struct Translated {
    pub text: String,
    /// It refers to groups it has, which is not supported.
    pub refers_back: bool,
    /// Bytes of a text that it may have to compare each byte with: those of the expression, repetitions written out.
    pub positions: u64,
}

struct Translator<'a> {
    rest: &'a [u8],
    out: String,
    /// Of each group that is open, and of the whole, the positions so far.
    positions: Vec<u64>,
    /// Positions of the atom in front.
    atom: u64,
    groups: u32,
    /// The highest group referred to.
    reference: u32,
    /// Something to repeat stands in front.
    has_atom: bool,
}

/// Reads an expression.
///
/// # Errors
/// What is wrong with it, in TRE's words.
pub fn translate(expression: &[u8]) -> Result<Translated, &'static str> {
    let mut translator = Translator {
        rest: expression,
        out: String::with_capacity(expression.len() + 16),
        positions: vec![0],
        atom: 0,
        groups: 0,
        reference: 0,
        has_atom: false,
    };
    while let Some(byte) = translator.take() {
        translator.item(byte)?;
    }
    if translator.positions.len() > 1 {
        return Err(PARENTHESIS);
    }
    if translator.reference > translator.groups {
        return Err(REFERENCE);
    }
    let positions = translator.positions.iter().sum();
    Ok(Translated { text: translator.out, refers_back: translator.reference > 0, positions })
}

impl Translator<'_> {
    fn take(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn skip(&mut self, prefix: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(prefix);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn item(&mut self, byte: u8) -> Result<(), &'static str> {
        match byte {
            b'\\' => return self.escape(),
            b'[' => self.bracket()?,
            b'(' => {
                if self.skip(b"?:") {
                } else if self.rest.first() == Some(&b'?') {
                    return Err(INVALID);
                } else {
                    self.groups += 1;
                }
                self.out.push_str("(?:");
                self.positions.push(0);
                self.has_atom = false;
                return Ok(());
            }
            b')' => {
                if self.positions.len() == 1 {
                    return Err(PARENTHESIS);
                }
                self.out.push(')');
                let inside = self.positions.pop().expect("counted");
                self.add(inside);
            }
            b'|' => {
                self.out.push('|');
                self.has_atom = false;
                return Ok(());
            }
            b'*' | b'+' | b'?' => {
                self.repeat(&char::from(byte).to_string(), 1);
                return self.after_repetition();
            }
            b'{' => {
                let (bound, times) = self.bound()?;
                self.repeat(&bound, times);
                return self.after_repetition();
            }
            b'^' | b'$' | b'.' => {
                self.out.push(byte.into());
                self.add(1);
            }
            other => self.literal(other),
        }
        self.has_atom = true;
        Ok(())
    }

    /// An atom of so many positions.
    fn add(&mut self, positions: u64) {
        self.atom = positions;
        let sum = self.positions.last_mut().expect("the whole is always there");
        *sum = sum.saturating_add(positions);
    }

    fn literal(&mut self, byte: u8) {
        self.add(1);
        if byte.is_ascii_alphanumeric() {
            self.out.push(byte.into());
        } else {
            write!(self.out, "\\x{byte:02x}").expect("a string takes all");
        }
    }

    /// A repetition of what stands in front; of the empty text if nothing does.
    fn repeat(&mut self, how: &str, times: u32) {
        if self.has_atom {
            let whole = self.atom.saturating_mul(u64::from(times.max(1)));
            self.add(whole - self.atom);
            self.atom = whole;
        } else {
            self.atom = 0;
            self.out.push_str("(?:)");
        }
        self.out.push_str(how);
        self.has_atom = true;
    }

    /// Behind a repetition, `?` makes it a short one; `*` and `+` are reserved.
    fn after_repetition(&mut self) -> Result<(), &'static str> {
        match self.rest.first() {
            Some(b'?') => {
                self.rest = &self.rest[1..];
                self.out.push('?');
                Ok(())
            }
            Some(b'*' | b'+') => Err(REPETITION),
            _ => Ok(()),
        }
    }

    fn number(&mut self) -> Result<Option<u32>, &'static str> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        if number.is_empty() {
            return Ok(None);
        }
        let value = std::str::from_utf8(number).ok().and_then(|text| text.parse().ok());
        value.filter(|&value| value <= REPEAT_MAX).map(Some).ok_or(BOUND)
    }

    /// What stands between braces, and how often that writes out what stands in front.
    fn bound(&mut self) -> Result<(String, u32), &'static str> {
        let least = self.number()?;
        let most = if self.skip(b",") { self.number()? } else { least.or(Some(u32::MAX)) };
        if !self.rest.contains(&b'}') {
            return Err(BRACE);
        }
        if !self.skip(b"}") || most == Some(u32::MAX) {
            return Err(BOUND);
        }
        let least = least.unwrap_or(0);
        match most {
            None => Ok((format!("{{{least},}}"), least + 1)),
            Some(most) if most < least => Err(BOUND),
            Some(most) => Ok((format!("{{{least},{most}}}"), most)),
        }
    }

    fn escape(&mut self) -> Result<(), &'static str> {
        let byte = self.take().ok_or(TRAILING)?;
        match byte {
            b'w' | b'W' | b's' | b'S' | b'd' | b'D' | b'b' | b'B' => {
                self.out.push('\\');
                self.out.push(byte.into());
                self.add(1);
            }
            b'<' => self.out.push_str("\\b{start}"),
            b'>' => self.out.push_str("\\b{end}"),
            b't' => self.literal(b'\t'),
            b'n' => self.literal(b'\n'),
            b'r' => self.literal(b'\r'),
            b'f' => self.literal(0x0c),
            b'a' => self.literal(0x07),
            b'e' => self.literal(0x1b),
            b'x' => self.hexadecimal()?,
            b'Q' => return self.quoted(),
            b'1'..=b'9' => {
                self.reference = self.reference.max(u32::from(byte - b'0'));
                self.out.push_str("(?:)");
            }
            other => self.literal(other),
        }
        self.has_atom = true;
        Ok(())
    }

    /// `\x41`, `\x{41}`: a byte.
    fn hexadecimal(&mut self) -> Result<(), &'static str> {
        let in_braces = self.skip(b"{");
        let most = if in_braces { self.rest.len() } else { 2 };
        let digits = self.rest.iter().take(most).take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        if in_braces && !self.skip(b"}") {
            return Err(BRACE);
        }
        let text = std::str::from_utf8(number).unwrap_or_default();
        let value = if text.is_empty() { Ok(0) } else { u8::from_str_radix(text, 16) };
        self.literal(value.map_err(|_| INVALID)?);
        Ok(())
    }

    /// `\Q…\E`: as it stands.
    fn quoted(&mut self) -> Result<(), &'static str> {
        while !self.rest.is_empty() && !self.skip(b"\\E") {
            let byte = self.take().expect("not empty");
            self.literal(byte);
            self.has_atom = true;
        }
        Ok(())
    }

    /// A set of bytes. Nothing is special in it but `]` behind the first place, `-` between two, and classes.
    fn bracket(&mut self) -> Result<(), &'static str> {
        self.add(1);
        self.out.push('[');
        if self.skip(b"^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let byte = self.take().ok_or(BRACKET)?;
            match byte {
                b']' if !first => break,
                b'[' if self.rest.first() == Some(&b':') => self.class()?,
                b'[' if matches!(self.rest.first(), Some(b'.' | b'=')) => return Err(COLLATION),
                low => self.range(low)?,
            }
            first = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// One byte, or as many as `-` says.
    fn range(&mut self, low: u8) -> Result<(), &'static str> {
        let high = match self.rest {
            [b'-', b']', ..] | [] => low,
            [b'-', b'[', b'.' | b'=', ..] => return Err(COLLATION),
            [b'-', b'[', b':', ..] => return Err(RANGE),
            [b'-', high, rest @ ..] => {
                self.rest = rest;
                *high
            }
            _ => low,
        };
        if high < low {
            return Err(RANGE);
        }
        write!(self.out, "\\x{low:02x}-\\x{high:02x}").expect("a string takes all");
        Ok(())
    }

    /// `[:alpha:]`.
    fn class(&mut self) -> Result<(), &'static str> {
        const KNOWN: [&str; 12] = [
            "alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
            "upper", "xdigit",
        ];
        let name_end = self.rest[1..].iter().position(|&byte| byte == b':').ok_or(CLASS)?;
        let name = &self.rest[1..=name_end];
        let known = KNOWN.into_iter().find(|known| known.as_bytes() == name).ok_or(CLASS)?;
        self.rest = &self.rest[name_end + 2..];
        if !self.skip(b"]") {
            return Err(CLASS);
        }
        write!(self.out, "[:{known}:]").expect("a string takes all");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::random::Random;

    fn is_match(expression: &str, text: &str) -> bool {
        let translated = translate(expression.as_bytes()).expect(expression);
        let mut builder = regex::bytes::RegexBuilder::new(&translated.text);
        let regex = builder.unicode(false).dot_matches_new_line(true).build().expect(expression);
        regex.is_match(text.as_bytes())
    }

    #[test]
    fn expressions_mean_what_posix_says() {
        for (expression, yes, no) in [
            ("^[A-Za-z]+: (cpu|net)$", "error: net", "error: disk"),
            ("a.c", "a\nc", "ac"),
            ("[]a]b", "]b", "bb"),
            ("[^]a]b", "bb", "]b"),
            ("[a\\d]z", "\\z", "5z"),
            ("[[:digit:]x-]!", "-!", "y!"),
            ("a{2,3}b", "aab", "ab"),
            ("^a{,2}$", "aa", "aaa"),
            ("^a{2}$", "aa", "a"),
            ("\\<word\\>", "a word.", "swords"),
            ("\\w\\d\\s", "x1 ", "x1x"),
            ("\\x41\\x{42}", "AB", "ab"),
            ("\\Qa.b\\Ec", "a.bc", "axbc"),
            ("\\.\\*\\/", ".*/", "xx/"),
            ("^*a", "ba", "bb"),
            ("^(|a)b$", "b", "cb"),
            ("a*?b+?c??d", "bd", "d"),
            ("(?:ab)+$", "abab", "aba"),
            ("\u{e9}+$", "\u{e9}", "e"),
            ("&&~~--", "&&~~--", "x"),
        ] {
            assert!(is_match(expression, yes), "{expression}");
            assert!(!is_match(expression, no), "{expression}");
        }
    }

    #[test]
    fn positions_are_those_of_the_expression_written_out() {
        let positions = |expression: &str| translate(expression.as_bytes()).expect(expression).positions;
        assert_eq!(positions("abc"), 3);
        assert_eq!(positions("(a|b)*a(a|b){255}"), 3 + 2 * 255);
        assert_eq!(positions("((ab{3}){2}c){10,}[a-z]?"), (2 * 4 + 1) * 11 + 1);
        assert_eq!(positions(&format!("{}a{}", "(".repeat(9), "){255}".repeat(9))), u64::MAX);
    }

    #[test]
    fn what_is_wrong_has_the_names_of_tre() {
        for (expression, wrong) in [
            ("(a", PARENTHESIS),
            ("a)", PARENTHESIS),
            ("[a", BRACKET),
            ("[", BRACKET),
            ("a{1", BRACE),
            ("a{}", BOUND),
            ("a{x}", BOUND),
            ("a{2,1}", BOUND),
            ("a{256}", BOUND),
            ("a\\", TRAILING),
            ("[z-a]", RANGE),
            ("[[:nope:]]", CLASS),
            ("[[.a.]]", COLLATION),
            ("a**", REPETITION),
            ("a+*", REPETITION),
            ("\\1", REFERENCE),
            ("(?i)a", INVALID),
        ] {
            assert_eq!(translate(expression.as_bytes()).expect_err(expression), wrong, "{expression}");
        }
        assert!(translate(b"(a)\\1").expect("known").refers_back);
    }

    /// Whatever is read is an expression for the other crate as well.
    #[test]
    fn all_that_is_read_can_be_compiled() {
        const PARTS: &[&str] = &[
            "a",
            "\\",
            "[",
            "]",
            "(",
            ")",
            "{",
            "}",
            "*",
            "+",
            "?",
            "|",
            "^",
            "$",
            ".",
            "-",
            ",",
            "1",
            "9",
            "[:alpha:]",
            "x",
            "\u{e9}",
            "&&",
            "\\<",
            "\\Q",
            "\\E",
            "\\x",
            "(?:",
            "{2,3}",
            " ",
            "#",
        ];
        let mut compiled = 0;
        for seed in 0..20_000 {
            let mut random = Random::from_seed(seed);
            let parts = (0..1 + random.index(8)).map(|_| PARTS[random.index(PARTS.len())]);
            let expression: String = parts.collect();
            if let Ok(translated) = translate(expression.as_bytes()) {
                let built = regex::bytes::RegexBuilder::new(&translated.text).unicode(false).build();
                assert!(built.is_ok(), "{expression}: {}", translated.text);
                compiled += 1;
            }
        }
        assert!(compiled > 5000, "{compiled}");
    }
}
