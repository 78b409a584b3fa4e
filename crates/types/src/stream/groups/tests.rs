//! Groups of a stream by name, and their account.

use super::*;

fn id(ms: u64) -> StreamId {
    StreamId::new(ms, 0)
}

fn names(group: &Group) -> Vec<(&[u8], usize)> {
    group.consumers().map(|(_, consumer)| (consumer.name(), consumer.pending())).collect()
}

#[test]
fn groups_stand_by_name_and_are_accounted() {
    let mut groups = Groups::default();
    for name in [&b"b"[..], b"a", b"c"] {
        assert!(groups.add(Group::new(name, id(0), None)));
    }
    assert!(!groups.add(Group::new(b"a", id(1), None)));
    assert_eq!(groups.iter().map(Group::name).collect::<Vec<_>>(), [b"a", b"b", b"c"]);
    let before = groups.bytes();
    {
        let mut group = groups.get_mut(b"b").expect("it is there");
        let consumer = group.add_consumer(b"worker", 5).expect("a new one");
        (1..=500).for_each(|n| group.assign(id(n), consumer, 7, 1));
    }
    assert!(groups.bytes() > before + 500 * 20);
    let (copy, vector) = (groups.clone(), groups.groups.capacity() * size_of::<Group>());
    assert!(copy.bytes() > before + 500 * 20 && copy.heap_bytes <= groups.bytes() - vector);
    assert!(groups.refer_to(id(3)) && groups.refer_to(id(1000)));
    assert!(groups.forget(id(3)) && !groups.forget(id(3)));
    assert!(groups.remove(b"b").is_some() && groups.get(b"b").is_none());
    while groups.free_step() {}
    assert_eq!((groups.len(), groups.heap_bytes), (0, 0));
}

#[test]
fn consumers_have_what_is_delivered_to_them() {
    let mut group = Group::new(b"g", id(0), None);
    let bob = group.add_consumer(b"bob", 1).expect("a new one");
    let alice = group.add_consumer(b"alice", 2).expect("a new one");
    assert_eq!((group.add_consumer(b"bob", 3), group.consumer_of(b"bob")), (None, Some(bob)));
    (1..=4).for_each(|n| group.assign(id(n), bob, 10, 1));
    group.assign(id(2), alice, 11, 2);
    group.give_back(id(4), 1);
    group.give_back(id(3), 7);
    assert_eq!(names(&group), [(&b"alice"[..], 1), (b"bob", 1)]);
    assert_eq!(group.given_back(), 2);
    assert_eq!(group.oldest(10, 9), [id(4), id(3), id(1)]);
    assert!(group.acknowledge(id(4)) && !group.acknowledge(id(4)));
    group.assign(id(3), alice, 12, 8);
    assert_eq!((group.given_back(), names(&group)), (0, vec![(&b"alice"[..], 2), (b"bob", 1)]));
    assert_eq!((group.delete_consumer(b"alice"), group.delete_consumer(b"alice")), (Some(2), None));
    let carol = group.add_consumer(b"carol", 5).expect("a new one");
    assert_eq!((carol, group.pending().len()), (alice, 1));
    assert_eq!(names(&group), [(&b"bob"[..], 1), (b"carol", 0)]);
}
