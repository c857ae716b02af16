//! What a site's own people and camera say of thresholds: the lines that a device writes, and the table that it
//! takes back. Such a table can only make thresholds stricter.

use arcdoor_core::limits::MAX_CALIBRATION_ROWS;
use arcdoor_core::{Basis, Calibration, CalibrationError, CalibrationId, CalibrationRow, Fmr, ModelId};
use serde::{Deserialize, Serialize};

/// Of [`SiteTable`].
pub const SITE_FORMAT: u32 = 1;
/// Rows of a site's table.
pub const MAX_SITE_ROWS: usize = MAX_CALIBRATION_ROWS;

/// One line of `arcdoor site export`: a JSON object, `kind` first. It holds no names, no subjects' numbers and no
/// templates; people are numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SiteLine {
    /// The first line.
    Site {
        /// The embedder that all scores are of.
        model_id: ModelId,
        /// The pack's table that the promise is from.
        calibration_id: CalibrationId,
        /// The threshold of identification by the pack alone, for the gallery as it is.
        threshold: f32,
        /// The false positive identification rate that was promised: the target of the settings, or what the
        /// threshold promises where the gallery has outgrown that.
        promised_fpir: f64,
        /// People enrolled; a line `person` follows for each.
        people: u32,
        /// Comparisons of templates of different people.
        comparisons: u64,
        /// Time of the log's first decision, in seconds since 1970 (UTC); 0: it has none.
        from_unix_s: u64,
        /// Time of its last one.
        to_unix_s: u64,
    },
    /// How many templates a person has.
    Person {
        /// The number.
        person: u32,
        /// Templates.
        templates: u32,
    },
    /// A comparison of two people; the highest ones are listed, and all others score no higher.
    Impostor {
        /// -1 to 1.
        score: f32,
        /// Their numbers.
        people: [u32; 2],
    },
    /// Decisions of identification (1:N), by the threshold that was in force.
    Attempts {
        /// That threshold.
        threshold: f32,
        /// How many.
        attempts: u64,
    },
    /// One of these attempts was a grant that somebody reported as wrong.
    ReportedGrant {
        /// Who it was, by number: the same where probes match each other.
        stranger: u32,
        /// What the probe scored.
        score: f32,
        /// What it was compared with.
        threshold: f32,
    },
}

/// Why a table is not taken.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SiteError {
    /// Another format.
    #[error("is of format {0}; this arcdoor reads format {SITE_FORMAT}")]
    Format(u32),
    /// Scores of another embedder.
    #[error("was made for embedder {site}, the pack has {pack}")]
    OtherModel {
        /// Of the table.
        site: ModelId,
        /// Of the pack.
        pack: ModelId,
    },
    /// Too many rows, or a threshold that no score reaches or every one does.
    #[error("has more than {MAX_SITE_ROWS} rows, or a threshold outside -1 to 1")]
    Rows,
    /// What comes out is no calibration.
    #[error("does not fit the pack's calibration: {0}")]
    Calibration(#[from] CalibrationError),
}

/// The least threshold, whatever the target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteFloor {
    /// No score below it is a match.
    pub threshold: f32,
    /// What it rests on.
    pub because: String,
}

/// The least threshold at a false match rate and below.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteRow {
    /// The rate.
    pub fmr: Fmr,
    /// The threshold that the site's own comparisons ask for.
    pub threshold: f32,
    /// What that rests on.
    #[serde(default, skip_serializing_if = "Basis::is_counted")]
    pub basis: Basis,
}

/// A site's calibration, as `arcdoor-lab calibrate --site` makes it and `arcdoor site install` takes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteTable {
    /// [`SITE_FORMAT`].
    pub format: u32,
    /// The embedder whose scores these are.
    pub model_id: ModelId,
    /// The day it was made, YYYY-MM-DD.
    pub made: String,
    /// What it was made of.
    pub data: String,
    /// What reported wrong grants ask for, where they ask for anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor: Option<SiteFloor>,
    /// What the site's comparisons ask for, where it is more than the pack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<SiteRow>,
}

