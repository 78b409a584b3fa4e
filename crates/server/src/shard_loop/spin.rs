//! Looking for work before going to sleep.

use super::{Mail, ShardLoop};
use mailbox::Port;
use runtime::clock;

/// Looking for a little longer before going to sleep: a sleep and a wake-up cost both sides more than a short wait. The limits follow
/// success, so that where looking does not pay it costs next to nothing.
pub(super) struct Spin {
    mail_rounds_max: u32,
    event_ns_max: u64,
}

impl Default for Spin {
    fn default() -> Self {
        Self { mail_rounds_max: 64, event_ns_max: Self::EVENT_NS_MIN }
    }
}

impl Spin {
    const MAIL_ROUNDS_MIN: u32 = 16;
    const MAIL_ROUNDS_MAX: u32 = 1024;
    const EVENT_NS_MIN: u64 = 500;
    /// About what a sleep costs the server and the client that ends it, on a virtual machine.
    const EVENT_NS_MAX: u64 = 32_000;
    /// Looks between two looks at the clock, which takes as long as one of them.
    const LOOKS: u32 = 8;

    /// Whether mail has come.
    pub(super) fn until_mail(&mut self, port: &Port<Mail>, awaited: bool) -> bool {
        if !awaited {
            return false;
        }
        for _ in 0..self.mail_rounds_max {
            if port.has_mail() {
                self.mail_rounds_max = (self.mail_rounds_max * 2).min(Self::MAIL_ROUNDS_MAX);
                return true;
            }
            std::hint::spin_loop();
        }
        self.mail_rounds_max = (self.mail_rounds_max / 2).max(Self::MAIL_ROUNDS_MIN);
        false
    }

    /// Whether `look` has found something; it says `None` if it cannot look.
    fn until_event(&mut self, mut look: impl FnMut() -> Option<bool>) -> bool {
        let mut begun_ns = None;
        loop {
            for _ in 0..Self::LOOKS {
                match look() {
                    None => return false,
                    Some(true) => {
                        self.event_ns_max = (self.event_ns_max * 2).min(Self::EVENT_NS_MAX);
                        return true;
                    }
                    Some(false) => std::hint::spin_loop(),
                }
            }
            let now_ns = clock::monotonic_ns();
            if now_ns - *begun_ns.get_or_insert(now_ns) >= self.event_ns_max {
                self.event_ns_max = (self.event_ns_max / 2).max(Self::EVENT_NS_MIN);
                return false;
            }
        }
    }
}

impl ShardLoop {
    /// Whether clients' requests have come while it looked for them. Only a single shard that has a processor to itself does so: of
    /// several, those that sleep are visited, which is cheaper still.
    pub(super) fn looks_for_events(&mut self) -> bool {
        let (reactor, port) = (&mut self.reactor, &self.port);
        self.is_alone
            && self.spin.until_event(|| if port.has_mail() { Some(true) } else { reactor.has_events() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_to_look_follows_success() {
        let mut spin = Spin::default();
        assert!(!spin.until_event(|| None) && !spin.until_event(|| Some(false)));
        assert_eq!(spin.event_ns_max, Spin::EVENT_NS_MIN);
        for _ in 0..20 {
            assert!(spin.until_event(|| Some(true)));
        }
        assert_eq!(spin.event_ns_max, Spin::EVENT_NS_MAX);
        assert!(!spin.until_event(|| Some(false)));
        assert_eq!(spin.event_ns_max, Spin::EVENT_NS_MAX / 2);
        assert!(!spin.until_event(|| None));
        assert_eq!(spin.event_ns_max, Spin::EVENT_NS_MAX / 2, "who cannot look learns nothing");
    }
}
