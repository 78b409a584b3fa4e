//! One test for each entry of Lua's and Redis' security history; `docs/decisions/lua.md` lists them.

use super::Host;
use crate::{Engine, Env, Kind, Limits, Resume, Step};
use resp::Reply;

fn small() -> Host {
    Host::with(Kind::Scripts, Limits { memory_bytes_max: 8 << 20 })
}

#[track_caller]
fn survives(host: &mut Host, source: &str) -> String {
    let reply = host.eval(source);
    assert_eq!(host.eval("return 'alive'"), "$5;alive;", "after {source}");
    reply
}

#[test]
fn cve_2014_5461_varargs_and_fixed_parameters() {
    let params: Vec<String> = (0..150).map(|n| format!("p{n}")).collect();
    let source = format!(
        "local function f({}, ...) return select('#', ...) end return f(unpack({{}}, 1, 7000))",
        params.join(",")
    );
    let reply = survives(&mut small(), &source);
    assert!(reply == ":6850;" || reply.contains("stack overflow"), "{reply}");
}

#[test]
fn cve_2015_8080_struct_sizes_do_not_overflow() {
    let mut host = small();
    for source in ["return struct.pack('>I2147483648','10')", "return struct.unpack('c4294967297','x')"] {
        assert!(survives(&mut host, source).contains("integral size overflow"), "{source}");
    }
}

#[test]
fn cve_2018_11218_cmsgpack_packs_many_arguments() {
    let mut host = small();
    assert!(survives(&mut host, "return #cmsgpack.pack(unpack({}, 1, 3900))").starts_with(':'));
    let reply =
        survives(&mut host, "local t = {} for i = 1, 200 do t = {t} end return #cmsgpack.pack(t, t, t)");
    assert!(reply.starts_with(':'), "{reply}");
}

#[test]
fn cve_2018_11219_struct_positions_do_not_overflow() {
    let mut host = small();
    for source in [
        "return struct.unpack('I', 'abcd', -1)",
        "return struct.unpack('I', 'abcd', 9223372036854775807)",
        "return struct.unpack('c0', 'abcd', -2147483648)",
    ] {
        assert!(survives(&mut host, source).starts_with("-ERR"), "{source}");
    }
}

#[test]
fn cve_2020_14147_struct_integral_sizes() {
    assert!(
        survives(&mut small(), "return struct.pack('i2147483647', 1)").contains("is larger than limit of 32")
    );
}

#[test]
fn cve_2021_32626_stack_is_checked_wherever_values_are_pushed() {
    let mut host = small();
    for source in [
        "return cmsgpack.unpack(string.rep('\\145', 100000) .. '\\1')",
        "return {cmsgpack.unpack(string.rep('\\1', 100000))}",
        "local t = {} for i = 1, 7000 do t = {t} end return t",
        "local t = {} for i = 1, 100000 do t = {t} end return t",
        "local t = {} for i = 1, 100000 do t = {map={a=t}} end return t",
        "local t = {} for i = 1, 100000 do t = {t} end return cmsgpack.pack(t)",
        "cjson.encode_max_depth(1e9) local t = {} for i = 1, 100000 do t = {t} end return cjson.encode(t)",
        "cjson.decode_max_depth(1e9) return cjson.decode(string.rep('[', 1e6))",
        "return redis.call(unpack({}, 1, 7990))",
        "return {unpack({}, 1, 7990)}, redis.call('list', unpack({}, 1, 7980))",
        "return select('#', string.byte(string.rep('x', 1e6), 1, -1))",
        "return redis.call('raw', string.rep('*1\\r\\n', 100) .. ':1\\r\\n')",
        "return redis.call('raw', string.rep('*1\\r\\n', 100000) .. ':1\\r\\n')",
        "local t = {} for i = 1, 7000 do t[i] = 'b' end return {struct.unpack(table.concat(t), string.rep('x', 7000))}",
        "return {struct.unpack(string.rep('b', 9000), string.rep('x', 9000))}",
    ] {
        survives(&mut host, source);
    }
}

