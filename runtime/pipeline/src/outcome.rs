//! What a frame leads to.

use arcdoor_core::{Decision, DenyReason};
use serde::{Deserialize, Serialize};

/// What one frame leads to: what is decided about it, and which attempts are over with it.
///
/// An attempt is what one face, under one claim, makes of being let in. It ends granted; or denied, once a window of
/// looks agreed on nobody; or it fails when its face is gone before that, and is denied afterwards. Each end is to be
/// logged, and each without a grant counts towards the lockout (but where nobody is enrolled).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The attempt before this frame failed, for this reason: its face is gone, or is claimed to be somebody else.
    /// To be logged as a denial, whatever is decided about this frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<DenyReason>,
    /// What is decided about this frame.
    pub decision: Decision,
    /// Whether that decision ends an attempt. Not so where it repeats an earlier one about this face: a granted person who
    /// stands there and is recognised again without a doubt, and the frames between two denials of one face.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub ends_attempt: bool,
}
