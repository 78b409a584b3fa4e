//! Values both ways, errors and their texts: as redis-server 7.0.15 gives them.

use super::Host;

#[test]
fn results_become_replies() {
    let mut host = Host::new();
    for (source, reply) in [
        ("return", "$-1;"),
        ("return nil", "$-1;"),
        ("return 'a'", "$1;a;"),
        ("return 3.99", ":3;"),
        ("return -3.99", ":-3;"),
        ("return 1e300", ":-9223372036854775808;"),
        ("return 0/0", ":-9223372036854775808;"),
        ("return true", ":1;"),
        ("return false", "$-1;"),
        ("return {}", "*0;"),
        ("return {1.9,'a',false,true,nil,5}", "*4;:1;$1;a;$-1;:1;"),
        ("return {1,{2,{3,{}}},'x'}", "*3;:1;*2;:2;*2;:3;*0;$1;x;"),
        ("return {ok='a\\nb'}", "+a b;"),
        ("return {ok=1}", "*0;"),
        ("return {err='a b'}", "-a b;"),
        ("return {{err='MY x'},{ok='y'},1}", "*3;-MY x;+y;:1;"),
        ("return redis.error_reply('a')", "-ERR a;"),
        ("return redis.error_reply('-A')", "-ERR A;"),
        ("return redis.error_reply('A b\\nc')", "-A b c;"),
        ("return redis.status_reply('FINE')", "+FINE;"),
        ("return redis.status_reply()", "-ERR wrong number or type of arguments;"),
        ("return {double=3.5}", "$3;3.5;"),
        ("return {map={a=1}}", "*2;$1;a;:1;"),
        ("return {set={a=true}}", "*1;$1;a;"),
        ("return {map={a={1,{map={b={2}}}}},1}", "*2;$1;a;*2;:1;*2;$1;b;*1;:2;"),
        ("return {big_number='12\\n3'}", "$4;12 3;"),
        ("return {verbatim_string={string='x',format='txt'}}", "$1;x;"),
        ("return {verbatim_string={string='x'}}", "*0;"),
        ("return {verbatim_string={string='x'},map={a=1}}", "*2;$1;a;:1;"),
        ("return pcall", "$-1;"),
        ("return redis.REDIS_VERSION", "$5;7.4.0;"),
        ("return redis.REDIS_VERSION_NUM", ":459776;"),
        ("return #KEYS", ":0;"),
        ("return _VERSION", "$7;Lua 5.1;"),
    ] {
        assert_eq!(host.eval(source), reply, "{source}");
    }
    host.resp3 = true;
    for (source, reply) in [
        ("return nil", "_;"),
        ("return true", ":1;"),
        ("return false", "_;"),
        ("redis.setresp(3) return true", "#t;"),
        ("redis.setresp(3) return {false}", "*1;#f;"),
        ("return {double=3.5}", ",3.5;"),
        ("return {map={a=1}}", "%1;$1;a;:1;"),
        ("return {set={a=true}}", "~1;$1;a;"),
        ("return {big_number='123'}", "(123;"),
        ("return {verbatim_string={string='x',format='m'}}", "=5;m  :x;"),
        ("return {verbatim_string={string='x',format='markdown'}}", "=5;mar:x;"),
    ] {
        assert_eq!(host.eval(source), reply, "{source}");
    }
}

