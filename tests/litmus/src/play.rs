//! Threads that work, and threads that watch until all work is done.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The parts of a play. Each has a thread; a part that panics fails the test once all others have ended.
#[derive(Default)]
pub struct Play<'a> {
    work: Vec<Box<dyn FnOnce() + Send + 'a>>,
    watch: Vec<Box<dyn FnMut() + Send + 'a>>,
}

/// Counts a worker as done, also when it panics.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<'a> Play<'a> {
    /// Nobody yet.
    pub fn new() -> Play<'a> {
        Play::default()
    }

    /// Adds somebody who does a bounded piece of work.
    pub fn work(&mut self, part: impl FnOnce() + Send + 'a) {
        self.work.push(Box::new(part));
    }

    /// Adds somebody who looks again and again while work is done, and once more when it is.
    pub fn watch(&mut self, part: impl FnMut() + Send + 'a) {
        self.watch.push(Box::new(part));
    }

    /// Runs all parts side by side.
    pub fn run(self) {
        let at_work = AtomicUsize::new(self.work.len());
        let at_work = &at_work;
        std::thread::scope(|scope| {
            for mut look in self.watch {
                scope.spawn(move || {
                    while at_work.load(Ordering::SeqCst) > 0 {
                        look();
                    }
                    look();
                });
            }
            for part in self.work {
                scope.spawn(move || {
                    let _done = Done(at_work);
                    part();
                });
            }
        });
    }
}
