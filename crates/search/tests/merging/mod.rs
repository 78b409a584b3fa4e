//! What several shards have found, put together in one piece, as the coordinator of a search does it little by little.

use search::evaluate::{Hits, Order};
use search::sorting::Sorting;

/// The first `wanted` of what shards have found, each in its order.
pub fn merged(found: impl Iterator<Item = Hits>, order: Order, wanted: usize) -> Hits {
    let (mut all, mut runs) = (Hits::default(), Vec::new());
    for hits in found {
        all.total += hits.total;
        all.score_max = all.score_max.max(hits.score_max);
        runs.push(hits.hits);
    }
    let mut sorting = Sorting::of_runs(runs.into_iter(), wanted);
    while !sorting.step(|left, right| order.compare_apart(left, right), &mut { usize::MAX }) {}
    all.hits = sorting.finish();
    all
}
