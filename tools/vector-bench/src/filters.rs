//! Filtered FT.SEARCH: how much more a query costs as it is planned than by the best of the fixed plans.

use crate::data::{Data, K, recall};
use crate::weft::{Outcome, Weft};

const QUERIES: usize = 200;
const TURNS: usize = 5;

/// `vector-bench filters COUNT DIMENSION EF SHARDS`
pub fn measure(count: &str, dimension: &str, ef: &str, shards: &str) -> Outcome<()> {
    let data = Data::new(count.parse()?, QUERIES, dimension.parse()?);
    let mut weft = Weft::start(shards, data.dimension, &[]);
    weft.load(data.vectors.iter().cloned().zip(data.shares.iter().copied()))?;
    println!(
        "filter, share that passes: us (recall) as planned, each, walk; planned / best of those with recall 0.95"
    );
    for (place, name) in ["r", "c"].into_iter().enumerate() {
        for share in [0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5] {
            let exact = data.exact(QUERIES, |shares| shares[place] <= share);
            let mut ask = |policy: &str| -> Outcome<(f64, f64)> {
                let text = format!("@{name}:[-inf {share}]=>[KNN {K} @v $b {policy}]");
                let cost = weft.ask(&data.queries, TURNS, &text, &["NOCONTENT"])?;
                Ok((cost.us, recall(&cost.found, &exact)))
            };
            let planned = ask(&format!("EF_RUNTIME {ef}"))?;
            let each = ask("HYBRID_POLICY ADHOC_BF")?;
            let walk = ask(&format!("HYBRID_POLICY BATCHES EF_RUNTIME {ef}"))?;
            let good = [each, walk].into_iter().filter(|(_, recall)| *recall >= 0.95);
            let best = good.map(|(us, _)| us).fold(f64::INFINITY, f64::min);
            println!(
                "{name} {share}: {:.0} ({:.3}), {:.0} ({:.3}), {:.0} ({:.3}); {:.2}",
                planned.0,
                planned.1,
                each.0,
                each.1,
                walk.0,
                walk.1,
                planned.0 / best
            );
        }
    }
    Ok(())
}
