//! The head: what a log is, in one hash.

use arcdoor_api::LogHash;

/// The newest record and the hash over all up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The newest record's number.
    pub n: u64,
    /// SHA-256 over the head before that record and the record's line; see [`LogHash`].
    pub hash: LogHash,
}
