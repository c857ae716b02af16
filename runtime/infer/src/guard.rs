//! Where tract panics on a file from outside, the work on that file ends with an error, and the process goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::InferError;

/// Runs `work`, which calls tract; a panic on a file that our checks let through becomes an error.
/// Unwind safety: nothing of what `work` was using is used after it has panicked.
pub(crate) fn guarded<T>(work: impl FnOnce() -> Result<T, InferError>) -> Result<T, InferError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(InferError::Load("tract gave up on it".to_owned())))
}
