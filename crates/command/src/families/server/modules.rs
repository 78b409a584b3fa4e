//! The modules of Redis whose commands are part of this server. Clients ask for their names and versions to learn what they may send.

use resp::Reply;
use std::fmt::Write;

struct Module {
    name: &'static str,
    /// As modules count: two digits for each part.
    version: u32,
    /// The group of its commands.
    group: &'static str,
}

/// Those of Redis 8.10.
const MODULES: &[Module] = &[
    Module { name: "ReJSON", version: 81_000, group: "json" },
    Module { name: "search", version: 81_000, group: "search" },
];

/// The reply of MODULE LIST, and what HELLO says.
pub fn list(out: &mut Reply) {
    out.array(MODULES.len());
    for module in MODULES {
        out.map(4);
        out.bulk(b"name");
        out.bulk(module.name.as_bytes());
        out.bulk(b"ver");
        out.int(module.version.into());
        out.bulk(b"path");
        out.bulk(b"");
        out.bulk(b"args");
        out.array(0);
    }
}

/// The group of a module's commands, if there is such a module.
pub fn group_of(name: &[u8]) -> Option<&'static str> {
    MODULES.iter().find(|module| module.name.as_bytes() == name).map(|module| module.group)
}

/// The section of INFO.
pub fn info(text: &mut String) {
    text.push_str("# Modules\r\n");
    for Module { name, version, .. } in MODULES {
        let line = "api=1,filters=0,usedby=[],using=[],options=[handle-io-errors]";
        let _ = write!(text, "module:name={name},ver={version},{line}\r\n");
    }
}
