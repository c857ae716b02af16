//! Genuine and impostor scores to thresholds and error rates with their intervals.

mod random;
mod rates;
mod share;

pub use random::Random;
pub use rates::{best_threshold, score_at_far};
pub use share::Share;
