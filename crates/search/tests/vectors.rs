//! Vector fields: what is found against a model that looks at every vector, on one index and on several that share a graph.

mod merging;
mod shards;

use base::random::Random;
use search::error::Code;
use search::evaluate::Order;
use search::index::{Document, Index, Value};
use search::query::Synonyms;
use search::text::Language;
use search::vectors::Vectors;
use shards::{Cluster, Entry};
use std::sync::Arc;
use vector::{Element, Metric};

const ELEMENTS: [Element; 6] =
    [Element::F64, Element::F32, Element::F16, Element::Bf16, Element::I8, Element::U8];

/// Numbers that all elements can have, roughly.
fn random_vector(random: &mut Random, element: Element, dimension: usize) -> Vec<f64> {
    let number = |random: &mut Random| match element {
        Element::I8 => random.unit_f64() * 200.0 - 100.0,
        Element::U8 => random.unit_f64() * 200.0 + 1.0,
        _ => random.unit_f64() * 2.0 - 1.0,
    };
    (0..dimension).map(|_| number(random)).collect()
}

fn random_entry(random: &mut Random, element: Element, dimension: usize, vectors: usize) -> Entry {
    let vectors = (0..vectors).map(|_| random_vector(random, element, dimension)).collect::<Vec<_>>();
    let number = vectors.first().map_or(0.0, |vector: &Vec<f64>| vector[0]);
    Entry { vectors, tag: ["red", "green", "blue", "grey"][random.index(4)].to_owned(), number }
}

/// Whether two distances are the same but for how exactly elements are computed with.
fn same(left: f64, right: f64) -> bool {
    (left - right).abs() <= 1e-4 * (1.0 + left.abs().max(right.abs()))
}

/// Holds what was found against what should be: as many, each as far as it is, and no nearer one left out.
fn check(cluster: &Cluster, query: &[f64], found: &[(u32, Option<f64>)], exact: &[(u32, f64)], what: &str) {
    assert_eq!(found.len(), exact.len(), "{what}");
    for ((id, distance), (_, expected)) in found.iter().zip(exact) {
        let distance = distance.expect("what was found has a distance");
        assert!(same(distance, *expected), "{what}: {distance} instead of {expected}");
        assert!(same(distance, cluster.distance(*id, query)), "{what}: {id}");
    }
}

#[test]
fn all_elements_and_metrics_are_found_exactly() {
    for element in ELEMENTS {
        for metric in Metric::ALL {
            for algorithm in ["FLAT", "HNSW EF_RUNTIME 400 M 4"] {
                for shards in [1, 3] {
                    exactly(element, metric, algorithm, shards);
                }
            }
        }
    }
}

fn exactly(element: Element, metric: Metric, algorithm: &str, shards: usize) {
    let what = format!("{element:?} {metric:?} {algorithm} {shards}");
    let mut random = Random::from_seed(3);
    let mut cluster = Cluster::new(shards, algorithm, element, metric, 9);
    for n in 0..120 {
        let entry = random_entry(&mut random, element, 9, 1);
        let id = cluster.id(n);
        cluster.put(id, entry).unwrap();
        cluster.work(n, 100);
    }
    for _ in 0..4 {
        let query = random_vector(&mut random, element, 9);
        let nearest = cluster.exact(&query, |_| true);
        check(&cluster, &query, &cluster.search("*=>[KNN 7 @v $B]", &query), &nearest[..7], &what);
        let red = cluster.exact(&query, |entry| entry.tag == "red");
        check(&cluster, &query, &cluster.search("@t:{red}=>[KNN 200 @v $B AS d]", &query), &red, &what);
        // Between two distances, so that rounding does not decide.
        let gap = (3..100).max_by(|a, b| {
            let gap = |at: usize| nearest[at + 1].1 - nearest[at].1;
            gap(*a).total_cmp(&gap(*b))
        });
        let radius = (nearest[gap.unwrap()].1 + nearest[gap.unwrap() + 1].1) / 2.0;
        if radius >= 0.0 {
            let within: Vec<_> =
                nearest.iter().copied().filter(|(_, distance)| *distance <= radius).collect();
            let attributes = if algorithm == "FLAT" { "" } else { "$epsilon: 30;" };
            let text = format!("@v:[VECTOR_RANGE {radius} $B]=>{{$yield_distance_as: d; {attributes}}}");
            check(&cluster, &query, &cluster.search(&text, &query), &within, &what);
        }
    }
}

