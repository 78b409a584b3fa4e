//! FT.CREATE's arguments: what RediSearch's documentation and tests show, and bad ones.

use search::schema::{
    Algorithm, Compression, Coordinates, DocumentKind, Element, Kind, Metric, Phonetic, Schema,
};
use search::text::Language;

fn parse(arguments: &str) -> Result<Schema, String> {
    let arguments: Vec<&[u8]> = arguments.split_ascii_whitespace().map(str::as_bytes).collect();
    Schema::parse(&arguments).map_err(|error| error.to_string())
}

#[track_caller]
fn refused(arguments: &str, part: &str) {
    let error = parse(arguments).expect_err(arguments);
    assert!(error.contains(part), "{arguments}: {error}");
    assert!(error.starts_with("SEARCH_"), "{error}");
}

#[test]
fn an_index_with_every_option() {
    let schema = parse(
        "ON HASH PREFIX 2 a: b: FILTER @x>1 LANGUAGE german LANGUAGE_FIELD lang SCORE 0.5 SCORE_FIELD s PAYLOAD_FIELD p \
         TEMPORARY 60 NOOFFSETS NOFIELDS NOFREQS STOPWORDS 2 foo BAR SKIPINITIALSCAN INDEXALL ENABLE \
         SCHEMA t AS title TEXT WEIGHT 5.0 NOSTEM PHONETIC dm:en WITHSUFFIXTRIE SORTABLE UNF \
         u TEXT INDEXMISSING INDEXEMPTY NOINDEX SORTABLE",
    );
    // NOINDEX and INDEXMISSING do not go together.
    assert!(
        schema.unwrap_err().contains("Field cannot be defined with both `NOINDEX` and `INDEXMISSING` `u`")
    );
    let schema = parse(
        "ON HASH PREFIX 2 a: b: FILTER @x>1 LANGUAGE german LANGUAGE_FIELD lang SCORE 0.5 SCORE_FIELD s PAYLOAD_FIELD p \
         TEMPORARY 60 NOOFFSETS NOFIELDS NOFREQS STOPWORDS 2 foo BAR SKIPINITIALSCAN INDEXALL ENABLE \
         SCHEMA t AS title TEXT WEIGHT 5.0 NOSTEM PHONETIC dm:en WITHSUFFIXTRIE SORTABLE UNF u TEXT INDEXMISSING INDEXEMPTY \
         g TAG SEPARATOR ; CASESENSITIVE SORTABLE n NUMERIC SORTABLE NOINDEX l GEO p GEOSHAPE FLAT q GEOSHAPE",
    )
    .unwrap();
    assert_eq!(schema.on, DocumentKind::Hash);
    assert_eq!(schema.prefixes, [b"a:".to_vec(), b"b:".to_vec()]);
    assert_eq!(schema.filter.as_deref(), Some(&b"@x>1"[..]));
    assert_eq!((schema.language, schema.score, schema.temporary_seconds), (Language::German, 0.5, Some(60)));
    assert!(schema.skip_initial_scan && schema.index_all);
    let both = parse("MAXTEXTFIELDS NOFIELDS SCHEMA t TEXT");
    assert!(both.unwrap_err().contains("MAXTEXTFIELDS cannot be used with NOFIELDS"));
    assert!(parse("MAXTEXTFIELDS SCHEMA t TEXT").unwrap().max_text_fields);
    let economies = schema.economies;
    assert!(
        economies.no_offsets && economies.no_highlighting && economies.no_fields && economies.no_frequencies
    );
    assert!(schema.stop_words.contains(b"bar") && !schema.stop_words.contains(b"the"));
    let Kind::Text(title) = &schema.fields[0].kind else { panic!("{:?}", schema.fields[0]) };
    assert_eq!((title.bit, title.weight, title.phonetic), (0, 5.0, Some(Phonetic::English)));
    assert!(title.no_stem && title.suffixes && schema.fields[0].sortable.unwrap().unnormalized);
    assert!(schema.fields[1].index_missing && schema.fields[1].index_empty);
    let Kind::Tag(tag) = &schema.fields[2].kind else { panic!("{:?}", schema.fields[2]) };
    assert_eq!((tag.separator, tag.case_sensitive), (Some(b';'), true));
    assert!(!schema.fields[2].sortable.unwrap().unnormalized && schema.fields[3].no_index);
    assert_eq!(schema.fields[5].kind, Kind::Geoshape(Coordinates::Flat));
    assert_eq!(schema.fields[6].kind, Kind::Geoshape(Coordinates::Spherical));
    assert_eq!(schema.field(b"title"), Some(0));
    assert_eq!(schema.field(b"t"), None);
    assert_eq!(schema.mask(|field, _| field.index_empty), 0b10);
}

