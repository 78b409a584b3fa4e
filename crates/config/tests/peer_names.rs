//! Every directive that a release of Redis from 6.2 to 8.2 or of Valkey up to 9.1 knows is known here: their configuration files
//! load, and what has no effect is named. (Those of special builds, such as `req-res-logfile`, are unknown to them, too.)

use config::DirectiveId;

const NAMES: &str = include_str!("peer_names.txt");

#[test]
fn directives_of_redis_and_valkey_are_known() {
    assert!(NAMES.lines().count() > 250);
    let unknown: Vec<&str> =
        NAMES.lines().filter(|name| DirectiveId::find(name.as_bytes()).is_none()).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(DirectiveId::find(b"req-res-logfile").is_none());
}