#[test]
fn churn_changes_nothing() {
    for (algorithm, shards) in [("HNSW EF_RUNTIME 1000 M 4", 3), ("HNSW EF_RUNTIME 1000 M 4", 1), ("FLAT", 2)]
    {
        let mut random = Random::from_seed(8);
        let mut cluster = Cluster::new(shards, algorithm, Element::F32, Metric::L2, 8);
        cluster.fuel = 37;
        for round in 0..3000 {
            let id = cluster.id(random.index(250));
            match random.index(5) {
                0 if cluster.model.contains_key(&id) => cluster.remove(id),
                _ => {
                    let entry = random_entry(&mut random, Element::F32, 8, 1);
                    cluster.put(id, entry).unwrap();
                }
            }
            cluster.work(random.index(shards), random.index(2000));
            if round % 100 == 0 {
                let query = random_vector(&mut random, Element::F32, 8);
                let what = format!("{algorithm} {shards} {round}");
                let all = cluster.exact(&query, |_| true);
                check(&cluster, &query, &cluster.search("*=>[KNN 1000 @v $B]", &query), &all, &what);
                let blue = cluster.exact(&query, |entry| entry.tag == "blue");
                let text = "@t:{blue}=>[KNN 5 @v $B HYBRID_POLICY BATCHES]";
                check(&cluster, &query, &cluster.search(text, &query), &blue[..blue.len().min(5)], &what);
            }
        }
    }
}

#[test]
fn filters_of_any_kind_and_size() {
    let mut random = Random::from_seed(5);
    for shards in [1, 4] {
        let mut cluster = Cluster::new(shards, "HNSW", Element::F32, Metric::Cosine, 16);
        for n in 0..3000 {
            let entry = random_entry(&mut random, Element::F32, 16, 1);
            let id = cluster.id(n);
            cluster.put(id, entry).unwrap();
        }
        while (0..shards).any(|shard| cluster.shards[shard].vector_work(10_000)) {}
        // A number is correlated with the vector, a tag is not.
        for (filter, least) in [
            ("@t:{green|blue}", -9.0),
            ("@n:[0.9 +inf]", 0.9),
            ("@n:[0.2 +inf]", 0.2),
            ("@n:[0.99 +inf]", 0.99),
        ] {
            for policy in ["", "HYBRID_POLICY BATCHES", "HYBRID_POLICY ADHOC_BF"] {
                let (mut found, mut there) = (0, 0);
                for _ in 0..10 {
                    let query = random_vector(&mut random, Element::F32, 16);
                    let passes = |entry: &Entry| match least {
                        -9.0 => entry.tag == "green" || entry.tag == "blue",
                        _ => entry.number >= least,
                    };
                    let mut exact = cluster.exact(&query, passes);
                    exact.truncate(10);
                    let ef = if policy.ends_with("BF") { "" } else { "EF_RUNTIME 100" };
                    let got = cluster.search(&format!("{filter}=>[KNN 10 @v $B {policy} {ef}]"), &query);
                    assert_eq!(got.len(), exact.len());
                    assert!(got.iter().all(|(id, _)| passes(&cluster.model[id])));
                    found += got.iter().filter(|(id, _)| exact.iter().any(|(other, _)| other == id)).count();
                    there += exact.len();
                    if policy.ends_with("BF") {
                        check(&cluster, &query, &got, &exact, filter);
                    }
                }
                assert!(
                    found as f64 >= 0.95 * there as f64,
                    "{shards} {filter} {policy}: {found} of {there}"
                );
            }
        }
    }
}