#[test]
fn cve_2022_24735_functions_of_others_cannot_be_replaced() {
    let mut host = small();
    for source in [
        "redis.call = function() end",
        "function redis.call() end",
        "rawset(redis, 'call', nil)",
        "string.format = nil",
        "table.concat = function() return 'mine' end",
        "getmetatable(_G).__index = function() return 1 end",
        "getmetatable(_G).__newindex = function() end",
        "cjson.encode = nil",
        "__redis__err__handler = nil",
        "pcall = nil",
        "f_0123456789 = function() end",
    ] {
        assert!(survives(&mut host, source).contains("readonly table"), "{source}");
    }
    // What a script makes is gone with it.
    survives(&mut host, "local function leak() end local t = {leak} return #t");
    assert!(survives(&mut host, "return leak").contains("nonexistent global variable 'leak'"));
}

#[test]
fn cve_2022_24736_long_names_do_not_crash_error_messages() {
    let mut host = small();
    let name = "n".repeat(100_000);
    survives(&mut host, &format!("return {name}"));
    survives(&mut host, &format!("local {name} = 1 return {name}.x.y"));
    survives(&mut host, &format!("{name} = = 1"));
    survives(&mut host, "return loadstring('x', string.rep('n', 1e6))");
    survives(&mut host, "return loadstring(string.rep('x', 1e6) .. '=')");
    survives(&mut host, "error(string.rep('e', 1e6))");
    // The handler of errors fails itself.
    survives(&mut host, "error(setmetatable({}, {__newindex = function() error('again') end}))");
    survives(&mut host, "error(setmetatable({}, {__index = function() error('again') end}))");
    survives(&mut host, "xpcall(function() error('x') end, function() error('y') end) error('z')");
}

#[test]
fn cve_2022_24834_large_texts_do_not_overflow_cjson_and_cmsgpack() {
    let mut host = small();
    for source in [
        "local s = string.rep('\\1', 1e6) local t = {} for i = 1, 1000 do t[i] = s end return #cjson.encode(t)",
        "local s = string.rep('x', 1e6) local t = {} for i = 1, 1000 do t[i] = s end return #cmsgpack.pack(t)",
        "local t = {'xxxxxxxxxx'} for i = 1, 14 do local u = {} for j = 1, 100 do u[j] = t end t = u end return cmsgpack.pack(t)",
        "local t = {'xxxxxxxxxx'} for i = 1, 14 do local u = {} for j = 1, 100 do u[j] = t end t = u end return cjson.encode(t)",
        "local s = string.rep('x', 1e6) return #struct.pack(string.rep('s', 200), unpack((function() local t = {} for i = 1, \
         200 do t[i] = s end return t end)()))",
    ] {
        assert!(survives(&mut host, source).contains("not enough memory"), "{source}");
    }
}

#[test]
fn cve_2024_31449_tohex_of_the_smallest_number() {
    let mut host = small();
    assert_eq!(host.eval("return bit.tohex(65535, -2147483648)"), "$8;0000FFFF;");
    assert_eq!(host.eval("return bit.tohex(65535, -2147483647)"), "$8;0000FFFF;");
    assert_eq!(host.eval("return bit.tohex(65535, 2147483648)"), "$8;0000FFFF;");
}

/// Nothing that scripts can reach has a finalizer: closing and collecting run no code.
#[test]
fn cve_2024_46981_no_finalizers() {
    let mut host = small();
    assert_eq!(
        host.eval("return newproxy"),
        "-ERR user_script:1: Script attempted to access nonexistent global variable 'newproxy' script: SHA, on @user_script:1.;"
    );
    // In Lua 5.1 tables have no finalizers.
    let source =
        "setmetatable({}, {__gc = function() redis.call('set', 'gc', '1') end}) collectgarbage() return 1";
    assert_eq!(host.eval(source), ":1;");
    assert!(host.values.is_empty());
    let mut engine = Engine::new(Kind::Scripts, Limits::default());
    let script = engine
        .load(b"local c = cjson.new() collectgarbage() return c.encode({redis.call('get', 'x')})")
        .unwrap();
    let mut run = engine.start(&script, &[], &[], Env::default());
    let mut out = Reply::new(false);
    assert!(matches!(run.resume(&mut engine, Resume::Go, &mut out), Step::Call(_)));
    drop(engine);
}

