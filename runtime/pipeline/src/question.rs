//! What is asked about a frame.

use arcdoor_core::SubjectId;

/// Who somebody is, or whether somebody is who they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Who of the gallery this is (1:N).
    Identify,
    /// Whether this is the subject that a card, a PIN or an operator named (1:1).
    Verify(SubjectId),
}

impl Question {
    /// The subject that the face is claimed to be.
    #[must_use]
    pub const fn claim(self) -> Option<SubjectId> {
        match self {
            Self::Identify => None,
            Self::Verify(subject) => Some(subject),
        }
    }
}
