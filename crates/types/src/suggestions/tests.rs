//! Against a list that is searched from end to end, and what RediSearch's documentation and tests show.

use super::*;
use crate::remains::Remains;
use crate::sample::{Sample, rounds};

fn texts(found: &[Found<'_>]) -> Vec<String> {
    found.iter().map(|found| String::from_utf8_lossy(found.text).into_owned()).collect()
}

fn of(texts: &[(&str, f32)]) -> Suggestions {
    let mut suggestions = Suggestions::new();
    texts.iter().for_each(|(text, score)| suggestions.add(text.as_bytes(), *score, false, None));
    suggestions
}

#[test]
fn scores_are_those_of_the_documentation() {
    let autocomplete =
        of(&[("hello world", 100.0), ("hello there", 90.0), ("help me", 80.0), ("hero", 70.0)]);
    let found = autocomplete.search(b"he", false, 5);
    assert_eq!(texts(&found), ["hero", "help me", "hello world", "hello there"]);
    let scores: Vec<f64> = found.iter().map(|found| f64::from(found.score)).collect();
    assert_eq!(
        scores,
        [40.414_520_263_671_875, 32.659_862_518_310_55, 31.622_776_031_494_14, 28.460_498_809_814_453]
    );
    assert_eq!(texts(&autocomplete.search(b"hell", true, 5)), ["hello world", "hello there", "help me"]);
    let fuzzy = autocomplete.search(b"hr", true, 5);
    assert_eq!(texts(&fuzzy), ["hero", "help me", "hello world", "hello there"]);

    let found = of(&[("hell", 1.0), ("hello", 1.0)]);
    let found = found.search(b"hell", true, 3);
    let scores: Vec<f64> = found.iter().map(|found| found.score.into()).collect();
    assert_eq!(scores, [2_147_483_648.0, 0.707_106_769_084_930_4]);
}

/// RediSearch's `test_suggest.py` and `test_multibyte_char_terms.py`.
#[test]
fn order_is_that_of_its_tests() {
    let ac = of(&[
        ("hello world", 2.0),
        ("hello werld", 1.0),
        ("hallo world", 2.0),
        ("yellow world", 3.0),
        ("wazzup", 4.0),
        ("herp", 5.0),
        ("derp", 6.0),
    ]);
    assert_eq!(texts(&ac.search(b"hello", false, 5)), ["hello world", "hello werld"]);
    assert_eq!(
        texts(&ac.search(b"hello", true, 5)),
        ["hello world", "hello werld", "yellow world", "hallo world"]
    );
    let abc = of(&[("abcdef", 9.0), ("abcdeg", 1.0), ("abcx", 0.5), ("abcy", 3.0), ("abcz", 3.0)]);
    assert_eq!(texts(&abc.search(b"abc", false, 2))[0], "abcdef");

    let sug = of(&[
        ("синий", 1.0),
        ("СИНИЙ красный", 1.0),
        ("heiß", 1.0),
        ("HEIẞ", 1.0),
        ("heiss", 1.0),
        ("HEISS", 1.0),
        ("Dreißig", 1.0),
        ("Dreissig", 1.0),
        ("ΣΊΓΜΑ", 1.0),
        ("Σίγμα", 1.0),
        ("σίγμα", 1.0),
        ("ΝΕΑΝΊΑΣ", 1.0),
        ("Νεανίας", 1.0),
        ("νεανίας", 1.0),
        ("İ = Letter I with dot above", 1.0),
    ]);
    for (wanted, expected) in [
        ("синий", &["синий", "СИНИЙ красный"][..]),
        ("СИНИЙ", &["синий", "СИНИЙ красный"]),
        ("heiß", &["heiß", "heiss", "HEISS", "HEIẞ"]),
        ("HEIẞ", &["heiß", "heiss", "HEISS", "HEIẞ"]),
        ("heis", &["heiß", "HEIẞ", "heiss", "HEISS"]),
        ("heiss", &["heiss", "HEISS"]),
        ("HEISS", &["heiss", "HEISS"]),
        ("dreiẞ", &["Dreißig", "Dreissig"]),
        ("dreißig", &["Dreißig"]),
        ("dreissig", &["Dreissig"]),
        ("dreisig", &["Dreißig"]),
        ("Σίγμα", &["σίγμα", "ΣΊΓΜΑ", "Σίγμα"]),
        ("ΝΕΑΝΊΑΣ", &["νεανίας", "ΝΕΑΝΊΑΣ", "Νεανίας"]),
        ("νεανίας", &["νεανίας", "ΝΕΑΝΊΑΣ", "Νεανίας"]),
        ("i = Letter I with dot above", &["İ = Letter I with dot above"]),
        ("İ = Letter I with dot above", &["İ = Letter I with dot above"]),
    ] {
        assert_eq!(texts(&sug.search(wanted.as_bytes(), false, 5)), expected, "{wanted}");
    }
}

#[test]
fn what_is_below_a_tenth_can_be_cut_off() {
    let sug = of(&[("ha", 100.0), ("hb", 1.0), ("hc", 10.0)]);
    let found = sug.search(b"h", false, 10);
    assert_eq!(found.len(), 3);
    assert_eq!(texts(&found[..trimmed(&found)]), ["ha", "hc"]);
    assert_eq!(trimmed(&[]), 0);
}

#[test]
fn what_is_no_text_is_passed_over() {
    let mut sug = of(&[("", 1.0), ("\0a", 1.0)]);
    sug.add(&[b'a'; 256], 1.0, false, None);
    sug.add("日".repeat(171).as_bytes(), 1.0, false, None);
    assert!(sug.is_empty());
    sug.add(&[b'a'; 255], 1.0, false, None);
    sug.add("日".repeat(170).as_bytes(), 1.0, false, None);
    sug.add(b"x\0y", 1.0, false, Some(b""));
    assert_eq!(sug.len(), 3);
    assert_eq!(sug.suggestion(2), Some(Suggestion { text: b"x", score: 1.0, payload: None }));
    assert!(sug.remove(b"x\0z") && !sug.remove(b"x") && !sug.remove(b""));
}

/// One of a list that is searched from end to end.
#[derive(Clone, Debug)]
struct Known {
    text: String,
    score: f32,
    payload: Option<Vec<u8>>,
}

fn distance(left: &[char], right: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, own) in left.iter().enumerate() {
        let mut below = vec![index + 1];
        for (column, other) in right.iter().enumerate() {
            let changed = row[column] + usize::from(own != other);
            below.push(changed.min(row[column + 1] + 1).min(below[column] + 1));
        }
        row = below;
    }
    row[right.len()]
}

