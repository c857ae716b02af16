//! `arcdoor-lab calibrate --site`: what a site's own comparisons and reports ask of the pack's thresholds.
//!
//! Two kinds of evidence, each with a rule of its own, and both can only make thresholds stricter:
//!
//! - **People enrolled there against each other**: nobody chose these comparisons, and they are of this very
//!   population and camera. They count like those of any calibration: a target needs ten expected errors, or
//!   --tail-fit and its check, which marks the row; intervals go over people. Enrolment refuses a face that
//!   matches somebody, so that hardly a score lies above the threshold of `target_fmr`: they can show that the
//!   laxer rows are too lax here, and never that the pack is good enough.
//! - **Reported wrong grants**: few, and chosen. They bound the FPIR from below; see `arcdoor_calib::Reports`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use arcdoor_calib::{Floor, LEAST_ABOVE, SITE_FORMAT, SiteFloor, SiteRow, SiteTable};
use arcdoor_core::{Basis, Calibration, CalibrationId};

use crate::calibrate::CalibrateArgs;
use crate::calibrate_rows::{Choice, below_counts};
use crate::say::say_on;
use crate::site_file::{self, Site};

pub(crate) fn run(file: &Path, args: &CalibrateArgs) -> Result<()> {
    let site = site_file::read(file)?;
    let pack = args.path.open_pack()?;
    ensure!(
        site.model_id == pack.model_id(),
        "{}: scores of embedder {}, and --pack has {}: name the pack that the device uses",
        file.display(),
        site.model_id,
        pack.model_id()
    );
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let made = jiff::Timestamp::now().to_string().chars().take(10).collect();
    let (table, text) = judge(&site, pack.calibration(), args.tail_fit, made);
    // What a device would refuse is not written.
    table.raise(pack.calibration(), CalibrationId::new([0; 16]), true)?;
    say_on!("{text}")?;
    fs::write(args.out.join("site.md"), &text)?;
    fs::write(args.out.join("site.toml"), toml::to_string(&table)?)?;
    eprintln!("written: site.toml (for `arcdoor site install`), site.md in {}", args.out.display());
    Ok(())
}

/// The table and its report.
fn judge(site: &Site, pack: &Calibration, may_fit: bool, made: String) -> (SiteTable, String) {
    let day = |unix_s: u64| {
        let time = i64::try_from(unix_s).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
        time.map_or_else(String::new, |time| time.to_string().chars().take(10).collect())
    };
    let (attempts, grants) = (site.reports.attempts(), site.reports.grants.len());
    let when = if attempts > 0 {
        format!(" from {} to {}", day(site.span.0), day(site.span.1))
    } else {
        String::new()
    };
    let data = format!(
        "{} comparison(s) of {} people enrolled, {attempts} attempt(s){when}, {grants} grant(s) reported as wrong",
        site.impostors.len(),
        site.people
    );
    let mut out = format!("# A site's calibration\n\n{data}.\n\n## People enrolled, against each other\n\n");
    let rows = rows(&mut out, site, pack, may_fit);
    out.push_str("\n## Wrong grants that were reported\n\n");
    let floor = floor(&mut out, site);
    out.push_str(if rows.is_empty() && floor.is_none() {
        "\n**Nothing changes**: the site's data ask for no stricter threshold than the pack's.\n"
    } else {
        "\n**Thresholds become stricter**; `arcdoor doctor` says what that costs.\n"
    });
    let floor = floor.map(|(floor, because)| SiteFloor { threshold: floor.threshold, because });
    (SiteTable { format: SITE_FORMAT, model_id: site.model_id, made, data, floor, rows }, out)
}

fn rows(out: &mut String, site: &Site, pack: &Calibration, may_fit: bool) -> Vec<SiteRow> {
    let (impostors, mut rows) = (&site.impostors, Vec::new());
    out.push_str("| FMR | the pack's threshold | errors here | rate here, 95 % | the site's threshold | |\n|---|---|---|---|---|---|\n");
    let thresholds: Vec<f32> = pack.rows().iter().map(|row| row.threshold).collect();
    let fit = may_fit.then(|| (impostors.tail(), impostors.check_tail()));
    for (row, counted) in pack.rows().iter().zip(impostors.counted(&thresholds)) {
        let found = match impostors.threshold(row.fmr.get()) {
            Some(threshold) => Ok((threshold, Basis::Counted)),
            None if fit.is_none() => {
                Err(format!("{:.1e} comparisons are needed, or --tail-fit", LEAST_ABOVE / row.fmr.get()))
            }
            None => match below_counts(impostors, row.fmr, fit.as_ref()) {
                Choice::Fitted { threshold, .. } => Ok((threshold, Basis::TailFit)),
                Choice::Counted { threshold, .. } => Ok((threshold, Basis::Counted)),
                Choice::Refused { why } => Err(why),
            },
        };
        let (low, high) = counted.outer();
        let (own, outcome) = match found {
            Ok((threshold, basis)) => {
                let outcome = if threshold > row.threshold {
                    rows.push(SiteRow { fmr: row.fmr, threshold, basis });
                    "raised"
                } else {
                    "stays"
                };
                let fitted = if basis.is_counted() { "" } else { " (**tail fit**)" };
                (format!("{threshold:.5}{fitted}"), outcome.to_owned())
            }
            Err(why) => ("-".to_owned(), format!("stays: {why}")),
        };
        let _ = writeln!(
            out,
            "| {} | {:.5} | {} | {low:.2e} to {high:.2e} | {own} | {outcome} |",
            row.fmr, row.threshold, counted.hits
        );
    }
    out.push_str(
        "\nA face that matched somebody was refused at enrolment, so that high scores are missing here: the rates are \
         too low rather than too high.\n",
    );
    rows
}

