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

    /// The rate, above 0 and below 1.
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

/// What a false match rate rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Impostor comparisons above the threshold were counted.
    #[default]
    Counted,
    /// The rate lies below what the data can count: a distribution fitted to the highest impostor scores
    /// says so.
    TailFit,
}

impl Basis {
    /// Whether the rate was counted, and not fitted.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        matches!(self, Self::Counted)
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
    /// What that rate rests on.
    #[serde(default, skip_serializing_if = "Basis::is_counted")]
    pub basis: Basis,
}

impl Threshold {
    /// Whether `score` counts as a match. A NaN does not.
    #[must_use]
    pub fn admits(&self, score: Score) -> bool {
        score.0 >= self.value.0
    }
}

/// One point of a calibration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationRow {
    /// The false match rate that this row is for.
    pub fmr: Fmr,
    /// The least score with that rate on the calibration data.
    pub threshold: f32,
    /// Lower end of the 95 % interval of the rate at that score.
    pub fmr_low: f64,
    /// Upper end of the 95 % interval.
    pub fmr_high: f64,
    /// True match rate (1 - FNMR) seen at that score, 0..=1.
    pub tmr: f64,
    /// What the false match rate rests on.
    #[serde(default, skip_serializing_if = "Basis::is_counted")]
    pub basis: Basis,
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
    /// A fit continues what was counted, never the other way round.
    #[error("row {0}: the first row is counted, and no counted row lies below one from a tail fit")]
    Basis(usize),
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
            let counted_before = index == 0 || rows[index - 1].basis.is_counted();
            if (index == 0 && !row.basis.is_counted()) || (row.basis.is_counted() && !counted_before) {
                return Err(CalibrationError::Basis(index));
            }
        }
        Ok(Self { model_id, id, rows: held })
    }

    /// The embedder it belongs to.
    #[must_use]
    pub const fn model_id(&self) -> ModelId {
        self.model_id
    }

    /// The id of this table.
    #[must_use]
    pub const fn id(&self) -> CalibrationId {
        self.id
    }

    /// The rows, highest rate first.
    #[must_use]
    pub fn rows(&self) -> &[CalibrationRow] {
        &self.rows
    }

    /// The table without the rows of a tail fit: targets below the counted ones have no threshold then.
    #[must_use]
    pub fn counted(&self) -> Self {
        let mut table = self.clone();
        table.rows.retain(|row| row.basis.is_counted());
        table
    }

    /// The threshold for `target`: linear in log10(rate) between rows; a target above the first row
    /// takes that row (never a laxer one).
    ///
    /// # Errors
    /// When the table does not reach down to `target`: it is never extrapolated.
    pub fn threshold(&self, target: Fmr) -> Result<Threshold, CalibrationError> {
        let (value, basis) = self.value_at(target)?;
        let (model_id, calibration_id) = (self.model_id, self.id);
        Ok(Threshold { value: Score(value), target, model_id, calibration_id, basis })
    }

    /// The false match rate of the threshold for `target`, never laxer than the first row's, and its 95 % interval: between two
    /// rows, from the stricter one's lower end to the laxer one's upper. Below the last row, that row's interval.
    #[must_use]
    pub fn rate(&self, target: Fmr) -> (f64, [f64; 2]) {
        let lax = self.rows[0].fmr;
        let fmr = if target < lax { target } else { lax };
        let stricter = self.rows.partition_point(|row| row.fmr > fmr).min(self.rows.len() - 1);
        let laxer = self.rows.partition_point(|row| row.fmr >= fmr).saturating_sub(1);
        (fmr.get(), [self.rows[stricter].fmr_low, self.rows[laxer].fmr_high])
    }

    /// The least score for `target`, and what it rests on: between a counted row and one from a tail fit, on the fit.
    fn value_at(&self, target: Fmr) -> Result<(f32, Basis), CalibrationError> {
        let rows = &self.rows;
        if target >= rows[0].fmr {
            return Ok((rows[0].threshold, rows[0].basis));
        }
        for pair in rows.windows(2) {
            let (high, low) = (&pair[0], &pair[1]);
            if target >= low.fmr {
                let span = libm::log10(high.fmr.get()) - libm::log10(low.fmr.get());
                let part = (libm::log10(high.fmr.get()) - libm::log10(target.get())) / span;
                let basis = if target == high.fmr { high.basis } else { low.basis };
                return Ok((high.threshold + (low.threshold - high.threshold) * part as f32, basis));
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
            basis: Basis::Counted,
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
    #[test]
    fn a_fit_is_marked_goes_below_counts_and_can_be_left_out() {
        let fitted = |fmr, threshold| CalibrationRow { basis: Basis::TailFit, ..row(fmr, threshold) };
        let table_of = |rows: &[CalibrationRow]| table(rows);
        let marked = table_of(&[row(1e-4, 0.3), row(1e-5, 0.4), fitted(1e-6, 0.5)]).unwrap();
        let basis = |table: &Calibration, fmr| table.threshold(Fmr::new(fmr).unwrap()).map(|t| t.basis);
        assert_eq!(basis(&marked, 1e-5), Ok(Basis::Counted));
        assert_eq!(basis(&marked, 9e-6), Ok(Basis::TailFit));
        assert_eq!(basis(&marked, 1e-6), Ok(Basis::TailFit));
        assert!(matches!(basis(&marked.counted(), 9e-6), Err(CalibrationError::Unsupported { .. })));
        assert_eq!(marked.counted().rows().len(), 2);
        assert_eq!(table_of(&[fitted(1e-4, 0.3)]), Err(CalibrationError::Basis(0)));
        let back = table_of(&[row(1e-4, 0.3), fitted(1e-5, 0.4), row(1e-6, 0.5)]);
        assert_eq!(back, Err(CalibrationError::Basis(2)));
    }
}
