//! Genuine and impostor scores to thresholds and error rates with their intervals; whether a promised
//! rate still stands at a door; features on disk.

#![forbid(unsafe_code)]

mod bin_error;
mod bin_file;
mod binomial;
mod feature_file;
mod feature_list;
mod feature_table;
mod feature_writer;
mod folds;
mod fpir;
mod impostors;
mod npy;
mod npy_fault;
mod paired;
mod pickle;
mod promise;
mod random;
mod rates;
mod resample;
mod share;
mod tail;
mod verification;

pub use bin_error::BinFileError;
pub use bin_file::{PairImages, read_bin};
pub use feature_file::{FeatureFileError, Features, HEADER_BYTES, MAX_COLUMNS, MAX_ROWS};
pub use feature_list::{FeatureList, FeatureListError, LabelList, MAX_NAME_BYTES};
pub use feature_table::{Bytes, FeatureTable, read_megaface};
pub use feature_writer::{FeatureWriter, write_megaface};
pub use folds::{Fold, Folds};
pub use fpir::{GalleryThreshold, fmr_for_fpir, fpir_for_fmr, gallery_threshold};
pub use impostors::{
    Comparison, Counted, Impostors, LEAST_ABOVE, TAIL_REACH, TAIL_SHARE, TailCheck, rounded_up,
};
pub use npy_fault::NpyFault;
pub use paired::{Difference, mcnemar};
pub use pickle::MAX_BIN_IMAGES;
pub use promise::{ALPHA, Promise, PromiseError, Standing, Tally};
pub use random::Random;
pub use rates::{best_threshold, most_accepted, threshold_at_fmr};
pub use share::Share;
pub use tail::{LEAST_EXCEEDANCES, TailFit};
pub use verification::{AtRate, EqualError, Intervals, LOWEST_SCORE, Point, Verification};
