//! From a promise about strangers at a whole gallery to the rate of one comparison, and back.

use arcdoor_core::{Calibration, CalibrationError, Fmr, Threshold};

/// The false match rate of one comparison at which a stranger's attempt at `templates` of them is a match
/// with probability `fpir`: 1 - (1 - fpir)^(1 / templates), as if comparisons were independent (Grother and
/// Phillips, "Models of large population recognition performance", CVPR 2004). Templates of one subject
/// resemble each other, so that the true rate lies at or below it.
#[must_use]
pub fn fmr_for_fpir(fpir: f64, templates: usize) -> f64 {
    -((-fpir).ln_1p() / templates.max(1) as f64).exp_m1()
}

/// The reverse of [`fmr_for_fpir`]: 1 - (1 - fmr)^templates.
#[must_use]
pub fn fpir_for_fmr(fmr: f64, templates: usize) -> f64 {
    -((-fmr).ln_1p() * templates as f64).exp_m1()
}

/// What a gallery of a certain size asks of the threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GalleryThreshold {
    /// What scores are held against.
    pub threshold: Threshold,
    /// The false positive identification rate to expect.
    pub fpir: f64,
    /// The false non-identification rate to expect, from the calibration's genuine pairs.
    pub fnir: f64,
    /// Whether the target is met; if not, the threshold is the strictest that the calibration supports.
    pub is_met: bool,
}

/// The threshold for a stranger's rate of `target_fpir` at a gallery of `templates`. Never laxer than the
/// calibration's first row, and never beyond its last one: there, the target is not met, and says so.
///
/// # Errors
/// When the calibration's own last row is refused, which a checked one never is.
pub fn gallery_threshold(
    calibration: &Calibration,
    target_fpir: f64,
    templates: usize,
) -> Result<GalleryThreshold, CalibrationError> {
    let rows = calibration.rows();
    let (first, last) = (rows[0].fmr.get(), rows[rows.len() - 1].fmr.get());
    let wanted = fmr_for_fpir(target_fpir, templates);
    let fmr = wanted.clamp(last, first);
    let target = Fmr::new(fmr).unwrap_or(rows[rows.len() - 1].fmr);
    Ok(GalleryThreshold {
        threshold: calibration.threshold(target)?,
        fpir: fpir_for_fmr(fmr, templates),
        fnir: 1.0 - tmr(calibration, fmr),
        is_met: wanted >= last,
    })
}

/// The true match rate at a rate within the table, linear in its logarithm between rows.
fn tmr(calibration: &Calibration, fmr: f64) -> f64 {
    let rows = calibration.rows();
    let above = rows.partition_point(|row| row.fmr.get() > fmr).clamp(1, rows.len().max(2) - 1);
    let (Some(lax), Some(strict)) = (rows.get(above - 1), rows.get(above)) else { return rows[0].tmr };
    let (from, to) = (lax.fmr.get().ln(), strict.fmr.get().ln());
    let share = ((fmr.ln() - from) / (to - from)).clamp(0.0, 1.0);
    lax.tmr + share * (strict.tmr - lax.tmr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::{Basis, CalibrationId, CalibrationRow, ModelId};

    fn table(rows: &[(f64, f32, f64)]) -> Calibration {
        let rows: Vec<_> = rows
            .iter()
            .map(|&(fmr, threshold, tmr)| CalibrationRow {
                fmr: Fmr::new(fmr).unwrap(),
                threshold,
                fmr_low: fmr / 2.0,
                fmr_high: fmr * 2.0,
                tmr,
                basis: Basis::Counted,
            })
            .collect();
        Calibration::new(ModelId::new([1; 16]), CalibrationId::new([2; 16]), &rows).unwrap()
    }

    #[test]
    fn many_comparisons_ask_for_a_stricter_one() {
        assert!((fmr_for_fpir(0.01, 1) - 0.01).abs() < 1e-15);
        // 1 - 0.99^(1/1000), by hand.
        assert!((fmr_for_fpir(0.01, 1000) - 1.005_028_5e-5).abs() < 1e-11);
        for templates in [1, 7, 1000, 100_000] {
            let back = fpir_for_fmr(fmr_for_fpir(0.003, templates), templates);
            assert!((back - 0.003).abs() < 1e-12, "{back}");
        }
        assert_eq!(fpir_for_fmr(1e-5, 0), 0.0);
    }

    #[test]
    fn the_threshold_follows_the_gallery_and_stays_within_the_table() {
        let table = table(&[(1e-4, 0.4, 0.98), (1e-5, 0.5, 0.95), (1e-6, 0.7, 0.5)]);
        let at = |templates| gallery_threshold(&table, 0.01, templates).unwrap();
        assert_eq!((at(1).threshold.value.0, at(1).fnir, at(1).is_met), (0.4, 1.0 - 0.98, true));
        assert!(at(1).fpir < 0.01, "the first row is stricter than a gallery of one needs");
        let thousand = at(1005);
        assert!((thousand.threshold.value.0 - 0.5).abs() < 1e-3 && thousand.is_met, "{thousand:?}");
        assert!((thousand.fpir - 0.01).abs() < 1e-9 && (thousand.fnir - 0.05).abs() < 1e-3);
        let many = at(50_000);
        assert_eq!((many.threshold.value.0, many.is_met), (0.7, false));
        assert!(many.fpir > 0.04 && (many.fnir - 0.5).abs() < 1e-9, "{many:?}");
    }

    #[test]
    fn a_table_of_one_row_has_one_threshold() {
        let one = table(&[(1e-4, 0.4, 0.98)]);
        assert_eq!(gallery_threshold(&one, 0.01, 100_000).unwrap().fnir, 1.0 - 0.98);
    }

    #[test]
    fn a_fit_carries_its_mark_to_the_gallery_and_is_gone_without() {
        let mut rows = table(&[(1e-4, 0.4, 0.98), (1e-5, 0.5, 0.95), (1e-6, 0.7, 0.5)]).rows().to_vec();
        rows[2].basis = Basis::TailFit;
        let table = Calibration::new(ModelId::new([1; 16]), CalibrationId::new([2; 16]), &rows).unwrap();
        let fitted = gallery_threshold(&table, 0.01, 5000).unwrap();
        assert!(fitted.is_met && fitted.threshold.basis == Basis::TailFit && fitted.fpir < 0.0101);
        let counted = gallery_threshold(&table.counted(), 0.01, 5000).unwrap();
        assert!(!counted.is_met && counted.threshold.basis == Basis::Counted);
        assert_eq!(counted.threshold.value.0, 0.5);
        assert!(counted.fpir > 0.04, "5000 comparisons at 1e-5");
        assert_eq!(gallery_threshold(&table, 0.01, 100).unwrap().threshold.basis, Basis::Counted);
    }
}
