//! Lua without a server: what a run costs, and a call from it. The host answers at once.

use criterion::{Criterion, criterion_group, criterion_main};
use resp::Reply;
use script::{Engine, Env, Kind, Limits, Resume, Script, Step};

/// A rate limiter as it is used everywhere: a window of time stamps in a sorted set.
const SLIDING_WINDOW: &[u8] = b"
local key, now, window, limit = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', key, 0, now - window)
local count = redis.call('ZCARD', key)
if count < limit then
  redis.call('ZADD', key, now, now .. '-' .. ARGV[4])
  redis.call('PEXPIRE', key, window)
  return {1, limit - count - 1}
end
return {0, 0}";

fn play(
    engine: &mut Engine,
    script: &Script,
    keys: &[&[u8]],
    args: &[&[u8]],
    answer: &Reply,
    out: &mut Reply,
) {
    out.clear();
    let mut run = engine.start(script, keys, args, Env::default());
    let mut resume = Resume::Go;
    loop {
        match run.resume(engine, resume, out) {
            Step::Call(_) => resume = Resume::Reply(answer),
            Step::Done(_) => return,
            _ => resume = Resume::Go,
        }
    }
}

fn scripts(c: &mut Criterion) {
    let mut engine = Engine::new(Kind::Scripts, Limits::default());
    let mut answer = Reply::new(false);
    answer.int(3);
    let mut out = Reply::new(false);
    let mut group = c.benchmark_group("script");
    let args: [&[u8]; 4] = [b"1700000000000", b"60000", b"100", b"0.123456789"];
    let cases: [(&str, &[u8], usize, usize); 6] = [
        ("empty", b"return 1", 0, 0),
        ("one key, one argument", b"return 1", 1, 1),
        ("1 call", b"return redis.call('GET', KEYS[1])", 1, 0),
        (
            "4 calls",
            b"local c, k = redis.call, KEYS[1] c('GET', k) c('GET', k) c('GET', k) return c('GET', k)",
            1,
            0,
        ),
        ("100 calls", b"local c, k = redis.call, KEYS[1] for i = 1, 100 do c('GET', k) end", 1, 0),
        ("sliding window", SLIDING_WINDOW, 1, 4),
    ];
    for (name, source, keys, arguments) in cases {
        let script = engine.load(source).unwrap_or_else(|_| panic!("{name} compiles"));
        let keys: Vec<&[u8]> = vec![b"limiter:user:1234"; keys];
        group.bench_function(name, |b| {
            b.iter(|| play(&mut engine, &script, &keys, &args[..arguments], &answer, &mut out));
        });
    }
    group.finish();
}

criterion_group!(benches, scripts);
criterion_main!(benches);
