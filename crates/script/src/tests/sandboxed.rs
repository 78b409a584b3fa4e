//! What scripts find, and cannot do.

use super::Host;

#[test]
fn names_are_those_of_redis() {
    let mut host = Host::new();
    let show = |name: &str| {
        format!(
            "local o={{}} for k in pairs({name}) do o[#o+1]=k end table.sort(o) return table.concat(o,' ')"
        )
    };
    for (table, names) in [
        (
            "_G",
            "ARGV KEYS _G _VERSION __redis__err__handler assert bit cjson cmsgpack collectgarbage coroutine error gcinfo \
             getmetatable ipairs load loadstring math next os pairs pcall rawequal rawget rawset redis select server \
             setmetatable string struct table tonumber tostring type unpack xpcall",
        ),
        ("bit", "arshift band bnot bor bswap bxor lshift rol ror rshift tobit tohex"),
        (
            "cjson",
            "_NAME _VERSION decode decode_invalid_numbers decode_max_depth encode encode_invalid_numbers \
             encode_keep_buffer encode_max_depth encode_number_precision encode_sparse_array new null",
        ),
        ("cmsgpack", "_COPYRIGHT _DESCRIPTION _NAME _VERSION pack unpack unpack_limit unpack_one"),
        ("coroutine", "create resume running status wrap yield"),
        (
            "math",
            "abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min mod modf pi pow \
             rad random randomseed sin sinh sqrt tan tanh",
        ),
        ("os", "clock"),
        (
            "redis",
            "LOG_DEBUG LOG_NOTICE LOG_VERBOSE LOG_WARNING REDIS_VERSION REDIS_VERSION_NUM REPL_ALL REPL_AOF REPL_NONE \
             REPL_REPLICA REPL_SLAVE acl_check_cmd breakpoint call debug error_reply log pcall replicate_commands set_repl \
             setresp sha1hex status_reply",
        ),
        ("string", "byte char dump find format gfind gmatch gsub len lower match rep reverse sub upper"),
        ("struct", "pack size unpack"),
        ("table", "concat foreach foreachi getn insert maxn remove setn sort"),
    ] {
        let reply = format!("${};{names};", names.len());
        assert_eq!(host.eval(&show(table)), reply, "{table}");
    }
}

#[test]
fn globals_and_libraries_cannot_be_changed() {
    let mut host = Host::new();
    let positioned =
        "-ERR user_script:1: Attempt to modify a readonly table script: SHA, on @user_script:1.;";
    let plain = "-ERR Attempt to modify a readonly table script: SHA, on @user_script:1.;";
    for source in [
        "x=1",
        "function f() end",
        "_G.x=1",
        "_G._G=nil",
        "KEYS=1",
        "string.x=1",
        "redis.call=1",
        "server.call=1",
        "os.clock=1",
        "cjson.null=1",
        "math.pi=3",
        "getmetatable(_G).__index=nil",
        // CVE-2025-46818
        "getmetatable('').__index=1",
        "getmetatable('').__gc=1",
    ] {
        assert_eq!(host.eval(source), positioned, "{source}");
    }
    for source in [
        "rawset(_G,'a',1)",
        "rawset(string,'a',1)",
        "rawset(getmetatable(''),'__index',1)",
        "setmetatable(_G,{})",
        "setmetatable(_G,nil)",
        "setmetatable(redis,{})",
        "table.insert(_G,1)",
        "table.insert(math,1)",
        "table.sort({2,1},function(a,b) rawset(_G,'a',1) end)",
    ] {
        assert_eq!(host.eval(source), plain, "{source}");
    }
    assert_eq!(
        host.eval("return y"),
        "-ERR user_script:1: Script attempted to access nonexistent global variable 'y' script: SHA, on @user_script:1.;"
    );
    assert_eq!(host.eval("KEYS[1]='own' return KEYS[1]"), "$3;own;");
    assert_eq!(host.eval("return rawget(_G,'y')"), "$-1;");
}
