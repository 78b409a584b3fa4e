//! Paths against tables of cases, against the values they lead to, and beside another implementation.

use super::*;
use crate::{Format, parse, write};

fn text(items: &[Item<'_>]) -> String {
    let texts = items.iter().map(|item| {
        let mut out = Vec::new();
        write(item.view(), &Format::default(), &mut out);
        String::from_utf8(out).expect("UTF-8")
    });
    format!("[{}]", texts.collect::<Vec<_>>().join(","))
}

fn ask(json: &str, path: &str) -> String {
    let node = parse(json.as_bytes(), None).expect("JSON");
    match Query::parse(path.as_bytes()) {
        Ok(query) => text(&project(&query, node.view(), 1 << 20).expect("little work")),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn check(json: &str, cases: &[(&str, &str)]) {
    for (path, expected) in cases {
        assert_eq!(ask(json, path), *expected, "{path}");
    }
}

const STORE: &str = r#"{"a":2,"b":4,"s":"hi","arr":[1,2,3],"nums":[3,1,2],"obj":{"x":1,"y":2},"a+1":7,"-$x":111,"x":5,
    "nested":{"x":6,"arr":[[1,2],[3,4],5],"s":"hippo"},"~t":8,"$":9,"e":[],"n":null,"t":true,"f":false}"#;

#[test]
fn paths_lead_to_values() {
    check(
        STORE,
        &[
            ("$.a", "[2]"),
            ("$['a']", "[2]"),
            ("$.[\"a\",'b']", "[2,4]"),
            ("$.nested.arr[0][1]", "[2]"),
            ("$.nested.arr[-1]", "[5]"),
            ("$.nested.arr[0,-1,9]", "[[1,2],5]"),
            ("$.nested.arr[*][0]", "[1,3]"),
            ("$..x", "[5,1,6]"),
            ("$..arr[0]", "[1,[1,2]]"),
            ("$.arr.*", "[1,2,3]"),
            ("$..nested..*", r#"[6,[[1,2],[3,4],5],"hippo",[1,2],[3,4],5,1,2,3,4]"#),
            ("$.nope", "[]"),
            ("$.a.b", "[]"),
            ("$.a[0]", "[]"),
            ("$.a+1", "[7]"),
            ("$.$", "[9]"),
            ("$[\"~t\"]", "[8]"),
            ("$[ 'a' , \"b\" ]", "[2,4]"),
        ],
    );
}

#[test]
fn slices() {
    check(
        "[0,1,2,3,4,5]",
        &[
            ("$[:]", "[0,1,2,3,4,5]"),
            ("$[ 1 : 3 ]", "[1,2]"),
            ("$[::2]", "[0,2,4]"),
            ("$[1::3]", "[1,4]"),
            ("$[-2:]", "[4,5]"),
            ("$[:-4]", "[0,1]"),
            ("$[::-1]", "[5,4,3,2,1,0]"),
            ("$[3:0:-2]", "[3,1]"),
            ("$[::0]", "[]"),
            ("$[4:1]", "[]"),
            ("$[0:40000000000000000000]", "[0,1,2,3,4,5]"),
            ("$[-40000000000000000000:2]", "[0,1]"),
            ("$[40000000000000000000]", "[]"),
            ("$[-40000000000000000000]", "[]"),
            ("$[::9223372036854775807]", "[0]"),
            ("$[::-9223372036854775808]", "[5]"),
            ("$[0:2,4]", "[0,1,4]"),
        ],
    );
    let many = format!("[{}]", vec!["1.5"; 300].join(","));
    check(&many, &[("$[298:]", "[1.5,1.5]"), ("$[-1:296:-1]", "[1.5,1.5,1.5]"), ("$[?@>2]", "[]")]);
}

#[test]
fn filters() {
    let arr = r#"[{"a":1,"b":1},{"b":2},{"a":1},{"c":3},{"a":"1","b":[1,2]}]"#;
    check(
        arr,
        &[
            ("$[?(@.a)].b", "[1,[1,2]]"),
            ("$[?!@.a]", r#"[{"b":2},{"c":3}]"#),
            ("$[?!@.a && @.b]", r#"[{"b":2}]"#),
            ("$[?!(@.a || @.b)]", r#"[{"c":3}]"#),
            ("$[?!!@.c]", r#"[{"c":3}]"#),
            ("$[?(@.a==1 && @.b==1)]", r#"[{"a":1,"b":1}]"#),
            ("$[?(1 == @.a)]", r#"[{"a":1,"b":1},{"a":1}]"#),
            ("$[?(@.a==\"1\")].b[1]", "[2]"),
            ("$[?(@.a!=1)].a", r#"["1"]"#),
            ("$[?@.b == [1,2]].a", r#"["1"]"#),
            ("$[?@.b == [1, 2, 3]]", "[]"),
            ("$[?@ == {'c':3}]", r#"[{"c":3}]"#),
            ("$[?@.b > [1]]", "[]"),
            ("$[?(@.b>=$[0].b)].b", "[1,2]"),
            ("$[?@.b[?(@>1)]].a", r#"["1"]"#),
            ("$[?@.* == 3]", r#"[{"c":3}]"#),
        ],
    );
    check(
        r#"{"v":[1,1.0,2.5,"a","b",true,null,[1],{"x":1}],"pat":"^[ab]$"}"#,
        &[
            ("$.v[?(@ == 1)]", "[1,1.0]"),
            ("$.v[?(@ < 2.5)]", "[1,1.0]"),
            ("$.v[?(@ <= 'a')]", r#"["a"]"#),
            ("$.v[?(@ == true)]", "[true]"),
            ("$.v[?(@ == null)]", "[null]"),
            ("$.v[?(@ =~ $.pat)]", r#"["a","b"]"#),
            ("$.v[?(@ =~ '(?i)A')]", r#"["a"]"#),
            ("$.v[?(@ =~ '[')]", "[]"),
            ("$.v[?(@ =~ 1)]", "[]"),
            ("$.v[?@ in [1,'b']]", r#"[1,1.0,"b"]"#),
            ("$.v[?@ nin [1,'b',null]]", r#"[2.5,"a",true,[1],{"x":1}]"#),
            ("$.v[?@ in $.missing]", "[]"),
            ("$.v[?@ sizeof 1]", r#"["a","b",[1],{"x":1}]"#),
            ("$.v[?@ size 1.9]", r#"["a","b",[1],{"x":1}]"#),
            ("$.v[?@ empty false]", r#"["a","b",[1],{"x":1}]"#),
            ("$.v[?@.x]", r#"[{"x":1}]"#),
        ],
    );
    check(
        r#"{"a":[[1,2],[1,5],[],[8,9]]}"#,
        &[
            ("$.a[?@ subsetof [1,2,3]]", "[[1,2],[]]"),
            ("$.a[?@ anyof [5,9]]", "[[1,5],[8,9]]"),
            ("$.a[?@ noneof [1,9]]", "[[]]"),
            ("$.a[?@ empty true]", "[[]]"),
        ],
    );
}

#[test]
fn arithmetic_and_functions() {
    check(
        STORE,
        &[
            ("$.a + 1", "[3]"),
            ("$.a * $.b", "[8]"),
            ("($.a + $.b) / 2", "[3.0]"),
            ("$.a + $.b * 2 - 1", "[9]"),
            ("-$.a", "[-2]"),
            ("- $.obj.x", "[-1]"),
            ("$.b % 3", "[1]"),
            ("$.a / 0", "[]"),
            ("$.s * 2", "[]"),
            ("$.missing + 1", "[]"),
            ("$.arr.length()", "[3]"),
            ("length ( $.arr )", "[3]"),
            ("$.s.length()", "[2]"),
            ("$.a.length()", "[]"),
            ("$.arr.length(99)", "[]"),
            ("$.length($.arr)", "[]"),
            ("$.a.bogus()", "[]"),
            ("$.nums.min()", "[1.0]"),
            ("$.nums.max()", "[3.0]"),
            ("$.nums.sum()", "[6.0]"),
            ("$.nums.avg()", "[2.0]"),
            ("$.nested.arr.sum()", "[]"),
            ("$.e.sum()", "[]"),
            ("$.arr.index(1)", "[2]"),
            ("$.arr.index(-1)", "[3]"),
            ("$.arr.index(3)", "[]"),
            ("$.arr.first()", "[1]"),
            ("$.arr.last()", "[3]"),
            ("value($.arr)", "[[1,2,3]]"),
            ("value($.arr[*])", "[]"),
            ("count($.arr[*])", "[3]"),
            ("count($.missing)", "[0]"),
            ("$.obj~", r#"["x","y"]"#),
            ("$.obj.keys()", r#"["x","y"]"#),
            ("$.obj.keys().count()", "[2]"),
            ("$.obj.keys().length()", "[2]"),
            ("$.obj.keys().first()", r#"["x"]"#),
            ("$.obj.keys().index(1)", r#"["y"]"#),
            ("$.arr~", "[]"),
            ("$.arr.append(9)", "[1,2,3,9]"),
            ("$.arr[*].append(9)", "[1,2,3,9]"),
            ("$.arr.append($.nums)", "[1,2,3,[3,1,2]]"),
            ("$.arr.append($.missing)", "[]"),
            ("$.nested.arr[?(@>4)].append({'t':'X'})", r#"[5,{"t":"X"}]"#),
            ("$.nested.arr[?(@>9)].append({'t':'X'})", r#"[{"t":"X"}]"#),
            ("concat($.s,'!',$.nested.s)", r#"["hi!hippo"]"#),
            ("concat($.a)", "[]"),
            ("abs(-$.a)", "[2]"),
            ("ceiling($.a / 4)", "[1.0]"),
            ("floor($.a / 4)", "[0.0]"),
            ("match($.s, 'h.')", "[true]"),
            ("match($.nested.s, 'h.')", "[false]"),
            ("search($.nested.s, 'h.')", "[true]"),
            ("($..x)", "[5,1,6]"),
            ("a + 1", "[3]"),
            ("-$x", "[111]"),
            ("a+1", "[7]"),
        ],
    );
    check(r#"{"a":[2,4,4,4,5,5,7,9],"big":1e308}"#, &[("stddev($.a)", "[2.0]"), ("$.big * $.big", "[]")]);
}

#[test]
fn the_old_dialect() {
    for (path, shown, is_legacy) in [
        (".", "$", true),
        (".a", "$.a", true),
        ("a.b[0]", "$.a.b[0]", true),
        ("[\"a\"]", "$[\"a\"]", true),
        ("..a", "$..a", true),
        ("$a", "$.$a", true),
        ("true", "$.true", true),
        ("$", "$", false),
        ("$.a", "$.a", false),
        ("$..a", "$..a", false),
        ("a + 1", "$.a + 1", false),
    ] {
        let query = Query::parse(path.as_bytes()).expect("a path");
        assert_eq!((query.shown(), query.is_legacy()), (shown, is_legacy), "{path}");
    }
    assert!(Query::parse(b"$.a + 1").is_ok_and(|query| query.is_projection()));
    assert!(Query::parse(b"($.a)").is_ok_and(|query| !query.is_projection()));
    let query = Query::parse(b"$.a['b'][-1]").expect("a path");
    assert_eq!(query.picks(), Some(vec![Pick::Name(b"a"), Pick::Name(b"b"), Pick::Index(-1)]));
    for path in [&b"$..a"[..], b"$[*]", b"$.a[0,1]", b"$.a[0:1]", b"$[?@.a]"] {
        assert_eq!(Query::parse(path).expect("a path").picks(), None);
    }
}

#[test]
fn what_is_no_path_is_refused() {
    for path in [
        "",
        " ",
        "\0",
        "\n",
        ".\"",
        ".\0",
        "foo\n.bar",
        "$.",
        "$..",
        "$.....a",
        "$[",
        "$[]",
        "$[1",
        "$['a]",
        "$[a]",
        "$.a[-inf]",
        "$.a +",
        "$.arr.length(",
        "($.a",
        "$.a * * 2",
        "$.a~b",
        "$.obj~.x",
        "$.obj~~",
        "$.obj.keys()~",
        "$[?]",
        "$[?(]",
        "$[?(@.a]",
        "$[?(@.a ==)]",
        "$[?@ == [1]",
        "$[?@ == 1e999]",
        "@.a",
        "$['\\ud800']",
        "$['\\ud800\\u0041']",
        "$[?@ =~]",
        "$.a b",
    ] {
        assert!(Query::parse(path.as_bytes()).is_err(), "{path:?}");
    }
    assert!(Query::parse(b"$.\xff").is_err());
    let error = Query::parse(b"$.a[$]").expect_err("no path").to_string();
    let expected = "Error occurred on position 4, \"$.a[ ---->>>> $]\", expected one of the following: \
                    '<string>[,<string>,...]', '<number>', ['start:end:steps'], '*'.";
    assert_eq!(error, expected);
}

#[test]
fn strings_in_paths_are_unescaped() {
    check(
        r#"{"\\":1,"\\\\":2,"\"":3,"'":4,"é":5,"😀":6,"\n":7,"a.b":8}"#,
        &[
            (r#"$["\\"]"#, "[1]"),
            (r#"$["\\\\"]"#, "[2]"),
            (r#"$["\""]"#, "[3]"),
            (r"$['\'']", "[4]"),
            ("$.é", "[5]"),
            (r#"$["\u00e9"]"#, "[5]"),
            (r#"$["\ud83d\ude00"]"#, "[6]"),
            (r#"$["\n"]"#, "[7]"),
            (r#"["a.b"]"#, "[8]"),
        ],
    );
    check(r#"["x1","xx"]"#, &[(r#"$[?@ =~ "x\d"]"#, r#"["x1"]"#)]);
}

#[test]
fn depth_and_work_are_bounded() {
    let nested = |count: usize| format!("{}$.a{}", "(".repeat(count), ")".repeat(count));
    assert_eq!(ask(STORE, &nested(DEPTH_MAX)), "[2]");
    assert!(Query::parse(nested(DEPTH_MAX + 1).as_bytes()).is_err());
    for path in [
        nested(50_000),
        "!".repeat(50_000),
        format!("{}($.a)", "-".repeat(50_000)),
        "$[?@[?@".repeat(10_000),
        format!("$.a{}", ".length()".repeat(10_000)),
        format!("$[?@ == {}]", "[".repeat(50_000)),
    ] {
        assert!(Query::parse(path.as_bytes()).is_err());
    }
    // Long but flat.
    let flat = format!("$[?{}]", vec!["@.a"; 20_000].join(" && "));
    assert!(Query::parse(flat.as_bytes()).is_ok());
    assert!(Query::parse(format!("${}", ".a".repeat(100_000)).as_bytes()).is_ok());

    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let node = parse(deep.as_bytes(), None).expect("JSON");
    let query = Query::parse("$..*".repeat(6).replace("*$", "*").as_bytes()).expect("a path");
    assert!(select(&query, node.view(), 1 << 20).is_err());
    // A pattern that would be huge once compiled matches nothing, and one that takes other engines for ever takes none.
    let text = format!("[\"{}!\"]", "a".repeat(5000));
    check(&text, &[("$[?@ =~ '(a{1000}){1000}']", "[]"), ("$[?@ =~ '^(a+)+$']", "[]")]);
}

#[test]
fn places_lead_back_to_the_values() {
    let node = parse(STORE.as_bytes(), None).expect("JSON");
    for path in ["$", "$..*", "$.nested.arr[::-1]", "$.arr[-1]", "$..[0]", "$..[?@>1]"] {
        let query = Query::parse(path.as_bytes()).expect("a path");
        let selection = places(&query, node.view(), 10_000).expect("little work");
        assert!(!selection.matches.is_empty());
        for found in &selection.matches {
            let there = crate::edit::look_up(node.view(), &selection.place(found)).expect("a value");
            assert_eq!(there, found.value, "{path}");
        }
    }
}

mod beside_another {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json_path::JsonPath;

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3_i64..4).prop_map(Value::from),
            (-3_i64..4).prop_map(|n| Value::from(n as f64 / 2.0)),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 60, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                // Members in the order of their names, as serde_json has them.
                prop::collection::btree_map("[a-d]", inner, 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// A sign and what is compared with. The other orders truth values, which have no order (RFC 9535, 2.3.5.2.2).
    fn comparison() -> impl Strategy<Value = String> {
        let ordered = prop_oneof![
            (-2..3).prop_map(|n: i32| n.to_string()),
            Just("0.5".to_owned()),
            "[ab]{0,2}".prop_map(|text| format!("'{text}'")),
        ];
        let sign = prop_oneof![Just("=="), Just("<"), Just("<="), Just(">"), Just(">=")];
        prop_oneof![
            (sign, ordered).prop_map(|(sign, literal)| format!("{sign} {literal}")),
            prop_oneof![Just("== true"), Just("== false"), Just("== null")].prop_map(str::to_owned),
        ]
    }

    /// What both understand, and understand in the same way: in filters, comparisons of what is there.
    fn path() -> impl Strategy<Value = String> {
        let bound = || prop_oneof![Just(String::new()), (-7..8).prop_map(|n: i32| n.to_string())];
        let inner = prop::collection::vec(
            prop_oneof![
                "[a-d]".prop_map(|name| format!(".{name}")),
                // Not from the end: in comparisons the other finds nothing there.
                (0..4).prop_map(|n: i32| format!("[{n}]")),
            ],
            0..3,
        )
        .prop_map(|steps| format!("@{}", steps.concat()));
        let test = prop_oneof![
            inner.clone().prop_filter("a bare @ always is", |path| path != "@"),
            (inner, comparison()).prop_map(|(path, comparison)| format!("{path} {comparison}")),
        ];
        let condition = prop::collection::vec((test, any::<bool>(), any::<bool>()), 1..4).prop_map(|tests| {
            let mut text = String::new();
            for (at, (test, is_negative, is_and)) in tests.iter().enumerate() {
                text += if at == 0 {
                    ""
                } else if *is_and {
                    " && "
                } else {
                    " || "
                };
                text += &if *is_negative { format!("!({test})") } else { test.clone() };
            }
            text
        });
        let selector = prop_oneof![
            "[a-d]".prop_map(|name| format!("['{name}']")),
            Just("[*]".to_owned()),
            (-4..5).prop_map(|n: i32| format!("[{n}]")),
            (bound(), bound(), prop_oneof![Just(1), Just(2), Just(-1), Just(-2), Just(0)])
                .prop_map(|(start, end, step)| format!("[{start}:{end}:{step}]")),
            ("[a-d]", -3..3).prop_map(|(name, n): (String, i32)| format!("['{name}',{n}]")),
            condition.prop_map(|condition| format!("[?{condition}]")),
        ];
        let segment = (any::<bool>(), selector)
            .prop_map(|(is_deep, selector)| format!("{}{selector}", if is_deep { ".." } else { "" }));
        prop::collection::vec(segment, 0..4).prop_map(|segments| format!("${}", segments.concat()))
    }

    fn sorted(mut texts: Vec<String>) -> Vec<String> {
        texts.sort();
        texts
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn both_find_the_same(value in json(), path in path()) {
            let node = parse(value.to_string().as_bytes(), None).expect("JSON");
            let query = Query::parse(path.as_bytes()).expect("a path");
            let selection = select(&query, node.view(), 1 << 22).expect("little work");
            let texts = selection.matches.iter().map(|found| text(&[Item::There(found.value)]));
            let theirs = JsonPath::parse(&path).expect("a path").query(&value).all().into_iter();
            let expected = theirs.map(|found| text(&[Item::Made(parse(found.to_string().as_bytes(), None).expect("JSON"))]));
            // What is first where descents overlap is left open.
            prop_assert_eq!(sorted(texts.collect()), sorted(expected.collect()), "{}", path);
        }

        #[test]
        fn no_text_is_too_much(path in "[$@.a\\[\\]()?*'\"!<>=~&|0-9:, +-]{0,40}") {
            drop(Query::parse(path.as_bytes()));
        }
    }
}
