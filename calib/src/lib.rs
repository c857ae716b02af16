//! Genuine and impostor scores to thresholds and error rates with their intervals; features on disk.

mod binomial;
mod feature_file;
mod fpir;
mod random;
mod rates;
mod share;

pub use binomial::clopper_pearson;
pub use feature_file::{FeatureFileError, Features, HEADER_BYTES, MAX_COLUMNS, MAX_ROWS};
pub use fpir::{GalleryThreshold, fmr_for_fpir, fpir_for_fmr, gallery_threshold};
pub use random::Random;
pub use rates::{best_threshold, score_at_far};
pub use share::Share;
