//! Searches: the figures that RediSearch's tests show, and random queries on random documents against a model that looks at every document,
//! on one index and on several whose answers are put together, with any fuel.

#[path = "merging/mod.rs"]
mod merging;
#[path = "model/mod.rs"]
mod model;

use model::{Doc, World};
use proptest::prelude::*;
use search::evaluate::{Evaluation, Hits, Options, Order, Scorer, Statistics, StatisticsRound};
use search::index::{Document, Index, SortValue, Value};
use search::query::{self, Dialect, Expansion, Node, Parameters, Synonyms};
use search::schema::Schema;
use search::text::{Language, STEM_LETTERS_MIN};
use std::sync::Arc;

fn schema(text: &str) -> Arc<Schema> {
    let arguments: Vec<&[u8]> = text.split_ascii_whitespace().map(str::as_bytes).collect();
    Arc::new(Schema::parse(&arguments).unwrap())
}

/// A document of a hash: fields of the schema with their texts.
fn document<'a>(schema: &Schema, fields: &[(&str, &'a str)]) -> Document<'a> {
    let mut values: Vec<_> = fields
        .iter()
        .map(|(name, text)| (schema.field(name.as_bytes()).unwrap(), Value::Text(text.as_bytes())))
        .collect();
    values.sort_by_key(|(number, _)| *number);
    Document { score: 1.0, language: Language::English, payload: None, values }
}

fn index(text: &str, documents: &[&[(&str, &str)]]) -> Index {
    let schema = schema(text);
    let mut index = Index::new(Arc::clone(&schema));
    for (id, fields) in documents.iter().enumerate() {
        index.add(id as u32 + 1, &document(&schema, fields), &Synonyms::default()).unwrap();
    }
    index
}

fn parse(schema: &Schema, dialect: Dialect, text: &str, synonyms: &Synonyms) -> Node {
    let mut node = query::parse(text.as_bytes(), dialect, schema, &Parameters::default(), true).unwrap();
    let expansion = Expansion { language: Language::English, stem_letters_min: STEM_LETTERS_MIN, synonyms };
    query::expand(&mut node, schema, &expansion);
    node
}

/// Both rounds on several shards, with so much fuel for each step.
fn search(shards: &[Index], node: &Node, options: &Options, fuel: usize) -> Hits {
    let mut statistics = Statistics::default();
    for index in shards {
        let mut gathering = StatisticsRound::new(node, index, &options.settings).unwrap();
        while !gathering.step(index, &mut { fuel }) {}
        statistics.merge(gathering.finish(index), &options.settings);
    }
    let found = shards.iter().map(|index| {
        let mut evaluation = Evaluation::new(node, index, statistics.clone(), options.clone());
        while !evaluation.step(index, &mut { fuel }) {}
        evaluation.finish()
    });
    merging::merged(found, options.order, options.wanted)
}

fn all(scorer: Scorer) -> Options {
    Options { scorer, wanted: 1000, ..Options::default() }
}

/// Ids and scores of a search of dialect 2 on one index.
fn scores(index: &Index, text: &str, options: &Options) -> Vec<(u32, f64)> {
    let node = parse(index.schema(), Dialect::Two, text, &Synonyms::default());
    let hits = search(std::slice::from_ref(index), &node, options, 1000);
    assert_eq!(hits.total as usize, hits.hits.len());
    hits.hits.iter().map(|hit| (hit.id, hit.score)).collect()
}

