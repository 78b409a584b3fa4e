//! Builds Lua 5.1.5 from the sources that the crate `lua-src` brings, with the patches of `patches.rs`.
//!
//! No Lua source lies in this repository: the files are copied into the build's directory, patched there (each place must
//! occur exactly as often as expected, or the build fails) and compiled. Libraries that reach outside the sandbox (io, os,
//! debug, package) are not compiled at all.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

#[path = "patches.rs"]
mod patches;

/// What is compiled: the core, and the libraries that Redis opens.
const SOURCES: [&str; 24] = [
    "lapi.c",
    "lcode.c",
    "ldebug.c",
    "ldo.c",
    "ldump.c",
    "lfunc.c",
    "lgc.c",
    "llex.c",
    "lmem.c",
    "lobject.c",
    "lopcodes.c",
    "lparser.c",
    "lstate.c",
    "lstring.c",
    "ltable.c",
    "ltm.c",
    "lundump.c",
    "lvm.c",
    "lzio.c",
    "lauxlib.c",
    "lbaselib.c",
    "lmathlib.c",
    "lstrlib.c",
    "ltablib.c",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=patches.rs");
    let from = lua_directory();
    let to = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("lua");
    copy_patched(&from, &to);
    let mut build = cc::Build::new();
    build
        .include(&to)
        .warnings(false)
        .opt_level(2)
        .force_frame_pointer(false)
        .define("LUA_USE_ULONGJMP", None);
    if env::var("PROFILE").is_ok_and(|profile| profile == "debug") {
        // Wrong use of Lua's interface by this crate then stops the tests.
        build.define("LUA_USE_APICHECK", None);
    }
    // In one piece, as Lua's own `etc/all.c`: what one file calls in another can be compiled into place.
    let includes = SOURCES.map(|file| format!("#include \"{file}\"\n")).concat();
    fs::write(to.join("one.c"), format!("#include <stdio.h>\n#define luaall_c\n{includes}"))
        .expect("the build's directory can be written");
    build.file(to.join("one.c"));
    build.compile("weft_lua51");
}

/// Where cargo keeps the sources of `lua-src`: asked from cargo itself, which knows of vendored and replaced registries.
fn lua_directory() -> PathBuf {
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let output = Command::new(variable("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--filter-platform",
            &variable("TARGET"),
            "--manifest-path",
        ])
        .arg(&manifest)
        .output()
        .expect("cargo metadata runs");
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo metadata is UTF-8");
    let package = text.split("{\"name\":\"lua-src\",").nth(1).expect("lua-src is a dependency");
    let path = package.split("\"manifest_path\":\"").nth(1).and_then(|rest| rest.split('"').next());
    let path = path.expect("packages have a manifest_path").replace("\\\\", "\\");
    Path::new(&path).parent().expect("a manifest lies in a directory").join("lua-5.1.5")
}

/// Copies all files, changing what the patches name.
fn copy_patched(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the build's directory can be written");
    for entry in fs::read_dir(from).expect("the sources can be read") {
        let path = entry.expect("the sources can be read").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("file names are UTF-8").to_owned();
        let mut text = fs::read_to_string(&path).expect("the sources are text");
        for patch in patches::PATCHES.iter().filter(|patch| patch.file == name) {
            let found = text.matches(patch.place).count();
            assert_eq!(found, patch.count, "{name}: the place of the patch \"{}\"", patch.why);
            text = text.replace(patch.place, patch.becomes);
        }
        for (_, more) in patches::APPENDED.iter().filter(|(file, _)| *file == name) {
            text.push_str(more);
        }
        fs::write(to.join(&name), text).expect("the build's directory can be written");
    }
    for patch in patches::PATCHES {
        assert!(to.join(patch.file).is_file(), "there is no {} to patch", patch.file);
    }
}
