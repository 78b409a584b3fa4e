//! The proof that a script touches only declared keys.

use crate::{Engine, Kind, Limits};

/// A few commands' keys.
fn places(args: &[Option<&[u8]>]) -> Option<Vec<usize>> {
    match args[0]?.to_ascii_lowercase().as_slice() {
        b"get" | b"set" | b"incr" | b"zadd" | b"zcard" | b"zremrangebyscore" | b"pexpire" | b"hset"
        | b"hmget" | b"expire" | b"hget" | b"zscore" => Some(vec![1]),
        b"del" | b"exists" => Some((1..args.len()).collect()),
        b"rename" => Some(vec![1, 2]),
        b"ping" | b"time" => Some(Vec::new()),
        b"zunionstore" => {
            let count: usize = std::str::from_utf8(args[2]?).ok()?.parse().ok()?;
            Some([1].into_iter().chain(3..3 + count).collect())
        }
        _ => None,
    }
}

fn is_declared(source: &str) -> bool {
    let mut engine = Engine::new(Kind::Scripts, Limits::default());
    let script = engine.load(source.as_bytes()).unwrap_or_else(|_| panic!("{source}"));
    engine.keys_are_declared(&script, &places)
}

#[test]
fn tame_scripts() {
    for source in [
        "return 1",
        "return redis.call('GET', KEYS[1])",
        "return redis.call('get', KEYS[tonumber(ARGV[1])])",
        "if redis.call('get',KEYS[1]) == ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end",
        "return redis.call('PING')",
        "return redis.call('set', KEYS[1], ARGV[1], 'PX', 100)",
        "local call = redis.call return call('get', KEYS[1])",
        "local key = KEYS[1] redis.call('incr', key) return redis.pcall('get', key)",
        "local key, other = KEYS[1], KEYS[2] return redis.call('rename', key, other)",
        "for i = 1, #KEYS do redis.call('incr', KEYS[i]) end",
        "for i, key in ipairs(KEYS) do redis.call('incr', key) end",
        "for _, key in pairs(KEYS) do redis.call('incr', key) end return #KEYS",
        "return redis.call('del', unpack(KEYS))",
        "return redis.call('zunionstore', KEYS[1], 2, KEYS[2], KEYS[3])",
        "local ok, v = pcall(redis.call, 'get', KEYS[1]) return v",
        "local k = KEYS[1] local function f(x) return redis.call('set', k, x) end f(1) return f(2)",
        "local call, keys = redis.call, KEYS local function f(x) return call('set', keys[1], x) end return f(1)",
        "local k if ARGV[1] then k = KEYS[1] else k = KEYS[2] end return redis.call('get', k)",
        "local k = ARGV[1] and KEYS[1] or KEYS[2] return redis.call('get', k)",
        "local t = {} t.x = redis.call('get', KEYS[1]) return cjson.encode(t)",
        "local function f(n) if n > 0 then return f(n - 1) end return redis.call('get', KEYS[1]) end return f(3)",
        "redis.log(redis.LOG_NOTICE, 'x') return redis.status_reply('OK')",
        "return server.call('get', KEYS[1])",
        "return tostring(table.concat(KEYS, ',')) .. type(KEYS)",
        "local now = tonumber(ARGV[1]) redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, now - 1) \
         local count = redis.call('ZCARD', KEYS[1]) if count < 10 then redis.call('ZADD', KEYS[1], now, now .. '-x') \
         redis.call('PEXPIRE', KEYS[1], 60000) return {1, 9 - count} end return {0, 0}",
        "local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'ts') local tokens = tonumber(bucket[1]) or 10 \
         if tokens > 0 then tokens = tokens - 1 end redis.call('HSET', KEYS[1], 'tokens', tokens) \
         redis.call('EXPIRE', KEYS[1], math.ceil(10 / 2)) return tokens",
        "return redis.call('set', KEYS[1], cjson.encode(ARGV))",
        "return redis.call('zadd', KEYS[1], unpack(ARGV))",
        "return redis.call('del', KEYS[1], unpack(KEYS))",
        "return KEYS",
    ] {
        assert!(is_declared(source), "{source}");
    }
}

