//! Scores of comparisons and the candidate list of an identification.

use crate::limits::MAX_CANDIDATES;
use crate::subject::SubjectId;
use core::fmt;
use serde::{Deserialize, Serialize};

/// How close two templates are, -1..=1; higher is closer. Their cosine similarity, less what they owe to directions that
/// degraded faces share ([`SharedPart`](crate::SharedPart)).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Score(pub f32);

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

/// A subject and the best score that any of its templates reached against the probe.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The subject.
    pub subject: SubjectId,
    /// The best score of its templates against the probe.
    pub score: Score,
}

/// The candidate list: one entry a subject, highest score first.
pub type Candidates = heapless::Vec<Candidate, MAX_CANDIDATES>;
