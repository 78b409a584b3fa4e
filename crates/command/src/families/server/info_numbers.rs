//! The figures of one shard for INFO and MEMORY STATS: written as a list of numbers by each, added up by the client's.

use crate::parts::Part;
use crate::pubsub::Kind;
use crate::{Cx, ShardCx};
use keyspace::{Kind as Type, Sizes};
use resp::Reply;

macro_rules! numbers {
    (sums: $($sum:ident)* ; maxima: $($max:ident)*) => {
        /// Each field is the sum, or the maximum, over the shards.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Numbers { $(pub $sum: u64,)* $(pub $max: u64,)* }

        impl Numbers {
            pub fn write(&self, out: &mut Reply) {
                $(out.int(self.$sum as i64);)*
                $(out.int(self.$max as i64);)*
            }

            /// Takes another shard's numbers in.
            pub fn read_more(&mut self, part: &mut Part<'_>) {
                $(self.$sum += part.int() as u64;)*
                $(self.$max = self.$max.max(part.int() as u64);)*
            }
        }
    };
}

numbers! {
    sums: clients subscribers watching watched_keys monitors paused blocked timed awaited_keys awaited_ends dirty keys expiring data_bytes table_bytes client_bytes peak_bytes connections
        rejected_connections commands net_in_bytes net_out_bytes hits misses expired_keys expired_fields evicted_keys
        error_replies forwarded moved_connections visits turns freeing freed input_limit_closed output_limit_closed denied_auth payloads_checked
        turns_with_input inputs batches requests slow_commands slow_micros
        expire_nanos reads writes awake_us command_nanos ops_rate in_rate out_rate turn_rate awake_rate eval_bytes eval_cache_bytes function_bytes function_cache_bytes
        tracking_clients tracked_keys tracked_reads listening_bytes search_bytes hot_keys_active hot_keys_sessions hot_keys_bytes hot_keys_nanos;
    maxima: slow_micros_max input_bytes_max output_bytes_max peak_time_s scripts evicted_scripts libraries functions
        channels patterns shard_channels tracked_prefixes
}

impl Numbers {
    /// Bytes beside the data: what clients have sent and will get, who listens to what and has read what, and what indexes and cursors own.
    pub fn beside_bytes(&self) -> u64 {
        self.client_bytes + self.listening_bytes + self.search_bytes
    }
}

/// This shard's figures.
pub fn of(cx: &mut ShardCx) -> Numbers {
    cx.count_search_bytes();
    let cx = &*cx;
    let mut numbers = Numbers {
        clients: cx.sessions.len() as u64,
        subscribers: cx.sessions.iter().filter(|(_, session)| session.is_subscribed()).count() as u64,
        watching: cx.sessions.iter().filter(|(_, session)| session.transaction.watched > 0).count() as u64,
        watched_keys: cx.watches.keys() as u64,
        monitors: cx.monitoring.len() as u64,
        blocked: cx.awaited.clients.len() as u64,
        timed: cx.awaited.timed,
        awaited_keys: cx.awaited.len() as u64,
        awaited_ends: cx.awaited.with_end() as u64,
        paused: cx.sessions.iter().filter(|(_, session)| session.paused).count() as u64,
        dirty: cx.dirty,
        keys: cx.dbs.iter().map(|db| db.len() as u64).sum(),
        expiring: cx.dbs.iter().map(|db| db.expiring() as u64).sum(),
        data_bytes: cx.data_bytes() as u64,
        table_bytes: cx.dbs.iter().map(|db| db.table_bytes() as u64).sum(),
        connections: cx.stats.connections,
        rejected_connections: cx.stats.rejected_connections,
        commands: cx.commands.total(),
        net_in_bytes: cx.stats.net_in_bytes,
        net_out_bytes: cx.stats.net_out_bytes,
        reads: cx.stats.reads,
        writes: cx.stats.writes,
        awake_us: cx.stats.awake_us,
        command_nanos: cx.commands.used().map(|(_, row)| row.nanos).sum(),
        hits: cx.stats.hits,
        misses: cx.stats.misses,
        expired_keys: cx.stats.expired_keys,
        expired_fields: cx.stats.expired_fields,
        evicted_keys: cx.stats.evicted_keys,
        error_replies: cx.stats.error_replies,
        forwarded: cx.stats.forwarded,
        moved_connections: cx.stats.moved_connections,
        visits: cx.stats.visits,
        turns: cx.stats.turns,
        turns_with_input: cx.stats.turns_with_input,
        inputs: cx.stats.parsing.inputs,
        batches: cx.stats.parsing.batches,
        requests: cx.stats.parsing.requests,
        input_limit_closed: cx.stats.input_limit_closed,
        output_limit_closed: cx.stats.output_limit_closed,
        denied_auth: cx.stats.denied_auth,
        payloads_checked: cx.stats.payloads_checked,
        expire_nanos: cx.stats.expire_nanos,
        freeing: cx.bin.pending(),
        freed: cx.bin.freed(),
        eval_bytes: cx.scripts.engine.memory_bytes() as u64,
        eval_cache_bytes: cx.scripts.cache_bytes() as u64,
        function_bytes: cx.scripts.functions.engine_bytes() as u64,
        function_cache_bytes: cx.scripts.functions.shelf.bytes() as u64,
        scripts: cx.scripts.len() as u64,
        evicted_scripts: cx.scripts.evicted,
        libraries: cx.scripts.functions.shelf.libraries().len() as u64,
        functions: cx.scripts.functions.shelf.functions_count() as u64,
        channels: cx.pubsub.of(Kind::Channel).len() as u64,
        patterns: cx.pubsub.of(Kind::Pattern).len() as u64,
        shard_channels: cx.pubsub.of(Kind::ShardChannel).len() as u64,
        search_bytes: cx.search_bytes() as u64,
        listening_bytes: (cx.pubsub.bytes() + cx.tracking.bytes()) as u64,
        ..Numbers::default()
    };
    for (_, session) in cx.sessions.iter() {
        let (input, output) = (session.query_bytes as u64, session.output_bytes as u64);
        numbers.client_bytes += session.bytes() as u64 + input + output;
        numbers.input_bytes_max = numbers.input_bytes_max.max(input);
        numbers.output_bytes_max = numbers.output_bytes_max.max(output);
    }
    for slow in cx.slow_log.costs.values() {
        numbers.slow_commands += slow.count;
        numbers.slow_micros += slow.micros;
        numbers.slow_micros_max = numbers.slow_micros_max.max(slow.micros_max);
    }
    [numbers.tracking_clients, numbers.tracked_keys, numbers.tracked_reads, numbers.tracked_prefixes] =
        cx.tracking.figures();
    if let Some(session) = cx.hot_keys.session() {
        numbers.hot_keys_sessions = 1;
        numbers.hot_keys_active = session.is_active(cx.now_ms).into();
        (numbers.hot_keys_bytes, numbers.hot_keys_nanos) = (session.memory() as u64, session.own_nanos);
    }
    (numbers.peak_bytes, numbers.peak_time_s) = cx.rates.peak();
    if numbers.data_bytes > numbers.peak_bytes {
        (numbers.peak_bytes, numbers.peak_time_s) = (numbers.data_bytes, cx.wall_us() / 1_000_000);
    }
    let rates = cx.rates.per_second();
    (numbers.ops_rate, numbers.in_rate, numbers.out_rate) = (rates.commands, rates.in_bytes, rates.out_bytes);
    (numbers.turn_rate, numbers.awake_rate) = (rates.turns, rates.awake_us);
    numbers
}

