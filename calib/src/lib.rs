//! Genuine and impostor scores to error rates with intervals
