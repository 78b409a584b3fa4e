//! What reading a hostile file allocates at most, against its size.

use journal::manifest::Manifest;
use journal::survey::{Form, survey};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all calls go to the system's allocator unchanged; the counts are kept beside.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The shortest word takes six bytes of a file and 16 of memory; a vector that grows is there twice, and has twice the room.
const GROWTH_MAX: usize = 9;
const BASE_BYTES: usize = 4096;

fn measure(what: &str, bytes: &[u8], read: impl FnOnce(&[u8])) {
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    read(bytes);
    let took = PEAK.load(Ordering::Relaxed) - before;
    assert!(took <= BASE_BYTES + GROWTH_MAX * bytes.len(), "{what}: {took} bytes for {}", bytes.len());
}

#[test]
fn memory_is_bounded_by_the_file() {
    let words = [b"*99999\r\n".as_slice(), &b"$0\r\n\r\n".repeat(99_999)].concat();
    let parts = b"#weft-tx 0000000000000001 0002\r\n*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n".repeat(1000);
    let files: [(&str, &[u8]); 6] = [
        ("many words announced", b"*9223372036854775799\r\n"),
        ("a long word announced", b"*1\r\n$9223372036854775799\r\n"),
        ("a long round announced", b"#weft-round 0000000000000000 ffffffffffff ffffffffffff\r\n"),
        ("many words", &words),
        ("many parts", &parts),
        ("many commands", &b"*1\r\n$1\r\nA\r\n".repeat(10_000)),
    ];
    for (what, file) in files {
        for is_ours in [false, true] {
            measure(what, file, |bytes| {
                survey(bytes, Form { start: 0, is_ours }, |_, _| ());
            });
        }
    }
    let lines: String = (1..2000).map(|seq| format!("file f seq {seq} type i\n")).collect();
    measure("a manifest", lines.as_bytes(), |bytes| {
        Manifest::parse("x", bytes).expect("it is right");
    });
}