#[test]
fn cve_2025_46817_unpack_counts_do_not_overflow() {
    let mut host = small();
    for (from, to) in
        [(0, i32::MAX), (i32::MIN, i32::MAX), (-1, i32::MAX), (1, i32::MAX), (i32::MIN, -1), (-5000, 5000)]
    {
        let reply = survives(&mut host, &format!("return {{unpack({{1,2,3}}, {from}, {to})}}"));
        assert!(reply.contains("too many results to unpack"), "{from} {to}: {reply}");
    }
    assert_eq!(host.eval("return #{unpack({1,2,3}, -2147483648, -2147483640)}"), ":0;");
    assert_eq!(host.eval("return tostring(({})[-2147483648])"), "$3;nil;");
}

#[test]
fn cve_2025_46818_metatables_of_basic_types() {
    let mut host = small();
    for source in ["getmetatable('').__index = {}", "getmetatable('').__add = function() end"] {
        assert!(survives(&mut host, source).contains("readonly table"), "{source}");
    }
    assert!(survives(&mut host, "setmetatable(getmetatable(''), {})").contains("readonly table"));
    for value in ["1", "true", "nil", "print", "pcall", "coroutine.create(pcall)", "cjson.null"] {
        assert!(host.eval(&format!("setmetatable({value}, {{}})")).starts_with("-ERR"), "{value}");
    }
    assert_eq!(
        host.eval(
            "return getmetatable(1) == nil and getmetatable(pcall) == nil and getmetatable(cjson.null) == nil"
        ),
        ":1;"
    );
}

#[test]
fn cve_2025_46819_long_brackets() {
    let mut host = Host::new();
    let reply = survives(
        &mut host,
        "return loadstring('return [' .. string.rep('=', 1e6) .. '[x]' .. string.rep('=', 1e6) .. ']')()",
    );
    assert_eq!(reply, "$1;x;");
    survives(&mut host, "return loadstring('return [' .. string.rep('=', 1e6))");
    survives(&mut host, "return loadstring('--[' .. string.rep('=', 1e6) .. '[')");
}

/// The name of a chunk is held while it is parsed: without that, a collection in the parser frees it. (The debug build of
/// Lua's allocator does not show it; the addresses do: freed names are overwritten by what comes next.)
#[test]
fn cve_2025_49844_chunk_names_survive_the_parser() {
    let mut host = Host::new();
    host.engine.stress_collector();
    let body = "local a".to_owned()
        + &" = function() local b = 'str' .. 'ing' return {1, 2, b} end local a".repeat(60);
    for name in 0..50 {
        let source = format!(
            "local f, e = loadstring([[{body} error(]], '@name{name}' .. string.rep('n', 20)) \
             local g, h = loadstring([[{body} error('x')]], '@name{name}' .. string.rep('n', 20)) \
             return {{e, select(2, pcall(g))}}"
        );
        let reply = host.eval(&source);
        let chunk = format!("name{name}{}", "n".repeat(20));
        assert_eq!(reply.matches(&chunk).count(), 2, "{reply}");
    }
}

/// DarkReplica: an interpreter was freed while a function of it was suspended. Here a suspended run keeps it.
#[test]
fn cve_2026_23631_engine_is_not_freed_under_a_suspended_function() {
    let mut engine = Engine::new(Kind::Functions, Limits::default());
    let mut out = Reply::new(false);
    let code = b"redis.register_function('f', function(k) local t = {} while true do t[#t + 1] = redis.call('get', k[1]) end end)";
    let mut load = engine.start_library(code, Env::default());
    assert!(matches!(load.resume(&mut engine, Resume::Go, &mut out), Step::Done(_)));
    let functions = load.take_functions();
    let mut run = engine.start_function(&functions[0], &[b"key"], &[], Env::default());
    let mut reply = Reply::new(false);
    reply.bulk(b"value");
    assert!(matches!(run.resume(&mut engine, Resume::Go, &mut out), Step::Call(_)));
    // FUNCTION FLUSH
    drop(functions);
    engine.collect();
    for _ in 0..100 {
        assert!(matches!(run.resume(&mut engine, Resume::Reply(&reply), &mut out), Step::Call(_)));
        engine.collect();
    }
    drop(engine);
    drop(run);
}

