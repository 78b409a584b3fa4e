//! The effects of what runs on this shard, on their way to the files.

use crate::shard::Shard;

impl Shard {
    /// From now on effects are written down, or no longer.
    pub fn set_journal(&mut self, on: bool) {
        self.cx.journal.is_on = on;
    }
}

#[cfg(test)]
mod tests {
    use crate::trial::{Trial, request};
    use command::journal::Effects;

    fn told(effects: &Effects) -> Vec<String> {
        let words = |words: command::journal::Words<'_>| {
            words.map(|word| word.escape_ascii().to_string()).collect::<Vec<_>>().join(" ")
        };
        effects.iter().map(|listed| format!("{} {}", listed.db, words(listed.words))).collect()
    }

    #[test]
    fn what_changes_something_is_written_as_it_was_given() {
        let mut trial = Trial::new(1);
        trial.shards[0].set_journal(true);
        let conn = trial.connect();
        for line in ["SET a 1", "GET a", "INCR a", "DEL none", "LPUSH a x", "SELECT 3", "set B 2", "GET none"]
        {
            trial.ask(conn, &request(&line.split(' ').collect::<Vec<_>>()));
        }
        assert_eq!(told(&trial.shards[0].cx.journal.added), ["0 SET a 1", "0 INCR a", "3 set B 2"]);
    }

    #[test]
    fn what_is_over_is_deleted_before_what_has_met_it() {
        let mut trial = Trial::new(1);
        let conn = trial.connect();
        trial.ask(conn, &request(&["SET", "a", "1", "PX", "5"]));
        trial.ask(conn, &request(&["HSET", "h", "f", "1", "g", "2"]));
        trial.ask(conn, &request(&["HPEXPIRE", "h", "5", "FIELDS", "1", "f"]));
        trial.shards[0].set_journal(true);
        trial.set_time(10_000);
        trial.ask(conn, &request(&["INCR", "a"]));
        trial.ask(conn, &request(&["HINCRBY", "h", "f", "7"]));
        let expected = ["0 DEL a", "0 INCR a", "0 HDEL h f", "0 HINCRBY h f 7"];
        assert_eq!(told(&trial.shards[0].cx.journal.added), expected);
    }
}
