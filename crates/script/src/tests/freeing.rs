//! What a script has made is freed when it ends. (Debug builds also have the collector check that nothing refers to it.)

use super::host::Host;
use crate::{Engine, Env, Kind, Limits, Resume, Run, Step};
use resp::Reply;

/// Scripts that make all kinds of values, and reach for what is older than they are.
const SCRIPTS: &[&str] = &[
    "return 1",
    "local t = {} for i = 1, 20 do t[i] = {tostring(i), [i] = KEYS[1] .. i} end return #t",
    "local n = 0 local function up() n = n + 1 return function() n = n + 1 return n end end return up()() + up()()",
    "local fs = {} for i = 1, 5 do fs[i] = function() i = i + 1 return i end end return fs[3]() + fs[5]()",
    "return {pcall(function() local t = {} local f = function() t.x = 1 end f() error({err = 'no ' .. t.x}) end)}",
    "error('on purpose ' .. #KEYS)",
    "error({err = 'ERR a table'})",
    "local f = loadstring('local a, b = ... return function() return a .. b end') return f('x', 'y')()",
    "return {loadstring('return return')}",
    "return string.gsub('hello world', '%w+', function(word) return word:upper() .. #word end)",
    "return cjson.encode(cjson.decode('[1, {\"a\": [true, \"b\"]}]')) .. cmsgpack.unpack(cmsgpack.pack('some text'))",
    "KEYS.more = {} KEYS[1] = {} ARGV[7] = KEYS setmetatable(ARGV, {__index = KEYS}) return ARGV[1]",
    "setmetatable(KEYS, {__mode = 'kv'}) KEYS[{}] = {} return 2",
    "for _, t in pairs({_G, string, redis, cjson, getmetatable('')}) do pcall(rawset, t, 'x', {}) \
     pcall(function() t.y = {} end) pcall(setmetatable, t, {}) pcall(table.insert, t, {}) end return 3",
    "redis.call('set', KEYS[1], 'value' .. ARGV[1]) return redis.call('get', KEYS[1])",
    "redis.setresp(3) return redis.pcall('get', {})",
    "return redis.error_reply('MY mistake')",
    "local t = {} for i = 1, 100 do t['key' .. i] = i end return t.key50",
    "return os.clock() >= 0 and math.random(10) <= 10",
    "return nosuch",
];

#[test]
fn nothing_is_left_of_a_script() {
    let mut host = Host::new();
    for source in SCRIPTS {
        let script = host.engine.load(source.as_bytes()).unwrap();
        let first = host.run(&script, &["key"], &["arg"]);
        host.engine.collect();
        host.run(&script, &["key"], &["arg"]);
        let bytes = host.engine.lua_bytes();
        for _ in 0..10 {
            let reply = host.run(&script, &["key"], &["arg"]);
            assert!(reply == first || source.contains("random"), "{source}: {reply}, at first {first}");
            assert_eq!(host.engine.lua_bytes(), bytes, "{source}");
        }
    }
}

#[test]
fn what_cannot_be_freed_at_once_is_left_to_the_collector() {
    let mut host = Host::new();
    let sources = [
        // More strings than are noted.
        "local t = {} for i = 1, 5000 do t[i] = 'text ' .. i end return #t",
        // Threads, with variables that functions outside them hold.
        "local out local co = coroutine.wrap(function() local x = {1} out = function() return x[1] end \
         coroutine.yield(1) end) co() return out()",
        // The collector is at work meanwhile.
        "local t for i = 1, 3000 do t = {{}, {}} end collectgarbage() return 'x' .. #t",
        "for i = 1, 200 do local t = {i .. 'a', i .. 'b', {}} collectgarbage('step') end return ARGV[1] .. 'y'",
    ];
    for round in 0..40 {
        for source in sources {
            let script = host.engine.load(source.as_bytes()).unwrap();
            let reply = host.run(&script, &["key"], &["arg"]);
            assert!(!reply.starts_with('-'), "{source}: {reply}");
        }
        for source in SCRIPTS {
            host.eval_with(source, &["key"], &["arg"]);
        }
        assert!(host.engine.memory_bytes() < 4 << 20, "round {round}: {}", host.engine.memory_bytes());
    }
}

/// Goes on; whether it calls a command.
fn calls(run: &mut Run, engine: &mut Engine, resume: Resume<'_>, out: &mut Reply) -> bool {
    match run.resume(engine, resume, out) {
        Step::Call(_) => true,
        Step::Done(_) => false,
        _ => panic!("another step"),
    }
}

#[test]
fn what_others_took_over_from_a_suspended_script_stays() {
    let mut engine = Engine::new(Kind::Scripts, Limits::default());
    let (mut out, mut reply) = (Reply::new(false), Reply::new(false));
    reply.bulk(b"answer");
    let asks = engine
        .load(b"local word = 'wo' .. ARGV[1] local got = redis.call('get', word) return {word, got, KEYS[1], 'w' .. 'rd2'}")
        .unwrap();
    for at in 0..300 {
        let word = format!("rd{at}");
        let mut run = engine.start(&asks, &[b"a key"], &[word.as_bytes()], Env::default());
        assert!(calls(&mut run, &mut engine, Resume::Go, &mut out));
        // A script is compiled, whose constants are strings that the one under way has made, too.
        let other = engine.load(format!("return 'word{at}' .. KEYS[1]").as_bytes()).unwrap();
        let mut second = (at % 3 == 0).then(|| engine.start(&other, &[b"a key"], &[], Env::default()));
        out.clear();
        assert!(!calls(&mut run, &mut engine, Resume::Reply(&reply), &mut out));
        assert!(String::from_utf8_lossy(&out.buf).contains(&format!("word{at}\r\n")));
        if at % 2 == 0 {
            engine.collect();
        }
        let mut run = second.take().unwrap_or_else(|| engine.start(&other, &[b"a key"], &[], Env::default()));
        out.clear();
        assert!(!calls(&mut run, &mut engine, Resume::Go, &mut out));
        assert!(String::from_utf8_lossy(&out.buf).contains(&format!("word{at}a key\r\n")));
    }
}