#[test]
fn json_has_no_separator_and_no_folding_of_its_own() {
    let schema = parse("ON JSON SCHEMA $.a AS a TAG SORTABLE").unwrap();
    let Kind::Tag(tag) = &schema.fields[0].kind else { panic!("{schema:?}") };
    assert_eq!(tag.separator, None);
    assert!(schema.fields[0].sortable.unwrap().unnormalized);
    assert_eq!(schema.prefixes, [b"".to_vec()]);
}

#[test]
fn vectors() {
    let vector = |arguments: &str| {
        let schema = parse(&format!("SCHEMA v VECTOR {arguments}")).unwrap();
        let Kind::Vector(vector) = schema.fields[0].kind.clone() else { panic!("{schema:?}") };
        vector
    };
    let flat = vector("FLAT 10 TYPE float64 DIM 128 DISTANCE_METRIC cosine INITIAL_CAP 5 BLOCK_SIZE 1024");
    assert_eq!((flat.element, flat.dimension, flat.metric), (Element::Float64, 128, Metric::Cosine));
    assert_eq!(
        (flat.algorithm, flat.initial_capacity),
        (Algorithm::Flat { block_size: Some(1024) }, Some(5))
    );
    let hnsw = vector("HNSW 8 TYPE INT8 DIM 2 DISTANCE_METRIC IP M 40");
    let expected = Algorithm::Hnsw { m: 40, ef_construction: 200, ef_runtime: 10, epsilon: 0.01 };
    assert_eq!((hnsw.algorithm, hnsw.metric), (expected, Metric::InnerProduct));
    let svs = vector(
        "SVS-VAMANA 12 TYPE FLOAT32 DIM 16 DISTANCE_METRIC IP GRAPH_MAX_DEGREE 8 TRAINING_THRESHOLD 2048 COMPRESSION LVQ8",
    );
    let Algorithm::Vamana { compression, degree, training_threshold, .. } = svs.algorithm else {
        panic!("{svs:?}")
    };
    assert_eq!((compression, degree, training_threshold), (Some(Compression::Lvq8), 8, Some(2048)));
    assert!(parse("SCHEMA v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 DISTANCE_METRIC L2 t TEXT").is_ok());
}

