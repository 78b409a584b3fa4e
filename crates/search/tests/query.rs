//! Queries of all dialects as FT.EXPLAIN shows them, and what is refused: the behaviour that RediSearch's tests and documentation show.
//! An expected tree is written in one line.

use proptest::prelude::*;
use search::query::{self, Dialect, Expansion, Parameters, Synonyms};
use search::schema::Schema;
use search::text::{Language, STEM_LETTERS_MIN};

fn schema(fields: &str) -> Schema {
    let arguments: Vec<&[u8]> = fields.split_ascii_whitespace().map(str::as_bytes).collect();
    Schema::parse(&arguments).unwrap()
}

fn explained(schema: &Schema, dialect: Dialect, text: &[u8], parameters: &[&str]) -> Result<String, String> {
    let pairs: Vec<&[u8]> = parameters.iter().map(|text| text.as_bytes()).collect();
    let parameters = Parameters::new(&pairs).map_err(|error| error.to_string())?;
    let mut node =
        query::parse(text, dialect, schema, &parameters, true).map_err(|error| error.to_string())?;
    let expansion = Expansion {
        language: Language::English,
        stem_letters_min: STEM_LETTERS_MIN,
        synonyms: &Synonyms::default(),
    };
    query::expand(&mut node, schema, &expansion);
    Ok(query::explain(&node, schema))
}

