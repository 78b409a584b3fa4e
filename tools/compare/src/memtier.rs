//! memtier_benchmark as the load generator, for the GET and SET cases.
//!
//! It numbers keys without leading zeros: they are `key` and 13 digits from 10^12 on, 16 bytes as well.

use crate::Outcome;
use crate::args::Options;
use crate::cases::{Case, VALUE_BYTES};
use crate::load::Burst;

/// What the loader puts before its 12 digits so that these keys come out.
pub const KEY_PREFIX_LOADED: &str = "key1";
const KEY_PREFIX: &str = "key";
const KEY_FIRST: u64 = 1_000_000_000_000;

/// The words for a case, if it is one that memtier_benchmark can do with keys we know.
pub fn words(case: &Case, port: u16, options: &Options) -> Outcome<Vec<String>> {
    let command = match case.command {
        ["GET", "key:__rand_int__"] => "GET __key__",
        ["SET", "key:__rand_int__", _] => "SET __key__ __data__",
        _ => return Err(format!("{}: memtier_benchmark is used for GET and SET only", case.name).into()),
    };
    let connections = u64::from((case.connections / options.load_threads).max(1));
    let mut words = vec!["memtier_benchmark".to_owned(), "-s".into(), "127.0.0.1".into()];
    let mut option = |name: &str, value: u64| words.extend([name.to_owned(), value.to_string()]);
    option("-p", port.into());
    option("-t", options.load_threads.into());
    option("-c", connections);
    option("-n", case.requests.div_ceil(connections * u64::from(options.load_threads)));
    option("--pipeline", case.pipeline.into());
    option("-d", VALUE_BYTES as u64);
    option("--key-minimum", KEY_FIRST);
    option("--key-maximum", KEY_FIRST + case.range - 1);
    let rest = [
        "--key-prefix",
        KEY_PREFIX,
        "--command",
        command,
        "--command-key-pattern",
        "R",
        // Without this every connection asks for the same keys in the same order.
        "--distinct-client-seed",
        "--hide-histogram",
        "--print-percentiles",
        "50,99,99.9",
    ];
    words.extend(rest.map(str::to_owned));
    Ok(words)
}

/// Reads the report for people, as far as the options above shape it.
pub fn parse(text: &str) -> Option<Burst> {
    let setting = |name: &str| -> Option<u64> {
        text.lines().find_map(|line| line.strip_suffix(name)?.trim().parse().ok())
    };
    let requests = setting("Threads")? * setting("Connections per thread")? * setting("Requests per client")?;
    let head = text.lines().find(|line| line.starts_with("Type "))?;
    let totals = text.lines().find(|line| line.starts_with("Totals "))?;
    // The heads are of several words; each column is as wide as its head and the blanks before it.
    let column = |name: &str| -> Option<f64> {
        let end = head.find(name)? + name.len();
        totals.get(..end)?.split_whitespace().next_back()?.parse().ok()
    };
    Some(Burst {
        requests,
        requests_per_second: column("Ops/sec")?,
        p50_ms: column("p50 Latency")?,
        p99_ms: column("p99 Latency")?,
        p999_ms: column("p99.9 Latency")?,
        cpu: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_report() {
        let text = "\
1         Threads
50        Connections per thread
2000      Requests per client


ALL STATS
==================================================================================================
Type         Ops/sec    Avg. Latency     p50 Latency     p99 Latency   p99.9 Latency       KB/sec 
--------------------------------------------------------------------------------------------------
Sets       510853.07         1.56427         1.37500         3.51900         3.79100     55874.55 
Totals     510853.07         1.56427         1.37500         3.51900         3.79100    111749.11 
";
        let burst = parse(text).unwrap();
        assert_eq!((burst.requests, burst.requests_per_second), (100_000, 510_853.07));
        assert_eq!((burst.p50_ms, burst.p99_ms, burst.p999_ms), (1.375, 3.519, 3.791));
        assert_eq!(parse(&text[..300]), None);
    }
}
