//! What is told of evaluations: the trees that RediSearch's tests show, the same with any fuel.

use search::evaluate::{Children, Evaluation, IteratorProfile, Options, Profile, StatisticsRound};
use search::index::{Document, Index, Value};
use search::query::{self, Dialect, Parameters, Synonyms};
use search::schema::Schema;
use search::text::Language;
use std::cell::Cell;
use std::sync::Arc;

thread_local!(static TICKS: Cell<u64> = const { Cell::new(0) });

/// Each look takes a nanosecond.
fn clock() -> u64 {
    TICKS.set(TICKS.get() + 1);
    TICKS.get()
}

fn index(texts: &[&str]) -> Index {
    let schema = Arc::new(Schema::parse(&[b"SCHEMA", b"t", b"TEXT", b"NOSTEM"]).unwrap());
    let mut index = Index::new(Arc::clone(&schema));
    for (id, text) in texts.iter().enumerate() {
        let values = vec![(0, Value::Text(text.as_bytes()))];
        let document = Document { score: 1.0, language: Language::English, payload: None, values };
        index.add(id as u32 + 1, &document, &Synonyms::default()).unwrap();
    }
    index
}

fn profile(index: &Index, text: &str, options: Options, fuel: usize) -> Option<Profile> {
    let parameters = Parameters::default();
    let node = query::parse(text.as_bytes(), Dialect::Two, index.schema(), &parameters, true).unwrap();
    let mut gathering = StatisticsRound::new(&node, index, &options.settings).unwrap();
    while !gathering.step(index, &mut { fuel }) {}
    let mut evaluation = Evaluation::new(&node, index, gathering.finish(index), options);
    while !evaluation.step(index, &mut { fuel }) {}
    evaluation.profile()
}

/// `KIND[detail] reads/estimate (children)`
fn shown(part: &IteratorProfile) -> String {
    let detail = part
        .detail
        .as_ref()
        .map_or_else(String::new, |(_, text)| format!("[{}]", String::from_utf8_lossy(text)));
    let estimate = part.estimate.map_or_else(String::new, |estimate| format!("/{estimate}"));
    let children = match &part.children {
        Children::None => String::new(),
        Children::One(child) => format!(" ({})", shown(child)),
        Children::Several(children) | Children::Like(children) => {
            format!(" ({})", children.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
    };
    format!("{}{detail} {}{estimate}{children}", part.kind, part.reads)
}

#[test]
fn parts_of_queries_are_counted() {
    let index = index(&["hello", "hell", "help", "helowa"]);
    let options = Options { wanted: 10, clock: Some(clock), ..Options::default() };
    for (text, expected) in [
        ("*", "WILDCARD 4"),
        ("redis", "EMPTY 0"),
        ("hello", "TEXT[hello] 1/1"),
        ("hello|help", "UNION[UNION] 2 (TEXT[hello] 1/1, TEXT[help] 1/1)"),
        ("hello help", "INTERSECT 0 (TEXT[hello] 1/1, TEXT[help] 1/1)"),
        ("-hello", "NOT 3 (TEXT[hello] 1/1)"),
        ("~hello", "OPTIONAL 4 (TEXT[hello] 1/1)"),
        ("hello -help", "INTERSECT 1 (TEXT[hello] 1/1, NOT 0 (TEXT[help] 1/1))"),
        ("helo*", "TEXT[helowa] 1/1"),
        ("hell*", "UNION[PREFIX - hell] 2 (TEXT[hell] 1/1, TEXT[hello] 1/1)"),
        ("%hell%", "UNION[FUZZY - hell] 3 (TEXT[hell] 1/1, TEXT[hello] 1/1, TEXT[help] 1/1)"),
    ] {
        for fuel in [1, 2, 3, 1000] {
            let profile = profile(&index, text, options.clone(), fuel).unwrap();
            assert_eq!(shown(&profile.root), expected, "{text} with fuel {fuel}");
            assert_eq!((profile.found, profile.scored), (profile.root.reads, profile.root.reads));
        }
    }
}

#[test]
fn a_part_takes_as_long_as_those_inside_it_and_more() {
    fn check(part: &IteratorProfile) {
        let inner = match &part.children {
            Children::None => 0,
            Children::One(child) => {
                check(child);
                child.ns
            }
            Children::Several(children) | Children::Like(children) => {
                children.iter().for_each(check);
                children.iter().map(|child| child.ns).sum()
            }
        };
        assert!(part.ns > inner, "{part:?}");
    }
    let index = index(&["hello world", "hello", "world hello"]);
    let options = Options { wanted: 10, clock: Some(clock), ..Options::default() };
    let profile = profile(&index, "hello|world", options, 1000).unwrap();
    check(&profile.root);
    // Each of three documents has one look before its score, one behind it, one behind its distances and one behind its place.
    assert_eq!((profile.scorer_ns, profile.metrics_ns, profile.sorter_ns), (3, 3, 3));
}

#[test]
fn without_a_clock_nothing_is_counted() {
    let options = Options { wanted: 10, ..Options::default() };
    assert_eq!(profile(&index(&["hello"]), "hello", options, 1000), None);
}
