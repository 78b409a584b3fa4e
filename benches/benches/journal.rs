//! What a shard pays for each command that it writes down, what the writer pays for a round, and how fast a file is looked at.
#![forbid(unsafe_code)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use journal::chunk::Chunk;
use journal::queue::{Added, Queue};
use journal::round::{Step, Tail};
use journal::survey::{Form, survey};
use std::hint::black_box;

const SET: [&[u8]; 3] = [b"SET", b"key:000000001234", b"a value of thirty-two bytes, yes"];
const REQUEST: &[u8] =
    b"*3\r\n$3\r\nSET\r\n$16\r\nkey:000000001234\r\n$32\r\na value of thirty-two bytes, yes\r\n";
const COMMANDS: u64 = 1000;

fn chunks(c: &mut Criterion) {
    let mut group = c.benchmark_group("chunk");
    group.throughput(Throughput::Elements(COMMANDS));
    let fill = |add: &dyn Fn(&mut Chunk)| {
        let mut chunk = Chunk::with_buffer(Vec::with_capacity(COMMANDS as usize * 2 * REQUEST.len()));
        (0..COMMANDS).for_each(|_| add(&mut chunk));
        drop(black_box(chunk));
    };
    group.bench_function("command", |b| b.iter(|| fill(&|chunk| chunk.command(0, black_box(SET)))));
    group.bench_function("block of one", |b| {
        b.iter(|| {
            fill(&|chunk| {
                chunk.begin_block();
                chunk.command(0, black_box(SET));
                chunk.end_block();
            });
        });
    });
    group.finish();
}

/// A turn's hand-over of so many commands, and what the writer does with it.
fn turn(queue: &mut Queue, tail: &mut Tail, out: &mut Vec<u8>, commands: u64) {
    let mut chunk = queue.chunk();
    (0..commands).for_each(|_| chunk.command(0, SET));
    queue.hand_over(Added { chunks: vec![(0, chunk)], closed: Vec::new() });
    let round = queue.take_round().expect("something was handed over");
    for step in &round.steps {
        if let Step::Append { pieces, .. } = step {
            tail.append(pieces, out);
        }
    }
    tail.is_safe();
    queue.done(round);
}

fn rounds(c: &mut Criterion) {
    let mut group = c.benchmark_group("round");
    for commands in [1, 16, 1000] {
        group.throughput(Throughput::Elements(commands));
        let (mut queue, mut tail, mut out) = (Queue::new(2), Tail::default(), Vec::new());
        group.bench_function(format!("of {commands} commands"), |b| {
            b.iter(|| {
                out.clear();
                turn(&mut queue, &mut tail, &mut out, commands);
                black_box(out.len())
            });
        });
    }
    group.finish();
}

fn files(c: &mut Criterion) {
    let mut group = c.benchmark_group("survey");
    for commands in [16, 1000] {
        let (mut queue, mut tail, mut file) = (Queue::new(1), Tail::default(), Vec::new());
        while file.len() < 8 << 20 {
            turn(&mut queue, &mut tail, &mut file, commands);
        }
        group.throughput(Throughput::Bytes(file.len() as u64));
        group.bench_function(format!("rounds of {commands} commands"), |b| {
            b.iter(|| survey(black_box(&file), Form { start: 0, is_ours: true }, |_, _| ()).commands);
        });
    }
    group.finish();
}

criterion_group!(all, chunks, rounds, files);
criterion_main!(all);