#[test]
fn vectors_that_are_refused() {
    for (arguments, part) in [
        ("", "Bad arguments for vector similarity algorithm"),
        ("REDIS 6 TYPE FLOAT32 DIM 1024 DISTANCE_METRIC IP", "Bad arguments for vector similarity algorithm"),
        ("FLAT", "Bad arguments for vector similarity number of parameters"),
        ("FLAT x", "Bad arguments for vector similarity number of parameters"),
        ("FLAT 6", "Expected 6 parameters but got 0"),
        ("FLAT 1", "Bad number of arguments for vector similarity index: got 1 but expected even number"),
        ("FLAT 2 SIZE", "Bad arguments for algorithm FLAT: SIZE"),
        ("FLAT 2 TYPE", "Bad arguments for vector similarity FLAT index `TYPE`"),
        ("FLAT 4 TYPE FLOAT32 DIM", "Bad arguments for vector similarity FLAT index `DIM`"),
        (
            "FLAT 4 DIM 1024 DISTANCE_METRIC IP",
            "Missing mandatory parameter: cannot create FLAT index without specifying TYPE argument",
        ),
        (
            "FLAT 4 TYPE FLOAT32 DISTANCE_METRIC IP",
            "cannot create FLAT index without specifying DIM argument",
        ),
        (
            "FLAT 4 TYPE FLOAT32 DIM 1024",
            "cannot create FLAT index without specifying DISTANCE_METRIC argument",
        ),
        ("HNSW", "Bad arguments for vector similarity number of parameters"),
        ("HNSW 6", "Bad arguments for vector similarity: not enough arguments"),
        ("HNSW 1", "Bad arguments for vector similarity: not enough arguments"),
        ("HNSW 2 SIZE 100", "Bad arguments for algorithm HNSW: SIZE"),
        ("HNSW 2 TYPE FLOAT32", "cannot create HNSW index without specifying DIM argument"),
        (
            "HNSW 6 TYPE DOUBLE DIM 1024 DISTANCE_METRIC IP",
            "Bad arguments for vector similarity HNSW index `TYPE`",
        ),
        (
            "HNSW 6 TYPE FLOAT32 DIM str DISTANCE_METRIC IP",
            "Bad arguments for vector similarity HNSW index `DIM`",
        ),
        (
            "HNSW 6 TYPE FLOAT32 DIM 0 DISTANCE_METRIC IP",
            "Bad arguments for vector similarity HNSW index `DIM`",
        ),
        (
            "HNSW 6 TYPE FLOAT32 DIM 999999999999 DISTANCE_METRIC IP",
            "Bad arguments for vector similarity HNSW index `DIM`",
        ),
        (
            "HNSW 6 TYPE FLOAT32 DIM 1024 DISTANCE_METRIC REDIS",
            "Bad arguments for vector similarity HNSW index `DISTANCE_METRIC`",
        ),
        (
            "HNSW 8 TYPE FLOAT32 DIM 4 DISTANCE_METRIC L2 M 0",
            "Bad arguments for vector similarity HNSW index `M`",
        ),
        (
            "HNSW 8 TYPE FLOAT32 DIM 4 DISTANCE_METRIC L2 M 65537",
            "Bad arguments for vector similarity HNSW index `M`",
        ),
        ("HNSW 8 TYPE FLOAT32 DIM 4 DISTANCE_METRIC L2 M 4097", "HNSW index `M`"),
        ("SVS-VAMANA 8 TYPE FLOAT32 DIM 4 DISTANCE_METRIC L2 GRAPH_MAX_DEGREE 8193", "`GRAPH_MAX_DEGREE`"),
        ("HNSW 8 TYPE FLOAT32 DIM 4 DISTANCE_METRIC L2 EF_RUNTIME 14.3", "HNSW index `EF_RUNTIME`"),
        ("HNSW 8 TYPE FLOAT32 DIM 4 DISTANCE_METRIC L2 EPSILON -1", "HNSW index `EPSILON`"),
        (
            "SVS-VAMANA 6 TYPE FLOAT64 DIM 1024 DISTANCE_METRIC IP",
            "Not supported data type is given. Expected: FLOAT16, FLOAT32",
        ),
        (
            "SVS-VAMANA 8 TYPE FLOAT32 DIM 4 DISTANCE_METRIC IP INITIAL_CAP 4",
            "Bad arguments for algorithm SVS-VAMANA: INITIAL_CAP",
        ),
        (
            "SVS-VAMANA 8 TYPE FLOAT32 DIM 4 DISTANCE_METRIC IP COMPRESSION LWQ4x4",
            "SVS-VAMANA index `COMPRESSION`",
        ),
        (
            "SVS-VAMANA 8 TYPE FLOAT32 DIM 4 DISTANCE_METRIC IP TRAINING_THRESHOLD 1",
            "Invalid TRAINING_THRESHOLD",
        ),
        (
            "SVS-VAMANA 8 TYPE FLOAT32 DIM 4 DISTANCE_METRIC IP TRAINING_THRESHOLD 2048",
            "TRAINING_THRESHOLD is irrelevant when compression was not requested",
        ),
        (
            "SVS-VAMANA 8 TYPE FLOAT32 DIM 16 DISTANCE_METRIC IP REDUCE 10",
            "REDUCE is irrelevant when compression is not of type LeanVec",
        ),
        (
            "SVS-VAMANA 10 TYPE FLOAT32 DIM 16 DISTANCE_METRIC IP COMPRESSION Lvq8 REDUCE 10",
            "REDUCE is irrelevant when compression is not of type LeanVec",
        ),
        (
            "SVS-VAMANA 10 TYPE FLOAT32 DIM 16 DISTANCE_METRIC IP COMPRESSION LeanVec4x8 REDUCE 0.5",
            "SVS-VAMANA index `REDUCE`",
        ),
    ] {
        refused(&format!("SCHEMA v VECTOR {arguments}"), part);
    }
}