#[test]
fn of_several_vectors_the_nearest_counts() {
    for (algorithm, shards) in
        [("FLAT", 1), ("FLAT", 3), ("HNSW", 1), ("HNSW", 3), ("SVS-VAMANA COMPRESSION LVQ8", 2)]
    {
        let mut random = Random::from_seed(9);
        let mut cluster = Cluster::new(shards, algorithm, Element::F32, Metric::L2, 4);
        for round in 0..400 {
            let id = cluster.id(random.index(60));
            let count = random.index(6);
            let entry = random_entry(&mut random, Element::F32, 4, count);
            cluster.put(id, entry).unwrap();
            cluster.work(round, 300);
        }
        for k in [1, 5, 30, 100] {
            let query = random_vector(&mut random, Element::F32, 4);
            let mut exact = cluster.exact(&query, |_| true);
            exact.truncate(k);
            let window = if algorithm.starts_with("HNSW") { "EF_RUNTIME 500" } else { "" };
            let window = if algorithm.starts_with("SVS") { "SEARCH_WINDOW_SIZE 500" } else { window };
            let found = cluster.search(&format!("*=>[KNN {k} @v $B {window}]"), &query);
            check(&cluster, &query, &found, &exact, &format!("{algorithm} {shards} {k}"));
            let found = cluster.search("@t:{red|blue}=>[KNN 3 @v $B HYBRID_POLICY ADHOC_BF]", &query);
            let exact = cluster.exact(&query, |entry| entry.tag == "red" || entry.tag == "blue");
            check(&cluster, &query, &found, &exact[..3], algorithm);
        }
    }
}

#[test]
fn ranges_among_other_parts() {
    for shards in [1, 3] {
        let mut random = Random::from_seed(10);
        let mut cluster = Cluster::new(shards, "HNSW", Element::F64, Metric::L2, 2);
        for n in 0..200 {
            let id = cluster.id(n);
            let entry = random_entry(&mut random, Element::F64, 2, 1);
            cluster.put(id, entry).unwrap();
        }
        let query = [0.1, -0.2];
        let near = |cluster: &Cluster, id: u32| cluster.distance(id, &query) <= 0.3;
        let ids = |text: &str| -> Vec<(u32, Vec<Option<f64>>)> {
            let hits = cluster.hits(text, &query, Order::Id);
            assert_eq!(hits.total as usize, hits.hits.len());
            hits.hits.into_iter().map(|hit| (hit.id, hit.distances.into_vec())).collect()
        };
        let all: Vec<u32> = cluster.model.keys().copied().collect();
        let range = "@v:[VECTOR_RANGE 0.3 $B]";
        let is_red = |id: &u32| cluster.model[id].tag == "red";

        let both: Vec<u32> = all.iter().copied().filter(|id| near(&cluster, *id) && is_red(id)).collect();
        let found = ids(&format!("{range}=>{{$yield_distance_as: d}} @t:{{red}}"));
        assert!(found.iter().map(|(id, _)| *id).eq(both.iter().copied()) && !both.is_empty());
        assert!(
            found.iter().all(|(id, distances)| same(distances[0].unwrap(), cluster.distance(*id, &query)))
        );

        let either: Vec<u32> = all.iter().copied().filter(|id| near(&cluster, *id) || is_red(id)).collect();
        let found = ids(&format!("{range} | @t:{{red}}"));
        assert!(found.iter().map(|(id, _)| *id).eq(either));
        assert!(found.iter().all(|(id, distances)| distances[0].is_some() == near(&cluster, *id)));

        let without: Vec<u32> = all.iter().copied().filter(|id| !near(&cluster, *id) && is_red(id)).collect();
        assert!(ids(&format!("-{range} @t:{{red}}")).iter().map(|(id, _)| *id).eq(without));

        // The nearest of a range, farthest first.
        let far = format!("({range}=>{{$yield_distance_as: d}})=>[KNN 4 @v $B AS k]");
        let hits = cluster.hits(&far, &query, Order::Distance { part: 0, descending: true });
        let mut exact = cluster.exact(&query, |_| true);
        exact.truncate(4);
        assert!(hits.hits.iter().map(|hit| hit.id).eq(exact.iter().rev().map(|(id, _)| *id)));
        assert!(
            hits.hits.iter().all(|hit| hit.distances[0] == hit.distances[1] && hit.distances[1].is_some())
        );
        assert_eq!(ids("@t:{nothing}=>[KNN 4 @v $B]"), []);
        assert_eq!(ids("*=>[KNN 0 @v $B]"), []);
    }
}

