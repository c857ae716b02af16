//! `arcdoor-lab compare`: several packs, or forms of one, on the same pairs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use arcdoor_calib::{Difference, mcnemar};
use arcdoor_models::sha256_hex;

use crate::eval::report::curves::{ALL_PAIRS, Curve, Point};
use crate::eval::report::pair_figures::{decide, people, verification};
use crate::eval::report::pairs_file::{self, ScoredPair};
use crate::eval::report::report::Report;
use crate::eval::report::verify::read_report;
use crate::eval::report::{csv, plot};
use crate::input_file::read_text;
use crate::limits::MAX_REFERENCE_BYTES;
use crate::say::say;
use crate::trouble::Trouble;

#[derive(clap::Args)]
pub(crate) struct CompareArgs {
    /// Reports of one protocol on the same data, each with its pairs.csv; the others are set beside the first
    #[arg(value_name = "report.json", num_args = 2..=16, required = true)]
    reports: Vec<PathBuf>,
    /// The false accept rate at which true accepts are compared
    #[arg(long, default_value_t = 1e-2)]
    far: f64,
    /// Also draw everybody's DET over all pairs, from the roc.csv beside each report, into this SVG
    #[arg(long, value_name = "FILE")]
    det: Option<PathBuf>,
}

/// A report and its pairs.
struct Side {
    name: String,
    report: Report,
    pairs: Vec<ScoredPair>,
}

pub(crate) fn run(args: &CompareArgs) -> Result<()> {
    if !(args.far > 0.0 && args.far < 1.0) {
        return Err(Trouble::BadInput(format!("--far lies between 0 and 1, not at {}", args.far)).into());
    }
    let sides = args.reports.iter().map(|file| side(file)).collect::<Result<Vec<_>>>()?;
    let Some((first, others)) = sides.split_first() else { return Ok(()) };
    for other in others {
        same_data(first, other)?;
    }
    say!(
        "# {}\n\n{} pairs; differences are to {}, with 95 % intervals over people drawn anew for both alike.\n",
        first.report.data.name,
        first.pairs.len(),
        first.name
    )?;
    say!(
        "| | accuracy | TAR at {:e} | FTA | more pairs right | McNemar's p | more TAR |\n|---|---|---|---|---|---|---|",
        args.far
    )?;
    if let Some(out) = &args.det {
        draw(&args.reports, &sides, out)?;
    }
    for side in &sides {
        say!("{}", row(first, side, args.far))?;
    }
    Ok(())
}

/// The curves over all pairs, as one plot.
fn draw(files: &[PathBuf], sides: &[Side], out: &Path) -> Result<()> {
    let mut curves = Vec::new();
    for (file, side) in files.iter().zip(sides) {
        let path = file.with_file_name("roc.csv");
        let text = own(&side.report, &path)?;
        let refuse = |what: &str| Trouble::BadInput(format!("{}: {what}", path.display()));
        let rows = csv::rows(&text, |_, row| Ok(row)).map_err(|cause| refuse(&cause.to_string()))?;
        let mut points = Vec::new();
        for row in rows.into_iter().filter(|row| row[0] == ALL_PAIRS) {
            let numbers: Option<Vec<f64>> = row[1..].iter().map(|number| number.parse().ok()).collect();
            let Some([far, tar, threshold]) = numbers.as_deref() else {
                return Err(refuse("a row without three numbers").into());
            };
            points.push(Point { far: *far, tar: *tar, threshold: *threshold });
        }
        if points.is_empty() {
            return Err(refuse("no curve over all pairs").into());
        }
        curves.push(Curve { name: side.name.clone(), points });
    }
    let svg = plot::det(&curves)?;
    Ok(fs::write(out, svg)
        .map_err(|error| Trouble::Disk(format!("cannot write {}: {error}", out.display())))?)
}

/// The text of a file beside a report, which must be the one that was written with it.
fn own(report: &Report, path: &Path) -> Result<String> {
    let text = read_text(path, MAX_REFERENCE_BYTES)?;
    let said = path.file_name().and_then(|name| report.files.get(name.to_str()?));
    if said != Some(&sha256_hex(text.as_bytes())) {
        let text = format!("{} is not the one of its report: evaluate again", path.display());
        return Err(Trouble::BadInput(text).into());
    }
    Ok(text)
}

fn side(file: &Path) -> Result<Side> {
    let (_, report) = read_report(file)?;
    let path = file.with_file_name(pairs_file::NAME);
    let read = pairs_file::read(&own(&report, &path)?);
    let mut pairs = read.with_context(|| path.display().to_string())?;
    decide(&mut pairs);
    let folder = file.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let pack = report.made_by.as_ref().map_or("features", |maker| &maker.pack);
    let name = match folder {
        Some(folder) if folder != *pack => format!("{pack} ({folder})"),
        _ => pack.to_owned(),
    };
    Ok(Side { name, report, pairs })
}

/// Refuses reports whose pairs are not the same, one by one.
fn same_data(first: &Side, other: &Side) -> Result<(), Trouble> {
    let key = |pair: &ScoredPair| (pair.names.clone(), pair.same, pair.fold, pair.people);
    let at = first.pairs.iter().zip(&other.pairs).position(|(one, other)| key(one) != key(other));
    if first.report.data.sha256 == other.report.data.sha256
        && first.pairs.len() == other.pairs.len()
        && at.is_none()
    {
        return Ok(());
    }
    let place = at.map_or(String::new(), |at| format!(", from pair {} on", at + 1));
    Err(Trouble::BadInput(format!("{} and {} are not of the same data{place}", first.name, other.name)))
}

fn row(first: &Side, side: &Side, far: f64) -> String {
    let difference = |found: Option<Difference>| match found {
        Some(found) => {
            let clear = if found.is_clear() { "**" } else { "" };
            let [value, low, high] = [found.value, found.low, found.high].map(|share| 100.0 * share);
            format!("{clear}{value:+.2} %{clear} [{low:+.2}, {high:+.2}]")
        }
        None => "-".to_owned(),
    };
    let rights: Option<Vec<_>> = side
        .pairs
        .iter()
        .zip(&first.pairs)
        .map(|(own, other)| Some((own.people, [own.is_right()?, other.is_right()?])))
        .collect();
    let of_right = rights.as_ref().map(|rights| Difference::of_right(people(&side.pairs), rights));
    let alone = |which: usize| {
        let rights = rights.iter().flatten();
        rights.filter(|(_, right)| right[which] && !right[1 - which]).count()
    };
    let (own, other) = (verification(&side.pairs), verification(&first.pairs));
    let at = own.at(far).map(|at| format!("{:.2} %", 100.0 * at.genuine as f64 / own.genuine() as f64));
    let at = at.unwrap_or_else(|| "too few impostors".to_owned());
    let accuracy = side.report.accuracy_mean.map_or("-".to_owned(), |mean| format!("{mean:.2} %"));
    let start = format!("| {} | {accuracy} | {at} | {}", side.name, side.report.fta.percent());
    if std::ptr::eq(first, side) {
        return format!("{start} | | | |");
    }
    let p = rights.as_ref().map_or("-".to_owned(), |_| {
        let p = mcnemar(alone(0), alone(1));
        let p = if p < 0.001 { "below 0.001".to_owned() } else { format!("{p:.3}") };
        format!("{p} ({} : {})", alone(0), alone(1))
    });
    let tar = Difference::at(&own, &other, far);
    format!("{start} | {} | {p} | {} |", difference(of_right), difference(tar))
}