#[test]
fn replies_become_values() {
    let mut host = Host::new();
    for (reply, show, value) in [
        ("$3\\r\\nabc\\r\\n", "v", "$3;abc;"),
        ("$-1\\r\\n", "tostring(v)", "$5;false;"),
        ("*-1\\r\\n", "tostring(v)", "$5;false;"),
        (":-12\\r\\n", "v", ":-12;"),
        ("+FINE\\r\\n", "v.ok", "$4;FINE;"),
        (
            "*3\\r\\n:1\\r\\n$-1\\r\\n*1\\r\\n$1\\r\\nx\\r\\n",
            "{v[1],tostring(v[2]),v[3][1],#v}",
            "*4;:1;$5;false;$1;x;:3;",
        ),
        ("*0\\r\\n", "#v", ":0;"),
    ] {
        let source = format!("local v=redis.call('raw','{reply}') return {show}");
        assert_eq!(host.eval(&source), value, "{source}");
    }
    for (reply, show, value) in [
        ("_\\r\\n", "tostring(v)", "$3;nil;"),
        ("#t\\r\\n", "tostring(v)", "$4;true;"),
        (",1.5\\r\\n", "tostring(v.double)", "$3;1.5;"),
        (",inf\\r\\n", "tostring(v.double)", "$3;inf;"),
        ("(123\\r\\n", "v.big_number", "$3;123;"),
        ("=6\\r\\ntxt:ab\\r\\n", "v.verbatim_string.string..v.verbatim_string.format", "$5;abtxt;"),
        ("%1\\r\\n$1\\r\\na\\r\\n:1\\r\\n", "v.map.a", ":1;"),
        ("~1\\r\\n$1\\r\\na\\r\\n", "tostring(v.set.a)", "$4;true;"),
        ("|1\\r\\n$1\\r\\na\\r\\n:1\\r\\n:7\\r\\n", "v", ":7;"),
        ("*3\\r\\n:1\\r\\n_\\r\\n:3\\r\\n", "v[3]", ":3;"),
    ] {
        let source = format!("redis.setresp(3) local v=redis.call('raw','{reply}') return {show}");
        assert_eq!(host.eval(&source), value, "{source}");
    }
    assert_eq!(host.eval("return redis.call('shared','large')"), "*2;$5;large;$5;after;");
}

#[test]
fn arguments_of_commands() {
    let mut host = Host::new();
    for (number, text) in [
        ("1", "1"),
        ("-0.0", "0"),
        ("1.5", "1.5"),
        ("0.1", "0.1"),
        ("3e15", "3000000000000000"),
        ("1e16", "10000000000000000"),
        ("1e17", "100000000000000000"),
        ("2^63", "9223372036854776000"),
        ("1e19", "1e+19"),
        ("2^53", "9007199254740992"),
        ("1/0", "inf"),
        ("-1e-7", "-1e-7"),
    ] {
        let reply = format!("${};{text};", text.len());
        assert_eq!(host.eval(&format!("return redis.call('echo',{number})")), reply, "{number}");
    }
    assert_eq!(host.eval("return redis.call('list',1,'a',2,'b',3)"), "*5;$1;1;$1;a;$1;2;$1;b;$1;3;");
    assert_eq!(
        host.eval("local t={} for i=1,1000 do t[i]=i/2 end return #redis.call('list',unpack(t))"),
        ":1000;"
    );
    assert_eq!(
        host.eval_with("return {KEYS[1],ARGV[2],#KEYS,#ARGV}", &["k"], &["a", "b\0c"]),
        "*4;$1;k;$3;b\0c;:1;:2;"
    );
}

