//! People whom a pack does not know any more: another embedder made their templates.

use arcdoor_core::SubjectName;
use serde::{Deserialize, Serialize};

/// Most names in one answer; the rest are counted.
pub const MAX_NAMED: usize = 50;

/// Who would have to be enrolled again under a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReEnrolment {
    /// The pack's embedder.
    pub embedder: String,
    /// The embedder that made their templates; none: the gallery could not be read.
    pub enrolled_with: Option<String>,
    /// How many they are; none: the gallery could not be read.
    pub people: Option<usize>,
    /// The first of them, at most [`MAX_NAMED`].
    pub names: Vec<SubjectName>,
    /// Why the gallery could not be read.
    pub unread: Option<String>,
    /// The pack that knows them all, still there, by the name that `pack use` takes.
    pub back: Option<String>,
}