#[test]
fn scores_are_those_of_the_filter() {
    for shards in [1, 2] {
        let mut cluster = Cluster::new(shards, "HNSW", Element::F32, Metric::L2, 2);
        for n in 0..20 {
            let id = cluster.id(n);
            let tag = if n % 5 == 0 { "rare" } else { "common" };
            cluster
                .put(id, Entry { vectors: vec![vec![n as f64, 0.0]], tag: tag.to_owned(), number: 0.0 })
                .unwrap();
        }
        let hits = cluster.hits("(@x:rare|common)=>[KNN 6 @v $B]", &[0.0, 0.0], Order::Score);
        let found: Vec<u32> = hits.hits.iter().map(|hit| hit.id).collect();
        let mut first = [cluster.id(0), cluster.id(5)];
        first.sort_unstable();
        assert_eq!((found.len(), &found[..2]), (6, &first[..]));
        assert!(hits.hits[1].score > hits.hits[2].score && hits.hits[2].score > 0.0);
    }
}

/// Adds a document that has just a vector.
fn add(index: &mut Index, id: u32, value: Value<'_>) -> Result<(), String> {
    let document =
        Document { score: 1.0, language: Language::English, payload: None, values: vec![(0, value)] };
    index.add(id, &document, &Synonyms::default()).map_err(|refused| refused.error.to_string())
}

#[test]
fn what_is_no_vector_is_refused() {
    for algorithm in ["FLAT", "HNSW"] {
        let text = format!("SCHEMA v VECTOR {algorithm} 6 TYPE FLOAT16 DIM 2 DISTANCE_METRIC COSINE");
        let mut index = Index::new(shards::schema(&text));
        let good = Element::F16.bytes(&[1.0, 2.0]);
        let bytes = |numbers: &[f64]| Element::F16.bytes(numbers);
        for (value, part) in [
            (
                Value::Text(&good[..3]),
                "SEARCH_VECTOR_BLOB_SIZE_MISMATCH Could not add vector with blob size 3 (expected size 4)",
            ),
            (Value::Text(&bytes(&[1.0, 2.0, 3.0])), "blob size 6 (expected size 4)"),
            (Value::Text(&bytes(&[1.0, f64::NAN])), "NaN"),
            (Value::Text(&bytes(&[1.0, f64::INFINITY])), "infinity"),
            (Value::Text(&bytes(&[0.0, 0.0])), "length zero"),
            (
                Value::Numbers(vec![1.0, 2.0, 3.0]),
                "SEARCH_VECTOR_LEN_BAD Invalid vector length. Expected 2, got 3",
            ),
            // Too large for the element.
            (Value::Numbers(vec![1.0, 1e9]), "infinity"),
            (Value::Vectors(vec![vec![1.0, 2.0], vec![]]), "Expected 2, got 0"),
            (Value::Texts(vec![b"1", b"2"]), "Invalid JSON type"),
            (Value::Number(1.0), "Invalid JSON type"),
        ] {
            add(&mut index, 3, Value::Text(&good)).unwrap();
            let error = add(&mut index, 3, value).unwrap_err();
            assert!(error.contains(part), "{error}");
            assert!(index.is_empty(), "a document that is refused is not there as it was before");
            assert_eq!(index.vector_bytes() > 0, algorithm == "FLAT");
        }
        add(&mut index, 3, Value::Null).unwrap();
        add(&mut index, 4, Value::Vectors(Vec::new())).unwrap();
        assert_eq!(index.len(), 2);
    }
}

#[test]
fn vectors_that_stay_the_same_are_left_alone() {
    let mut cluster = Cluster::new(2, "HNSW", Element::F32, Metric::L2, 4);
    let mut random = Random::from_seed(1);
    for n in 0..50 {
        let entry = random_entry(&mut random, Element::F32, 4, 1 + n % 3);
        let id = cluster.id(n);
        cluster.put(id, entry).unwrap();
    }
    while cluster.shards[0].vector_work(1000) {}
    assert!(!cluster.shards[1].has_vector_work());
    let linked = || cluster.shards.iter().map(Index::vector_bytes).sum::<usize>();
    let before = linked();
    for n in 0..50 {
        let id = cluster.id(n);
        let entry = cluster.model[&id].clone();
        cluster.put(id, Entry { tag: "other".to_owned(), ..entry }).unwrap();
    }
    // Whoever asks finds nothing to do.
    assert!(!cluster.shards[0].vector_work(1) && !cluster.shards[1].has_vector_work());
    assert_eq!(cluster.shards.iter().map(Index::vector_bytes).sum::<usize>(), before);
}

