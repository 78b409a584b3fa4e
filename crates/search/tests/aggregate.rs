//! Groups and reducers: what they say, and that the groups of several shards put together say the same as those of one.

use base::random::Random;
use proptest::prelude::*;
use search::aggregate::{Fields, Grouping, Groups, Reducer, ReducerKind, SortKey, compare_rows};
use search::expression::Value;

fn reducer(text: &str) -> Result<Reducer, String> {
    let words: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
    Reducer::parse(words[0], &words[1..], None).map_err(|error| error.to_string())
}

fn rows(count: u32) -> Vec<Fields> {
    let row = |n: u32| {
        let fields = [
            ("brand", Value::text(["sony", "apple", "bose"][n as usize % 3])),
            ("price", if n % 10 == 9 { Value::Null } else { Value::text(format!("{}", n % 17)) }),
            ("title", Value::text(format!("title{}", n % 50))),
            ("many", Value::List(vec![Value::text("x"), Value::text(["y", "z"][n as usize % 2])])),
        ];
        Fields::new(fields.into_iter().map(|(name, value)| (name.as_bytes().to_vec(), value)))
    };
    (0..count).map(row).collect()
}

/// One row for each group.
fn shown(groups: Groups, grouping: &Grouping) -> Vec<Fields> {
    groups.into_iter().map(|group| group.into_row(grouping)).collect()
}

/// Adds the groups of another shard.
fn add(groups: &mut Groups, others: Groups, grouping: &Grouping) {
    others.into_iter().for_each(|group| groups.take_in(group, grouping).unwrap());
}

fn group(grouping: &Grouping, rows: &[Fields]) -> Groups {
    let mut groups = Groups::default();
    let mut random = Random::from_seed(rows.len() as u64);
    for row in rows {
        groups.add(grouping, row, &mut random).unwrap();
    }
    groups
}

#[test]
fn every_reducer() {
    let reducers = [
        "COUNT",
        "COUNT_DISTINCT @price",
        "sum @price",
        "MIN @price",
        "MAX @price",
        "AVG @price",
        "STDDEV @price",
        "QUANTILE @price 0.5",
        "FIRST_VALUE @title BY @price DESC",
        "FIRST_VALUE @title BY @price",
        "FIRST_VALUE @title",
        "MIN @title",
        "MAX @gone",
        "TOLIST @many",
        "RANDOM_SAMPLE @price 5",
    ];
    let grouping = Grouping {
        properties: Vec::new(),
        reducers: reducers.map(|text| reducer(text).unwrap()).to_vec(),
        groups_max: usize::MAX,
    };
    let found = shown(group(&grouping, &rows(100)), &grouping);
    assert_eq!(found.len(), 1);
    let values: Vec<Value> = found[0].iter().map(|(_, value)| value.clone()).collect();
    let prices: Vec<f64> = (0..100u32).filter(|n| n % 10 != 9).map(|n| f64::from(n % 17)).collect();
    let sum: f64 = prices.iter().sum();
    let average = sum / 90.0;
    let deviation = (prices.iter().map(|price| (price - average).powi(2)).sum::<f64>() / 89.0).sqrt();
    let mut sorted = prices.clone();
    sorted.sort_by(f64::total_cmp);
    let near = |value: &Value, expected: f64| (value.number().unwrap() - expected).abs() < 1e-9;
    assert_eq!(values[..5], [100.0, 17.0, sum, 0.0, 16.0].map(Value::Number));
    assert!(near(&values[5], average) && near(&values[6], deviation));
    assert_eq!(values[7], Value::Number(sorted[44]));
    assert_eq!(values[8..12], ["title16", "title0", "title0", "title0"].map(Value::text));
    assert_eq!(values[12], Value::Number(f64::NEG_INFINITY));
    assert_eq!(values[13], Value::List(["x", "y", "z"].map(Value::text).to_vec()));
    let Value::List(sample) = &values[14] else { panic!("{values:?}") };
    assert_eq!(sample.len(), 5);
}