/// The same in one line.
fn line(schema: &Schema, dialect: Dialect, text: &str, parameters: &[&str]) -> Result<String, String> {
    let lines = explained(schema, dialect, text.as_bytes(), parameters)?;
    Ok(lines.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
}

const ALL: &str = "SCHEMA t TEXT bar NUMERIC SORTABLE tag TAG INDEXEMPTY geom GEOSHAPE FLAT g GEO \
    v VECTOR HNSW 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2";

#[track_caller]
fn shows(fields: &str, dialect: Dialect, text: &str, expected: &str) {
    assert_eq!(line(&schema(fields), dialect, text, &[]).as_deref(), Ok(expected), "{text}");
}

#[track_caller]
fn refuses(fields: &str, dialect: Dialect, text: &str, parameters: &[&str], part: &str) {
    let error = line(&schema(fields), dialect, text, parameters).expect_err(text);
    assert!(error.contains(part), "{text}: {error}");
}

const H: &str = "UNION { hello +hello(expanded) }";
const W: &str = "UNION { world +world(expanded) }";
const G: &str = "UNION { goodbye +goodby(expanded) goodby(expanded) }";
const M: &str = "UNION { moon +moon(expanded) }";

#[test]
fn layout() {
    let schema = schema("SCHEMA t1 TEXT t2 TEXT");
    let text = explained(&schema, Dialect::Two, b"@t1|t2:(text value)", &[]).unwrap();
    let expected = "@t1|t2:INTERSECT {\n  @t1|t2:UNION {\n    @t1|t2:text\n    @t1|t2:+text(expanded)\n  }\n  @t1|t2:UNION {\n    \
        @t1|t2:value\n    @t1|t2:+valu(expanded)\n    @t1|t2:valu(expanded)\n  }\n}\n";
    assert_eq!(text, expected);
}

#[test]
fn unions_and_intersections_of_dialect_1() {
    let one = |text: &str, expected: String| shows("SCHEMA t TEXT", Dialect::One, text, &expected);
    one("hello world | goodbye moon", format!("UNION {{ INTERSECT {{ {H} {W} }} INTERSECT {{ {G} {M} }} }}"));
    one(
        r#"hello world | "goodbye" moon"#,
        format!("INTERSECT {{ UNION {{ INTERSECT {{ {H} {W} }} goodbye }} {M} }}"),
    );
    one(
        r#"hello world | goodbye "moon""#,
        format!("INTERSECT {{ UNION {{ INTERSECT {{ {H} {W} }} {G} }} moon }}"),
    );
    one(
        r#""hello" "world" | "goodbye" "moon""#,
        "INTERSECT { hello UNION { world goodbye } moon }".to_owned(),
    );
    one(
        r#"("hello" "world")|(("hello" "world")|("hallo" "world"|"werld") | "hello" "world" "werld")"#,
        "UNION { INTERSECT { hello world } INTERSECT { UNION { INTERSECT { hello world } \
         INTERSECT { hallo UNION { world werld } } hello } world werld } }"
            .to_owned(),
    );
    one(
        r#"hello | "world" again"#,
        format!("INTERSECT {{ UNION {{ {H} world }} UNION {{ again +again(expanded) }} }}"),
    );
    one(
        r#"hello | -"world" again"#,
        format!("UNION {{ {H} NOT{{ INTERSECT {{ world UNION {{ again +again(expanded) }} }} }} }}"),
    );
    one(
        r#"hello ~-"world" ~again"#,
        format!(
            "INTERSECT {{ {H} OPTIONAL{{ NOT{{ world }} }} OPTIONAL{{ UNION {{ again +again(expanded) }} }} }}"
        ),
    );
    one("-hello world", format!("NOT{{ INTERSECT {{ {H} {W} }} }}"));
}

#[test]
fn unions_and_intersections_of_dialect_2() {
    let two = |text: &str, expected: String| shows("SCHEMA t TEXT", Dialect::Two, text, &expected);
    let exact = |word: &str| format!("EXACT {{ {word} }}");
    two("hello world | goodbye moon", format!("UNION {{ INTERSECT {{ {H} {W} }} INTERSECT {{ {G} {M} }} }}"));
    two(
        r#"hello world | "goodbye" moon"#,
        format!("UNION {{ INTERSECT {{ {H} {W} }} INTERSECT {{ {} {M} }} }}", exact("goodbye")),
    );
    let (hello, world, hallo, werld) = (exact("hello"), exact("world"), exact("hallo"), exact("werld"));
    two(
        r#"("hello" "world")|(("hello" "world")|("hallo" "world"|"werld") | "hello" "world" "werld")"#,
        format!(
            "UNION {{ INTERSECT {{ {hallo} {world} }} {werld} INTERSECT {{ {hello} {world} }} \
             INTERSECT {{ {hello} {world} {werld} }} INTERSECT {{ {hello} {world} }} }}"
        ),
    );
    two("('hello' 'world')", format!("INTERSECT {{ {hello} {world} }}"));
    two(
        r#"hello | -"world" again"#,
        format!("UNION {{ {H} INTERSECT {{ NOT{{ {world} }} UNION {{ again +again(expanded) }} }} }}"),
    );
    two(
        r#"hello ~-"world" ~again"#,
        format!(
            "INTERSECT {{ {H} OPTIONAL{{ NOT{{ {world} }} }} OPTIONAL{{ UNION {{ again +again(expanded) }} }} }}"
        ),
    );
    two("-hello world", format!("INTERSECT {{ NOT{{ {H} }} {W} }}"));
    two("-(hello world)", format!("NOT{{ INTERSECT {{ {H} {W} }} }}"));
    two("hello the a world", format!("INTERSECT {{ {H} {W} }}"));
    two("the", "<empty>".to_owned());
    two("", "<empty>".to_owned());
}

#[test]
fn longer_ones() {
    let ranges = "NUMERIC {10.000000 <= @bar <= 100.000000} NUMERIC {200.000000 <= @bar <= 300.000000}";
    let expected =
        format!("INTERSECT {{ {H} {W} EXACT {{ what what }} UNION {{ {H} {W} }} UNION {{ {ranges} }} }}");
    let text = r#"(hello world) "what what" (hello|world) (@bar:[10 100]|@bar:[200 300])"#;
    shows(ALL, Dialect::One, text, &expected);
    shows(ALL, Dialect::Two, text, &expected);
    let text = r#"(hello world) "what what" hello|world @bar:[10 100]|@bar:[200 300]"#;
    shows(ALL, Dialect::One, text, &expected);
    let (first, second) = ranges.split_once("} ").unwrap();
    let expected = format!(
        "UNION {{ INTERSECT {{ {H} {W} EXACT {{ what what }} {H} }} INTERSECT {{ {W} {first}}} }} {second} }}"
    );
    shows(ALL, Dialect::Two, text, &expected);
    let text = r"very simple | @t:hello @tag:{ free\ world } (@bar:[1 2]|@bar:[3 4]) (@g:[1.5 0.5 0.5 km] -@g:[2.5 1.5 0.5 km])";
    let rest = "UNION { NUMERIC {1.000000 <= @bar <= 2.000000} NUMERIC {3.000000 <= @bar <= 4.000000} } INTERSECT { \
        GEO g:{1.500000,0.500000 --> 0.500000 km} NOT{ GEO g:{2.500000,1.500000 --> 0.500000 km} } }";
    let simple = "INTERSECT { UNION { very +veri(expanded) veri(expanded) } UNION { simple +simpl(expanded) simpl(expanded) } }";
    let hello = "@t:UNION { @t:hello @t:+hello(expanded) }";
    let tag = r"TAG:@tag { free\ world }";
    shows(ALL, Dialect::One, text, &format!("INTERSECT {{ UNION {{ {simple} {hello} }} {tag} {rest} }}"));
    shows(ALL, Dialect::Two, text, &format!("UNION {{ {simple} INTERSECT {{ {hello} {tag} {rest} }} }}"));
}

#[test]
fn fields() {
    const FIELDS: &str =
        "SCHEMA t1 TEXT NOSTEM t2 TEXT SORTABLE v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2";
    let howdy = "@t2:UNION { @t2:howdy @t2:+howdi(expanded) @t2:howdi(expanded) }";
    shows(
        FIELDS,
        Dialect::One,
        "@t1:hello world @t2:howdy",
        &format!("INTERSECT {{ @t1:INTERSECT {{ @t1:hello @t1:world }} {howdy} }}"),
    );
    shows(
        FIELDS,
        Dialect::Two,
        "@t1:hello world @t2:howdy",
        &format!("INTERSECT {{ @t1:hello {W} {howdy} }}"),
    );
    for dialect in [Dialect::One, Dialect::Two] {
        shows(FIELDS, dialect, "@t1:(hello|world|mars)", "@t1:UNION { @t1:hello @t1:world @t1:mars }");
        let line = |text: &str| line(&schema(FIELDS), dialect, text, &[]).unwrap();
        let same = if dialect == Dialect::One { "@t1:(hello world)" } else { "@t1:(hello) world" };
        assert_eq!(line("@t1:hello world"), line(same));
        assert_eq!(line("@t1:hello=>{$weight:5} world"), line("@t1:(hello=>{$weight:5}) world"));
    }
    const MIXED: &str = "SCHEMA body TEXT name TEXT NOSTEM body2 TEXT name2 TEXT NOSTEM";
    shows(MIXED, Dialect::Two, "@name|name2:candy", "@name|name2:candy");
    shows(
        MIXED,
        Dialect::Two,
        "@body2|body|name:candy",
        "@body|name|body2:UNION { @body|name|body2:candy @body|body2:+candi(expanded) @body|body2:candi(expanded) }",
    );
    shows(FIELDS, Dialect::One, "@nowhere:hello", "@NULL:hello");
    shows(ALL, Dialect::One, "@nowhere:[0 10]", "<empty>");
    shows(ALL, Dialect::One, "@nowhere:{x}", "<empty>");
    shows(ALL, Dialect::One, "@nowhere:[1.0 2.0 3.0 km]", "<empty>");
    for text in ["@F:test", "@F:[0 2]", "@F:{tag}", "@F:[1 2 3 km]", "@F>3"] {
        refuses(ALL, Dialect::Two, text, &[], "Unknown field at offset 0 near F");
    }
    refuses(ALL, Dialect::Two, "@t|bar:foo", &[], "SEARCH_SYNTAX Expected a TEXT field at offset 0 near bar");
    for (text, kind) in [
        ("@tag:foo", "TEXT"),
        ("@t:[42]", "NUMERIC"),
        ("@t != 42", "NUMERIC"),
        ("@t:[42 42 42 km]", "GEO"),
        ("@t:{foo}", "TAG"),
        ("@t:[VECTOR_RANGE 0.1 $V]", "VECTOR"),
        ("*=>[KNN 10 @t $V]", "VECTOR"),
        ("@t:[WITHIN $V]", "GEOSHAPE"),
    ] {
        refuses(ALL, Dialect::Two, text, &["V", "????"], &format!("Expected a {kind} field"));
    }
}

#[test]
fn words_of_all_kinds() {
    let two = |text: &str, expected: &str| shows(ALL, Dialect::Two, text, expected);
    two("%%hello%%", "FUZZY{hello}");
    two("%%hello%% @tag:{bye}", "INTERSECT { FUZZY{hello} TAG:@tag { bye } }");
    two("*", "<WILDCARD>");
    two("(*)", "<WILDCARD>");
    two("@tag:{w'*'}=>{$weight: 3;}", "TAG:@tag { WILDCARD{*} } => { $weight: 3; }");
    two(
        "@t:(w'*')=>{$weight: 2; $slop:100}",
        "@t:WILDCARD{*} => { $weight: 2; $slop: 100; $inorder: false; }",
    );
    two("@t:(w'*')=>{$weight: 5; $inorder: true;}", "@t:WILDCARD{*} => { $weight: 5; $inorder: true; }");
    two("hel* *llo *ell*", "INTERSECT { PREFIX{hel*} SUFFIX{*llo} INFIX{*ell*} }");
    two("705", "705");
    two("1.2e+3", "1.2e+3");
    two("1.e+3", "1.e+3");
    two("inf", "inf");
    two("abc!", "UNION { abc +abc(expanded) }");
    two("cherry1", "UNION { cherry1 +cherry1(expanded) }");
    two("*1*", "INFIX{*1*}");
    two(r#""$hello""#, "EXACT { $hello }");
    two(r#"@t:("James\!\*")"#, "@t:EXACT { @t:james!* }");
    let one = |text: &str, expected: &str| shows(ALL, Dialect::One, text, expected);
    one(
        "1.2e+3",
        "INTERSECT { UNION { 1.2 +1.2(expanded) } UNION { e +e(expanded) } UNION { 3 +3(expanded) } }",
    );
    one("705", "UNION { 705 +705(expanded) }");
    one(
        "@t:(w'abc?')",
        "@t:INTERSECT { @t:UNION { @t:w @t:+w(expanded) } @t:UNION { @t:abc @t:+abc(expanded) } }",
    );
    one("hello worl*", &format!("INTERSECT {{ {H} PREFIX{{worl*}} }}"));
    let schema = schema(ALL);
    let with = |text: &str, parameters: &[&str]| line(&schema, Dialect::Two, text, parameters).unwrap();
    assert_eq!(with("$hello", &["hello", "hello"]), H);
    assert_eq!(with("$n", &["n", "-inf"]), "-inf");
    assert_eq!(with("$val* *$val %$val%", &["val", "ab"]), "INTERSECT { PREFIX{ab*} SUFFIX{*ab} FUZZY{ab} }");
}

#[test]
fn tags() {
    let two = |text: &str, expected: &str| shows(ALL, Dialect::Two, text, expected);
    two("@tag:{as is the with by}", "TAG:@tag { INTERSECT { as is the with by } }");
    two("@tag:{x y | *ple }", "TAG:@tag { INTERSECT { x y } SUFFIX{*ple} }");
    two("@tag:{x y | ba* | *pl* | banana}", "TAG:@tag { INTERSECT { x y } PREFIX{ba*} INFIX{*pl*} banana }");
    two(r#"@tag:{"" | bar}"#, r#"TAG:@tag { "" bar }"#);
    two(r#"@tag:{foo ""}"#, r#"TAG:@tag { INTERSECT { foo "" } }"#);
    two("@tag:{3d3586fe-0416-4572-8ce1 | a.b}", "TAG:@tag { 3d3586fe-0416-4572-8ce1 a.b }");
    two(r#"-@tag:{""} @tag:{foo}"#, r#"INTERSECT { NOT{ TAG:@tag { "" } } TAG:@tag { foo } }"#);
    shows(ALL, Dialect::One, "@tag:{foo}}}}}", "TAG:@tag { foo }");
    shows(ALL, Dialect::One, "@tag:{hello world | b*}", "TAG:@tag { INTERSECT { hello world } PREFIX{b*} }");
    refuses(ALL, Dialect::Two, "@tag:{foo}}}}}", &[], "Syntax error");
    refuses(ALL, Dialect::Two, "@tag:{}", &[], "Syntax error");
    refuses(ALL, Dialect::Two, "@tag:{a", &[], "Syntax error");
    refuses(ALL, Dialect::Two, "@tag:{$p}", &[], "SEARCH_PARAM_NOT_FOUND Parameter not found `p`");
    for text in [r#"@tag:{""}"#, "@tag:{''}", r#"@text:"""#] {
        refuses("SCHEMA tag TAG text TEXT", Dialect::Two, text, &[], "Use `INDEXEMPTY` in field creation");
    }
    // What cannot be read is told before what a field is not.
    let text = "@title:(@num:[0 10])";
    refuses("SCHEMA title TAG num NUMERIC", Dialect::Two, text, &[], "SEARCH_SYNTAX Syntax error");
    refuses("SCHEMA num NUMERIC", Dialect::Two, text, &[], "SEARCH_SYNTAX Syntax error");
    refuses(
        "SCHEMA tag TAG",
        Dialect::Two,
        "@tag:''",
        &[],
        "SEARCH_SYNTAX Expected a TEXT field at offset 0 near tag",
    );
}

#[test]
fn ranges() {
    let line =
        |dialect: Dialect, text: &str, parameters: &[&str]| line(&schema(ALL), dialect, text, parameters);
    for (text, one, two) in [
        ("[0 0.1]", "0.000000 <= @bar <= 0.100000", "0.000000 <= @bar <= 0.100000"),
        ("[-0 -.00]", "-0.000000 <= @bar <= -0.000000", "-0.000000 <= @bar <= -0.000000"),
        ("[-0.02 -.01]", "", "-0.020000 <= @bar <= -0.010000"),
        ("[0 .1]", "0.000000 <= @bar <= 1.000000", "0.000000 <= @bar <= 0.100000"),
        ("[0 .1e1]", "0.000000 <= @bar <= 10.000000", "0.000000 <= @bar <= 1.000000"),
        ("[0 .1e+1]", "", "0.000000 <= @bar <= 1.000000"),
        ("[0 1.]", "0.000000 <= @bar <= 1.000000", "0.000000 <= @bar <= 1.000000"),
        ("[1e 0]", "", ""),
        ("[0 +.1e]", "", ""),
        ("[-1e1 1e1]", "-10.000000 <= @bar <= 10.000000", "-10.000000 <= @bar <= 10.000000"),
        ("[-1e-1 1e+1]", "", "-0.100000 <= @bar <= 10.000000"),
        ("[1e1.1 0]", "", ""),
        ("[1.e1 1.e2]", "", "10.000000 <= @bar <= 100.000000"),
        ("[-.1e1 0]", "-10.000000 <= @bar <= 0.000000", "-1.000000 <= @bar <= 0.000000"),
        ("[0 . 1]", "0.000000 <= @bar <= 1.000000", "0.000000 <= @bar <= 1.000000"),
        ("[0 #$^ 1]", "0.000000 <= @bar <= 1.000000", "0.000000 <= @bar <= 1.000000"),
        ("[-inf  inf]", "-inf <= @bar <= inf", "-inf <= @bar <= inf"),
        ("[(1, (2]", "1.000000 < @bar < 2.000000", "1.000000 < @bar < 2.000000"),
        ("[3]", "", "3.000000 <= @bar <= 3.000000"),
    ] {
        let query = format!("@bar:{text}");
        for (dialect, expected) in [(Dialect::One, one), (Dialect::Two, two)] {
            match line(dialect, &query, &[]) {
                Ok(found) => assert_eq!(found, format!("NUMERIC {{{expected}}}"), "{query} {dialect:?}"),
                Err(error) => assert_eq!(expected, "", "{query} {dialect:?}: {error}"),
            }
        }
    }
    for (text, expected) in [
        (">1", "1.000000 < @bar <= inf"),
        (">=2", "2.000000 <= @bar <= inf"),
        ("<-1", "-inf <= @bar < -1.000000"),
        (" <= -3.14", "-inf <= @bar <= -3.140000"),
        ("==5.7", "5.700000 <= @bar <= 5.700000"),
        ("==-$n", "-7.000000 <= @bar <= -7.000000"),
        (":[(-$n $n]", "-7.000000 < @bar <= 7.000000"),
    ] {
        let expected = format!("NUMERIC {{{expected}}}");
        assert_eq!(line(Dialect::Two, &format!("@bar{text}"), &["n", "7"]), Ok(expected));
    }
    let not = "NOT{ NUMERIC {0.000000 <= @bar <= 0.000000} }";
    assert_eq!(line(Dialect::Two, "@bar!=0", &[]).as_deref(), Ok(not));
    for text in ["@bar:[5, -inf]", "@bar:[5, (-inf]", "@bar:[inf, 5]", "@bar:[(+inf, 5]"] {
        refuses(ALL, Dialect::One, text, &[], "Invalid numeric range (min > max)");
        refuses(ALL, Dialect::Two, text, &[], "Invalid numeric range (min > max)");
    }
    refuses(
        ALL,
        Dialect::One,
        "@bar:[-0.02 -.01]",
        &[],
        "Invalid numeric range (min > max): @bar:[-0.020000 -1.000000]",
    );
    refuses(ALL, Dialect::Two, "@bar:[$min $max]", &["min", "102", "max", "-inf"], "Bad upper range");
    refuses(ALL, Dialect::Two, "@bar:[-inf max]", &[], "Syntax error");
}

#[test]
fn places() {
    shows(
        ALL,
        Dialect::Two,
        "@g:[120.53232 12.112233 30.5 ft]",
        "GEO g:{120.532320,12.112233 --> 30.500000 ft}",
    );
    let found =
        line(&schema(ALL), Dialect::Two, "@g:[$a $b $r $u]", &["a", "10", "b", "20", "r", "30", "u", "KM"]);
    assert_eq!(found.as_deref(), Ok("GEO g:{10.000000,20.000000 --> 30.000000 km}"));
    let found = line(&schema(ALL), Dialect::Two, "@geom:[CONTAINS $p]=>{$weight: 3;}", &["p", "POINT(1 1)"]);
    assert_eq!(found.as_deref(), Ok("GEOSHAPE{1 POINT(1 1)} => { $weight: 3; }"));
    for (text, part) in [
        ("hilton @g:[lon 51.5156 1 km]", "Syntax error"),
        ("hilton @g:[51.5156 lat 1 km]", "near lat"),
        ("hilton @g:[ -0.1757 51.5156 radius km]", "near radius"),
        ("hilton @g:[ -0.1757 51.5156 1]", "near 1"),
        ("@g:[29 34 200 100]", "Invalid GeoFilter unit"),
        ("@g:[29 34 $r km]", "SEARCH_NUMERIC_VALUE_INVALID Invalid numeric value (1e1000) for parameter `r`"),
        (
            "@g:[29 34 $bad km]",
            "SEARCH_NUMERIC_VALUE_INVALID Invalid numeric value (bad) for parameter `bad`",
        ),
        ("@g:[29 34 $gone $units]", "SEARCH_PARAM_NOT_FOUND Parameter not found `gone`"),
        ("@g:[29 34 10 $unit]", "Invalid GeoFilter unit"),
        ("@g:[29 34 -1 km]", "Invalid GeoFilter radius"),
        ("@geom:[within POLYGON((0 0))]", "Syntax error"),
        ("@geom:[wizin $bad]", "Syntax error"),
        ("@geom:[within $poly]", "SEARCH_PARAM_NOT_FOUND Parameter not found"),
    ] {
        refuses(ALL, Dialect::Two, text, &["r", "1e1000", "bad", "bad", "unit", "badm"], part);
    }
}

#[test]
fn vectors() {
    let with = |text: &str| {
        line(&schema(ALL), Dialect::Two, text, &["k", "10", "B", "12345678", "r", "0.1"]).unwrap()
    };
    let tail = "K=10 nearest vectors to `$B` in vector index associated with field @v";
    assert_eq!(
        with("* => [KNN $k @v $B EF_RUNTIME 100]"),
        format!("VECTOR {{{tail}, EF_RUNTIME = 100, yields distance as `__v_score`}}")
    );
    assert_eq!(
        with("(@t:hello world) => [KNN $k @v $B AS d]"),
        format!(
            "VECTOR {{ INTERSECT {{ @t:UNION {{ @t:hello @t:+hello(expanded) }} {W} }} }} => {{{tail}, yields distance as `d`}}"
        )
    );
    assert_eq!(
        with("@t:(hello)=>{$weight:2}=>[knn 10 @v $B]=>{$yield_distance_as: d}"),
        format!(
            "VECTOR {{ @t:UNION {{ @t:hello => {{ $weight: 2; }} @t:+hello(expanded) => {{ $weight: 2; }} }} }} => {{{tail}, yields distance as `d`}}"
        )
    );
    assert_eq!(
        with("@v:[VECTOR_RANGE $r $B]=>{$epsilon: 1.2; $yield_distance_as:dist}"),
        "VECTOR {Vectors that are within 0.1 distance radius from `$B` in vector index associated with field @v, \
         epsilon = 1.2, yields distance as `dist`}"
    );
    for (text, part) in [
        ("@t:hello world=>[KNN 10 @v $B]", "Syntax error"),
        ("*=>[TKOO 4 @v $B]", "Syntax error"),
        ("*=>[KNN badval @v $B]", "Syntax error"),
        ("*=>[KNN 576460752303423488 @v $B]", "KNN K parameter is too large"),
        (
            "*=>[KNN 2 @v $B AS a]=>{$yield_distance_as: b}",
            "Distance field was specified twice for vector query: a and b",
        ),
        ("*=>[KNN 2 @v $B]=>{$bogus: 42}", "Invalid attribute bogus"),
        ("*=>[KNN 99999999999999999999 @v $B]", "Syntax error"),
        ("*=>[KNN $zzz @v $B]", "SEARCH_NUMERIC_VALUE_INVALID Invalid numeric value"),
        ("*=>[KNN $zzz @v $gone]", "SEARCH_PARAM_NOT_FOUND Parameter not found `gone`"),
        ("*=>[KNN 2 @v $B EF_RUNTIME 1 EF_RUNTIME 2]", "SEARCH_PARAM_DUP Parameter was specified twice"),
        ("hello | (*=>[KNN 2 @v $B])", "Syntax error"),
        ("-(*=>[KNN 2 @v $B])", "Syntax error"),
        (
            "@v:[VECTOR_RANGE -1 $B]",
            "SEARCH_QUERY_BAD Error parsing vector similarity query: negative radius (-1) given in a range query",
        ),
        ("@v:[VECTOR_RANGE nan $B]", "Syntax error"),
        ("@v:[VECTOR_RANGE 1 B]", "Syntax error"),
        ("*=>[KNN 3 @v $B]=>{$yield_distance_as:\"\"}", "Invalid value () for `yield_distance_as`"),
    ] {
        refuses(ALL, Dialect::Two, text, &["B", "12345678", "zzz", "zzz"], part);
    }
    refuses(ALL, Dialect::One, "*=>[KNN 10 @v $B]", &["B", "12345678"], "Syntax error");
}

#[test]
fn missing_fields() {
    const FIELDS: &str = "SCHEMA t TEXT INDEXMISSING tag TAG INDEXMISSING n NUMERIC";
    shows(
        FIELDS,
        Dialect::Two,
        "ismissing(@tag) -ismissing(@t)",
        "INTERSECT { ISMISSING{tag} NOT{ ISMISSING{t} } }",
    );
    refuses(
        FIELDS,
        Dialect::Two,
        "ismissing(@n)",
        &[],
        "'ismissing' requires defining the field with 'INDEXMISSING'",
    );
    refuses(FIELDS, Dialect::Two, "ismissing(@gone)", &[], "Unknown field");
}

#[test]
fn what_else_is_refused() {
    for text in [
        "(",
        "hello)",
        "\"hello",
        "@t:@tag:hello",
        "@t:(@bar:[0 10])",
        "@t:(a-b-*)",
        "@t:(*a-b-)",
        "*-*",
        "* foo",
        "x | *",
        "%wor*d%",
        "%wor$d%",
        "%hello",
        "%%%%hello%%%%",
        "[1 2]",
        "{a}",
        "@:x",
        "@",
        "-",
        "~",
        "hello => {",
        "hello => {$weight}",
        "hello=>",
        "$",
        "a:b",
        "@t:(a|b",
        "=>",
        "hello => {$weight: 1;",
    ] {
        refuses(ALL, Dialect::Two, text, &[], "Syntax error at offset");
    }
    for text in ["(*)", "$hello", "\"$hello\"", "@t:(w'*')", "*-*", "(", "@bar:[5]", "%wor~d%", "x | | y"] {
        refuses(ALL, Dialect::One, text, &["hello", "x"], "Syntax error at offset");
    }
    for (text, part) in [
        ("hello=>{$weight:\"\"}", "Invalid value () for `weight`"),
        ("hello=>{$weight:-1}", "Invalid value (-1) for `weight`"),
        ("hello=>{$slop:x}", "Invalid value (x) for `slop`"),
        ("hello=>{$inorder:maybe}", "Invalid value (maybe) for `inorder`"),
        ("@t:(hello=>{$phonetic:\"\"} world)", "Invalid value () for `phonetic`"),
        ("@t:hello=>{$phonetic:true}", "field does not support phonetics"),
        ("hello=>{$sloop:1}", "Invalid attribute sloop"),
    ] {
        refuses(ALL, Dialect::Two, text, &[], part);
    }
    let twice: [&[u8]; 4] = [b"a", b"1", b"a", b"2"];
    assert!(Parameters::new(&twice).unwrap_err().to_string().contains("Duplicate parameter `a`"));
    assert!(Parameters::new(&twice[..3]).unwrap_err().to_string().contains("PARAM VALUE pairs"));
}

#[test]
fn depth_is_bounded() {
    let nested = |levels: usize, join: &str| {
        (2..=levels).rev().fold(String::new(), |text, n| format!("{text}(a{n}{join}"))
            + "(@t:a1)"
            + &")".repeat(levels - 1)
    };
    for join in [" ", "|"] {
        assert!(line(&schema(ALL), Dialect::One, &nested(30, join), &[]).is_ok());
        assert!(line(&schema(ALL), Dialect::Two, &nested(84, join), &[]).is_ok());
        refuses(ALL, Dialect::One, &nested(200, join), &[], "SEARCH_SYNTAX Syntax error at offset");
        refuses(ALL, Dialect::Two, &nested(200, join), &[], "SEARCH_SYNTAX Parser stack overflow");
    }
    for bomb in ["(".repeat(1_000_000), "-".repeat(1_000_000), "~-".repeat(500_000)] {
        assert!(line(&schema(ALL), Dialect::One, &bomb, &[]).is_err());
        assert!(line(&schema(ALL), Dialect::Two, &bomb, &[]).is_err());
    }
    let many = "x|".repeat(100_000) + "x";
    let error = line(&schema(ALL), Dialect::Two, &many, &[]).unwrap_err();
    assert!(error.contains("Query has more than 65536 parts"), "{error}");
    let some = (0..300).map(|n| format!("\"t{n}\"")).collect::<Vec<_>>().join("|");
    let found = line(&schema(ALL), Dialect::Two, &format!("@t:({some})"), &[]).unwrap();
    assert!(found.starts_with("@t:UNION { @t:EXACT { @t:t0 } @t:EXACT { @t:t1 }"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// No text is too much, be it UTF-8 or not, and what can be read can be shown.
    #[test]
    fn any_text(parts in prop::collection::vec(prop_oneof![
        Just("hello".to_owned()), Just("@t:".to_owned()), Just("@bar".to_owned()), Just("@tag:{".to_owned()), Just("=>{".to_owned()),
        Just("=>[KNN 3 @v $B".to_owned()), Just("[1 ".to_owned()), Just("$weight:2;".to_owned()), Just("$B".to_owned()),
        Just("ismissing(@t)".to_owned()), Just("w'a*'".to_owned()), Just("1.5e".to_owned()), Just("inf".to_owned()), Just("é".to_owned()),
        "[-()|~\"'*%:;{}\\[\\]\\\\ .,=<>!$@#]".prop_map(|text| text), "[a-z ]{1,3}",
    ], 0..16), cut in 0..4usize) {
        let mut text = parts.concat().into_bytes();
        if cut == 0 {
            text.push(0xff);
        }
        let schema = schema(ALL);
        for dialect in [Dialect::One, Dialect::Two] {
            _ = explained(&schema, dialect, &text, &["B", "12345678"]);
        }
    }
}