#[test]
fn what_else_is_refused() {
    for (arguments, part) in [
        ("", "No schema found"),
        ("TEMPORARY 1000 foo bar", "Unknown argument `foo`"),
        ("STOPWORDS 0 SCHEMA", "Fields arguments are missing"),
        ("SCORE SCHEMA txt TEXT", "Invalid score"),
        ("SCORE 10 SCHEMA txt TEXT", "Invalid score"),
        ("LANGUAGE SCHEMA txt TEXT", "Invalid language"),
        ("LANGUAGE none SCHEMA txt TEXT", "Invalid language"),
        ("INDEXALL GULU_GULU SCHEMA t TEXT", "Invalid argument for `INDEXALL`, use ENABLE/DISABLE"),
        ("ON SCHEMA txt TEXT", "Invalid rule type: SCHEMA"),
        ("ON HASH FILTER SCHEMA txt TEXT", "Unknown argument `txt`"),
        ("PREFIX 5 a SCHEMA t TEXT", "Bad arguments for PREFIX"),
        ("PREFIX -1 SCHEMA t TEXT", "Bad arguments for PREFIX"),
        ("STOPWORDS 99999999999999999999 a SCHEMA t TEXT", "Bad arguments for STOPWORDS"),
        ("SCHEMA f1 text n1 numeric f1 text", "Duplicate field in schema - f1"),
        ("SCHEMA a TEXT b AS a TAG", "Duplicate field in schema - a"),
        ("SCHEMA a", "Field `a` does not have a type"),
        ("SCHEMA a STRING", "Invalid field type for field `a`"),
        ("SCHEMA t TEXT SORTABLE NOSTEM", "Field `NOSTEM` does not have a type"),
        ("SCHEMA t TAG SORTABLE CASESENSITIVE", "Field `CASESENSITIVE` does not have a type"),
        ("SCHEMA t TEXT PHONETIC dm:tt", "Matcher Format"),
        ("SCHEMA t TEXT PHONETIC something", "Matcher Format"),
        ("SCHEMA t TEXT WEIGHT x", "Bad arguments for weight"),
        ("SCHEMA t TAG SEPARATOR foo", "Tag separator must be a single character. Got `foo`"),
        ("SCHEMA t TAG SEPARATOR", "SEPARATOR requires an argument"),
    ] {
        refused(arguments, part);
    }
}

#[test]
fn names_that_are_refused() {
    for (arguments, part) in [
        (&[&b"SCHEMA"[..], b"", b"TAG"][..], "Field name cannot be empty"),
        (&[b"SCHEMA", b"myfield", b"AS", b"", b"TAG"], "Field name cannot be empty"),
        (&[b"SCHEMA", b"tag\0name", b"TAG"], "Field name cannot contain null bytes"),
        (&[b"SCHEMA", b"tag", b"AS", b"\0alias", b"TAG"], "Field name cannot contain null bytes"),
        (&[b"SCHEMA", b"real\0tail", b"AS", b"tag", b"TAG"], "Field path cannot contain null bytes"),
    ] {
        assert!(Schema::parse(arguments).unwrap_err().to_string().contains(part), "{part}");
    }
}

#[test]
fn limits() {
    let fields = |count: usize, kind: &str| (0..count).map(|n| format!(" f{n} {kind}")).collect::<String>();
    assert!(parse(&format!("SCHEMA{}", fields(1024, "TAG"))).is_ok());
    refused(&format!("SCHEMA{}", fields(1025, "TAG")), "Schema is limited to 1024 fields");
    assert!(parse(&format!("SCHEMA{}", fields(128, "TEXT"))).is_ok());
    refused(&format!("SCHEMA{}", fields(129, "TEXT")), "Schema is limited to 128 TEXT fields");
    let words: String = (0..1100).map(|n| format!(" w{n}")).collect();
    let schema = parse(&format!("STOPWORDS 1100{words} SCHEMA t TEXT")).unwrap();
    assert_eq!(schema.stop_words.listed().unwrap().len(), 1024);
}

#[test]
fn fields_are_added() {
    let schema = parse("SCHEMA a TEXT b TAG").unwrap();
    let more = schema.with_fields(&[b"c", b"TEXT", b"d", b"NUMERIC"]).unwrap();
    assert_eq!(more.fields.len(), 4);
    let Kind::Text(text) = &more.fields[2].kind else { panic!("{more:?}") };
    assert_eq!(text.bit, 1);
    assert!(schema.with_fields(&[b"a", b"TEXT"]).is_err());
    assert!(schema.with_fields(&[]).is_err());
}
