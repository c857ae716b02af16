//! From a promised error rate to the number a score is compared with.

use crate::limits::MAX_CALIBRATION_ROWS;
use crate::model_id::{CalibrationId, ModelId};
use crate::score::Score;
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// Why a number is no false match rate.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a false match rate lies above 0 and below 1, such as 1e-4; got {0}")]
pub struct FmrError(pub f64);

/// False match rate: the share of impostor comparisons at or above a threshold, 0 < rate < 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Fmr(f64);

impl Fmr {
    /// Checks the range.
    ///
    /// # Errors
    /// When `rate` is not above 0 and below 1.
    pub fn new(rate: f64) -> Result<Self, FmrError> {
        if rate > 0.0 && rate < 1.0 { Ok(Self(rate)) } else { Err(FmrError(rate)) }
    }

    /// The rate.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl fmt::Display for Fmr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:e}", self.0)
    }
}

impl<'de> Deserialize<'de> for Fmr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// What a score must reach, and where that number comes from; never a bare number.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// The least score that counts as a match.
    pub value: Score,
    /// The false match rate it was chosen for.
    pub target: Fmr,
    /// The embedder whose scores it is for.
    pub model_id: ModelId,
    /// The table it was taken from.
    pub calibration_id: CalibrationId,
}

impl Threshold {
    /// Whether `score` counts as a match. A NaN does not.
    #[must_use]
    pub fn admits(&self, score: Score) -> bool {
        score.0 >= self.value.0
    }
}

/// One measured point of a calibration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationRow {
    /// False match rate.
    pub fmr: Fmr,
    /// The least score with that rate on the calibration data.
    pub threshold: f32,
    /// Lower end of the 95 % interval of the rate at that score.
    pub fmr_low: f64,
    /// Upper end of the 95 % interval.
    pub fmr_high: f64,
    /// True match rate (1 - FNMR) seen at that score, 0..=1.
    pub tmr: f64,
}

/// Why a table is no calibration, or has no threshold for a target.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum CalibrationError {
    /// No rows, or too many.
    #[error("a calibration has 1 to {MAX_CALIBRATION_ROWS} rows, not {0}")]
    Rows(usize),
    /// Rates must fall and thresholds rise from row to row.
    #[error("row {0}: false match rates must fall and thresholds rise from row to row, within -1..=1")]
    Order(usize),
    /// An interval that does not hold its own rate.
    #[error("row {0}: the interval does not hold the rate, or TMR lies outside 0..=1")]
    Interval(usize),
    /// The data do not reach so low a rate.
    #[error(
        "the pack's calibration supports false match rates down to {least}, not {asked}: ask for a \
         higher rate, or calibrate on more impostor pairs"
    )]
    Unsupported {
        /// What was asked for.
        asked: Fmr,
        /// The least that the table holds.
        least: Fmr,
    },
}

/// A table from false match rate to threshold, for one embedder.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    model_id: ModelId,
    id: CalibrationId,
    rows: heapless::Vec<CalibrationRow, MAX_CALIBRATION_ROWS>,
}

impl Calibration {
    /// Checks the rows: rates strictly falling, thresholds not falling, intervals around their rate.
    ///
    /// # Errors
    /// Names the first row that is wrong.
    pub fn new(
        model_id: ModelId,
        id: CalibrationId,
        rows: &[CalibrationRow],
    ) -> Result<Self, CalibrationError> {
        let held = heapless::Vec::from_slice(rows).map_err(|_| CalibrationError::Rows(rows.len()))?;
        if held.is_empty() {
            return Err(CalibrationError::Rows(0));
        }
        for (index, row) in rows.iter().enumerate() {
            let rate = row.fmr.get();
            if !(-1.0..=1.0).contains(&row.threshold) {
                return Err(CalibrationError::Order(index));
            }
            let interval_holds =
                0.0 <= row.fmr_low && row.fmr_low <= rate && rate <= row.fmr_high && row.fmr_high <= 1.0;
            if !interval_holds || !(0.0..=1.0).contains(&row.tmr) {
                return Err(CalibrationError::Interval(index));
            }
            if index > 0 && (rate >= rows[index - 1].fmr.get() || row.threshold < rows[index - 1].threshold) {
                return Err(CalibrationError::Order(index));
            }
        }
        Ok(Self { model_id, id, rows: held })
    }

