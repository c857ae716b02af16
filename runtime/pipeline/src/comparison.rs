//! A face's template held against the gallery, as far as the question asks.

use arcdoor_core::{Candidate, Candidates, Rect, Score, Template};
use arcdoor_gallery::{Gallery, GalleryError};

use crate::observation::Observation;
use crate::question::Question;

/// What the gallery says about one template.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Subjects by score, best first; for a claim, the claimed subject alone.
    pub(crate) candidates: Candidates,
    /// The best score against those who were reported as not the first of them.
    impostor: Option<Score>,
}

impl Comparison {
    /// Asks the gallery as it is now. Allocates nothing.
    pub(crate) fn new(gallery: &Gallery, probe: &Template, question: Question) -> Result<Self, GalleryError> {
        let mut candidates = Candidates::new();
        match question {
            Question::Identify => gallery.identify(probe, &mut candidates)?,
            Question::Verify(subject) => {
                let claimed = gallery.verify(subject, probe)?.map(|score| Candidate { subject, score });
                candidates.extend(claimed);
            }
        }
        let impostor = match candidates.first() {
            Some(best) => gallery.impostor(best.subject, probe)?,
            None => None,
        };
        Ok(Self { candidates, impostor })
    }

    /// What decisions need of it, for a face at `rect`.
    pub(crate) fn observation(&self, rect: Rect, question: Question) -> Observation {
        let contenders = self.candidates.iter().take(2).copied().collect();
        Observation::Face { rect, claim: question.claim(), contenders, impostor: self.impostor }
    }
}
