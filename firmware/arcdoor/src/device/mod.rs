//! What a device is made of while it runs.

pub mod journal;
pub mod recognition;
pub mod source;
