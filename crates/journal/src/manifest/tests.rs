//! The life of a manifest, those of others, and what can be wrong with one.

use super::*;

fn manifest(text: &str) -> Result<Manifest, Wrong> {
    Manifest::parse("appendonly.aof", text.as_bytes())
}

#[test]
fn a_life() {
    let mut manifest = Manifest::new("appendonly.aof");
    assert!(manifest.is_empty());
    assert_eq!(
        (manifest.name(), manifest.temporary_name()),
        ("appendonly.aof.manifest".to_owned(), "temp-appendonly.aof.manifest".to_owned())
    );
    let (rewrite, names) = manifest.begin_rewrite(2);
    assert_eq!(names, ["appendonly.aof.1.incr.aof", "appendonly.aof.2.incr.aof"]);
    assert_eq!(manifest.next_base_name(false), "appendonly.aof.1.base.aof");
    manifest.end_rewrite(rewrite, true);
    assert_eq!(manifest.begin_generation(1), ["appendonly.aof.3.incr.aof"]);
    assert_eq!(
        manifest.text(),
        "file appendonly.aof.1.base.rdb seq 1 type b\n\
         file appendonly.aof.1.incr.aof seq 1 type i weft-generation 1 weft-shard 0\n\
         file appendonly.aof.2.incr.aof seq 2 type i weft-generation 1 weft-shard 1\n\
         file appendonly.aof.3.incr.aof seq 3 type i weft-generation 2 weft-shard 0\n"
    );
    let (rewrite, _) = manifest.begin_rewrite(1);
    manifest.begin_generation(1);
    manifest.end_rewrite(rewrite, true);
    assert_eq!(
        manifest.text(),
        "file appendonly.aof.2.base.rdb seq 2 type b\n\
         file appendonly.aof.1.base.rdb seq 1 type h\n\
         file appendonly.aof.1.incr.aof seq 1 type h weft-generation 1 weft-shard 0\n\
         file appendonly.aof.2.incr.aof seq 2 type h weft-generation 1 weft-shard 1\n\
         file appendonly.aof.3.incr.aof seq 3 type h weft-generation 2 weft-shard 0\n\
         file appendonly.aof.4.incr.aof seq 4 type i weft-generation 3 weft-shard 0\n\
         file appendonly.aof.5.incr.aof seq 5 type i weft-generation 4 weft-shard 0\n"
    );
    assert_eq!(Manifest::parse("appendonly.aof", manifest.text().as_bytes()), Ok(manifest.clone()));
    assert_eq!(manifest.take_history().len(), 4);
    assert!(manifest.history().is_empty());
}

#[test]
fn files_of_others() {
    let text = "# a comment\n\
                file x.1.base.rdb seq 1 type b\r\n\
                FILE \"x 1.incr.aof\" seq 1 type i startoffset 7 endoffset \"\"\n\
                type i seq 4 file x.4.incr.aof\n\
                file x.5.incr.aof seq 5 type i weft-generation 9 weft-shard 0\n\
                file x.6.incr.aof seq 6 type i weft-shard 1 weft-generation 9\n";
    let mut found = manifest(text).expect("it is right");
    let files: Vec<Vec<_>> =
        found.generations().map(|files| files.iter().map(|file| file.seq).collect()).collect();
    assert_eq!(files, [vec![1], vec![4], vec![5, 6]]);
    assert_eq!(found.generation(), 9);
    assert!(found.text().contains("file \"x 1.incr.aof\" seq 1 type i startoffset 7 endoffset \"\"\n"));
    let (rewrite, names) = found.begin_rewrite(1);
    assert_eq!(names, ["appendonly.aof.7.incr.aof"]);
    assert_eq!(rewrite.generation, 10);
    found.end_rewrite(rewrite, false);
    assert_eq!(found.base().map(|file| &*file.name), Some("appendonly.aof.2.base.aof"));
    assert_eq!(found.generations().flatten().count(), 1);
}

#[test]
fn the_old_single_file() {
    let mut old = Manifest::new("appendonly.aof");
    old.adopt_old();
    assert_eq!(old.text(), "file appendonly.aof seq 1 type b\n");
    assert_eq!(old.next_base_name(true), "appendonly.aof.2.base.rdb");
}

#[test]
fn names_in_quotes() {
    for name in ["a b", "a\"b", "a'b", "\u{e9}", "tab\t\r\n", "a\u{1}"] {
        let mut manifest = Manifest::new(name);
        manifest.begin_generation(1);
        assert_eq!(Manifest::parse(name, manifest.text().as_bytes()), Ok(manifest));
    }
}

#[test]
fn what_is_wrong_and_where() {
    let long = format!("file {} seq 1 type b\n", "x".repeat(1024));
    let cases = [
        ("", 0, "Found an empty AOF manifest"),
        ("\n", 1, BAD_FORMAT),
        ("file a seq 1\n", 1, BAD_FORMAT),
        ("file a seq 1 type\n", 1, BAD_FORMAT),
        ("file a seq x type b\n", 1, BAD_FORMAT),
        ("file a seq 0 type b\n", 1, BAD_FORMAT),
        ("file a seq 9223372036854775807 type b\n", 1, BAD_FORMAT),
        ("file a seq -9223372036854775808 type b\n", 1, BAD_FORMAT),
        ("file a seq 1 type i weft-generation 18446744073709551615\n", 1, BAD_FORMAT),
        ("file a seq -1 type i\n", 1, "Found a non-monotonic sequence number"),
        ("file \"\" seq 1 type b\n", 1, BAD_FORMAT),
        ("file .. seq 1 type b\n", 1, BAD_FORMAT),
        ("file \"a seq 1 type b\n", 1, BAD_FORMAT),
        ("file a seq 1 type b weft-shard 65536\n", 1, BAD_FORMAT),
        ("file a/b seq 1 type b\n", 1, "File can't be a path, just a filename"),
        ("file a seq 1 type x\n", 1, "Unknown AOF file type"),
        ("file a seq 1 type b\nfile b seq 2 type b\n", 2, "Found duplicate base file information"),
        ("#\nfile a seq 2 type i\nfile b seq 2 type i\n", 3, "Found a non-monotonic sequence number"),
        ("file a seq 1 type b", 1, "The AOF manifest file contains too long line"),
        (&long, 1, "The AOF manifest file contains too long line"),
    ];
    for (text, line, what) in cases {
        let wrong = manifest(text).expect_err(text);
        assert_eq!((wrong.line, wrong.what), (line, what), "{text}");
    }
    let wrong = manifest("file a seq 1 type x \n").expect_err("no type").to_string();
    assert_eq!(
        wrong,
        "Invalid AOF manifest file format, at line 1 of the manifest: 'file a seq 1 type x'"
            .replace("Invalid AOF manifest file format", "Unknown AOF file type")
    );
}

#[test]
fn a_copy_lists_what_came_before_a_generation() {
    let mut manifest = Manifest::new("log");
    let (rewrite, _) = manifest.begin_rewrite(2);
    manifest.end_rewrite(rewrite, true);
    let (rewrite, _) = manifest.begin_rewrite(2);
    manifest.end_rewrite(rewrite, true);
    manifest.begin_generation(2);
    let generation = manifest.generation();
    let copy = manifest.before(generation);
    assert!(copy.history().is_empty() && copy.base() == manifest.base());
    assert_eq!((copy.generations().count(), manifest.generations().count()), (1, 2));
    assert_eq!(copy.generation(), generation - 1);
    assert_eq!(Manifest::parse("log", copy.text().as_bytes()).unwrap().text(), copy.text());
}