impl SiteTable {
    /// The pack's calibration with each threshold raised to what this asks for, and never lowered. The true match
    /// rate of a raised row is read off the pack's own rows; above the last of them it is that row's, and in
    /// truth lower. Rows from a tail fit count only where `allow_tail_fit`. Rates and intervals stay: they speak
    /// of the pack's data, at which the stricter threshold shows fewer errors. `id` is that of the outcome.
    ///
    /// # Errors
    /// When this is of another format or embedder, or out of range.
    pub fn raise(
        &self,
        pack: &Calibration,
        id: CalibrationId,
        allow_tail_fit: bool,
    ) -> Result<Calibration, SiteError> {
        if self.format != SITE_FORMAT {
            return Err(SiteError::Format(self.format));
        }
        if self.model_id != pack.model_id() {
            return Err(SiteError::OtherModel { site: self.model_id, pack: pack.model_id() });
        }
        let floor = self.floor.as_ref().map(|floor| floor.threshold);
        let mut asked = self.rows.iter().map(|row| row.threshold).chain(floor);
        if self.rows.len() > MAX_SITE_ROWS || !asked.all(|threshold| (-1.0..=1.0).contains(&threshold)) {
            return Err(SiteError::Rows);
        }
        let raise = |row: &CalibrationRow| {
            let is_taken =
                |site: &&SiteRow| site.fmr >= row.fmr && (allow_tail_fit || site.basis.is_counted());
            let asked = self.rows.iter().filter(is_taken).map(|site| site.threshold).chain(floor);
            let threshold = asked.fold(row.threshold, f32::max);
            let tmr = if threshold > row.threshold { tmr_at(pack.rows(), threshold) } else { row.tmr };
            CalibrationRow { threshold, tmr, ..*row }
        };
        let rows: Vec<_> = pack.rows().iter().map(raise).collect();
        Ok(Calibration::new(self.model_id, id, &rows)?)
    }
}

