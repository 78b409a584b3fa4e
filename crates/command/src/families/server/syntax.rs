//! The notation in which rows describe arguments, read into a tree.
//!
//! `name:type` is an argument; `TOKEN@name:type` one behind a word; `name=TOKEN` a word alone; `name(a|b)` one of several;
//! `name{a b}` several in a row. Suffixes: `?` optional, `*` multiple, `**` multiple with the token each time, `^1.2.3`
//! since, `~1.2.3` deprecated since, `#n` the key specification's index (of keys; 0 unless given). `name/text` is shown to people as `text`,
//! in which `;` stands for a colon.

/// One argument of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Argument {
    pub name: String,
    /// What people see instead of the name.
    pub display: String,
    /// As COMMAND DOCS names it: `key`, `string`, `oneof`, `block`, `pure-token` …
    pub kind: String,
    pub token: Option<String>,
    pub since: Option<String>,
    pub deprecated_since: Option<String>,
    pub key_spec: Option<i64>,
    pub optional: bool,
    pub multiple: bool,
    pub multiple_token: bool,
    pub arguments: Vec<Argument>,
}

/// Reads a row's whole syntax; `None` if it is malformed, which a test excludes.
pub fn parse(text: &str) -> Option<Vec<Argument>> {
    let mut reader = Reader { rest: text };
    let arguments = reader.list(' ')?;
    reader.rest.is_empty().then_some(arguments)
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Everything up to one of `ends`, at least one character.
    fn word(&mut self, ends: &[char]) -> Option<&'a str> {
        let first = self.rest.chars().next()?.len_utf8();
        let len = self.rest[first..].find(ends).map_or(self.rest.len(), |at| at + first);
        let (word, rest) = self.rest.split_at(len);
        self.rest = rest;
        Some(word)
    }

    fn list(&mut self, separator: char) -> Option<Vec<Argument>> {
        let mut arguments = Vec::new();
        if self.rest.is_empty() {
            return Some(arguments);
        }
        loop {
            arguments.push(self.argument()?);
            if !self.skip(separator) {
                return Some(arguments);
            }
        }
    }

    fn argument(&mut self) -> Option<Argument> {
        const ENDS: [char; 5] = [':', '=', '(', '{', '@'];
        const SUFFIXES: [char; 9] = [' ', '|', ')', '}', '?', '*', '^', '~', '#'];
        let mut argument = Argument::default();
        let mut name = self.word(&ENDS)?;
        if self.skip('@') {
            argument.token = Some(name.to_owned());
            name = self.word(&ENDS)?;
        }
        let (name, display) = name.split_once('/').unwrap_or((name, name));
        name.clone_into(&mut argument.name);
        argument.display = display.replace(';', ":");
        if self.skip(':') {
            self.word(&SUFFIXES)?.clone_into(&mut argument.kind);
        } else if self.skip('=') {
            "pure-token".clone_into(&mut argument.kind);
            argument.token = Some(self.word(&SUFFIXES)?.to_owned());
        } else if self.skip('(') {
            "oneof".clone_into(&mut argument.kind);
            argument.arguments = self.list('|')?;
            self.skip(')').then_some(())?;
        } else if self.skip('{') {
            "block".clone_into(&mut argument.kind);
            argument.arguments = self.list(' ')?;
            self.skip('}').then_some(())?;
        } else {
            return None;
        }
        argument.key_spec = (argument.kind == "key").then_some(0);
        self.suffixes(&mut argument)?;
        Some(argument)
    }

    fn suffixes(&mut self, argument: &mut Argument) -> Option<()> {
        const ENDS: [char; 9] = [' ', '|', ')', '}', '?', '*', '^', '~', '#'];
        loop {
            if self.skip('?') {
                argument.optional = true;
            } else if self.skip('*') {
                argument.multiple_token = argument.multiple;
                argument.multiple = true;
            } else if self.skip('^') {
                argument.since = Some(self.word(&ENDS)?.to_owned());
            } else if self.skip('~') {
                argument.deprecated_since = Some(self.word(&ENDS)?.to_owned());
            } else if self.skip('#') {
                argument.key_spec = Some(self.word(&ENDS)?.parse().ok()?);
            } else {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syntax_of_every_row_is_well_formed() {
        const KINDS: [&str; 9] =
            ["key", "string", "integer", "double", "pattern", "unix-time", "pure-token", "oneof", "block"];
        fn check(name: &str, arguments: &[Argument]) {
            for argument in arguments {
                assert!(KINDS.contains(&argument.kind.as_str()), "{name}: {argument:?}");
                check(name, &argument.arguments);
            }
        }
        for id in 0..crate::registry::ids() {
            let row = crate::registry::by_id(id);
            check(
                row.full_name,
                &parse(row.syntax).unwrap_or_else(|| panic!("{}: {}", row.full_name, row.syntax)),
            );
        }
    }

    #[test]
    fn all_forms() {
        let set = parse("key:key#1 value:string* condition(nx=NX|xx=XX)?^2.0.0 MAX@limit{eq==? n:integer}**")
            .unwrap();
        assert_eq!((set[0].kind.as_str(), set[0].key_spec), ("key", Some(1)));
        assert!(set[1].multiple && !set[1].multiple_token);
        assert_eq!(set[2].arguments[1].token.as_deref(), Some("XX"));
        assert_eq!((set[2].optional, set[2].since.as_deref()), (true, Some("2.0.0")));
        assert_eq!(set[3].token.as_deref(), Some("MAX"));
        assert!(set[3].multiple_token && set[3].arguments[0].optional);
        assert_eq!(set[3].arguments[0].token.as_deref(), Some("="));
        let old = parse("old/ip;port:string~2.8.12^2.4.0").unwrap();
        assert_eq!((old[0].name.as_str(), old[0].display.as_str()), ("old", "ip:port"));
        assert_eq!(old[0].deprecated_since.as_deref(), Some("2.8.12"));
        assert_eq!(old[0].since.as_deref(), Some("2.4.0"));
        assert_eq!(parse("a"), None);
        assert_eq!(parse("a(b:string"), None);
    }
}
