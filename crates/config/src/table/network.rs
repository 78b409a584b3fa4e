//! Network, TLS and general directives.

use crate::choice::{LogLevel, SUPERVISED, SYSLOG_FACILITY, TLS_AUTH_CLIENTS};
use crate::directive::{
    Directive, I32_MAX, Kind, U32_MAX, choice, int, optional, special, statement, text, yes_no,
};

const TLS: &str = "TLS";

/// A database is known by a number of 16 bits wherever a command travels.
const DATABASES_MAX: i64 = 1 << 16;

pub(super) const INCLUDES: &[Directive] = &[
    statement("include", 1, 1)
        .works("Reads another file in this place. A pattern reads all files it matches, and none is fine."),
    statement("loadmodule", 1, usize::MAX).later("modules", "Loads a module at the start."),
    statement("sentinel", 0, usize::MAX)
        .refused("sentinel directive while not in sentinel mode", "There is no sentinel mode."),
];

pub(super) const NETWORK: &[Directive] = &[
    special("bind", Kind::Addresses, "* -::*").works(
        "Addresses to listen on. `*` is every IPv4 address, `::*` every IPv6 address; an address after `-` \
         may be missing from the machine.",
    ),
    optional("bind-source-addr").accepted("Address of outgoing connections. Weft makes none yet."),
    yes_no("protected-mode", "yes")
        .works("While the default user has no password, serve only clients of this machine."),
    int("port", 0, 65535, "6379").works("TCP port; 0 listens on none."),
    int("tcp-backlog", 0, I32_MAX, "511").immutable().works("Length of the queue of connections to accept."),
    optional("unixsocket").immutable().works("Path of a Unix socket to listen on."),
    special("unixsocketperm", Kind::Octal { max: 0o777 }, "0")
        .immutable()
        .works("Permissions of the Unix socket, octal; 0 leaves what the umask gives."),
    int("timeout", 0, I32_MAX, "0").works("Seconds after which an idle client is closed; 0 is never."),
    int("tcp-keepalive", 0, I32_MAX, "300").works("Seconds between TCP keep-alive probes; 0 sends none."),
    int("socket-mark-id", 0, U32_MAX, "0").immutable().accepted("Mark on listening sockets. Weft sets none."),
    int("max-new-connections-per-cycle", 1, 1000, "10")
        .accepted("Each shard accepts what waits and goes on; there is no limit for one turn."),
];

pub(super) const TLS_ROWS: &[Directive] = &[
    int("tls-port", 0, 65535, "0").later(TLS, "TCP port for TLS; 0 listens on none."),
    int("max-new-tls-connections-per-cycle", 1, 1000, "1").accepted("No TLS, no limit."),
    optional("tls-cert-file").volatile().later(TLS, "Certificate."),
    optional("tls-key-file").volatile().later(TLS, "Private key."),
    optional("tls-key-file-pass").sensitive().later(TLS, "Password of the private key."),
    optional("tls-client-cert-file").volatile().later(TLS, "Certificate as a client."),
    optional("tls-client-key-file").volatile().later(TLS, "Private key as a client."),
    optional("tls-client-key-file-pass").sensitive().later(TLS, "Password of the client's private key."),
    optional("tls-dh-params-file").volatile().later(TLS, "Diffie-Hellman parameters."),
    optional("tls-ca-cert-file").volatile().later(TLS, "Certificates to trust."),
    optional("tls-ca-cert-dir").volatile().later(TLS, "Directory of certificates to trust."),
    choice("tls-auth-clients", TLS_AUTH_CLIENTS, "yes").later(TLS, "Whether clients need a certificate."),
    yes_no("tls-replication", "no").later(TLS, "TLS to the primary."),
    yes_no("tls-cluster", "no").later(TLS, "TLS between nodes of a cluster."),
    optional("tls-protocols").later(TLS, "Versions of TLS to speak."),
    optional("tls-ciphers").later(TLS, "Ciphers up to TLS 1.2."),
    optional("tls-ciphersuites").later(TLS, "Cipher suites of TLS 1.3."),
    yes_no("tls-prefer-server-ciphers", "no").later(TLS, "Choose ciphers by the server's order."),
    yes_no("tls-session-caching", "yes").later(TLS, "Resume sessions."),
    int("tls-session-cache-size", 0, I32_MAX, "20480").later(TLS, "Sessions to keep."),
    int("tls-session-cache-timeout", 0, I32_MAX, "300").later(TLS, "Seconds to keep a session."),
];

pub(super) const GENERAL: &[Directive] = &[
    yes_no("daemonize", "no").immutable().works(
        "Go on in the background. Addresses are taken before, so that the exit status tells of one in use.",
    ),
    choice("supervised", SUPERVISED, "no").immutable().works(
        "Tell systemd when the server is ready and when it ends: systemd, auto (if systemd asks for it), no. \
         Upstart is not supported.",
    ),
    optional("pidfile").immutable().works(
        "File with the process id; removed at the end. In the background `/var/run/weft.pid` if unset.",
    ),
    choice("loglevel", LogLevel::NAMES, "notice").works("How much to log."),
    text("logfile", "").immutable().works(
        "File to log to, opened anew for every line; empty is the standard output. Relative to `dir`.",
    ),
    yes_no("syslog-enabled", "no").immutable().works("Log to syslog as well."),
    text("syslog-ident", "redis").immutable().works("Name in the syslog."),
    choice("syslog-facility", SYSLOG_FACILITY, "local0").immutable().works("Facility in the syslog."),
    yes_no("crash-log-enabled", "yes").accepted("A crash report is always written."),
    yes_no("crash-memcheck-enabled", "yes").accepted("Memory is not tested after a crash."),
    yes_no("use-exit-on-panic", "no").hidden().accepted("A crash always aborts the process."),
    int("databases", 1, DATABASES_MAX, "16")
        .immutable()
        .works("Number of databases for SELECT. Those beyond the first 16 take memory once they are used."),
    yes_no("always-show-logo", "no")
        .immutable()
        .works("At the start, say mode, port and process in lines of their own, not only on a terminal."),
    yes_no("hide-user-data-from-log", "no")
        .accepted("No keys or values are logged but a damaged file's: the key at which it is damaged."),
    yes_no("set-proc-title", "yes").immutable().accepted("The process keeps its title."),
    text("proc-title-template", "{title} {listen-addr} {server-mode}")
        .check(super::checks::proc_title)
        .accepted("The process keeps its title."),
    text("locale-collate", "").accepted("Text is always compared byte by byte."),
    text("ignore-warnings", "").accepted("Names no warning that Weft has."),
    int("watchdog-period", 0, I32_MAX, "0").hidden().accepted("There is no software watchdog."),
];