#[test]
fn bytecode_is_never_loaded() {
    let mut host = small();
    for source in [
        "return select('#', loadstring(string.dump(function() return 1 end)))",
        "return select('#', load((function() local d = string.dump(function() end) return function() local x = d d = nil return \
         x end end)()))",
        "return select('#', loadstring('\\27Lua\\81\\0\\1\\4\\8\\4\\8\\0'))",
    ] {
        assert_eq!(survives(&mut host, source), ":2;", "{source}");
    }
    assert!(host.engine.load(b"\x1bLuaQ").is_err());
}

#[test]
fn memory_is_limited() {
    let mut host = small();
    for source in [
        "return string.rep('x', 1e9)",
        "local t = {} for i = 1, 1e9 do t[i] = i end",
        "local s = 'x' while true do s = s .. s end",
        "local s = string.rep('x', 1e6) local t = {} for i = 1, 1000 do t[i] = s .. i end",
        "local t = {} for i = 1, 1e9 do t[i] = {} end",
        "local t = {} for i = 1, 1e9 do t[i] = function() return i end end",
        "local t = {} for i = 1, 1e9 do t[i] = coroutine.create(function() end) end",
        "return loadstring('return ' .. string.rep('{', 100) .. string.rep('1,', 1e7))",
        "return table.concat({string.rep('x', 5e6), string.rep('y', 5e6)})",
        "return ('x'):rep(3e6):gsub('x', 'yyyyyyyyyy')",
        "return load(function() return 'x' end)",
        "return redis.call('echo', string.rep('x', 4e6)) .. string.rep('x', 4e6)",
    ] {
        assert!(survives(&mut host, source).contains("not enough memory"), "{source}");
        host.engine.collect();
        assert!(host.engine.memory_bytes() < 1 << 20, "{source}: {}", host.engine.memory_bytes());
    }
    // Small tables that are large replies.
    for kind in ["{t, t}", "{map={a=t,b=t}}"] {
        let source = format!("local t = {{'x'}} for i = 1, 40 do t = {kind} end return t");
        assert!(survives(&mut host, &source).contains("does not fit into memory"), "{kind}");
    }
    // Caught, too.
    assert_eq!(host.eval("return {pcall(string.rep, 'x', 1e9)}"), "*2;$-1;$17;not enough memory;");
    // Arguments that do not fit.
    let (large, other) = ("x".repeat(5 << 20), "y".repeat(5 << 20));
    assert!(host.eval_with("return 1", &[&large], &[&other]).contains("not enough memory"));
    assert_eq!(host.eval("return 1"), ":1;");
}

