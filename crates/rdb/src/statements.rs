//! What a file says of search indexes: the commands that make them again, each in an AUX field, which other servers pass over.
//!
//! ```text
//! AUX "weft-search" = for each word its length (4 bytes, little endian) and its bytes
//! ```
//!
//! And of the graphs of vectors in them: an AUX field behind the keys has the name of an index, the number of a field (2 bytes, little endian) and how some of the vectors are linked
//! (`vector::Hnsw::save_links`), as three such words, under the name [`LINKS`].

/// The name of the AUX field.
pub const FIELD: &str = "weft-search";

/// The name of an AUX field with links of vectors.
pub const LINKS: &str = "weft-links";

const LEN_BYTES: usize = size_of::<u32>();

/// A command as the value of a field. No word is longer than 4 GiB.
pub fn encode<'w>(words: impl Iterator<Item = &'w [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for word in words {
        out.extend_from_slice(&(word.len() as u32).to_le_bytes());
        out.extend_from_slice(word);
    }
    out
}

/// The words of a command; `None` if the value is damaged.
pub fn decode(mut value: &[u8]) -> Option<Vec<&[u8]>> {
    let mut words = Vec::new();
    while !value.is_empty() {
        let (len, rest) = value.split_first_chunk::<LEN_BYTES>()?;
        let (word, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        words.push(word);
        value = rest;
    }
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_and_damage_is_seen() {
        let words = [&b"FT.CREATE"[..], b"", b"a\r\nb"];
        let value = encode(words.into_iter());
        assert_eq!(decode(&value).as_deref(), Some(&words[..]));
        for len in 1..value.len() {
            assert_ne!(decode(&value[..len]).as_deref(), Some(&words[..]), "{len}");
        }
        assert_eq!(decode(&value[..value.len() - 1]), None);
        assert_eq!(decode(b"\xff\xff\xff\xffab"), None);
        assert_eq!(decode(b""), None);
    }
}
