//! Arguments inside and outside their buffer, copied and kept.

use super::*;
use resp::LARGE_BYTES_MIN;

#[test]
fn arguments_outside_are_shared_when_they_are_kept() {
    let (seed, outside) = (HashSeed::new(1, 2), vec![Blob::new(vec![b'v'; 40_000])]);
    let spans = [Span { start: 0, len: 3 }, Span { start: 3, len: 1 }, Span::outside(0, 40_000)];
    let args = Args::new(b"SETk", &spans, &seed).with_outside(&outside);
    assert!(!args.all_inside());
    assert_eq!((args.at(0), args.at(1), args.at(2).len()), (&b"SET"[..], &b"k"[..], 40_000));
    assert!(args.blob(1).is_none() && args.blob(3).is_none());
    let own = OwnArgs::of(args);
    assert_eq!(own.len_bytes(), 40_004);
    let (again, rest) = (own.args(&seed), own.args(&seed).skip(1));
    assert!(std::sync::Arc::ptr_eq(again.blob(2).expect("outside"), &outside[0]));
    assert_eq!((rest.len(), rest.at(0)), (2, &b"k"[..]));
    assert!(rest.from(0).eq(again.from(1)) && rest.blob(1).is_some());
}

#[test]
fn arguments_are_refilled() {
    let seed = HashSeed::new(1, 2);
    let span = |start, len| Span { start, len };
    let buf = b"$4\r\nMGET\r\n$1\r\na\r\n$0\r\n\r\n$2\r\nbc\r\n";
    let ascending = [span(4, 4), span(14, 1), span(21, 0), span(27, 2)];
    let [name, a, empty, bc] = ascending;
    let mut own = OwnArgs::default();
    for spans in [&ascending[..], &[name, bc, a], &[bc], &[], &[a, a], &[name, empty], &[a, bc]] {
        let args = Args::new(buf, spans, &seed);
        own.refill(args);
        assert!(own.args(&seed).from(0).eq(args.from(0)));
    }
    let far = [&b"k"[..], &[b' '; 1000], b"l"].concat();
    own.refill(Args::new(&far, &[span(0, 1), span(1001, 1)], &seed));
    assert_eq!((own.len_bytes(), own.args(&seed).at(1)), (2, &b"l"[..]));
    let outside = vec![Blob::new(vec![b'v'; 40_000])];
    let copied = |spans: &[Span]| {
        let (args, mut copy) = (Args::new(buf, spans, &seed), OwnArgs::default());
        copy.buf.extend(b"before");
        push_all(args, &mut copy.buf, &mut copy.spans, &mut copy.outside);
        copy.args(&seed).from(0).eq(args.from(0))
    };
    assert!(
        [&ascending[..], &[name, a], &[name, bc], &[bc, a], &[a, bc, name], &[bc], &[]]
            .map(copied)
            .iter()
            .all(|is| *is)
    );
    own.refill(Args::new(b"k", &[span(0, 1), Span::outside(0, 40_000)], &seed).with_outside(&outside));
    assert_eq!(own.args(&seed).at(1).len(), 40_000);
    own.clear_to(0);
    assert_eq!((own.len_bytes(), own.args(&seed).len()), (0, 0));
    assert_eq!(std::sync::Arc::strong_count(&outside[0]), 1);
}

#[test]
fn some_arguments_are_pushed_in_one_piece_or_each_by_itself() {
    let seed = HashSeed::new(1, 2);
    let span = |start, len| Span { start, len };
    let buf = [&b"$3\r\nkey\r\n$5\r\nvalue\r\n"[..], &[b' '; 100], b"far"].concat();
    let (key, value, far) = (span(4, 3), span(13, 5), span(120, 3));
    for spans in [&[key, value][..], &[value, key], &[key, far], &[key], &[], &[key, value, far], &[key, key]]
    {
        let args = Args::new(&buf, spans, &seed);
        let mut own = OwnArgs::of_words(vec![b"before".to_vec()]);
        push_some(args, 0..spans.len(), &mut own.buf, &mut own.spans, &mut own.outside);
        assert!(own.args(&seed).from(1).eq(args.from(0)));
    }
    let outside = vec![Blob::new(vec![b'v'; 40_000])];
    let spans = [key, Span::outside(0, 40_000)];
    let mut own = OwnArgs::default();
    let args = Args::new(&buf, &spans, &seed).with_outside(&outside);
    push_some(args, 0..2, &mut own.buf, &mut own.spans, &mut own.outside);
    assert!(own.args(&seed).from(0).eq(args.from(0)) && own.args(&seed).blob(1).is_some());
}

#[test]
fn short_and_long_pieces_are_copied() {
    let from: Vec<u8> = (0..=255).collect();
    for len in [0, 1, 31, 32, 33, 127, 128, 129, 200] {
        for end in [len, len + 1, (len + 40).min(256), 256] {
            let mut to = b"before".to_vec();
            copy_short(&mut to, &from[..end], len);
            assert_eq!(to, [b"before", &from[..len]].concat());
        }
    }
}

#[test]
fn large_words_keep_their_buffers() {
    let seed = HashSeed::new(1, 2);
    let large = vec![b'w'; LARGE_BYTES_MIN];
    let at = large.as_ptr();
    let own = OwnArgs::of_words(vec![b"SET".to_vec(), b"key".to_vec(), large, b"NX".to_vec()]);
    let args = own.args(&seed);
    assert_eq!((args.len(), args.at(0), args.at(1), args.at(3)), (4, &b"SET"[..], &b"key"[..], &b"NX"[..]));
    assert_eq!((args.at(2).as_ptr(), args.at(2).len()), (at, LARGE_BYTES_MIN));
    assert_eq!(own.len_bytes(), 8 + LARGE_BYTES_MIN);
}
