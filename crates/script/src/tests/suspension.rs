//! Scripts that are suspended, go on in any order, are dropped and killed.

use super::Host;
use super::host::{answer, list};
use crate::{Engine, Env, Kind, Limits, Resume, Run, Script, Step};
use base::random::Random;
use resp::Reply;
use std::collections::HashMap;

/// Runs until the script calls a command, and gives that command back.
fn next_call(run: &mut Run, engine: &mut Engine, with: Resume<'_>, out: &mut Reply) -> Option<Vec<Vec<u8>>> {
    let mut with = with;
    loop {
        match run.resume(engine, with, out) {
            Step::Call(_) => return Some(list(run.words()).iter().map(|arg| arg.to_vec()).collect()),
            Step::Done(_) => return None,
            Step::Tick => with = Resume::Go,
            _ => panic!("the script only calls commands"),
        }
    }
}

/// Every place from which a command can be called.
const PLACES: &str = "
local out = {}
local function echo(x) out[#out+1] = redis.call('echo', x) return out[#out] end
echo('plain')
pcall(echo, 'pcall')
table.sort({3,1,2}, function(a, b) echo('sort') return a < b end)
string.gsub('abc', '%w', function(c) return echo('gsub'..c) end)
local t = setmetatable({}, {
  __index = function(t, k) return echo('index'..k) end,
  __add = function(a, b) return echo('add') end,
  __lt = function(a, b) return echo('lt') == 'lt' end,
  __concat = function(a, b) return echo('concat') end,
  __call = function(self, x) return echo('call'..x) end,
  __newindex = function(t, k, v) echo('newindex'..k) end,
})
local _ = t.x, t + t, t < t, t .. 'x', t('y')
t.z = 1
local co = coroutine.wrap(function() echo('coroutine') coroutine.yield(1) echo('again') end)
co() co()
xpcall(function() echo('xpcall') error('x') end, function(e) echo('handler') return e end)
for w in string.gmatch('a b', '%a') do echo('gmatch'..w) end
table.foreach({1}, function() echo('foreach') end)
loadstring('redis.call(\"echo\", \"loaded\")')()
local n = 0
load(function() n = n + 1 echo('reader') if n == 1 then return 'return 1' end end)()
return table.concat(out, ',') .. KEYS[1] .. ARGV[1]
";

#[test]
fn a_call_suspends_from_everywhere() {
    let mut host = Host::new();
    let reply = host.eval_with(PLACES, &["K"], &["A"]);
    for word in [
        "plain",
        "pcall",
        "sort",
        "gsubc",
        "indexx",
        "add",
        "lt",
        "concat",
        "cally",
        "newindexz",
        "coroutine",
        "again",
        "xpcall",
        "handler",
        "gmatchb",
        "foreach",
        "reader",
    ] {
        assert!(reply.contains(word), "{word}: {reply}");
    }
    assert!(reply.ends_with("KA;"), "{reply}");
}

/// Many runs of several scripts, resumed in random order, some dropped; the results are those of undisturbed runs.
#[test]
fn runs_interleave_in_any_order() {
    let seed = 0x5eed;
    let mut random = Random::from_seed(seed);
    let mut host = Host::new();
    let sources = [
        PLACES,
        "for i = 1, 20 do KEYS[1] = redis.call('echo', KEYS[1] .. ARGV[1]) end return KEYS[1]",
        "local t = {} for i = 1, 50 do t[i] = redis.call('list', KEYS[1], ARGV[1], i)[3] end return table.concat(t)",
        "error(redis.call('echo', KEYS[1]))",
        "local function deep(n) if n == 0 then return redis.call('echo', ARGV[1]) end return (deep(n - 1)) end \
         return deep(100) .. KEYS[1]",
    ];
    let mut expected = Vec::new();
    for source in sources {
        let script = host.engine.load(source.as_bytes()).unwrap();
        expected.push(host.run(&script, &["K"], &["A"]));
    }
    let mut engine = host.engine;
    engine.stress_collector();
    let scripts: Vec<Script> = sources.iter().map(|source| engine.load(source.as_bytes()).unwrap()).collect();
    let mut under_way: Vec<(usize, Run, Vec<Vec<u8>>)> = Vec::new();
    let (mut finished, mut dropped) = (0, 0);
    let mut values = HashMap::new();
    while finished < 300 {
        let mut out = Reply::new(false);
        if under_way.len() < 12 {
            let which = random.below(scripts.len() as u64) as usize;
            let mut run = engine.start(&scripts[which], &[b"K"], &[b"A"], Env::default());
            let call = next_call(&mut run, &mut engine, Resume::Go, &mut out).unwrap();
            under_way.push((which, run, call));
            continue;
        }
        let at = random.below(under_way.len() as u64) as usize;
        if random.below(60) == 0 {
            under_way.swap_remove(at);
            dropped += 1;
            continue;
        }
        let (which, run, call) = &mut under_way[at];
        let args: Vec<&[u8]> = call.iter().map(|arg| &**arg).collect();
        let mut reply = Reply::new(false);
        answer(&mut values, &args, &mut reply);
        match next_call(run, &mut engine, Resume::Reply(&reply), &mut out) {
            Some(next) => *call = next,
            None => {
                let sha = std::str::from_utf8(scripts[*which].sha()).unwrap().to_owned();
                let text = String::from_utf8_lossy(&out.buf).replace("\r\n", ";").replace(&sha, "SHA");
                assert_eq!(text, expected[*which], "seed {seed}");
                under_way.swap_remove(at);
                finished += 1;
            }
        }
    }
    assert!(dropped > 5);
}

#[test]
fn a_run_outlives_its_script_and_the_engine_is_left_usable() {
    let mut engine = Engine::new(Kind::Scripts, Limits::default());
    let mut out = Reply::new(false);
    let script = engine.load(b"local a = redis.call('get', 'x') return a .. KEYS[1]").unwrap();
    let mut run = engine.start(&script, &[b"k"], &[], Env::default());
    assert!(next_call(&mut run, &mut engine, Resume::Go, &mut out).is_some());
    drop(script);
    engine.collect();
    let mut reply = Reply::new(false);
    reply.bulk(b"value-");
    assert!(next_call(&mut run, &mut engine, Resume::Reply(&reply), &mut out).is_none());
    assert_eq!(out.buf, b"$7\r\nvalue-k\r\n");
    // The other way round: the engine goes first.
    let script = engine.load(b"return redis.call('get', 'x')").unwrap();
    let mut run = engine.start(&script, &[], &[], Env::default());
    assert!(next_call(&mut run, &mut engine, Resume::Go, &mut out).is_some());
    drop(engine);
    drop(run);
    drop(script);
}

#[test]
fn arguments_stay_valid_while_others_run() {
    let mut engine = Engine::new(Kind::Scripts, Limits::default());
    engine.stress_collector();
    let script = engine
        .load(b"local s = string.rep('x', 50) .. KEYS[1] return redis.call('echo', s .. 'y', 1.5)")
        .unwrap();
    let mut first = engine.start(&script, &[b"k"], &[], Env::default());
    let mut out = Reply::new(false);
    assert!(matches!(first.resume(&mut engine, Resume::Go, &mut out), Step::Call(_)));
    let mut other_out = Reply::new(false);
    for _ in 0..20 {
        let mut other = engine.start(&script, &[b"other"], &[], Env::default());
        assert!(next_call(&mut other, &mut engine, Resume::Go, &mut other_out).is_some());
    }
    engine.collect();
    assert_eq!(first.words().get(1).unwrap(), [&[b'x'; 50][..], b"ky"].concat());
    assert_eq!(first.words().get(2), Some(&b"1.5"[..]));
}

#[test]
fn engines_and_runs_may_move_between_threads() {
    let mut engine = Engine::new(Kind::Scripts, Limits::default());
    let script =
        engine.load(b"local s = 0 for i = 1, 10 do s = s + redis.call('echo', i) end return s").unwrap();
    let mut run = engine.start(&script, &[], &[], Env::default());
    let mut out = Reply::new(false);
    let mut call = next_call(&mut run, &mut engine, Resume::Go, &mut out);
    let mut values = HashMap::new();
    while let Some(args) = call {
        (engine, run, out, values, call) = std::thread::spawn(move || {
            let args: Vec<&[u8]> = args.iter().map(|arg| &**arg).collect();
            let mut reply = Reply::new(false);
            answer(&mut values, &args, &mut reply);
            let call = next_call(&mut run, &mut engine, Resume::Reply(&reply), &mut out);
            (engine, run, out, values, call)
        })
        .join()
        .unwrap();
    }
    assert_eq!(out.buf, b":55\r\n");
    // Scripts and suspended runs may be dropped elsewhere while the engine works.
    let more: Vec<Run> = (0..10)
        .map(|_| {
            let mut run = engine.start(&script, &[], &[], Env::default());
            assert!(next_call(&mut run, &mut engine, Resume::Go, &mut out).is_some());
            run
        })
        .collect();
    let other = std::thread::spawn(move || drop((more, script)));
    for _ in 0..100 {
        let script = engine.load(b"return 1").unwrap();
        let mut run = engine.start(&script, &[], &[], Env::default());
        assert!(next_call(&mut run, &mut engine, Resume::Go, &mut out).is_none());
    }
    other.join().unwrap();
}

#[test]
fn endless_scripts_can_be_killed() {
    let mut host = Host::new();
    host.ticks_max = 3;
    let killed = "-ERR Script killed by user with SCRIPT KILL... script: SHA, on @user_script:1.;";
    for source in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "repeat until false",
        "local function f() return f() end f()",
        "while true do pcall(error) end",
        "while true do coroutine.wrap(function() end)() end",
        "coroutine.wrap(function() while true do end end)()",
        "table.sort({1,2,3}, function() while true do end end)",
        "setmetatable({}, {__index = function() while true do end end}).x = nil while true do end",
        "while true do redis.pcall('get', 'x') end",
    ] {
        host.ticks = 0;
        assert_eq!(host.eval(source), killed, "{source}");
        assert_eq!(host.eval("return 1"), ":1;");
    }
    // While a command is awaited.
    let mut engine = host.engine;
    let script = engine.load(b"\nredis.pcall('get', 'x')").unwrap();
    let mut run = engine.start(&script, &[], &[], Env::default());
    let mut out = Reply::new(false);
    assert!(next_call(&mut run, &mut engine, Resume::Go, &mut out).is_some());
    assert!(next_call(&mut run, &mut engine, Resume::Kill("bye"), &mut out).is_none());
    let text = String::from_utf8_lossy(&out.buf).into_owned();
    assert!(text.starts_with("-ERR bye script: ") && text.ends_with(", on @user_script:2.\r\n"), "{text}");
}

