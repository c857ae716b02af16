//! The thresholds that decisions are held against: a pure function of calibration, settings and gallery size.

use crate::home::settings::Settings;
use arcdoor_api::{OperatingPoint, Target};
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

/// What the threshold of a search in a gallery of `templates` means.
///
/// # Errors
/// As [`thresholds`].
pub fn identify_point(
    calibration: &Calibration,
    settings: &Settings,
    templates: usize,
) -> Result<OperatingPoint, CalibrationError> {
    let at = gallery_threshold(calibration, settings.target_fpir, templates)?;
    let (fmr, fmr_interval) = calibration.rate(at.threshold.target);
    let (fpir, target) = (Some(at.fpir), Target::Fpir(settings.target_fpir));
    Ok(OperatingPoint { fmr, fmr_interval, templates, fpir, target, is_met: at.is_met })
}

/// What the threshold of a claim to be a subject with `templates` means; the rate is that of each of them.
#[must_use]
pub fn verify_point(calibration: &Calibration, settings: &Settings, templates: usize) -> OperatingPoint {
    let (fmr, fmr_interval) = calibration.rate(settings.target_fmr);
    let target = Target::Fmr(settings.target_fmr.get());
    OperatingPoint { fmr, fmr_interval, templates, fpir: None, target, is_met: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::{Basis, CalibrationId, CalibrationRow, Fmr, ModelId};

    fn table() -> Calibration {
        let row = |fmr, threshold| CalibrationRow {
            fmr: Fmr::new(fmr).unwrap(),
            threshold,
            fmr_low: fmr / 2.0,
            fmr_high: fmr * 2.0,
            tmr: 0.9,
            basis: Basis::Counted,
        };
        let rows = [row(1e-3, 0.3), row(1e-4, 0.4), row(1e-5, 0.5)];
        Calibration::new(ModelId::new([1; 16]), CalibrationId::new([2; 16]), &rows).unwrap()
    }

    #[test]
    fn the_rate_that_is_told_is_that_of_the_threshold_in_use() {
        let settings = Settings { target_fpir: 0.01, ..Settings::default() };
        for templates in [1, 10, 300, 100_000] {
            let point = identify_point(&table(), &settings, templates).unwrap();
            let threshold = thresholds(&table(), &settings, templates).unwrap().identify;
            let at_rate = table().threshold(Fmr::new(point.fmr).unwrap()).unwrap();
            assert_eq!(at_rate.value, threshold.value, "{templates}");
            assert!(point.fmr_interval[0] <= point.fmr && point.fmr <= point.fmr_interval[1]);
        }
    }

    #[test]
    fn a_target_that_is_not_met_says_so_and_what_to_expect() {
        let point = identify_point(&table(), &Settings::default(), 100_000).unwrap();
        assert!(!point.is_met && point.fpir > Some(0.6), "{point:?}");
        assert_eq!((point.fmr, point.fmr_interval), (1e-5, [5e-6, 2e-5]), "the last row's own interval");
    }

    #[test]
    fn between_rows_the_interval_is_no_narrower_than_both() {
        let settings = Settings { target_fmr: Fmr::new(3e-5).unwrap(), ..Settings::default() };
        assert_eq!(verify_point(&table(), &settings, 1).fmr_interval, [5e-6, 2e-4]);
        let lax = Settings { target_fmr: Fmr::new(0.1).unwrap(), ..settings };
        assert_eq!(verify_point(&table(), &lax, 1).fmr, 1e-3, "no laxer than the first row");
    }
}
