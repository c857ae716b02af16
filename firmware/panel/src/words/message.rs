//! A headline and what goes with it.

/// One screen's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// The message: read from afar.
    pub headline: &'static str,
    /// What goes with it: read from near.
    pub detail: Option<&'static str>,
}

impl Words {
    pub(super) const fn alone(headline: &'static str) -> Self {
        Self { headline, detail: None }
    }

    pub(super) const fn with(headline: &'static str, detail: &'static str) -> Self {
        Self { headline, detail: Some(detail) }
    }

    /// An enrolment's words: a hint takes the place of the detail.
    pub(super) const fn hinted(headline: &'static str, hint: Option<Self>) -> Self {
        match hint {
            Some(hint) => Self { headline, detail: Some(hint.headline) },
            None => Self::alone(headline),
        }
    }
}
