//! Parsing requests: a pipeline of 16 GETs, one request in pieces, a reply's length.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use resp::{Limits, RequestParser};
use std::hint::black_box;

const LIMITS: Limits = Limits { bulk_bytes_max: 512 << 20, args_max: i32::MAX as u64, authenticated: true };

fn pipeline(c: &mut Criterion) {
    let one = b"*2\r\n$3\r\nGET\r\n$16\r\nkey:000000012345\r\n";
    let buf = one.repeat(16);
    let mut group = c.benchmark_group("parser");
    group.throughput(Throughput::Elements(16));
    group.bench_function("16 GETs", |b| {
        let (mut parser, mut spans) = (RequestParser::default(), Vec::new());
        b.iter(|| {
            spans.clear();
            let mut at = 0;
            while at < buf.len() {
                let parsed = parser.parse(black_box(&buf), at, &mut spans, &LIMITS).expect("whole requests");
                let resp::Parsed::Request { end } = parsed else { unreachable!("whole requests") };
                at = end;
            }
            spans.len()
        });
    });
    group.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
