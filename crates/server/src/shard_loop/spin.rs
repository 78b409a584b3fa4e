//! Looking for mail before going to sleep.

use super::Mail;
use mailbox::Port;

/// Looking for mail a little longer before going to sleep: a wake-up costs both sides more than the wait. The limit follows
/// success, so that where looking does not pay it costs next to nothing.
pub(super) struct Spin {
    rounds_max: u32,
}

impl Default for Spin {
    fn default() -> Self {
        Self { rounds_max: 64 }
    }
}

impl Spin {
    const ROUNDS_MIN: u32 = 16;
    const ROUNDS_MAX: u32 = 1024;

    /// Whether mail has come.
    pub(super) fn until_mail(&mut self, port: &Port<Mail>, awaited: bool) -> bool {
        if !awaited {
            return false;
        }
        for _ in 0..self.rounds_max {
            if port.has_mail() {
                self.rounds_max = (self.rounds_max * 2).min(Self::ROUNDS_MAX);
                return true;
            }
            std::hint::spin_loop();
        }
        self.rounds_max = (self.rounds_max / 2).max(Self::ROUNDS_MIN);
        false
    }
}