fn ids(index: &Index, text: &str) -> Vec<u32> {
    let mut ids: Vec<u32> = scores(index, text, &all(Scorer::DocScore)).iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn scores_of_bm25_std() {
    let index = index(
        "SCHEMA title TEXT",
        &[&[("title", "some text here")], &[("title", "some text more words here")]],
    );
    let bm25 = all(Scorer::Bm25Std);
    let expected = [(2, 0.7942396779178669), (1, 0.203092367479523)];
    assert_eq!(scores(&index, "text ~more", &bm25), expected);
    assert_eq!(scores(&index, "text | ~more", &bm25), expected);
    assert_eq!(scores(&index, "*", &bm25), [(1, 1.1139240529250303), (2, 0.9072164933249958)]);
    assert_eq!(scores(&index, "*ds", &bm25), [(2, 0.6288345545057012)]);
}

#[test]
fn scores_of_tf_idf() {
    let index = index("SCHEMA t TEXT", &[&[("t", "city")], &[("t", "cities")]]);
    let tf_idf = all(Scorer::TfIdf);
    assert_eq!(scores(&index, "city", &tf_idf), [(1, 3.0), (2, 1.0)]);
    assert_eq!(scores(&index, "cities", &tf_idf), [(2, 3.0), (1, 1.0)]);
    assert_eq!(scores(&index, "\"city\"", &tf_idf), [(1, 2.0)]);
}

/// 24 documents that have the same words more and more often and count less and less.
#[test]
fn scores_of_all_scorers() {
    let schema = schema("SCHEMA title TEXT WEIGHT 10 body TEXT");
    let mut index = Index::new(Arc::clone(&schema));
    for n in 1..25usize {
        let (title, body) = ("hello world ".repeat(n), "lorem ipsum ".repeat(n));
        let score = ((25.0 - n as f64 + 10.0) / 35.0).sqrt();
        let document = Document { score, ..document(&schema, &[("title", &title), ("body", &body)]) };
        index.add(n as u32, &document, &Synonyms::default()).unwrap();
    }
    for (scorer, expected) in [
        (Scorer::TfIdf, [(1, 1.97), (2, 1.94), (3, 1.91), (4, 1.88), (5, 1.85)]),
        (Scorer::TfIdfDocNorm, [(1, 0.9), (2, 0.88), (3, 0.87), (4, 0.86), (5, 0.84)]),
        (Scorer::Bm25, [(17, 0.73), (18, 0.73), (16, 0.72), (19, 0.72), (15, 0.72)]),
        (Scorer::Bm25Std, [(1, 0.08), (2, 0.08), (3, 0.08), (4, 0.08), (5, 0.08)]),
        (Scorer::Bm25StdTanh { factor: 4 }, [(1, 0.02), (2, 0.02), (3, 0.02), (4, 0.02), (5, 0.02)]),
        (Scorer::DisMax, [(24, 480.0), (23, 460.0), (22, 440.0), (21, 420.0), (20, 400.0)]),
        (Scorer::DocScore, [(1, 0.99), (2, 0.97), (3, 0.96), (4, 0.94), (5, 0.93)]),
    ] {
        let found = scores(&index, "hello world", &all(scorer.clone()));
        let rounded: Vec<_> =
            found.iter().map(|(id, score)| (*id, (score * 100.0).round() / 100.0)).collect();
        assert_eq!(rounded[..5], expected, "{scorer:?}");
        assert_eq!(found.len(), 24);
    }
}

#[test]
fn scores_by_payload() {
    let schema = schema("PAYLOAD_FIELD p SCHEMA foo TEXT");
    let mut index = Index::new(Arc::clone(&schema));
    for (id, payload) in [(1, b"aaaabbbb"), (2, b"aaaacccc")] {
        let document = Document { payload: Some(payload), ..document(&schema, &[("foo", "x")]) };
        index.add(id, &document, &Synonyms::default()).unwrap();
    }
    let hamming = |payload: &[u8]| all(Scorer::parse(b"HAMMING", 4, Some(payload)).unwrap());
    assert_eq!(scores(&index, "*", &hamming(b"aaaabbbc")), [(1, 0.5), (2, 0.25)]);
    assert_eq!(scores(&index, "*", &hamming(b"aaaacccc"))[0], (2, 1.0));
    assert_eq!(scores(&index, "*", &hamming(b"short")), [(1, 0.0), (2, 0.0)]);
    assert_eq!(Scorer::parse(b"BAD", 4, None), None);
}

/// An explanation in one line.
fn line(why: &search::evaluate::Explanation) -> String {
    let inside: Vec<String> = why.children.iter().map(line).collect();
    if inside.is_empty() { why.text.clone() } else { format!("{} [{}]", why.text, inside.join(", ")) }
}

#[test]
fn explanations() {
    let texts: [&[(&str, &str)]; 3] = [
        &[("title", "hello world"), ("body", "lorem ist ipsum")],
        &[("title", "hello space world"), ("body", "lorem ist ipsum lorem lorem")],
        &[("title", "hello more space world"), ("body", "lorem ist ipsum lorem lorem")],
    ];
    let index = index("SCHEMA title TEXT WEIGHT 10 body TEXT", &texts);
    let explain = |scorer: Scorer, text: &str| -> Vec<String> {
        let node = parse(index.schema(), Dialect::Two, text, &Synonyms::default());
        let options = Options { explains: true, ..all(scorer.clone()) };
        let mut hits = search(std::slice::from_ref(&index), &node, &options, 10);
        if scorer == Scorer::Bm25StdNorm {
            hits.normalize();
        }
        hits.hits.iter().map(|hit| line(hit.explanation.as_ref().unwrap())).collect()
    };
    let term = |word: &str, score: &str, weight: &str, length: u32| {
        format!(
            "{word}: ({score} = Weight {weight} * IDF 0.13 * (F 10.00 * (k1 1.2 + 1)) / (F 10.00 + k1 1.2 * (1 - b 0.75 + b 0.75 * \
             Doc Len {length} / Average Doc Len 34.33)))"
        )
    };
    let both = |score: &str, length| {
        format!("{}, {}", term("hello", score, "1.00", length), term("world", score, "1.00", length))
    };
    let found = explain(Scorer::Bm25Std, "hello world");
    let head = "Final BM25 : words BM25";
    assert_eq!(
        found[0],
        format!(
            "{head} 0.54 * document score 1.00 [(Weight 1.00 * children BM25 0.54) [{}]]",
            both("0.27", 23)
        )
    );
    assert_eq!(
        found[1],
        format!(
            "{head} 0.52 * document score 1.00 [(Weight 1.00 * children BM25 0.52) [{}]]",
            both("0.26", 35)
        )
    );
    assert_eq!(
        found[2],
        format!(
            "{head} 0.51 * document score 1.00 [(Weight 1.00 * children BM25 0.51) [{}]]",
            both("0.26", 45)
        )
    );
    let weighted = "((@title:(hello => {$weight: 0.5;}|world) => {$weight: 0.7;}) => {$weight: 0.3;})";
    assert_eq!(
        explain(Scorer::Bm25Std, weighted)[0],
        format!(
            "{head} 0.12 * document score 1.00 [(Weight 0.30 * children BM25 0.40) [{}, {}]]",
            term("hello", "0.13", "0.50", 23),
            term("world", "0.27", "1.00", 23)
        )
    );
    assert!(explain(Scorer::Bm25StdNorm, "hello world")[1]
        .starts_with("Final BM25STD.NORM: 0.97 = Original Score: 0.52 / Max Score: 0.54 [(Weight 1.00 * children BM25 0.52) ["));
    assert!(explain(Scorer::Bm25StdTanh { factor: 4 }, "hello world")[0]
        .starts_with("Final Normalized BM25 : tanh(stretch factor 1/4 * Final BM25 0.54) [Final BM25 : words BM25 0.54 * document score 1.00 ["));
    let term = "(TFIDF 10.00 = Weight 1.00 * TF 10 * IDF 1.00)";
    assert_eq!(
        explain(Scorer::TfIdf, "hello world"),
        [1, 2, 3].map(|slop| format!(
            "Final TFIDF : words TFIDF 20.00 * document score 1.00 / norm 10 / slop {slop} \
             [(Weight 1.00 * total children TFIDF 20.00) [{term}, {term}]]"
        ))
    );
    assert_eq!(
        explain(Scorer::TfIdf, "hello(world(world))")[0],
        format!(
            "Final TFIDF : words TFIDF 30.00 * document score 1.00 / norm 10 / slop 1 \
             [(Weight 1.00 * total children TFIDF 30.00) [{term}, {term}, {term}]]"
        )
    );
    assert_eq!(
        explain(Scorer::DisMax, "hello world")[0],
        "20.00 = Weight 1.00 * children DISMAX 20.00 [DISMAX 10.00 = Weight 1.00 * Frequency 10, DISMAX 10.00 = Weight 1.00 * Frequency 10]"
    );
    assert_eq!(explain(Scorer::DocScore, "hello")[0], "Document's score is 1.00");
    let short: [&[(&str, &str)]; 3] = [
        &[("title", "hello world")],
        &[("title", "hello other world")],
        &[("title", "hello yet other world")],
    ];
    let index = self::index("SCHEMA title TEXT WEIGHT 10 body TEXT", &short);
    let node = parse(index.schema(), Dialect::Two, "hello world", &Synonyms::default());
    let options = Options { explains: true, ..all(Scorer::Bm25) };
    let hits = search(std::slice::from_ref(&index), &node, &options, 10);
    let term =
        "(0.35 = Weight 1.00 * IDF 1.00 * F 10 / (F 10 + k1 1.2 * (1 - b 0.5 + b 0.5 * Average Len 30.00)))";
    assert_eq!(
        line(hits.hits[0].explanation.as_ref().unwrap()),
        format!(
            "Final BM25 : words BM25 0.70 * document score 1.00 / slop 1 [(Weight 1.00 * children BM25 0.70) [{term}, {term}]]"
        )
    );
}

#[test]
fn slop_and_order() {
    let texts = ["t1 t2", "t1 t3 t2", "t1 t3 t4 t2", "t1 t3 t4 t5 t2"].map(|text| [("title", text)]);
    let documents: Vec<&[(&str, &str)]> = texts.iter().map(|text| &text[..]).collect();
    let index = index("SCHEMA title TEXT", &documents);
    let count = |text: &str, slop: Option<i64>, in_order: bool| {
        let node = parse(index.schema(), Dialect::One, text, &Synonyms::default());
        search(std::slice::from_ref(&index), &node, &Options { slop, in_order, ..Options::default() }, 5)
            .total
    };
    assert_eq!(count("t1|t4 t3|t2", Some(0), true), 4);
    assert_eq!(count("t2 t1", Some(0), false), 1);
    assert_eq!(count("t2 t1", Some(0), true), 0);
    for (slop, expected) in [(0, 1), (1, 2), (2, 3), (3, 4)] {
        assert_eq!(count("t1 t2", Some(slop), true), expected);
    }
    assert_eq!(count("t1 t2", None, true), 4);
    assert_eq!(count("t t1", None, true), 0);
    assert_eq!(count("t1 t2 t3 t4", None, false), 2);
    assert_eq!(count("t1 t2 t3 t4", None, true), 0);
    assert_eq!(ids(&index, "\"t1 t3 t2\""), [2]);
    assert_eq!(ids(&index, "(t1 t2) => {$slop: 1}"), [1, 2]);
    assert_eq!(ids(&index, "(t1 t4) => {$slop: 1; $inorder: true}"), [3, 4]);
    // The text of the next field follows at once.
    let of_two: &[_] = &[("a", "one two"), ("b", "three four")];
    let index = self::index("SCHEMA a TEXT b TEXT", &[of_two]);
    for (text, expected) in [("two four", [false, true, true]), ("four one", [false, false, true])] {
        let found = [0, 1, 2].map(|slop| !ids(&index, &format!("({text}) => {{$slop: {slop}}}")).is_empty());
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn words_of_all_kinds() {
    let texts: [&[(&str, &str)]; 6] = [
        &[("t", "word"), ("p", "morfix")],
        &[("t", "world"), ("p", "phonetic")],
        &[("t", "ward werk"), ("p", "john")],
        &[("t", "Größe studied"), ("p", "")],
        &[("t", r"James\!\* studies"), ("p", "jon")],
        &[("t", "this is 2015 test")],
    ];
    let index = index("SCHEMA t TEXT WITHSUFFIXTRIE p TEXT PHONETIC dm:en INDEXEMPTY INDEXMISSING", &texts);
    for (text, expected) in [
        ("wor*", &[1, 2][..]),
        ("*rld", &[2]),
        ("*or*", &[1, 2]),
        ("@t:*or*", &[1, 2]),
        ("w'w?rd'", &[1, 3]),
        ("w'w*d'", &[1, 2, 3]),
        ("%word%", &[1, 2, 3]),
        ("%%wo%%", &[1, 5]),
        ("GRÖSSE", &[]),
        ("GRÖẞE", &[4]),
        ("studying", &[4, 5]),
        ("\"studying\"", &[]),
        ("\"studied\"", &[4]),
        (r#"@t:("James\!\*")"#, &[5]),
        ("james", &[]),
        ("morphix", &[1]),
        ("@t:morphix", &[]),
        ("@p:morphix=>{$phonetic:false}", &[]),
        ("@p:(john=>{$phonetic:true})", &[3, 5]),
        ("fonetic", &[2]),
        ("2015", &[6]),
        ("@p:\"\"", &[4]),
        ("ismissing(@p)", &[6]),
        ("-ismissing(@p) -wor*", &[3, 4, 5]),
        ("-(word|world)", &[3, 4, 5, 6]),
        ("w*", &[]),
        ("the", &[]),
    ] {
        assert_eq!(ids(&index, text), expected, "{text}");
    }
}

#[test]
fn tags_numbers_and_places() {
    let texts: [&[(&str, &str)]; 4] = [
        &[("tag", "Hello World, foo"), ("c", "PC"), ("n", "1"), ("g", "13.361389,38.115556")],
        &[("tag", "hello"), ("c", "pc"), ("n", "-2.5"), ("g", "15.087269,37.502669")],
        &[("tag", "as is the with by"), ("n", "1e3"), ("g", "179.99,0")],
        &[("tag", "a-b.c"), ("n", "inf")],
    ];
    let index = index("SCHEMA tag TAG c TAG CASESENSITIVE n NUMERIC SORTABLE g GEO", &texts);
    for (text, expected) in [
        ("@tag:{hello world}", &[1][..]),
        ("@tag:{hello world | hello}", &[1, 2]),
        (r"@tag:{hello\ w*}", &[1]),
        ("@tag:{hel*}", &[1, 2]),
        ("@tag:{*lo}", &[2]),
        ("@tag:{*l*}", &[]),
        ("@tag:{*lo*}", &[1, 2]),
        ("@tag:{as is the with by}", &[3]),
        ("@tag:{a-b.c}", &[4]),
        ("@tag:{w'?oo'}", &[1]),
        ("@c:{PC}", &[1]),
        ("@c:{pc}", &[2]),
        ("@tag:{hello} @c:{pc}", &[2]),
        ("-@tag:{hello}", &[1, 3, 4]),
        ("@n:[-2.5 1]", &[1, 2]),
        ("@n:[(-2.5 (1000]", &[1]),
        ("@n>=1", &[1, 3, 4]),
        ("@n:[-inf (inf]", &[1, 2, 3]),
        ("@n!=1", &[2, 3, 4]),
        ("@g:[15 37 200 km]", &[1, 2]),
        ("@g:[15 37 100 km]", &[2]),
        ("@g:[-179.99 0 3 km]", &[3]),
        ("@g:[-179.99 0 2 km]", &[]),
        ("hello", &[]),
    ] {
        assert_eq!(ids(&index, text), expected, "{text}");
    }
    let order = |descending| Order::Field { field: 2, descending };
    let sorted = |descending| {
        let options = Options { order: order(descending), ..all(Scorer::DocScore) };
        scores(&index, "*", &options).iter().map(|(id, _)| *id).collect::<Vec<_>>()
    };
    assert_eq!(sorted(false), [2, 1, 3, 4]);
    assert_eq!(sorted(true), [4, 3, 1, 2]);
    assert_eq!(index.sort_value(2, 2), Some(&SortValue::Number(-2.5)));
    assert_eq!(index.sort_value(2, 0), None);
}

#[test]
fn synonyms() {
    let schema = schema("SCHEMA t TEXT");
    let mut synonyms = Synonyms::default();
    for (group, word) in [("1", "boy"), ("1", "Child"), ("2", "girl"), ("2", "child")] {
        synonyms.add(group.as_bytes(), word.as_bytes());
    }
    let mut index = Index::new(Arc::clone(&schema));
    for (id, text) in [(1, "boy"), (2, "girl"), (3, "child"), (4, "man")] {
        index.add(id, &document(&schema, &[("t", text)]), &synonyms).unwrap();
    }
    let find = |text: &str| {
        let node = parse(&schema, Dialect::Two, text, &synonyms);
        let hits = search(std::slice::from_ref(&index), &node, &all(Scorer::DocScore), 100);
        hits.hits.iter().map(|hit| hit.id).collect::<Vec<_>>()
    };
    assert_eq!(find("child"), [1, 2, 3]);
    assert_eq!(find("boy"), [1, 3]);
    assert_eq!(find("\"child\""), [3]);
}

#[test]
fn documents_that_cannot_be_indexed() {
    let schema = schema("SCHEMA n NUMERIC g GEO t TEXT");
    let mut index = Index::new(Arc::clone(&schema));
    for (fields, part) in [
        (&[("t", "x"), ("n", "banana")][..], "SEARCH_NUMERIC_VALUE_INVALID Invalid numeric value: 'banana'"),
        (&[("t", "x"), ("n", "nan")], "Invalid numeric value"),
        (&[("g", "12")], "SEARCH_PARSE_ARGS Invalid geo string: missing separator"),
        (&[("g", "1000,1000")], "Invalid geo coordinates: 1000.000000, 1000.000000"),
    ] {
        let error = index.add(1, &document(&schema, fields), &Synonyms::default()).unwrap_err();
        let error = error.error.to_string();
        assert!(error.contains(part), "{error}");
        assert!(index.is_empty() && index.word_count() == 0);
    }
    index.add(1, &document(&schema, &[("t", "x"), ("n", "3")]), &Synonyms::default()).unwrap();
    assert!(index.add(1, &document(&schema, &[("n", "x")]), &Synonyms::default()).is_err());
    assert!(index.is_empty(), "what cannot be read is not found by what it was");
}

#[test]
fn economies() {
    let texts: [&[(&str, &str)]; 2] =
        [&[("a", "hello there world"), ("b", "x")], &[("a", "world"), ("b", "hello hello")]];
    let index = index("NOOFFSETS NOFIELDS NOFREQS SCHEMA a TEXT b TEXT", &texts);
    assert_eq!(ids(&index, "\"world hello\""), [1, 2]);
    assert_eq!(ids(&index, "@a:hello"), [1, 2]);
    assert_eq!(scores(&index, "hello", &all(Scorer::DisMax)), [(1, 1.0), (2, 1.0)]);
}

#[test]
fn documents_come_and_go_between_steps() {
    let schema = schema("SCHEMA t TEXT n NUMERIC");
    let mut index = Index::new(Arc::clone(&schema));
    for id in 0..5000u32 {
        let number = id.to_string();
        index
            .add(id, &document(&schema, &[("t", "common word"), ("n", &number)]), &Synonyms::default())
            .unwrap();
    }
    let node = parse(&schema, Dialect::Two, "common -rare @n:[100 4000] ~word", &Synonyms::default());
    let options = all(Scorer::Bm25Std);
    let mut gathering = StatisticsRound::new(&node, &index, &options.settings).unwrap();
    while !gathering.step(&index, &mut 10) {}
    let statistics = gathering.finish(&index);
    let mut evaluation = Evaluation::new(&node, &index, statistics, Options { wanted: 10_000, ..options });
    let (mut steps, mut gone) = (0u32, 0);
    while !evaluation.step(&index, &mut 50) {
        steps += 1;
        // What is far ahead goes; what is far behind goes, too, and has been found.
        if steps.is_multiple_of(7) && gone < 1000 {
            index.remove(4000 - gone);
            gone += 1;
        }
    }
    let hits = evaluation.finish();
    assert!(steps > 50, "{steps}");
    let mut found: Vec<u32> = hits.hits.iter().map(|hit| hit.id).collect();
    found.sort_unstable();
    for id in 100..=4000 - gone {
        assert!(found.binary_search(&id).is_ok(), "{id}");
    }
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn expansions_are_bounded() {
    let schema = schema("SCHEMA t TEXT");
    let words: Vec<String> = (0..1000).map(|n| format!("word{n:04}")).collect();
    let mut shards = [Index::new(Arc::clone(&schema)), Index::new(Arc::clone(&schema))];
    for (id, word) in words.iter().enumerate() {
        shards[id % 2].add(id as u32, &document(&schema, &[("t", word)]), &Synonyms::default()).unwrap();
    }
    for text in ["word*", "*ord*", "w'word*'", "%%%word00%%%"] {
        let node = parse(&schema, Dialect::Two, text, &Synonyms::default());
        let hits = search(&shards, &node, &all(Scorer::Bm25Std), 33);
        assert!(hits.total <= 200 && hits.total >= 100, "{text} {}", hits.total);
        if text != "%%%word00%%%" {
            assert!(
                hits.hits.iter().all(|hit| hit.id < 200),
                "the first in order, whichever shard they are on"
            );
        }
    }
}

/// RediSearch's `test_geometry_flat.py`.
#[test]
fn shapes_are_found_by_how_they_lie_to_others() {
    let schema = schema("SCHEMA geom GEOSHAPE FLAT t TEXT");
    let mut index = Index::new(Arc::clone(&schema));
    let mut add = |id, shape: &str, text: &str| {
        let values = vec![(0, Value::Text(shape.as_bytes())), (1, Value::Text(text.as_bytes()))];
        let document = Document { score: 1.0, language: Language::English, payload: None, values };
        let added = index.add(id, &document, &Synonyms::default());
        added.map_err(|refused| refused.error.to_string())
    };
    add(1, "POLYGON((1 1, 1 100, 100 100, 100 1, 1 1))", "small").unwrap();
    add(2, "POLYGON((1 1, 1 200, 200 200, 200 1, 1 1), (2 2, 49 2, 49 49, 2 49, 2 2))", "large").unwrap();
    add(3, "POINT(10 10)", "point").unwrap();
    add(4, "POINT(500 500)", "point").unwrap();
    add(5, "POINT(1 1)", "gone").unwrap();
    let error = add(5, "POLIKON((1 1, 1 100, 100 100, 100 1, 1 1))", "gone").unwrap_err();
    assert!(error.contains("Error indexing geoshape: Should start with 'POLYGON'"), "{error}");
    let search = |relation: &str, shape: &str| {
        let parameters = Parameters::new(&[b"p", shape.as_bytes()]).unwrap();
        let text = format!("{relation} $p]");
        let node = query::parse(text.as_bytes(), Dialect::Two, &schema, &parameters, true)
            .map_err(|error| error.to_string())?;
        let mut found: Vec<Vec<u32>> = [1, 5, 1000]
            .into_iter()
            .map(|fuel| {
                let options = Options { wanted: 10, ..Options::default() };
                let mut gathering = StatisticsRound::new(&node, &index, &options.settings).unwrap();
                while !gathering.step(&index, &mut 100) {}
                let statistics = gathering.finish(&index);
                let mut evaluation = Evaluation::new(&node, &index, statistics, options);
                while !evaluation.step(&index, &mut { fuel }) {}
                let mut ids: Vec<u32> = evaluation.finish().hits.iter().map(|hit| hit.id).collect();
                ids.sort_unstable();
                ids
            })
            .collect();
        assert!(found.windows(2).all(|pair| pair[0] == pair[1]));
        Ok::<_, String>(found.remove(0))
    };
    let is = |relation: &str, shape: &str, expected: &[u32]| {
        assert_eq!(search(relation, shape).unwrap(), expected, "{relation} {shape}");
    };
    is("@geom:[WITHIN", "POLYGON((0 0, 0 150, 150 150, 150 0, 0 0))", &[1, 3]);
    is("@geom:[within", "POLYGON((0 0, 0 250, 250 250, 250 0, 0 0))", &[1, 2, 3]);
    is("@geom:[CONTAINS", "POLYGON((50 50, 50 99, 99 99, 99 50, 50 50))", &[1, 2]);
    is("@geom:[CONTAINS", "POINT(20 20)", &[1]);
    is("@geom:[INTERSECTS", "POLYGON((45 45, 45 46, 46 46))", &[1]);
    is("@geom:[DISJOINT", "POLYGON((45 45, 45 46, 46 46))", &[2, 3, 4]);
    is("@t:point @geom:[WITHIN", "POLYGON((0 0, 0 150, 150 150, 150 0, 0 0))", &[3]);
    is("-@geom:[WITHIN", "POLYGON((0 0, 0 150, 150 150, 150 0, 0 0))", &[2, 4]);
    for shape in ["POLIGON((0 0, 0 1, 1 1))", "", "0 0", "POLYGON"] {
        assert!(search("@geom:[CONTAINS", shape).is_err());
    }
    assert!(search("@geom:[CONTAINS", "POLYGON").unwrap_err().contains("Expected"));
    assert!(index.sizes().shape_bytes > 0);
    for id in 1..5 {
        index.remove(id);
    }
    assert_eq!((index.len(), index.sizes().records_bytes), (0, 0));
}

const WORLD: &str = "SCHEMA a TEXT b TEXT WEIGHT 3 NOSTEM tag TAG n NUMERIC SORTABLE g GEO INDEXMISSING";

fn doc() -> impl Strategy<Value = Doc> {
    let word = prop_oneof![
        4 => prop::sample::select(vec!["run", "running", "runs", "city", "cities", "boat", "boats", "cat", "car"]),
        1 => Just("the"),
    ];
    let text =
        |word: BoxedStrategy<&'static str>| prop::option::weighted(0.9, prop::collection::vec(word, 0..7));
    (
        text(word.clone().boxed()),
        text(word.boxed()),
        prop::collection::btree_set(prop::sample::select(vec!["red", "blue", "dark red"]), 0..3),
        prop::option::of(-4..5i32),
        prop::option::of((-180..=180i32, -80..=80i32)),
    )
        .prop_map(|(a, b, tags, number, place)| Doc {
            texts: [a, b]
                .map(|words| words.map(|words| words.iter().map(|word| (*word).to_owned()).collect())),
            tags: tags.into_iter().map(str::to_owned).collect(),
            number: number.map(f64::from),
            place: place.map(|(longitude, latitude)| (f64::from(longitude), f64::from(latitude))),
        })
}

/// Queries of dialect 2.
fn query() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        6 => prop::sample::select(vec!["run", "running", "city", "cities", "boat", "boats", "cat", "car", "dog", "the"]).prop_map(str::to_owned),
        1 => Just("ru*".to_owned()),
        1 => Just("*at*".to_owned()),
        1 => Just("*ts".to_owned()),
        1 => Just("w'c?t*'".to_owned()),
        1 => Just("%cat%".to_owned()),
        1 => Just("%%boat%%".to_owned()),
        2 => Just("\"boat cat\"".to_owned()),
        1 => Just("\"run the city\"".to_owned()),
        1 => Just("@a:cat".to_owned()),
        1 => Just("@b:(running cat)".to_owned()),
        1 => Just("@a|b:(run|city)".to_owned()),
        1 => Just("@tag:{red}".to_owned()),
        1 => Just("@tag:{red | bl* | dark red}".to_owned()),
        2 => (-5..5i32, 0..6i32).prop_map(|(low, size)| format!("@n:[{low} ({}]", low + size)),
        1 => (-170..170i32, -80..80i32, 1..9000i32).prop_map(|(x, y, radius)| format!("@g:[{x} {y} {radius} km]")),
        1 => Just("ismissing(@g)".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join(" "))),
            3 => prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join("|"))),
            1 => inner.clone().prop_map(|part| format!("-({part})")),
            1 => inner.clone().prop_map(|part| format!("~({part})")),
            1 => (prop::collection::vec(inner.clone(), 2..4), 0..5i32, any::<bool>()).prop_map(|(parts, slop, in_order)| {
                format!("({})=>{{$slop:{slop}; $inorder:{in_order};}}", parts.join(" "))
            }),
            1 => (inner, 1..4u32).prop_map(|(part, weight)| format!("({part})=>{{$weight:{weight};}}")),
        ]
    })
}

