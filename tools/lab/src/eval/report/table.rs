//! A table of a report that one protocol alone has.

use serde::{Deserialize, Serialize};

/// Rows of text under a heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) title: String,
    /// What the columns hold and how they were computed; may be empty.
    pub(crate) note: String,
    pub(crate) head: Vec<String>,
    /// Each as long as `head`.
    pub(crate) rows: Vec<Vec<String>>,
}
