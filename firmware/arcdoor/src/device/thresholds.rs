//! The thresholds that decisions are held against: a pure function of calibration, settings and gallery size.

use crate::home::settings::Settings;
use arcdoor_calib::gallery_threshold;
use arcdoor_core::{Calibration, CalibrationError};
use arcdoor_pipeline::Thresholds;

/// The thresholds for a gallery of `templates`.
///
/// - `identify` holds the share of strangers that may be taken for somebody at `target_fpir`, whatever the gallery's
///   size.
/// - `verify` has a false match rate of `target_fmr`.
/// - `duplicate` is the same: from there on, two faces are one person's until somebody says otherwise.
///
/// # Errors
/// When the calibration has no threshold for `target_fmr`.
pub fn thresholds(
    calibration: &Calibration,
    settings: &Settings,
    templates: usize,
) -> Result<Thresholds, CalibrationError> {
    let verify = calibration.threshold(settings.target_fmr)?;
    let identify = gallery_threshold(calibration, settings.target_fpir, templates)?.threshold;
    Ok(Thresholds { verify, identify, duplicate: verify })
}
