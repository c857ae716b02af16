//! The best subjects so far, without allocation.

use arcdoor_core::limits::MAX_CANDIDATES;
use arcdoor_core::{Candidate, Candidates, Score, SubjectId};

/// Keeps, of a stream of (subject, score), the best subjects with the best score of each; equal scores
/// are ordered by id, so that the order of the stream does not matter.
pub(crate) struct Ranking<'a> {
    best: &'a mut Candidates,
}

impl<'a> Ranking<'a> {
    pub(crate) fn new(best: &'a mut Candidates) -> Self {
        best.clear();
        Self { best }
    }

    /// Scores below this cannot enter.
    pub(crate) fn floor(&self) -> f32 {
        if self.best.len() < MAX_CANDIDATES {
            f32::NEG_INFINITY
        } else {
            self.best[MAX_CANDIDATES - 1].score.0
        }
    }

    pub(crate) fn offer(&mut self, subject: SubjectId, score: f32) {
        let before =
            |held: &Candidate| held.score.0 > score || (held.score.0 == score && held.subject <= subject);
        let place = self.best.iter().take_while(|held| before(held)).count();
        if place == MAX_CANDIDATES {
            return;
        }
        match self.best.iter().position(|held| held.subject == subject) {
            Some(held) if held < place => return,
            Some(held) => {
                self.best.remove(held);
            }
            None if self.best.is_full() => {
                self.best.pop();
            }
            None => {}
        }
        // Never full here: a full list has just lost an entry.
        let _ = self.best.insert(place, Candidate { subject, score: Score(score) });
    }
}