#[test]
fn other_scripts() {
    for source in [
        "return redis.call('get', ARGV[1])",
        "return redis.call('get', 'x')",
        "return redis.call('get', KEYS[1] .. ':x')",
        "return redis.call(ARGV[1], KEYS[1])",
        "return redis.call('rename', KEYS[1], 'x')",
        "return redis.call('unknown', KEYS[1])",
        "return redis.call('flushall')",
        "return redis.call('keys', KEYS[1])",
        "return redis.call('del', KEYS[1], tostring(ARGV[1]))",
        "return redis.call('del', unpack(ARGV))",
        "return redis.call(unpack(ARGV))",
        "return redis.call('zunionstore', KEYS[1], ARGV[1], KEYS[2])",
        "return redis.call('zunionstore', KEYS[1], 2, KEYS[2], 'x')",
        "KEYS[1] = 'x' return redis.call('get', KEYS[1])",
        "local k = KEYS k[1] = 'x' return redis.call('get', KEYS[1])",
        "table.insert(KEYS, 'x') return redis.call('get', KEYS[2])",
        "rawset(KEYS, 1, 'x') return redis.call('get', KEYS[1])",
        "local t = {KEYS} t[1][1] = 'x' return redis.call('get', KEYS[1])",
        "local t = {KEYS[1]} return redis.call('get', t[1])",
        "local t = {} t.call = redis.call return t.call('get', 'x')",
        "local t = {redis} return t[1].call('get', 'x')",
        "local c = redis['c' .. 'all'] return c('get', 'x')",
        "return _G.redis.call('get', 'x')",
        "return loadstring('return redis.call(\"get\", \"x\")')()",
        "for k, v in pairs(_G) do if k == 'redis' then return v.call('get', 'x') end end",
        "local function f(c) return c('get', 'x') end return f(redis.call)",
        "local function f() return redis.call end return f()('get', 'x')",
        "return pcall(redis.call, 'get', 'x')",
        "return select(1, redis.call)('get', 'x')",
        "local c local function f() return c('get', 'x') end c = redis.call return f()",
        "local k = KEYS[1] local function f() return redis.call('get', k) end k = 'x' return f()",
        "local k = KEYS[1] local function g() k = 'x' end local function f() return redis.call('get', k) end g() return f()",
        "local k = KEYS[1] local function g() return function() k = 'x' end end \
         local function f() return redis.call('get', k) end g()() return f()",
        "local c = redis.call if ARGV[1] then c = print end return c('get', KEYS[1])",
        "local k = KEYS[1] if ARGV[1] then k = ARGV[1] end return redis.call('get', k)",
        "local k = KEYS[1] for i = 1, 2 do redis.call('get', k) k = ARGV[1] end",
        "local k = KEYS[1] while true do redis.call('get', k) k = k .. 'x' end",
        "local function f(k) return redis.call('get', k) end return f(ARGV[1])",
        "local function f(it, t) t[1] = 'x' end f(ipairs(KEYS)) return redis.call('get', KEYS[1])",
        "local a, b = ipairs(KEYS) b[1] = 'x' return redis.call('get', KEYS[1])",
        "local function f() return ipairs(KEYS) end local a, b = f() b[1] = 'x' return redis.call('get', KEYS[1])",
        "setmetatable(KEYS, {__index = function() return 'x' end}) return redis.call('get', KEYS[9])",
        "for i, k in ipairs(ARGV) do redis.call('get', k) end",
        "for k in string.gmatch(KEYS[1], '%a') do redis.call('get', k) end",
        "return redis:call('get', 'x')",
        "return (function(...) return (...) end)(redis.call)('get', 'x')",
        "return coroutine.wrap(redis.call)('get', 'x')",
        "return string.gsub('x', 'x', redis.call)",
        "return table.foreach(KEYS, function(i, k) KEYS[i] = 'x' end)",
        "return redis.call('get', (next(KEYS)))",
    ] {
        assert!(!is_declared(source), "{source}");
    }
}