/// The true match rate at a threshold, linear between the rows' thresholds; beyond them, that of the nearest row.
fn tmr_at(rows: &[CalibrationRow], threshold: f32) -> f64 {
    for pair in rows.windows(2) {
        let (lax, strict) = (&pair[0], &pair[1]);
        if threshold < strict.threshold {
            let part = (threshold - lax.threshold) / (strict.threshold - lax.threshold);
            return lax.tmr + f64::from(part.clamp(0.0, 1.0)) * (strict.tmr - lax.tmr);
        }
    }
    rows.last().map_or(0.0, |row| row.tmr)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MODEL: ModelId = ModelId::new([1; 16]);
    const ID: CalibrationId = CalibrationId::new([9; 16]);

    fn pack() -> Calibration {
        let row = |fmr: f64, threshold, tmr, basis| CalibrationRow {
            fmr: Fmr::new(fmr).unwrap(),
            threshold,
            fmr_low: fmr / 2.0,
            fmr_high: fmr * 2.0,
            tmr,
            basis,
        };
        let rows = [
            row(1e-4, 0.42, 0.98, Basis::Counted),
            row(1e-5, 0.46, 0.96, Basis::Counted),
            row(1e-6, 0.52, 0.9, Basis::TailFit),
        ];
        Calibration::new(MODEL, CalibrationId::new([2; 16]), &rows).unwrap()
    }

    fn site(floor: Option<f32>, rows: &[(f64, f32, Basis)]) -> SiteTable {
        let row = |&(fmr, threshold, basis): &(f64, f32, Basis)| SiteRow {
            fmr: Fmr::new(fmr).unwrap(),
            threshold,
            basis,
        };
        SiteTable {
            format: SITE_FORMAT,
            model_id: MODEL,
            made: "2026-11-25".to_owned(),
            data: String::new(),
            floor: floor.map(|threshold| SiteFloor { threshold, because: String::new() }),
            rows: rows.iter().map(row).collect(),
        }
    }

    fn thresholds(table: &SiteTable, allow_tail_fit: bool) -> Vec<f32> {
        let raised = table.raise(&pack(), ID, allow_tail_fit).unwrap();
        assert_eq!(raised.id(), ID);
        raised.rows().iter().map(|row| row.threshold).collect()
    }

    #[test]
    fn a_row_raises_its_rate_and_stricter_ones_and_a_floor_raises_all() {
        assert_eq!(thresholds(&site(None, &[]), false), [0.42, 0.46, 0.52]);
        assert_eq!(thresholds(&site(None, &[(1e-4, 0.47, Basis::Counted)]), false), [0.47, 0.47, 0.52]);
        assert_eq!(thresholds(&site(None, &[(1e-5, 0.47, Basis::Counted)]), false), [0.42, 0.47, 0.52]);
        assert_eq!(thresholds(&site(None, &[(1e-5, 0.44, Basis::Counted)]), false), [0.42, 0.46, 0.52]);
        assert_eq!(thresholds(&site(Some(0.5), &[]), false), [0.5, 0.5, 0.52]);
        let fitted = site(None, &[(1e-4, 0.47, Basis::TailFit)]);
        assert_eq!(thresholds(&fitted, false), [0.42, 0.46, 0.52]);
        assert_eq!(thresholds(&fitted, true), [0.47, 0.47, 0.52]);
    }

    #[test]
    fn the_price_is_read_off_the_packs_rows() {
        let raised = site(Some(0.49), &[]).raise(&pack(), ID, true).unwrap();
        let tmrs: Vec<_> = raised.rows().iter().map(|row| (row.tmr * 1e4).round()).collect();
        assert_eq!(tmrs, [9300.0, 9300.0, 9000.0], "half way between 0.96 and 0.9");
        let beyond = site(Some(0.7), &[]).raise(&pack(), ID, true).unwrap();
        assert!(beyond.rows().iter().all(|row| (row.tmr - 0.9).abs() < 1e-12));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |table: &SiteTable| table.raise(&pack(), ID, true).unwrap_err();
        let whole = site(Some(0.5), &[]);
        assert_eq!(refused(&SiteTable { format: 2, ..whole.clone() }), SiteError::Format(2));
        let foreign = SiteTable { model_id: ModelId::new([3; 16]), ..whole };
        assert!(matches!(refused(&foreign), SiteError::OtherModel { .. }));
        assert_eq!(refused(&site(Some(1.1), &[])), SiteError::Rows);
        assert_eq!(refused(&site(Some(f32::NAN), &[])), SiteError::Rows);
        assert_eq!(refused(&site(None, &[(1e-4, 0.5, Basis::Counted); 33])), SiteError::Rows);
    }

    proptest! {
        #[test]
        fn nothing_is_ever_made_laxer(
            floor in prop::option::of(-1.0_f32..1.0),
            rows in prop::collection::vec((1e-7_f64..1e-2, -1.0_f32..1.0, any::<bool>()), 0..6),
            allow_tail_fit in any::<bool>(), rate in 1e-6_f64..0.5,
        ) {
            let basis = |counted| if counted { Basis::Counted } else { Basis::TailFit };
            let rows: Vec<_> = rows.iter().map(|&(fmr, score, counted)| (fmr, score, basis(counted))).collect();
            let raised = site(floor, &rows).raise(&pack(), ID, allow_tail_fit).unwrap();
            let rate = Fmr::new(rate).unwrap();
            let (before, after) = (pack().threshold(rate).unwrap(), raised.threshold(rate).unwrap());
            prop_assert!(after.value.0 >= before.value.0 - 1e-6);
            for (row, was) in raised.rows().iter().zip(pack().rows()) {
                prop_assert!(row.threshold >= was.threshold && row.tmr <= was.tmr);
            }
        }
    }
}