#[test]
fn what_has_changed_meanwhile_is_not_shown_as_it_was() {
    let mut cluster = Cluster::new(2, "HNSW", Element::F32, Metric::L2, 2);
    for n in 0..10 {
        let id = cluster.id(n);
        let entry = Entry { vectors: vec![vec![n as f64, 0.0]], tag: "red".to_owned(), number: 0.0 };
        cluster.put(id, entry).unwrap();
    }
    let query = [0.0, 0.0];
    let (node, parts) = cluster.parse("*=>[KNN 3 @v $B]", &query).unwrap();
    let mut walk = search::vectors::Walk::new(Vectors::new(parts), Vec::new());
    while !walk.step(&cluster.shards[0], &mut 10) {}
    let vectors = walk.finish();
    assert!(!vectors.wants_shares() && !vectors.wants_walk());
    // One of the three goes, another one moves.
    let (gone, moved) = (cluster.id(0), cluster.id(1));
    cluster.remove(gone);
    cluster.put(moved, Entry { vectors: vec![vec![7.0, 0.0]], tag: "red".to_owned(), number: 0.0 }).unwrap();
    let mut found = Vec::new();
    for index in &cluster.shards {
        let options =
            search::evaluate::Options { vectors: vectors.clone(), wanted: 10, ..Default::default() };
        let mut evaluation = search::evaluate::Evaluation::new(&node, index, Default::default(), options);
        while !evaluation.step(index, &mut 10) {}
        found.extend(evaluation.finish().hits.into_iter().map(|hit| (hit.id, hit.distances[0])));
    }
    found.sort_by_key(|(id, _)| *id);
    let mut expected = vec![(cluster.id(2), Some(4.0)), (moved, Some(49.0))];
    expected.sort_by_key(|(id, _)| *id);
    assert_eq!(found, expected);
}

