//! Invariant 1: once a client has a reply, every client sees the effect, on any connection.

use litmus::everywhere;

const CONNECTIONS: usize = 12;

/// One thread and many connections: whatever one of them was told is done, all others must see.
#[test]
fn an_acknowledged_write_is_seen_on_every_connection() {
    everywhere(600, |arena| {
        let (mut clients, mut random) = (arena.clients(CONNECTIONS), arena.random(0));
        let keys = arena.keys("visible", 8);
        for round in 0..arena.rounds {
            let (writer, key) = (random.index(CONNECTIONS), &keys[random.index(keys.len())]);
            let value = round.to_string();
            assert!(clients[writer].cmd(&["SET", key, &value]).is_ok());
            for client in &mut clients {
                assert_eq!(client.cmd(&["GET", key]).string(), Some(value.clone()));
            }
        }
    });
}

#[test]
fn an_acknowledged_write_of_many_keys_is_seen_on_every_connection() {
    everywhere(300, |arena| {
        let (mut clients, mut random) = (arena.clients(CONNECTIONS), arena.random(1));
        let keys = arena.keys("many", 6);
        for round in 0..arena.rounds {
            let value = round.to_string();
            let writer = random.index(CONNECTIONS);
            let pairs = keys.iter().flat_map(|key| [key.as_str(), &value]);
            assert!(clients[writer].cmd(&[&["MSET"][..], &pairs.collect::<Vec<_>>()].concat()).is_ok());
            for client in &mut clients {
                let key = &keys[random.index(keys.len())];
                assert_eq!(client.cmd(&["GET", key]).string(), Some(value.clone()));
            }
            let deleted = clients[random.index(CONNECTIONS)].cmd(&["DEL", &keys[0], &keys[1], &keys[2]]);
            assert_eq!(deleted.integer(), Some(3));
            for client in &mut clients {
                let key = &keys[random.index(3)];
                assert_eq!(client.cmd(&["EXISTS", key]).integer(), Some(0));
            }
        }
    });
}

/// Commands that lock keys and bring them together: their effects are there with the reply, at both ends.
#[test]
fn an_acknowledged_move_between_shards_is_seen_on_every_connection() {
    everywhere(200, |arena| {
        let (mut clients, mut random) = (arena.clients(CONNECTIONS), arena.random(2));
        let keys = arena.keys("move", 5);
        clients[0].cmd(&["SET", &keys[0], "x"]);
        clients[0].cmd(&["RPUSH", "list", "e"]);
        let mut at = 0;
        let (mut list, lists) = (0, ["list", "list:1", "list:2", "list:3"]);
        for _ in 0..arena.rounds {
            let to = (at + 1 + random.index(keys.len() - 1)) % keys.len();
            let mover = random.index(CONNECTIONS);
            assert!(clients[mover].cmd(&["RENAME", &keys[at], &keys[to]]).is_ok());
            let next = (list + 1) % lists.len();
            let moved = clients[mover].cmd(&["LMOVE", lists[list], lists[next], "LEFT", "RIGHT"]);
            assert_eq!(moved.string().as_deref(), Some("e"));
            for client in &mut clients {
                assert_eq!(client.cmd(&["GET", &keys[at]]).string(), None);
                assert_eq!(client.cmd(&["GET", &keys[to]]).string().as_deref(), Some("x"));
                assert_eq!(client.cmd(&["LLEN", lists[list]]).integer(), Some(0));
                assert_eq!(client.cmd(&["LLEN", lists[next]]).integer(), Some(1));
            }
            (at, list) = (to, next);
        }
    });
}

/// FLUSHALL and DBSIZE concern all shards.
#[test]
fn an_acknowledged_flush_is_seen_on_every_connection() {
    everywhere(150, |arena| {
        let (mut clients, mut random) = (arena.clients(CONNECTIONS), arena.random(3));
        let keys = arena.keys("flush", 16);
        for round in 0..arena.rounds {
            for key in &keys {
                clients[random.index(CONNECTIONS)].cmd(&["SET", key, "1"]);
            }
            let counter = random.index(CONNECTIONS);
            assert_eq!(clients[counter].cmd(&["DBSIZE"]).integer(), Some(keys.len() as i64));
            let command = if round % 2 == 0 { "FLUSHALL" } else { "FLUSHDB" };
            assert!(clients[random.index(CONNECTIONS)].cmd(&[command]).is_ok());
            for client in &mut clients {
                assert_eq!(client.cmd(&["EXISTS", &keys[random.index(keys.len())]]).integer(), Some(0));
            }
        }
    });
}
