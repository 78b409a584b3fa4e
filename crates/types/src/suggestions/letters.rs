//! Letters without regard to case, one for each: so the places of letters stay, and a text has as many folded as it has letters.

/// The first letter of what a letter becomes when its case is folded: `ß` counts as `s`, as in RediSearch.
fn folded(letter: char) -> char {
    // A letter by itself, though its capital is that of `i`.
    const DOTLESS: char = 'ı';
    if letter.is_ascii() {
        return letter.to_ascii_lowercase();
    }
    if letter == DOTLESS {
        return letter;
    }
    let small = |letter: char| letter.to_lowercase().next().unwrap_or(letter);
    let capital = |letter: char| letter.to_uppercase().next().unwrap_or(letter);
    small(capital(small(letter)))
}

/// What suggestions and beginnings of them are compared by. What is no UTF-8 counts as U+FFFD.
pub fn fold(text: &[u8]) -> String {
    String::from_utf8_lossy(text).chars().map(folded).collect()
}

/// A text in small letters, as what is looked for is held against whole suggestions.
pub fn small(text: &[u8]) -> String {
    // The only letter that becomes two.
    String::from_utf8_lossy(text).replace('İ', "i").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_matter() {
        assert_eq!(fold(b"Hello World 42"), "hello world 42");
        assert_eq!(fold("СИНИЙ".as_bytes()), "синий");
        assert_eq!(fold("heiß".as_bytes()), "heis");
        assert_eq!(fold("HEIẞ".as_bytes()), "heis");
        assert_eq!(fold("νεανίας".as_bytes()), fold("ΝΕΑΝΊΑΣ".as_bytes()));
        assert_eq!(fold("İ".as_bytes()), "i");
        assert_eq!(fold("ı".as_bytes()), "ı");
        assert_eq!(fold(b"a\xffb"), "a\u{fffd}b");
    }

    #[test]
    fn small_letters_are_as_they_are_written() {
        assert_eq!(small("ΝΕΑΝΊΑΣ".as_bytes()), "νεανίας");
        assert_eq!(small("HEIẞ".as_bytes()), "heiß");
        assert_eq!(small("İ = I".as_bytes()), "i = i");
    }
}