/// What is counted in one database, of all shards.
#[derive(Clone, Default)]
pub struct DatabaseNumbers {
    pub keys: i64,
    /// Keys with an expiry.
    pub expiring: i64,
    /// Hashes that have fields with an expiry.
    pub timed_hashes: i64,
    pub sizes: Sizes,
}

/// Types whose sizes are told, as INFO names them and in its order.
pub const SIZED: [(Type, &str); 5] = [
    (Type::String, "strings_sizes"),
    (Type::List, "lists_items"),
    (Type::Set, "sets_items"),
    (Type::ZSet, "zsets_items"),
    (Type::Hash, "hashes_items"),
];

/// The databases that have keys: number and [`DatabaseNumbers`].
pub fn write_databases(cx: &Cx<'_>, out: &mut Reply) {
    let used: Vec<_> = cx.shard.dbs.numbered().filter(|(_, db)| !db.is_empty()).collect();
    out.array(used.len());
    for (index, db) in used {
        out.count(index.into());
        out.count(db.len());
        out.count(db.expiring());
        out.count(db.timed_hashes());
        for (kind, _) in SIZED {
            let bins: Vec<(u64, u64)> = db.sizes().of(kind).collect();
            out.array(2 * bins.len());
            for (size, count) in bins {
                out.int(size as i64);
                out.int(count as i64);
            }
        }
    }
}

/// Adds a shard's databases to `totals`.
pub fn read_databases(part: &mut Part<'_>, totals: &mut Vec<DatabaseNumbers>) {
    for _ in 0..part.array() {
        let index = part.int() as usize;
        totals.resize(totals.len().max(index + 1), DatabaseNumbers::default());
        totals[index].keys += part.int();
        totals[index].expiring += part.int();
        totals[index].timed_hashes += part.int();
        for (kind, _) in SIZED {
            for _ in 0..part.array() / 2 {
                let size = part.int() as u64;
                totals[index].sizes.add(kind, size, part.int() as u64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_shards_add_up() {
        let one = Numbers { clients: 2, input_bytes_max: 7, ..Numbers::default() };
        let two = Numbers { clients: 3, input_bytes_max: 5, ..Numbers::default() };
        let mut total = Numbers::default();
        for numbers in [one, two] {
            let mut out = Reply::new(false);
            numbers.write(&mut out);
            let mut part = Part::new(&out.buf);
            total.read_more(&mut part);
            assert!(part.is_at_end());
        }
        assert_eq!((total.clients, total.input_bytes_max), (5, 7));
    }
}