/// `WEFT_ROUNDS=20` tries twenty times as many.
fn rounds() -> u32 {
    std::env::var("WEFT_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500 * rounds(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn like_looking_at_every_document(
        docs in prop::collection::vec(doc(), 0..24),
        changes in prop::collection::vec((any::<prop::sample::Index>(), prop::option::of(doc())), 0..10),
        text in query(),
        shard_count in 1..4usize,
        fuel in 1..60usize,
    ) {
        let schema = schema(WORLD);
        let synonyms = Synonyms::default();
        let mut shards: Vec<Index> = (0..shard_count).map(|_| Index::new(Arc::clone(&schema))).collect();
        let mut world = World::default();
        let mut put = |world: &mut World, id: u32, doc: Option<Doc>| {
            let shard = &mut shards[id as usize % shard_count];
            match doc {
                Some(doc) => {
                    doc.with_document(&schema, |document| shard.add(id, document, &synonyms)).unwrap();
                    world.docs.insert(id, doc);
                }
                None => assert_eq!(shard.remove(id), world.docs.remove(&id).is_some()),
            }
        };
        let count = docs.len();
        for (id, doc) in docs.into_iter().enumerate() {
            put(&mut world, id as u32, Some(doc));
        }
        for (index, doc) in changes {
            put(&mut world, index.index(count.max(1)) as u32, doc);
        }
        let node = parse(&schema, Dialect::Two, &text, &synonyms);
        let hits = search(&shards, &node, &all(Scorer::Bm25Std), fuel);
        let found: Vec<u32> = { let mut ids: Vec<u32> = hits.hits.iter().map(|hit| hit.id).collect(); ids.sort_unstable(); ids };
        let expected = world.search(&schema, &node);
        prop_assert_eq!(&found, &expected.keys().copied().collect::<Vec<_>>(), "{}", query::explain(&node, &schema));
        for hit in &hits.hits {
            let score = expected[&hit.id];
            prop_assert!((hit.score - score).abs() <= 1e-9 * score.abs().max(1.0), "{} {} {}", hit.id, hit.score, score);
        }
        // The first of them are the first of all, whatever the order.
        for order in [Order::Score, Order::Field { field: 3, descending: true }, Order::Id] {
            let whole = search(&shards, &node, &Options { order, ..all(Scorer::TfIdf) }, 1000);
            let first = search(&shards, &node, &Options { order, wanted: 3, scorer: Scorer::TfIdf, ..Options::default() }, 7);
            prop_assert_eq!(&whole.hits[..whole.hits.len().min(3)], &first.hits[..]);
            prop_assert_eq!(whole.total, first.total);
        }
        for shard in &mut shards {
            prop_assert!(shard.postings_bytes_agree());
            for id in 0..count.max(1) as u32 {
                shard.remove(id);
            }
            prop_assert!(shard.is_empty() && shard.word_count() == 0 && shard.length_sum() == 0);
            prop_assert!(shard.postings_bytes_agree());
        }
    }
}
