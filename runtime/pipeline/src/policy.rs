//! How much has to agree before a decision stands.

use serde::{Deserialize, Serialize};

use crate::intent::{Intent, IntentError};

/// The longest window that votes are kept for, in frames.
pub const MAX_WINDOW: usize = 16;
/// The most attempts without a grant that a lockout may wait for.
pub const MAX_DENIALS: usize = 32;
/// The shortest time that a policy may look back on votes, milliseconds: a few frames of a fast camera.
pub const MIN_WINDOW_MS: u64 = 100;
/// The longest time that a policy may look back on votes, milliseconds.
pub const MAX_WINDOW_MS: u64 = 60_000;

/// When repeated denials close the recognition for everybody, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lockout {
    /// Attempts that end without a grant and lead to it, 1 to 32; see [`Outcome`](crate::Outcome).
    pub after: u8,
    /// How long a denial counts, milliseconds.
    pub within_ms: u64,
    /// How long the lockout lasts, milliseconds.
    pub for_ms: u64,
}

/// What is wrong with a policy.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// k of n does not make sense.
    #[error("agree = {agree} of {of} frames cannot be; 1 <= agree <= of <= {MAX_WINDOW}")]
    Window {
        /// The k of k-of-n: frames that must agree.
        agree: u8,
        /// The n of k-of-n: frames that are looked back on.
        of: u8,
    },
    /// The time that votes count for is out of range.
    #[error("window_ms = {0} cannot be; it lies within {MIN_WINDOW_MS} to {MAX_WINDOW_MS}")]
    WindowMs(u64),
    /// The margin is no difference of scores.
    #[error("margin = {0} is no difference of scores; it lies within 0 to 1")]
    Margin(f32),
    /// The number of denials is out of range.
    #[error("lockout.after = {0} cannot be; it lies within 1 to {MAX_DENIALS}")]
    Lockout(u8),
    /// The intent that it asks for is out of range.
    #[error(transparent)]
    Intent(#[from] IntentError),
}

/// The rules of [`decide`](crate::decide). As a table of a settings file, every key has a default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Policy {
    fields: Fields,
}

/// The keys of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fields {
    /// How many of the last `of` frames must name the same subject, 1 to `of` (the k of k-of-n).
    pub agree: u8,
    /// How many of the last frames that show the face well are looked back on, 1 to 16 (the n of k-of-n).
    pub of: u8,
    /// How long a frame's vote counts, milliseconds, 100 to 60,000. A camera that brings fewer than `agree` frames
    /// in that time grants nobody.
    pub window_ms: u64,
    /// The longest time without the face, milliseconds; one that comes back later is followed as a new one.
    pub gap_ms: u64,
    /// A second subject that matches makes the match ambiguous where its score is less than this below the
    /// best one's; a difference of scores, 0 to 1.
    pub margin: f32,
    /// When repeated denials lock recognition; without it there is no lockout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lockout: Option<Lockout>,
    /// What a face must show before it may be granted.
    pub intent: Intent,
}

impl Default for Fields {
    /// For a door: three of five frames agree, within three seconds, so that a board of one frame a second still
    /// grants; five denials within a minute lock out for half a minute; and the face stays before the camera, and looks at
    /// it.
    fn default() -> Self {
        let lockout = Some(Lockout { after: 5, within_ms: 60_000, for_ms: 30_000 });
        Self {
            agree: 3,
            of: 5,
            window_ms: 3_000,
            gap_ms: 1_000,
            margin: 0.02,
            lockout,
            intent: Intent::default(),
        }
    }
}

impl Policy {
    /// A policy from its keys.
    ///
    /// # Errors
    /// When a value is out of its range.
    pub fn new(fields: Fields) -> Result<Self, PolicyError> {
        let Fields { agree, of, window_ms, margin, lockout, intent, .. } = fields;
        if agree == 0 || agree > of || usize::from(of) > MAX_WINDOW {
            return Err(PolicyError::Window { agree, of });
        }
        if !(MIN_WINDOW_MS..=MAX_WINDOW_MS).contains(&window_ms) {
            return Err(PolicyError::WindowMs(window_ms));
        }
        if !(0.0..=1.0).contains(&margin) {
            return Err(PolicyError::Margin(margin));
        }
        intent.check()?;
        match lockout {
            Some(Lockout { after, .. }) if after == 0 || usize::from(after) > MAX_DENIALS => {
                Err(PolicyError::Lockout(after))
            }
            _ => Ok(Self { fields }),
        }
    }

    /// One image decides by itself, needs to show no intent, and nothing locks out: for photos.
    #[must_use]
    pub fn still() -> Self {
        Self {
            fields: Fields {
                agree: 1,
                of: 1,
                lockout: None,
                intent: Intent::NOT_REQUIRED,
                ..Fields::default()
            },
        }
    }

    /// The keys, each within its range.
    #[must_use]
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }
}

impl TryFrom<Fields> for Policy {
    type Error = PolicyError;

    fn try_from(fields: Fields) -> Result<Self, PolicyError> {
        Self::new(fields)
    }
}

impl From<Policy> for Fields {
    fn from(policy: Policy) -> Self {
        policy.fields
    }
}