/// The score of a text, if it is found.
fn expected_score(known: &Known, wanted: &str, is_fuzzy: bool) -> Option<f32> {
    let letters: Vec<char> = known.text.to_lowercase().chars().collect();
    let wanted_letters: Vec<char> = wanted.to_lowercase().chars().collect();
    let near = (0..=letters.len()).map(|len| distance(&letters[..len], &wanted_letters)).min().unwrap_or(0);
    if near > usize::from(is_fuzzy) {
        return None;
    }
    if known.text == wanted.to_lowercase() {
        return Some(2_147_483_648.0);
    }
    let score = if near == 1 { (f64::from(known.score) * (-2.0_f64).exp()) as f32 } else { known.score };
    Some((f64::from(score) / (1.0 + letters.len().abs_diff(wanted.len()) as f64).sqrt()) as f32 + 0.0)
}

fn check(suggestions: &Suggestions, known: &[Known], wanted: &str, is_fuzzy: bool, most: usize) {
    let mut expected: Vec<(f32, &Known)> =
        known.iter().filter_map(|known| Some((expected_score(known, wanted, is_fuzzy)?, known))).collect();
    // Stable: who came first stays first.
    expected.sort_by(|a, b| b.0.total_cmp(&a.0));
    expected.truncate(most);
    let found = suggestions.search(wanted.as_bytes(), is_fuzzy, most);
    let shown: Vec<_> = found.iter().map(|found| (found.score, found.text, found.payload)).collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|(score, known)| (*score, known.text.as_bytes(), known.payload.as_deref()))
        .collect();
    assert_eq!(shown, expected, "{wanted} fuzzy {is_fuzzy} of {most}");
}

