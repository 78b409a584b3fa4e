//! Mailboxes: a publication to one and to several shards, shared and exclusive, and a drain.

use criterion::{Criterion, criterion_group, criterion_main};
use mailbox::Exchange;
use std::collections::VecDeque;

fn publish(c: &mut Criterion) {
    let mut group = c.benchmark_group("mailbox");
    for shards in [2usize, 16, 64] {
        for (kind, exclusive) in [("shared", false), ("exclusive", true)] {
            let mut ports = Exchange::<u64>::ports(shards);
            let mut mail = VecDeque::new();
            group.bench_function(format!("{kind} publication to 2 of {shards} and drain"), |b| {
                b.iter(|| {
                    let messages = [(0, 1), (1, 2)].into_iter();
                    ports[shards - 1].publish(messages, exclusive, |_| {});
                    let taken = ports[0].drain(&mut mail) + ports[1].drain(&mut mail);
                    mail.clear();
                    taken
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, publish);
criterion_main!(benches);