#[test]
fn queries_that_are_refused() {
    let hnsw = Cluster::new(1, "HNSW", Element::F32, Metric::L2, 2);
    let flat = Cluster::new(1, "FLAT", Element::F32, Metric::Cosine, 2);
    const INVALID: &str =
        "SEARCH_VALUE_BAD Invalid value was given (Error parsing vector similarity parameters)";
    const OPTION: &str = "SEARCH_OPTION_INVALID Invalid option (Error parsing vector similarity parameters)";
    const NOT_HYBRID: &str = "SEARCH_HYBRID_ATTR_NON_HYBRID hybrid query attributes were sent for a non-hybrid query (Error parsing vector similarity parameters)";
    const NOT_RANGE: &str = "SEARCH_RANGE_ATTR_NON_RANGE range query attributes were sent for a non-range query (Error parsing vector similarity parameters)";
    for (cluster, text, part) in [
        (&hnsw, "*=>[KNN 2 @v $B AS v]", "Property `v` already exists in schema"),
        (&hnsw, "*=>[KNN 2 @v $B]=>{$yield_distance_as: t;}", "Property `t` already exists in schema"),
        (&hnsw, "*=>[KNN 2 @v $B EF_RUNTIME -42]", INVALID),
        (&hnsw, "*=>[KNN 2 @v $B EF_RUNTIME 2.71828]", INVALID),
        (&hnsw, "*=>[KNN 2 @v $B EF_RUNTIME 0]", INVALID),
        (&hnsw, "*=>[KNN 2 @v $B EF_FUNTIME 30]", OPTION),
        (&hnsw, "*=>[KNN 2 @v $B RERANK TRUE]", OPTION),
        (&hnsw, "*=>[KNN 2 @v $B]=>{$RERANK: TRUE;}", OPTION),
        (&flat, "*=>[KNN 2 @v $B EF_RUNTIME 30]", OPTION),
        (&hnsw, "*=>[KNN 2 @v $B BATCH_SIZE 100]", NOT_HYBRID),
        (&hnsw, "*=>[KNN 2 @v $B HYBRID_POLICY BATCHES BATCH_SIZE 100]", NOT_HYBRID),
        (&hnsw, "@x:hello=>[KNN 2 @v $B BATCH_SIZE 0]", INVALID),
        (&hnsw, "@x:hello=>[KNN 2 @v $B BATCH_SIZE 34_not_a_number]", INVALID),
        (&hnsw, "@x:hello=>[KNN 2 @v $B HYBRID_POLICY bad_policy]", "invalid hybrid policy was given"),
        (&hnsw, "@x:hello=>[KNN 2 @v $B]=>{$HYBRID_POLICY: bad_policy;}", "invalid hybrid policy was given"),
        (
            &hnsw,
            "@x:hello=>[KNN 2 @v $B HYBRID_POLICY ADHOC_BF BATCH_SIZE 100]",
            "SEARCH_ADHOC_BATCH_SIZE_IRRELEVANT 'batch size' is irrelevant for the selected policy (Error",
        ),
        (
            &hnsw,
            "@x:hello=>[KNN 2 @v $B HYBRID_POLICY ADHOC_BF EF_RUNTIME 100]",
            "SEARCH_ADHOC_EF_RUNTIME_IRRELEVANT 'EF_RUNTIME' is irrelevant for the selected policy (Error",
        ),
        (&hnsw, "*=>[KNN 2 @v $B]=>{$shard_k_ratio: invalid;}", "Invalid shard k ratio value"),
        (&hnsw, "*=>[KNN 2 @v $B EPSILON 2.71828]", NOT_RANGE),
        (&hnsw, "@x:hello=>[KNN 2 @v $B]=>{$EPSILON: 0.1}", NOT_RANGE),
        (&hnsw, "@v:[vector_range 0.1 $B]=>{$EF_RUNTIME:10}", OPTION),
        (&hnsw, "@v:[vector_range 0.1 $B]=>{$HYBRID_POLICY:BATCHES}", NOT_HYBRID),
        (&hnsw, "@v:[vector_range 0.1 $B]=>{$EPSILON: -1}", INVALID),
        (&hnsw, "@v:[vector_range 0.1 $B]=>{$EPSILON: 0}", INVALID),
        (&hnsw, "@v:[vector_range 0.1 $B]=>{$EPSILON: not_a_num}", INVALID),
        (&flat, "@v:[vector_range 0.1 $B]=>{$epsilon:0.1}", OPTION),
        (
            &hnsw,
            "@v:[vector_range 0.1 $B]=>{$yield_distance_as:d} @v:[vector_range 0.2 $B]=>{$yield_distance_as:d}",
            "Property `d` specified more than once",
        ),
    ] {
        let error = cluster.parse(text, &[1.0, 2.0]).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    for (cluster, blob, part) in [
        (
            &hnsw,
            &b"abcdefg"[..],
            "SEARCH_QUERY_BAD Error parsing vector similarity query: query vector blob size (7) does not match index's expected size (8).",
        ),
        (&hnsw, &[0, 0, 192, 127, 0, 0, 0, 0], "NaN"),
        (&flat, &[0; 8], "length zero"),
    ] {
        for text in ["*=>[KNN 2 @v $B]", "@v:[VECTOR_RANGE 1 $B]", "@v:[VECTOR_RANGE 1 $B] @t:{a}"] {
            let error = cluster.parse_bytes(text, blob).unwrap_err();
            assert!(error.code == Code::Query && error.to_string().contains(part), "{error}");
        }
    }
}

#[test]
fn fields_that_are_added_share_a_graph_too() {
    let more = |text: &str| shards::schema(text);
    let registry = Arc::new(search::vectors::Registry::default());
    let graphs = || search::vectors::Graphs { registry: Arc::clone(&registry), index: 1 };
    let first = more("SCHEMA t TAG");
    let mut all = [Index::shared(Arc::clone(&first), graphs()), Index::shared(first, graphs())];
    let second = more("SCHEMA t TAG w VECTOR HNSW 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2");
    all.iter_mut().for_each(|index| index.extend(Arc::clone(&second)));
    let blob = Element::F32.bytes(&[3.0, 4.0]);
    let values = vec![(1, Value::Text(&blob))];
    let document = Document { score: 1.0, language: Language::English, payload: None, values };
    all[0].add(11, &document, &Synonyms::default()).unwrap();
    // The other one knows of it, and all that is left goes with the last of them.
    assert!(all[1].has_vector_work() && !all[1].vector_work(1000) && !all[0].has_vector_work());
    let other = search::vectors::Graphs { registry, index: 2 };
    assert!(!Index::shared(second, other).has_vector_work());
}

#[test]
fn what_a_part_of_a_search_holds_can_travel() {
    fn travels<T: Send>() {}
    travels::<search::evaluate::Evaluation>();
    travels::<search::vectors::Sharing>();
    travels::<search::vectors::Walk>();
    travels::<(Vectors, search::vectors::Share)>();
    travels::<Index>();
}
