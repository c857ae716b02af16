//! One's own people: what so many of them can support, and what the pack's thresholds do with them.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use arcdoor_calib::LEAST_ABOVE;
use arcdoor_models::Pack;

use crate::eval::all_pairs::{AllPairs, MAX_SAMPLES};
use crate::eval::made::failed_to_enrol;
use crate::eval::origin::data_hash;
use crate::eval::pair_protocol::summary;
use crate::eval::report::at_far::{AtFar, key};
use crate::eval::report::curves::{ALL_PAIRS, Curves};
use crate::eval::report::folder;
use crate::eval::report::pair_figures::{FARS, curve, operating};
use crate::eval::report::rate::{Over, Rate};
use crate::eval::report::report::{Data, Noted, Report};
use crate::eval::report::run::{Run, latency};
use crate::eval::report::table::Table;
use crate::eval::set::people;
use crate::eval::set::set::Set;
use crate::eval::set::templates::PathArgs;

/// Photos without a face that are named.
const NAMED: usize = 20;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The photos, one folder for each person
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// The photos are crops that are aligned to 112x112 already
    #[arg(long)]
    aligned: bool,
    /// Where report.json, report.html and CSV files go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    #[command(flatten)]
    path: PathArgs,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let began = Instant::now();
    folder::make(&args.out)?;
    let pack = args.path.open_pack()?;
    let set = people::read(&args.images)?;
    let set = if args.aligned { set.aligned() } else { set };
    ensure!(
        set.samples.len() <= MAX_SAMPLES,
        "{} photos; at most {MAX_SAMPLES} are compared",
        set.samples.len()
    );
    let (templates, times) = args.path.timed_templates(&pack, &set)?;
    let all = AllPairs::of(&set, &templates, None, args.path.threads)?;
    ensure!(
        all.verification.impostors() > 0,
        "one person alone has no impostors: give photos of others, too"
    );
    let data = Data {
        name: "Own people".to_owned(),
        sha256: data_hash(&set, args.path.threads)?,
        lists: Default::default(),
        media: set.samples.len() as u64,
        subjects: Some(set.subjects.len() as u64),
        genuine: all.verification.genuine() as u64,
        impostors: all.verification.impostors() as u64,
        is_generated: false,
    };
    let failed: Vec<usize> = (0..templates.len()).filter(|at| templates[*at].is_none()).collect();
    let fta = Rate::of(failed.len() as u64, templates.len() as u64);
    let mut report = Report::new("staff", data, fta, Run::of(0.0, args.path.threads));
    report.fte = Some(failed_to_enrol(&set, &templates));
    report.made_by = Some(args.path.maker(&pack)?);
    (report.tar_at_far, report.eer) = operating(&all.verification, Over::Subjects);
    // As at the pack's thresholds, a rate has a number where ten impostors decide.
    let impostors = all.verification.impostors() as u64;
    for far in FARS {
        let needed = (LEAST_ABOVE / far * (1.0 - 1e-12)).ceil() as u64;
        if impostors < needed {
            report.tar_at_far.insert(key(far), AtFar::not_supported(impostors, needed));
        }
    }
    // Everybody against everybody, and once.
    report.all_pairs_tar_at_far = std::mem::take(&mut report.tar_at_far);
    report.limits = limits(&set, &all);
    report.tables.push(at_the_pack(&pack, &all, &set));
    report.noted.extend((!failed.is_empty()).then(|| Noted {
        what: "photos without a face that has landmarks; they stay in every denominator".to_owned(),
        count: failed.len() as u64,
        such_as: failed.iter().take(NAMED).map(|at| set.samples[*at].name.clone()).collect(),
    }));
    report.latency_ms = latency(&times);
    report.run = Run::of(began.elapsed().as_secs_f64(), args.path.threads);
    let curves = Curves { operating: vec![curve(ALL_PAIRS, &all.verification)], ..Curves::default() };
    let report = folder::write(&args.out, report, &curves, Vec::new(), &[])?;
    summary(&report)?;
    Ok(crate::say::say!("\n{}", report.limits[0])?)
}

/// What so many people can support comes first.
fn limits(set: &Set, all: &AllPairs) -> Vec<String> {
    let impostors = all.verification.impostors();
    let people = set.subjects.len();
    let least = LEAST_ABOVE / impostors as f64;
    let first = if least > 0.1 {
        format!(
            "{people} people make {impostors} impostor comparisons: too few to support any false match rate."
        )
    } else {
        format!(
            "{people} people make {impostors} impostor comparisons: they support an FMR of {} and above, where ten of \
             them still decide.",
            rounded_up(least)
        )
    };
    let mut limits = vec![first];
    if all.verification.genuine() == 0 {
        limits.push("Nobody has two photos: nothing is known of false non-matches.".to_owned());
    }
    limits.push(
        "Strangers who come to a door are other people than these, and may look more alike.".to_owned(),
    );
    limits
}

/// A rate with one digit, never below it, such as `3e-4`.
fn rounded_up(rate: f64) -> String {
    let power = libm::floor(libm::log10(rate)) as i32;
    let digit = (rate / libm::exp10(f64::from(power)) * (1.0 - 1e-9)).ceil() as u32;
    if digit >= 10 { format!("1e{}", power + 1) } else { format!("{digit}e{power}") }
}

/// The pack's counted thresholds, on these people.
fn at_the_pack(pack: &Pack, all: &AllPairs, set: &Set) -> Table {
    let rows = pack.calibration().counted();
    let row = |row: &arcdoor_core::CalibrationRow| {
        let (matched, accepted) = all.verification.above(row.threshold);
        let fmr = Rate::of(matched as u64, all.verification.impostors() as u64);
        let genuine = all.verification.genuine();
        let missed = Rate::of((genuine - accepted) as u64, genuine as u64);
        let rate = |rate: &Rate| match rate.value {
            Some(value) => format!("{value:.2e} [{:.2e}, {:.2e}]", rate.low, rate.high),
            None => "-".to_owned(),
        };
        vec![format!("{:e}", row.fmr.get()), format!("{:.3}", row.threshold), rate(&fmr), rate(&missed)]
    };
    Table {
        title: "The pack's thresholds on these people".to_owned(),
        note: format!(
            "{} people; intervals take comparisons for independent, and are too narrow where one person is like many.",
            set.subjects.len()
        ),
        head: ["promised FMR", "threshold", "FMR here", "FNMR here"].map(str::to_owned).to_vec(),
        rows: rows.rows().iter().map(row).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_rounded_to_what_is_supported() {
        for (rate, text) in
            [(1e-4, "1e-4"), (2.01e-4, "3e-4"), (9.5e-3, "1e-2"), (0.05, "5e-2"), (0.1, "1e-1")]
        {
            assert_eq!(rounded_up(rate), text);
        }
    }
}