#[test]
fn errors_have_script_and_line() {
    let mut host = Host::new();
    host.values.insert(b"k".to_vec(), b"v".to_vec());
    for (source, reply) in [
        ("error({err='x'})", "-x script: SHA, on @user_script:1.;"),
        ("error('boom')", "-ERR user_script:1: boom script: SHA, on @user_script:1.;"),
        ("\n\nerror('boom')", "-ERR user_script:3: boom script: SHA, on @user_script:3.;"),
        ("error(nil)", "-ERR nil script: SHA, on @user_script:1.;"),
        ("error()", "-ERR nil script: SHA, on @user_script:1.;"),
        ("error({})", "-ERR unknown error script: SHA, on @user_script:1.;"),
        (
            "error(redis)",
            "-ERR err_handler_def:10: Attempt to modify a readonly table script: SHA, on @err_handler_def:10.;",
        ),
        ("error('x',0)", "-ERR x script: SHA, on @user_script:1.;"),
        ("error('x',2)", "-ERR x script: SHA, on @user_script:1.;"),
        ("error({err='x',source='s',line=4})", "-x script: SHA, on @user_script:1.;"),
        ("error('x'..string.char(0)..'y')", "-ERR user_script:1: x script: SHA, on @user_script:1.;"),
        ("error(redis.error_reply('MY thing'))", "-MY thing script: SHA, on @user_script:1.;"),
        (
            "return redis.call()",
            "-ERR Please specify at least one argument for this redis lib call script: SHA, on @user_script:1.;",
        ),
        (
            "return redis.call({})",
            "-ERR Lua redis lib command arguments must be strings or integers script: SHA, on @user_script:1.;",
        ),
        ("return redis.pcall()", "-ERR Please specify at least one argument for this redis lib call;"),
        (
            "redis.call('nope')",
            "-ERR Unknown Redis command called from script script: SHA, on @user_script:1.;",
        ),
        ("return redis.pcall('nope')", "-ERR Unknown Redis command called from script;"),
        (
            "redis.call('incr','k')",
            "-ERR value is not an integer or out of range script: SHA, on @user_script:1.;",
        ),
        ("return {pcall(redis.call,'nope')}", "*2;$-1;$44;ERR Unknown Redis command called from script;"),
        (
            "local t=redis.pcall('nope') local o={} for k,v in pairs(t) do o[#o+1]=k o[#o+1]=tostring(v) end return o",
            "*4;$25;ignore_error_stats_update;$4;true;$3;err;$44;ERR Unknown Redis command called from script;",
        ),
        ("return redis.log(9,'x')", "-ERR Invalid log level. script: SHA, on @user_script:1.;"),
        ("redis.log(1)", "-ERR redis.log() requires two arguments or more. script: SHA, on @user_script:1.;"),
        ("redis.set_repl()", "-ERR redis.set_repl() requires one argument. script: SHA, on @user_script:1.;"),
        ("redis.setresp(4)", "-ERR RESP version must be 2 or 3. script: SHA, on @user_script:1.;"),
        ("redis.sha1hex()", "-ERR wrong number of arguments script: SHA, on @user_script:1.;"),
        (
            "redis.acl_check_cmd('nope')",
            "-ERR Invalid command passed to redis.acl_check_cmd() script: SHA, on @user_script:1.;",
        ),
        (
            "return 'a'+1",
            "-ERR user_script:1: attempt to perform arithmetic on a string value script: SHA, on @user_script:1.;",
        ),
        (
            "coroutine.yield(1)",
            "-ERR attempt to yield across metamethod/C-call boundary script: SHA, on @user_script:1.;",
        ),
        ("local t={} t[nil]=1", "-ERR user_script:1: table index is nil script: SHA, on @user_script:1.;"),
        (
            "syntax error",
            "-ERR Error compiling script (new function): user_script:1: '=' expected near 'error';",
        ),
        (
            "#!lua\nreturn x",
            "-ERR user_script:2: Script attempted to access nonexistent global variable 'x' script: SHA, on @user_script:2.;",
        ),
        ("#!lua flags=x\nreturn", "-ERR Unexpected flag in script shebang: x;"),
    ] {
        assert_eq!(host.eval(source), reply, "{source}");
    }
}

#[test]
fn other_functions_of_redis() {
    let mut host = Host::new();
    assert_eq!(host.eval("return redis.sha1hex('')"), "$40;da39a3ee5e6b4b0d3255bfef95601890afd80709;");
    assert_eq!(host.eval("return {redis.acl_check_cmd('get','a'),redis.acl_check_cmd('set')}"), "*2;:1;$-1;");
    assert_eq!(host.eval("return redis.breakpoint()"), "$-1;");
    assert_eq!(host.eval("return redis.debug('x')"), "$-1;");
    assert_eq!(host.eval("return redis.replicate_commands()"), ":1;");
    assert_eq!(host.eval("redis.log(redis.LOG_WARNING,'a',1,2.5,'b',{})"), "$-1;");
    assert_eq!(host.log, [(3, "a 1 2.5 b".to_owned())]);
    assert_eq!(host.eval("return tostring(os.clock())"), "$3;1.5;");
    assert_eq!(host.eval("return server.call == redis.call"), ":1;");
    // What redis-server gives after its start.
    let mut host = Host::new();
    assert_eq!(host.eval("return math.random(1000000)"), ":396465;");
    assert_eq!(host.eval("return math.random(1000000)"), ":840486;");
    assert_eq!(host.eval("math.randomseed(7) return math.random(1000000)"), ":266445;");
}
