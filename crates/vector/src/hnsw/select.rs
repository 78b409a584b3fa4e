//! Whom to link to (Malkov and Yashunin, algorithm 4): of those that are near each in its direction the nearest, so that links lead
//! everywhere and not only into the next crowd.

use super::walk::Near;
use crate::plane::Plane;
use crate::space::Ray;

/// Of `near`, nearest first, those that are `kept` in any case, and up to `most` with them that are nearer to the base than to any other that
/// was chosen. Gives how many distances it took.
pub(crate) fn select(
    plane: &Plane,
    near: &[Near],
    most: usize,
    kept: &[u32],
    chosen: &mut Vec<u32>,
) -> usize {
    chosen.clear();
    let mut count = 0;
    let mut left = most - kept.len();
    for candidate in near {
        if !kept.is_empty() && kept.contains(&candidate.slot()) {
            chosen.push(candidate.slot());
            continue;
        }
        if left == 0 {
            // Those of the rest that are kept need not be chosen.
            break;
        }
        let ray = plane.ray(candidate.slot());
        count += chosen.len();
        if !is_nearer_to_any(plane, ray, chosen, candidate.distance()) {
            chosen.push(candidate.slot());
            left -= 1;
        }
    }
    count
}

/// Whether any of `chosen` is nearer than `distance`.
fn is_nearer_to_any(plane: &Plane, ray: Ray, chosen: &[u32], distance: f64) -> bool {
    let (fours, rest) = chosen.as_chunks::<4>();
    let is_nearer = |other: f64| (other as f32) < distance as f32;
    fours.iter().any(|four| plane.four(ray, four).into_iter().any(is_nearer))
        || rest.iter().any(|slot| is_nearer(plane.distance(ray, *slot)))
}
