//! What a library asserts about a file from outside ends the work on that file, not the process.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::InferError;

/// Asks tract; where it panics on a file that our checks let through, that is an error.
/// Unwind safety: whatever `work` had is gone when it panicked.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, InferError>) -> Result<T, InferError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(InferError::Load("tract gave up on it".to_owned())))
}
