//! The patterns of SORT: `BY weight_*`, `GET object_*->name`, `GET #`.

use crate::Cx;
use crate::families::hash::fields;
use keyspace::{Key, ValueRef};
use std::iter;

/// What stands for an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// There is no `*`: nothing is found.
    Nothing,
    /// The string under `before` element `after`, or a field of the hash there.
    Key { before: &'a [u8], after: &'a [u8], field: Option<&'a [u8]> },
}

impl<'a> Pattern<'a> {
    pub fn parse(text: &'a [u8]) -> Self {
        if text == b"#" {
            return Self::Element;
        }
        let Some(star) = text.iter().position(|&byte| byte == b'*') else { return Self::Nothing };
        let (before, rest) = (&text[..star], &text[star + 1..]);
        // An arrow with nothing behind it is part of the name.
        let arrow = rest.windows(2).position(|pair| pair == b"->").filter(|at| at + 2 < rest.len());
        match arrow {
            Some(at) => Self::Key { before, after: &rest[..at], field: Some(&rest[at + 2..]) },
            None => Self::Key { before, after: rest, field: None },
        }
    }

    /// The key to look up for an element, if any.
    pub fn key(self, element: &[u8]) -> Option<Vec<u8>> {
        let Self::Key { before, after, .. } = self else { return None };
        Some([before, element, after].concat())
    }

    /// Gives `see` what stands for an element; `None` if the key is missing or holds another type, or the field is missing. A field
    /// whose time is over goes, as if HGET had asked for it.
    pub fn look_up<R>(self, cx: &mut Cx<'_>, element: &[u8], see: impl FnOnce(Option<&[u8]>) -> R) -> R {
        let Self::Key { field, .. } = self else {
            return see((self == Self::Element).then_some(element));
        };
        let name = self.key(element).expect("it is a key's pattern");
        let now_ms = cx.now_ms();
        let key = Key::new(&name, &cx.shard.seed);
        let Some(pos) = cx.find(key) else { return see(None) };
        match (cx.db().value(pos), field) {
            (ValueRef::Str { bytes, .. }, None) => see(Some(bytes.bytes())),
            (ValueRef::Hash(hash), Some(field)) => match hash.get(field, now_ms) {
                Some(value) => see(Some(&value.text())),
                None => {
                    if fields::may_be_over(hash, now_ms) {
                        fields::forget_expired(cx, key, pos, iter::once(field));
                    }
                    see(None)
                }
            },
            _ => see(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_a_star_and_maybe_a_field() {
        let key = |before, after, field| Pattern::Key { before, after, field };
        assert_eq!(Pattern::parse(b"#"), Pattern::Element);
        assert_eq!(Pattern::parse(b"##"), Pattern::Nothing);
        assert_eq!(Pattern::parse(b""), Pattern::Nothing);
        assert_eq!(Pattern::parse(b"h->f"), Pattern::Nothing);
        assert_eq!(Pattern::parse(b"w_*"), key(b"w_", b"", None));
        assert_eq!(Pattern::parse(b"*"), key(b"", b"", None));
        assert_eq!(Pattern::parse(b"a*b*c"), key(b"a", b"b*c", None));
        assert_eq!(Pattern::parse(b"h*x->f->g"), key(b"h", b"x", Some(b"f->g")));
        assert_eq!(Pattern::parse(b"h->*"), key(b"h->", b"", None));
        assert_eq!(Pattern::parse(b"h*->"), key(b"h", b"->", None));
        assert_eq!(Pattern::parse(b"a*c").key(b"b"), Some(b"abc".to_vec()));
    }
}