/// All ways into the depth of the C stack, in debug and release builds.
#[test]
fn depth_is_limited() {
    let mut host = Host::new();
    host.ticks_max = 20;
    for source in [
        "local function f() return f() + 1 end return f()",
        "local function f() return pcall(f) end return f()",
        "local function f() pcall(f) return 1 end return f()",
        "local function f() return xpcall(f, function() end) end return f()",
        "local function f() return coroutine.wrap(f)() end return f()",
        "local function f(s) return (string.gsub('x', 'x', f)) end return f()",
        "local function f() table.sort({1,2}, f) end return f()",
        "local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k .. 'x'] end return t.x",
        "local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x",
        "local t = setmetatable({}, {}) getmetatable(t).__add = function(a, b) return a + b end return t + t",
        "local t = setmetatable({}, {}) getmetatable(t).__tostring = function(t) return tostring(t) end return tostring(t)",
        "local t = setmetatable({}, {}) getmetatable(t).__eq = function(a, b) return a == setmetatable({}, getmetatable(t)) end \
         return t == setmetatable({}, getmetatable(t))",
        "local function f() return load(f) end return f()",
        "local function f() return loadstring('return ...')(f)() end return f()",
        "local function f() for w in string.gmatch('x', 'x') do f() end end return f()",
        "local function f() table.foreach({1}, f) end return f()",
        "local function f(a) error(setmetatable({}, {__newindex = f})) end f()",
        "return loadstring('return ' .. string.rep('(', 1e5))",
        "return loadstring(string.rep('do ', 1e5))",
        "return loadstring('return ' .. string.rep('{', 1e5))",
        "return loadstring('return ' .. string.rep('-', 1e5) .. '1')",
        "return loadstring('return ' .. string.rep('a..', 1e5) .. 'a')",
        "return loadstring('return ' .. string.rep('a^', 1e5) .. 'a')",
        "return loadstring(string.rep('x = function() ', 1e4))",
        "return loadstring('local a ' .. string.rep(', a', 1e4))",
        "return loadstring('a = ' .. string.rep('a = ', 1e4))",
        "return loadstring(string.rep('a,', 1e4) .. 'a = 1')",
        "return string.find(string.rep('a', 1e5), string.rep('a?', 1e5))",
        "return string.find(string.rep('a', 1e5), string.rep('(a', 30))",
        "return string.match(string.rep('a', 1e4), '.-b')",
        "return string.find(string.rep('[', 1e5), string.rep('%[*', 1e4))",
        "return string.find('x', string.rep('x', 1e5))",
        "return string.rep('%', 1e5):find(string.rep('%', 1e5))",
    ] {
        host.ticks = 0;
        survives(&mut host, source);
        host.engine.collect();
    }
    assert!(
        host.eval("return string.find(string.rep('a', 1e5), string.rep('a?', 1e5))")
            .contains("pattern too complex")
    );
    assert_eq!(host.eval("return #string.match(string.rep('a', 1e5), 'a*')"), ":100000;");
}

/// gsub inside gsub, up to Lua's limit of nested C calls, each with its buffer on the C stack, and then something deep.
#[test]
fn the_stack_is_large_enough_for_the_deepest_scripts() {
    let mut used = 0;
    for depth in [100, 180, 190, 195, 197, 198, 199] {
        for (deep, nested) in [
            (
                "tostring(string.find(string.rep('a', 990), string.rep('a?', 990)))",
                "(string.gsub('x', 'x', f))",
            ),
            (
                "tostring(string.find(string.rep('a', 990), string.rep('a*', 990)))",
                "(string.gsub('x', 'x', f))",
            ),
            (
                "tostring(string.find(string.rep('a', 40), string.rep('(a)', 31) .. 'b'))",
                "(string.gsub('x', '(x)', f))",
            ),
            ("redis.call('echo', 'deep')", "select(2, coroutine.wrap(function() return pcall(f) end)())"),
            (
                "tostring(loadstring('return ' .. string.rep('function() return ', 190)))",
                "(string.gsub('x', 'x', f))",
            ),
            ("tostring(loadstring('return ' .. string.rep('{', 190)))", "select(2, pcall(f))"),
            ("string.format('%99.99f', 1e308)", "(string.gsub('x', 'x', f))"),
            (
                "cjson.encode(cjson.decode(string.rep('[', 900) .. string.rep(']', 900)))",
                "(string.gsub('x', 'x', f))",
            ),
            ("table.concat({1, 2}, ',')", "select(2, xpcall(f, function(e) return tostring(e) end))"),
        ] {
            let mut host = Host::new();
            let source = format!(
                "local n = 0 local function f() n = n + 1 if n >= {depth} then return {deep} end return {nested} end return f()"
            );
            survives(&mut host, &source);
            used = used.max(host.engine.stack_bytes_used());
        }
    }
    println!("{used} bytes of the stack used");
    assert!(used < crate::fiber::STACK_BYTES * 3 / 4, "{used}");
}
