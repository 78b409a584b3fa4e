//! The languages that words are reduced to stems in.

use waken_snowball::Algorithm;

/// A language of documents or queries, as LANGUAGE names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    Arabic,
    Armenian,
    Basque,
    Catalan,
    /// Words are not found by a dictionary, as RediSearch does with Friso, but at punctuation and blanks.
    Chinese,
    Danish,
    Dutch,
    #[default]
    English,
    Finnish,
    French,
    German,
    Greek,
    Hindi,
    Hungarian,
    Indonesian,
    Irish,
    Italian,
    Lithuanian,
    Malay,
    Nepali,
    Norwegian,
    Portuguese,
    Romanian,
    Russian,
    Serbian,
    Spanish,
    Swedish,
    Tagalog,
    Tamil,
    Turkish,
    Yiddish,
}

/// Every language with its name and the algorithm for its words. Dutch is the one that RediSearch's Snowball has under that name.
const LANGUAGES: [(Language, &str, Option<Algorithm>); 31] = [
    (Language::Arabic, "arabic", Some(Algorithm::Arabic)),
    (Language::Armenian, "armenian", Some(Algorithm::Armenian)),
    (Language::Basque, "basque", Some(Algorithm::Basque)),
    (Language::Catalan, "catalan", Some(Algorithm::Catalan)),
    (Language::Chinese, "chinese", None),
    (Language::Danish, "danish", Some(Algorithm::Danish)),
    (Language::Dutch, "dutch", Some(Algorithm::DutchPorter)),
    (Language::English, "english", Some(Algorithm::English)),
    (Language::Finnish, "finnish", Some(Algorithm::Finnish)),
    (Language::French, "french", Some(Algorithm::French)),
    (Language::German, "german", Some(Algorithm::German)),
    (Language::Greek, "greek", Some(Algorithm::Greek)),
    (Language::Hindi, "hindi", Some(Algorithm::Hindi)),
    (Language::Hungarian, "hungarian", Some(Algorithm::Hungarian)),
    (Language::Indonesian, "indonesian", Some(Algorithm::Indonesian)),
    (Language::Irish, "irish", Some(Algorithm::Irish)),
    (Language::Italian, "italian", Some(Algorithm::Italian)),
    (Language::Lithuanian, "lithuanian", Some(Algorithm::Lithuanian)),
    (Language::Malay, "malay", None),
    (Language::Nepali, "nepali", Some(Algorithm::Nepali)),
    (Language::Norwegian, "norwegian", Some(Algorithm::Norwegian)),
    (Language::Portuguese, "portuguese", Some(Algorithm::Portuguese)),
    (Language::Romanian, "romanian", Some(Algorithm::Romanian)),
    (Language::Russian, "russian", Some(Algorithm::Russian)),
    (Language::Serbian, "serbian", Some(Algorithm::Serbian)),
    (Language::Spanish, "spanish", Some(Algorithm::Spanish)),
    (Language::Swedish, "swedish", Some(Algorithm::Swedish)),
    (Language::Tagalog, "tagalog", None),
    (Language::Tamil, "tamil", Some(Algorithm::Tamil)),
    (Language::Turkish, "turkish", Some(Algorithm::Turkish)),
    (Language::Yiddish, "yiddish", Some(Algorithm::Yiddish)),
];

impl Language {
    /// The language of that name, in any case.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let (language, ..) =
            LANGUAGES.iter().find(|(_, known, _)| name.eq_ignore_ascii_case(known.as_bytes()))?;
        Some(*language)
    }

    /// Its name in small letters.
    pub fn name(self) -> &'static str {
        LANGUAGES[self as usize].1
    }

    /// Whether there is an algorithm for its stems.
    pub fn has_stems(self) -> bool {
        self.algorithm().is_some()
    }

    pub(super) fn algorithm(self) -> Option<Algorithm> {
        LANGUAGES[self as usize].2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_stands_in_the_order_of_the_type() {
        for (index, (language, name, _)) in LANGUAGES.iter().enumerate() {
            assert_eq!(*language as usize, index);
            assert_eq!(Language::parse(name.to_uppercase().as_bytes()), Some(*language));
            assert_eq!(language.name(), *name);
        }
        assert_eq!(Language::parse(b"klingon"), None);
    }
}
