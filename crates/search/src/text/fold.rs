//! Letters without regard to case.

use std::borrow::Cow;

/// A word in small letters, as terms and tags are kept.
pub fn fold(word: &[u8]) -> Cow<'_, [u8]> {
    if word.is_ascii() {
        return if word.iter().any(u8::is_ascii_uppercase) {
            Cow::Owned(word.to_ascii_lowercase())
        } else {
            Cow::Borrowed(word)
        };
    }
    match std::str::from_utf8(word) {
        Ok(text) => Cow::Owned(text.to_lowercase().into_bytes()),
        Err(_) => Cow::Owned(word.to_ascii_lowercase()),
    }
}

/// What a SORTABLE text is compared by, unless it is UNF. Letters are folded as in terms, and ß is ss; diacritics stay, as in RediSearch's tests,
/// although its documentation says that they go.
pub fn sort_key(text: &[u8]) -> Cow<'_, [u8]> {
    let folded = fold(text);
    match std::str::from_utf8(&folded) {
        Ok(text) if text.contains('ß') => Cow::Owned(text.replace('ß', "ss").into_bytes()),
        _ => folded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_all_scripts_become_small() {
        assert_eq!(&*fold(b"Hello_42"), b"hello_42");
        assert_eq!(&*fold("ÄÖÜ ЖУК ΑΣ".as_bytes()), "äöü жук ας".as_bytes());
        assert_eq!(&*fold(b"A\xffB"), b"a\xffb");
        assert!(matches!(fold(b"small"), Cow::Borrowed(_)));
    }
}