#[test]
fn names_and_groups() {
    assert_eq!(reducer("MIN @price").unwrap().alias, b"__generated_aliasminprice");
    assert_eq!(reducer("COUNT").unwrap().alias, b"__generated_aliascount");
    let named = Reducer::parse(b"COUNT", &[], Some(b"n")).unwrap();
    let grouping = Grouping {
        properties: vec![b"brand".to_vec(), b"many".to_vec()],
        reducers: vec![named],
        groups_max: usize::MAX,
    };
    let mut found = shown(group(&grouping, &rows(60)), &grouping);
    let keys = [("n", true), ("brand", false), ("many", false)]
        .map(|(name, descending)| SortKey { property: name.as_bytes().to_vec(), descending });
    found.sort_by(|left, right| compare_rows(&keys, left, right));
    let shown: Vec<String> = found
        .iter()
        .map(|row| {
            let values = row.iter().map(|(_, value)| String::from_utf8(value.shown().unwrap()).unwrap());
            values.collect::<Vec<_>>().join(" ")
        })
        .collect();
    let expected = [
        "apple x 20",
        "bose x 20",
        "sony x 20",
        "apple y 10",
        "apple z 10",
        "bose y 10",
        "bose z 10",
        "sony y 10",
        "sony z 10",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn what_is_refused() {
    for (text, part) in [
        ("BAD @x", "No such reducer: BAD"),
        ("COUNT @x", "Count accepts 0 values only"),
        ("SUM", "Bad arguments for SUM: Expected an argument, but none provided"),
        ("SUM @x @y", "Bad arguments for SUM: Unknown argument `@y`"),
        ("QUANTILE @x", "Bad arguments for QUANTILE"),
        ("QUANTILE @x 1.5", "Percentage must be between 0.0 and 1.0"),
        ("QUANTILE @x y", "Could not convert argument to expected type"),
        ("RANDOM_SAMPLE @x 100000", "Sample size too large"),
        ("RANDOM_SAMPLE @x 0", "Value is outside acceptable bounds"),
        ("FIRST_VALUE @x BY", "Bad arguments for FIRST_VALUE"),
        ("FIRST_VALUE @x OF @y", "Unknown argument `OF`"),
        ("FIRST_VALUE @x BY @y UP", "Unknown argument `UP`"),
    ] {
        let error = reducer(text).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    }
    let grouped = |properties: &[&[u8]], reducers: &[&str]| {
        let reducers = reducers.iter().map(|text| reducer(text).unwrap()).collect();
        Grouping::new(properties, reducers, usize::MAX).map_err(|error| error.to_string())
    };
    assert!(grouped(&[b"@t", b"@n"], &["COUNT", "SUM @n"]).is_ok());
    for (properties, reducers, part) in [
        (
            &[&b"@t"[..], b"n"][..],
            &[][..],
            "Bad arguments for GROUPBY: Unknown property `n`. Did you mean `@n`?",
        ),
        (&[b"@t", b"@t"], &[], "Property `t` specified more than once"),
        (&[b"@t"], &["COUNT", "COUNT"], "Property `__generated_aliascount` specified more than once"),
        (&[&b"@t"[..]; 70_000], &[], "Bad arguments for GROUPBY: Value is outside acceptable bounds"),
    ] {
        assert!(grouped(properties, reducers).unwrap_err().contains(part), "{part}");
    }
}

#[test]
fn estimates_of_many_values() {
    let grouping = Grouping {
        properties: Vec::new(),
        reducers: vec![reducer("COUNT_DISTINCTISH @v").unwrap()],
        groups_max: usize::MAX,
    };
    for count in [10u32, 1000, 50_000] {
        let row = |n: u32| Fields::new(std::iter::once((b"v".to_vec(), Value::text(n.to_string()))));
        let rows: Vec<Fields> = (0..count).map(row).collect();
        let estimate = shown(group(&grouping, &rows), &grouping)[0]
            .get(b"__generated_aliascount_distinctishv")
            .unwrap()
            .number();
        let off = (estimate.unwrap() - f64::from(count)).abs() / f64::from(count);
        // The hash is fixed, so this is no matter of luck.
        assert!(off < 0.1, "{count}: {estimate:?}");
    }
}

proptest! {
    #[test]
    fn shards_together_say_what_one_does(count in 0..200u32, cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4)) {
        let kinds = [
            "COUNT", "COUNT_DISTINCT @title", "COUNT_DISTINCTISH @title", "SUM @price", "MIN @price", "MAX @price", "AVG @price",
            "STDDEV @price", "QUANTILE @price 0.9", "TOLIST @title", "FIRST_VALUE @title BY @price DESC", "FIRST_VALUE @title",
        ];
        let reducers = kinds.map(|text| reducer(text).unwrap()).to_vec();
        let grouping = Grouping { properties: vec![b"brand".to_vec()], reducers, groups_max: usize::MAX };
        let rows = rows(count);
        let whole = shown(group(&grouping, &rows), &grouping);
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(rows.len() + 1)).collect();
        places.extend([0, rows.len()]);
        places.sort_unstable();
        let mut merged = Groups::default();
        for pair in places.windows(2) {
            add(&mut merged, group(&grouping, &rows[pair[0]..pair[1]]), &grouping);
        }
        let merged = shown(merged, &grouping);
        prop_assert_eq!(whole.len(), merged.len());
        for (left, right) in whole.iter().zip(&merged) {
            for ((name, left), (_, right)) in left.iter().zip(right.iter()) {
                let is_near = match (left, right) {
                    (Value::Number(left), Value::Number(right)) => (left - right).abs() <= 1e-9 * left.abs().max(1.0),
                    _ => left == right,
                };
                prop_assert!(is_near, "{} {left:?} {right:?}", String::from_utf8_lossy(name));
            }
        }
    }

    #[test]
    fn samples_are_of_the_size(count in 0..50u32, size in 1..20usize) {
        let sample = Reducer { kind: ReducerKind::RandomSample(size), property: b"title".to_vec(), alias: b"s".to_vec() };
        let grouping = Grouping { properties: Vec::new(), reducers: vec![sample], groups_max: usize::MAX };
        let rows = rows(count);
        let mut groups = group(&grouping, &rows[..count as usize / 2]);
        add(&mut groups, group(&grouping, &rows[count as usize / 2..]), &grouping);
        for row in shown(groups, &grouping) {
            let Some(Value::List(list)) = row.get(b"s") else { panic!("{row:?}") };
            prop_assert_eq!(list.len(), size.min(count as usize));
        }
    }
}