#[test]
fn too_many_suspended_runs_are_refused() {
    let mut engine = Engine::new(Kind::Scripts, Limits::default());
    let script = engine.load(b"return redis.call('get', KEYS[1])").unwrap();
    let mut runs = Vec::new();
    let mut out = Reply::new(false);
    loop {
        let mut run = engine.start(&script, &[b"k"], &[], Env::default());
        if next_call(&mut run, &mut engine, Resume::Go, &mut out).is_none() {
            break;
        }
        runs.push(run);
    }
    assert_eq!(out.buf, b"-ERR too many scripts are running at the same time\r\n");
    assert!(runs.len() >= 1000, "{}", runs.len());
    drop(runs);
    let mut run = engine.start(&script, &[b"k"], &[], Env::default());
    assert!(next_call(&mut run, &mut engine, Resume::Go, &mut out).is_some());
}

/// 10^6 runs leave the interpreter as it was.
#[test]
fn memory_stays_flat() {
    let mut engine = Engine::new(Kind::Scripts, Limits { memory_bytes_max: 64 << 20 });
    let script = engine
        .load(b"local t = {} for i = 1, #ARGV do t[i] = ARGV[i] .. KEYS[1] end redis.call('set', KEYS[1], t[1]) return t")
        .unwrap();
    let mut reply = Reply::new(false);
    reply.ok();
    let mut out = Reply::new(false);
    let mut highest = [0; 2];
    let runs = if cfg!(debug_assertions) { 200_000 } else { 1_000_000 };
    for at in 0..runs {
        out.clear();
        let key = (at % 1000usize).to_string();
        let mut run = engine.start(&script, &[key.as_bytes()], &[b"a", b"b"], Env::default());
        assert!(next_call(&mut run, &mut engine, Resume::Go, &mut out).is_some());
        if at % 100 == 7 {
            continue; // dropped
        }
        assert!(next_call(&mut run, &mut engine, Resume::Reply(&reply), &mut out).is_none());
        let half = usize::from(at >= runs / 2);
        highest[half] = engine.memory_bytes().max(highest[half]);
    }
    assert!(highest[1] <= highest[0] + highest[0] / 10, "{highest:?}");
    assert!(highest[1] < 2 << 20, "{highest:?}");
}
