//! What commands ask of the process and of other connections.

use crate::log;
use crate::shard_loop::ShardLoop;
use runtime::clock;
use shard::effects::Request;
use std::sync::Arc;
use std::time::Duration;

impl ShardLoop {
    /// Does what this turn's commands asked for. Before the turn is published and its replies are sent.
    pub(crate) fn see_to_requests(&mut self) {
        self.shard.send_news();
        if self.shard.is_ending() {
            self.shard.see_to_ending();
        }
        if self.shard.cx.effects.is_empty() {
            return;
        }
        for request in self.shard.take_requests() {
            match request {
                Request::Close(conn) => self.close(conn),
                Request::CloseSlow(conn, bytes) => self.close_slow_now(conn, bytes),
                Request::Shutdown { now } => {
                    self.process.end(now);
                }
                Request::Ship { op, shipment } => {
                    self.process.migrator.send(usize::from(self.shard.cx.id), op, *shipment)
                }
                Request::CannotEnd => self.process.stay(),
                Request::ConfigChanged(names) => self.apply_config(&names),
            }
        }
    }

    /// Brings what the configuration says outside the shards into force.
    fn apply_config(&mut self, names: &[&'static str]) {
        if names.contains(&"loglevel") {
            log::set_level(self.shard.cx.config.loglevel);
        }
        self.apply_journal(names);
        if self.has_listeners() && names.iter().any(|name| matches!(*name, "port" | "bind")) {
            self.listen_anew();
        }
    }

    /// The same for the append-only files: one shard turns them on and off, and all follow.
    fn apply_journal(&mut self, names: &[&'static str]) {
        let config = Arc::clone(&self.shard.cx.config);
        let process = Arc::clone(&self.process);
        if names.contains(&"appendonly") && self.has_listeners() {
            if config.appendonly {
                process.saver.begin_log(&config);
            } else {
                process.journal.turn_off();
                process.saver.end_rewrites();
            }
        }
        if names.contains(&"appendfsync")
            && let Some(log) = process.journal.log()
        {
            log.set_policy(process.journal.policy(&config));
        }
    }

    /// How long the loop may sleep, given how long it would: not beyond the end of a pause.
    pub(crate) fn requests_timeout(&self, timeout: Option<Duration>) -> Option<Duration> {
        let Some(end_ms) = self.shard.pause_end_ms() else { return timeout };
        let (now_ms, _) = clock::now();
        let left = Duration::from_millis(end_ms.saturating_sub(now_ms)).max(Duration::from_micros(1));
        Some(timeout.map_or(left, |timeout| timeout.min(left)))
    }
}
