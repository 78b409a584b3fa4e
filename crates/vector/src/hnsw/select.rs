//! Whom to link to (Malkov and Yashunin, algorithm 4): of those that are near each in its direction the nearest, so that links lead
//! everywhere and not only into the next crowd. In steps, for it takes as many distances as there are candidates times those chosen.

use super::walk::Near;
use crate::plane::Plane;
use crate::space::Ray;

/// A choice that is under way.
pub(crate) struct Selection {
    /// Nearest first.
    near: Vec<Near>,
    /// Those before this one have been looked at.
    at: usize,
    /// Those that are chosen in any case.
    kept: Vec<u32>,
    /// How many others may yet be chosen.
    left: usize,
    chosen: Vec<u32>,
}

impl Selection {
    /// Of `near`, nearest first, those that are `kept` in any case, and up to `most` with them that are nearer to the base than to any other that
    /// was chosen.
    pub(crate) fn new(near: Vec<Near>, most: usize, kept: Vec<u32>) -> Selection {
        Selection { near, at: 0, left: most - kept.len(), kept, chosen: Vec::new() }
    }

    /// Goes on for about so many distances. Says whether all are chosen.
    pub(crate) fn step(&mut self, plane: &Plane, budget: &mut usize) -> bool {
        while *budget > 0 {
            let Some(candidate) = self.near.get(self.at) else { return true };
            self.at += 1;
            if !self.kept.is_empty() && self.kept.contains(&candidate.slot()) {
                self.chosen.push(candidate.slot());
                continue;
            }
            if self.left == 0 {
                // Those of the rest that are kept need not be chosen.
                return true;
            }
            let ray = plane.ray(candidate.slot());
            *budget = budget.saturating_sub(self.chosen.len());
            if !is_nearer_to_any(plane, ray, &self.chosen, candidate.distance()) {
                self.chosen.push(candidate.slot());
                self.left -= 1;
            }
        }
        self.at == self.near.len()
    }

    /// Those among whom the choice is, nearest first.
    pub(crate) fn near(&self) -> &[Near] {
        &self.near
    }

    /// Who has been chosen, nearest first.
    pub(crate) fn chosen(&self) -> &[u32] {
        &self.chosen
    }

    /// Who was chosen, nearest first, and who of them was kept in any case; all steps must be done.
    pub(crate) fn finish(self) -> (Vec<u32>, Vec<u32>) {
        (self.chosen, self.kept)
    }
}

/// Whether any of `chosen` is nearer than `distance`.
fn is_nearer_to_any(plane: &Plane, ray: Ray, chosen: &[u32], distance: f64) -> bool {
    let (fours, rest) = chosen.as_chunks::<4>();
    let is_nearer = |other: f64| (other as f32) < distance as f32;
    fours.iter().any(|four| plane.four(ray, four).into_iter().any(is_nearer))
        || rest.iter().any(|slot| is_nearer(plane.distance(ray, *slot)))
}