    /// The embedder it belongs to.
    #[must_use]
    pub const fn model_id(&self) -> ModelId {
        self.model_id
    }

    /// Its own id.
    #[must_use]
    pub const fn id(&self) -> CalibrationId {
        self.id
    }

    /// The rows, highest rate first.
    #[must_use]
    pub fn rows(&self) -> &[CalibrationRow] {
        &self.rows
    }

    /// The threshold for `target`: linear in log10(rate) between rows; a target above the first row
    /// takes that row (never a laxer one).
    ///
    /// # Errors
    /// When the table does not reach down to `target`: it is never extrapolated.
    pub fn threshold(&self, target: Fmr) -> Result<Threshold, CalibrationError> {
        let value = self.value_at(target)?;
        Ok(Threshold { value: Score(value), target, model_id: self.model_id, calibration_id: self.id })
    }

    fn value_at(&self, target: Fmr) -> Result<f32, CalibrationError> {
        let rows = &self.rows;
        if target >= rows[0].fmr {
            return Ok(rows[0].threshold);
        }
        for pair in rows.windows(2) {
            let (high, low) = (&pair[0], &pair[1]);
            if target >= low.fmr {
                let span = libm::log10(high.fmr.get()) - libm::log10(low.fmr.get());
                let part = (libm::log10(high.fmr.get()) - libm::log10(target.get())) / span;
                return Ok(high.threshold + (low.threshold - high.threshold) * part as f32);
            }
        }
        Err(CalibrationError::Unsupported { asked: target, least: rows[rows.len() - 1].fmr })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fmr: f64, threshold: f32) -> CalibrationRow {
        CalibrationRow {
            fmr: Fmr::new(fmr).unwrap(),
            threshold,
            fmr_low: fmr / 2.0,
            fmr_high: (fmr * 2.0).min(1.0),
            tmr: 0.9,
        }
    }

    fn table(rows: &[CalibrationRow]) -> Result<Calibration, CalibrationError> {
        Calibration::new(ModelId::new([1; 16]), CalibrationId::new([2; 16]), rows)
    }

    #[test]
    fn targets_between_rows_are_interpolated_in_the_logarithm() {
        let table = table(&[row(1e-3, 0.3), row(1e-5, 0.5)]).unwrap();
        let at = |fmr: f64| table.threshold(Fmr::new(fmr).unwrap()).map(|t| t.value.0);
        assert!((at(1e-4).unwrap() - 0.4).abs() < 1e-6);
        assert_eq!(at(1e-3), Ok(0.3));
        assert_eq!(at(0.5), Ok(0.3));
        assert!((at(1e-5).unwrap() - 0.5).abs() < 1e-6);
        assert!(matches!(at(1e-6), Err(CalibrationError::Unsupported { .. })));
    }

    #[test]
    fn disordered_tables_are_refused() {
        assert_eq!(table(&[]), Err(CalibrationError::Rows(0)));
        assert_eq!(table(&[row(1e-3, 0.3), row(1e-3, 0.4)]), Err(CalibrationError::Order(1)));
        assert_eq!(table(&[row(1e-3, 0.3), row(1e-4, 0.2)]), Err(CalibrationError::Order(1)));
        assert_eq!(table(&[row(1e-3, f32::NAN)]), Err(CalibrationError::Order(0)));
        let off = CalibrationRow { fmr_low: 0.5, ..row(1e-3, 0.3) };
        assert_eq!(table(&[off]), Err(CalibrationError::Interval(0)));
    }
}