fn word(sample: &mut Sample, longest: u64) -> String {
    let letters = ["a", "b", "c", "A", "é", "É", "д"];
    let len = sample.below(longest + 1);
    (0..len).map(|_| letters[sample.below(letters.len() as u64) as usize]).collect()
}

fn bytes_of(suggestions: &Suggestions) -> usize {
    let entries: usize = suggestions.entries.iter().flatten().map(Entry::heap_bytes).sum();
    let places: usize = suggestions.leaves.iter().map(|leaf| leaf.places.capacity()).sum();
    entries
        + suggestions.entries.capacity() * size_of::<Option<Entry>>()
        + suggestions.leaves.capacity() * size_of::<Leaf>()
        + places * size_of::<Place>()
}

#[test]
fn as_a_list_that_is_searched_from_end_to_end() {
    for seed in 0..rounds(9) {
        let mut sample = Sample::new(seed);
        let mut suggestions = Suggestions::new();
        let mut known: Vec<Known> = Vec::new();
        let longest = 2 + seed % 9;
        for step in 0..2000 {
            let text = word(&mut sample, longest);
            let place = known.iter().position(|known| known.text == text);
            if sample.below(4) == 0 || seed % 3 == 0 && step > 1200 {
                assert_eq!(suggestions.remove(text.as_bytes()), place.is_some());
                place.map(|place| known.remove(place));
            } else {
                let score = sample.below(40) as f32 / 4.0 - 2.0;
                let adds = sample.below(2) == 0;
                let payload = (sample.below(3) == 0).then(|| word(&mut sample, 3).into_bytes());
                suggestions.add(text.as_bytes(), score, adds, payload.as_deref());
                let payload = payload.filter(|payload| !payload.is_empty());
                match place.map(|place| &mut known[place]) {
                    Some(known) => {
                        known.score = if adds { known.score + score } else { score };
                        known.payload = payload.or(known.payload.take());
                    }
                    None if text.is_empty() => {}
                    None => known.push(Known { text, score, payload }),
                }
            }
            assert_eq!(suggestions.len(), known.len());
            if step % 100 == 0 {
                let wanted = word(&mut sample, longest.min(6));
                for most in [1, 3, 5, 4000] {
                    check(&suggestions, &known, &wanted, false, most);
                    check(&suggestions, &known, &wanted, true, most);
                }
                assert_eq!(suggestions.bytes(), bytes_of(&suggestions));
            }
        }
        let saved: Vec<_> =
            (0..suggestions.numbers_end()).filter_map(|n| suggestions.suggestion(n)).collect();
        assert!(saved.iter().map(|saved| saved.text).eq(known.iter().map(|known| known.text.as_bytes())));
        let copy = suggestions.clone();
        assert_eq!(copy.bytes(), bytes_of(&copy));
        check(&copy, &known, "a", true, 10);
    }
}

#[test]
fn many_are_freed_step_by_step() {
    let mut suggestions = Suggestions::new();
    for n in 0..10_000 {
        suggestions.add(format!("suggestion {n}").as_bytes(), n as f32, false, Some(b"payload"));
    }
    let bytes = suggestions.bytes();
    let mut remains = Remains::of_suggestions(suggestions).expect("many");
    let (mut before, mut steps) = (remains.bytes(), 0);
    assert_eq!(before, bytes);
    while remains.free_step() {
        assert!(remains.bytes() <= before);
        (before, steps) = (remains.bytes(), steps + 1);
    }
    assert!(steps > 100 && before == 0);
    assert!(Remains::of_suggestions(of(&[("a", 1.0)])).is_none());
}
