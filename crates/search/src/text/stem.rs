//! The stem of a word, by Snowball (<https://snowballstem.org>).

use super::Language;
use std::borrow::Cow;

/// Shorter words are their own stems; MINSTEMLEN says otherwise.
pub const STEM_LETTERS_MIN: usize = 4;

/// Longer words, in bytes, are no words of a language.
const WORD_BYTES_MAX: usize = 128;

/// The stem of a folded word, if the language has stems and the word is long enough. It may be the word itself.
pub fn stem(language: Language, word: &[u8], letters_min: usize) -> Option<Cow<'_, str>> {
    let algorithm = language.algorithm()?;
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    let word = std::str::from_utf8(word).ok()?;
    if word.len() < letters_min || word.chars().take(letters_min).count() < letters_min {
        return None;
    }
    Some(waken_snowball::stem(algorithm, word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn english(word: &str) -> Option<Cow<'_, str>> {
        stem(Language::English, word.as_bytes(), STEM_LETTERS_MIN)
    }

    #[test]
    fn words_of_several_languages() {
        for form in ["studied", "studies", "study"] {
            assert_eq!(english(form).unwrap(), "studi");
        }
        for form in ["stück", "stücke", "stuck", "stucke"] {
            assert_eq!(stem(Language::German, form.as_bytes(), 4).unwrap(), "stuck");
        }
        let hindi = ["अँगरेजी", "अँगरेजों"].map(|word| stem(Language::Hindi, word.as_bytes(), 4).unwrap());
        assert_eq!(hindi[0], hindi[1]);
        for form in ["daremos", "darían", "dará", "daré"] {
            assert_eq!(stem(Language::Spanish, form.as_bytes(), 3).unwrap(), "dar");
        }
    }

    #[test]
    fn short_words_and_languages_without_stems() {
        assert_eq!(english("fry"), None);
        assert_eq!(stem(Language::English, b"fry", 3).unwrap(), "fri");
        assert_eq!(stem(Language::Chinese, b"working", 4), None);
        assert_eq!(stem(Language::English, b"work\xff", 4), None);
        assert_eq!(stem(Language::English, &[b'a'; 1000], 4), None);
    }

    proptest! {
        #[test]
        fn no_word_of_any_language_is_too_much(word in "[\\PC]{0,40}", number in 0..31usize) {
            let names = ["arabic", "armenian", "basque", "catalan", "danish", "dutch", "english", "finnish", "french", "german",
                "greek", "hindi", "hungarian", "indonesian", "irish", "italian", "lithuanian", "nepali", "norwegian",
                "portuguese", "romanian", "russian", "serbian", "spanish", "swedish", "tamil", "turkish", "yiddish",
                "malay", "chinese", "tagalog"];
            let language = Language::parse(names[number].as_bytes()).unwrap();
            stem(language, word.to_lowercase().as_bytes(), 0);
        }
    }
}
