//! Where all shards come together before any goes on, and have something else to do while they wait.

use crate::{Halt, Loader};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// As long as somebody waits for others without a look at its clients.
const PAUSE: Duration = Duration::from_millis(1);

/// They meet again and again.
#[derive(Debug)]
pub struct Meeting {
    parties: usize,
    /// How often somebody has come.
    came: Mutex<usize>,
    all_came: Condvar,
}

impl Meeting {
    /// Of so many.
    pub fn new(parties: usize) -> Self {
        Self { parties, came: Mutex::new(0), all_came: Condvar::new() }
    }

    /// Waits until all have come as often as this one.
    ///
    /// # Errors
    /// When the end was asked for: the others may not come any more.
    pub fn wait(&self, loader: &mut impl Loader) -> Result<(), Halt> {
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        *came += 1;
        let awaited = came.next_multiple_of(self.parties);
        if *came == awaited {
            self.all_came.notify_all();
        }
        while *came < awaited {
            let waited = self.all_came.wait_timeout(came, PAUSE).unwrap_or_else(PoisonError::into_inner);
            (came, _) = waited;
            if *came >= awaited {
                break;
            }
            drop(came);
            if !loader.breathe() {
                return Err(Halt::Ended);
            }
            came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }
}