fn floor(out: &mut String, site: &Site) -> Option<(Floor, String)> {
    let (present, promised) = (site.threshold, site.promised_fpir);
    let now = site.reports.at(present);
    let found = site.reports.floor(present, promised);
    let because = format!(
        "{} stranger(s) let in and reported in {} attempt(s), so that the rate is {:.2e} at least (95 % \
         Clopper-Pearson) where {promised:.2e} was promised at {present:.3}",
        now.strangers, now.attempts, now.low
    );
    let _ = match &found {
        Some(floor) => writeln!(
            out,
            "{because}. At {:.5}, {} would remain, and no longer contradict it: no threshold lies below that.",
            floor.threshold, floor.after.strangers
        ),
        None => writeln!(
            out,
            "{} stranger(s) let in and reported in {} attempt(s): a rate of {:.2e} at least (95 % Clopper-Pearson). That does not \
             contradict the {promised:.2e} promised at {present:.3}, and says nothing for it either: who was not \
             noticed is not counted.",
            now.strangers, now.attempts, now.low
        ),
    };
    found.map(|floor| (floor, because))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_calib::{Comparison, Impostors, Random, ReportedGrant, Reports};
    use arcdoor_core::{CalibrationRow, Fmr, ModelId};

    const MODEL: ModelId = ModelId::new([1; 16]);

    fn pack() -> Calibration {
        let row = |fmr: f64, threshold| CalibrationRow {
            fmr: Fmr::new(fmr).unwrap(),
            threshold,
            fmr_low: fmr / 2.0,
            fmr_high: fmr * 2.0,
            tmr: 0.9,
            basis: Basis::Counted,
        };
        // Exponential scores of mean 0.02 reach these once in 1,000 and 10,000.
        let rows = [row(1e-3, 0.138), row(1e-4, 0.184)];
        Calibration::new(MODEL, CalibrationId::new([2; 16]), &rows).unwrap()
    }

    /// 200 people with one template each: 19,900 comparisons.
    fn site(scale: f32, grants: &[f32], attempts: u64) -> Site {
        let mut random = Random(3);
        let mut listed = Vec::new();
        for a in 0..200_u32 {
            for b in a + 1..200 {
                let uniform = ((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
                listed.push(Comparison { score: (-uniform.ln()) as f32 * scale, people: [a, b] });
            }
        }
        let grant = |(stranger, score): (usize, &f32)| ReportedGrant {
            stranger: stranger as u32,
            score: *score,
            threshold: 0.138,
        };
        Site {
            model_id: MODEL,
            threshold: 0.138,
            promised_fpir: 1e-3,
            people: 200,
            span: (0, 86_400),
            impostors: Impostors::of_gallery(listed, vec![1; 200]).unwrap(),
            reports: Reports {
                attempts: vec![(0.138, attempts)],
                grants: grants.iter().enumerate().map(grant).collect(),
            },
        }
    }

    fn judged(site: &Site, may_fit: bool) -> (SiteTable, String) {
        judge(site, &pack(), may_fit, "2026-11-25".to_owned())
    }

    #[test]
    fn people_more_alike_than_the_packs_raise_what_they_can_count_and_no_more() {
        let (table, text) = judged(&site(0.03, &[], 0), false);
        assert_eq!(table.rows.len(), 1, "{text}");
        assert!(
            table.rows[0].fmr.get() == 1e-3 && (table.rows[0].threshold - 0.207).abs() < 0.02,
            "{table:?}"
        );
        assert!(text.contains("stays: 1.0e5 comparisons are needed") && text.contains("stricter"), "{text}");
        assert_eq!(table.floor, None);
        let (table, text) = judged(&site(0.03, &[], 0), true);
        assert_eq!((table.rows.len(), table.rows[1].basis), (2, Basis::TailFit), "{text}");
    }

    #[test]
    fn people_less_alike_and_few_reports_change_nothing_and_it_says_so() {
        let (table, text) = judged(&site(0.015, &[0.5], 100_000), true);
        assert!(
            table.rows.is_empty() && table.floor.is_none() && text.contains("**Nothing changes**"),
            "{text}"
        );
        assert!(text.contains("says nothing for it either"), "{text}");
    }

    #[test]
    fn reports_that_contradict_the_promise_set_a_floor() {
        let (table, text) = judged(&site(0.015, &[0.3, 0.25, 0.2, 0.15], 400), false);
        let floor = table.floor.unwrap();
        // Three of 400 have their lower end at 1.6e-3, two at 6e-4.
        assert!(floor.threshold > 0.2 && floor.threshold < 0.2001, "{text}");
        assert!(
            floor.because.contains("4 stranger(s)") && floor.because.contains("1.00e-3 was promised"),
            "{text}"
        );
        let back: SiteTable =
            toml::from_str(&toml::to_string(&judged(&site(0.03, &[0.3], 9), true).0).unwrap()).unwrap();
        assert!(back.floor.is_some() && back.rows.len() == 2);
    }
}
