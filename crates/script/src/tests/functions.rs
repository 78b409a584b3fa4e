//! Libraries and their functions.

use super::Host;
use crate::shebang::library_head;
use crate::{Env, Function, Kind, Limits};

fn host() -> Host {
    Host::with(Kind::Functions, Limits { memory_bytes_max: 64 << 20 })
}

fn load(host: &mut Host, code: &str) -> (String, Vec<Function>) {
    let head = match library_head(code.as_bytes()) {
        Ok(head) => head,
        Err(error) => return (format!("-ERR {error};"), Vec::new()),
    };
    let mut run = host.engine.start_library(&code.as_bytes()[head.skip..], Env::default());
    let reply = host.finish(&mut run);
    (reply, run.take_functions())
}

fn call(host: &mut Host, function: &Function) -> String {
    let mut run = host.engine.start_function(function, &[b"k"], &[b"a", b"b"], Env::default());
    host.finish(&mut run)
}

#[test]
fn functions_are_registered_and_called() {
    let mut host = host();
    let (reply, functions) = load(
        &mut host,
        "#!lua name=mylib\n\
         local n = 0\n\
         redis.register_function('f', function(k, a) n = n + 1 return {#k, #a, k[1], a[2], n} end)\n\
         redis.register_function{function_name='g', callback=function() return redis.call('echo', 'hi') end, \
         description='says hi', flags={'no-writes', 'ALLOW-STALE'}}",
    );
    assert_eq!(reply, "+OK;");
    let names: Vec<_> = functions.iter().map(|it| String::from_utf8_lossy(it.name()).into_owned()).collect();
    assert_eq!(names, ["f", "g"]);
    assert_eq!(functions[1].description(), Some(&b"says hi"[..]));
    assert_eq!(functions[1].flags().names().collect::<Vec<_>>(), ["no-writes", "allow-stale"]);
    assert_eq!(functions[0].description(), None);
    assert_eq!(call(&mut host, &functions[0]), "*5;:1;:2;$1;k;$1;b;:1;");
    assert_eq!(call(&mut host, &functions[0]), "*5;:1;:2;$1;k;$1;b;:2;");
    assert_eq!(call(&mut host, &functions[1]), "$2;hi;");
}

#[test]
fn errors_of_loading() {
    let mut host = host();
    for (code, error) in [
        ("x", "Missing library metadata"),
        ("x=1", "user_function:2: Attempt to modify a readonly table"),
        ("error('boom')", "user_function:2: Script attempted to access nonexistent global variable 'error'"),
        (
            "redis.call('get','x')",
            "user_function:2: Script attempted to access nonexistent global variable 'call'",
        ),
        ("math.random()", "user_function:2: Script attempted to access nonexistent global variable 'math'"),
        ("redis.x=1", "user_function:2: Attempt to modify a readonly table"),
        ("redis.register_function()", "wrong number of arguments to redis.register_function"),
        ("redis.register_function(1,2)", "second argument to redis.register_function must be a function"),
        (
            "redis.register_function({},function() end)",
            "first argument to redis.register_function must be a string",
        ),
        ("redis.register_function{1}", "unknown argument given to redis.register_function"),
        (
            "redis.register_function{[{}]=1}",
            "named argument key given to redis.register_function is not a string",
        ),
        (
            "redis.register_function{function_name='x'}",
            "redis.register_function must get a callback argument",
        ),
        (
            "redis.register_function{callback=function() end}",
            "redis.register_function must get a function name argument",
        ),
        (
            "redis.register_function{description={},callback=function() end}",
            "description argument given to redis.register_function must be a string",
        ),
        (
            "redis.register_function{function_name={},callback=function() end}",
            "function_name argument given to redis.register_function must be a string",
        ),
        (
            "redis.register_function(1)",
            "calling redis.register_function with a single argument is only applicable to Lua table (representing named \
             arguments).",
        ),
        (
            "redis.register_function{function_name='f',callback=1}",
            "callback argument given to redis.register_function must be a function",
        ),
        (
            "redis.register_function{function_name='f',callback=function() end,flags=1}",
            "flags argument to redis.register_function must be a table representing function flags",
        ),
        (
            "redis.register_function{function_name='f',callback=function() end,flags={'foo'}}",
            "unknown flag given",
        ),
        (
            "redis.register_function('f 1',function() end)",
            "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long",
        ),
        (
            "redis.register_function('f',function() end) redis.register_function('f',function() end)",
            "Function already exists in the library",
        ),
        ("redis.log(1)", "redis.log() requires two arguments or more."),
    ] {
        if code == "x" {
            assert_eq!(load(&mut host, code).0, format!("-ERR {error};"));
            continue;
        }
        let (reply, functions) = load(&mut host, &format!("#!lua name=a\n{code}"));
        assert_eq!(reply, format!("-ERR Error registering functions: ERR {error};"), "{code}");
        assert!(functions.is_empty());
    }
    let (reply, _) = load(&mut host, "#!lua name=a\nsyntax error");
    assert_eq!(reply, "-ERR Error compiling function: user_function:2: '=' expected near 'error';");
    host.ticks_max = 2;
    let (reply, _) = load(&mut host, "#!lua name=a\nwhile true do end");
    assert!(reply.starts_with("-ERR Error registering functions: ERR Script killed"), "{reply}");
}

#[test]
fn globals_of_functions() {
    let mut host = host();
    for (body, reply) in [
        (
            "return KEYS",
            "-ERR user_function:2: Script attempted to access nonexistent global variable 'KEYS' script: f, on @user_function:2.;",
        ),
        ("error('x')", "-ERR user_function:2: x script: f, on @user_function:2.;"),
        ("return redis.register_function", "$-1;"),
        (
            "return redis.breakpoint()",
            "-ERR user_function:2: attempt to call field 'breakpoint' (a nil value) script: f, on @user_function:2.;",
        ),
        (
            "x = 1",
            "-ERR user_function:2: Attempt to modify a readonly table script: f, on @user_function:2.;",
        ),
        ("rawset(_G, 'x', 1)", "-ERR Attempt to modify a readonly table script: f, on @user_function:2.;"),
        ("return math.floor(1.5)", ":1;"),
        ("return cjson.encode({1})", "$3;[1];"),
    ] {
        let (loaded, functions) =
            load(&mut host, &format!("#!lua name=a\nredis.register_function('f', function() {body} end)"));
        assert_eq!(loaded, "+OK;", "{body}");
        assert_eq!(call(&mut host, &functions[0]), reply, "{body}");
    }
}
