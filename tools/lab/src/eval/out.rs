//! Writes what a protocol on features says.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use crate::bench::footprint::peak_memory;
use crate::eval::report::at_far::{AtFar, ByFar};
use crate::eval::report::curves::Curves;
use crate::eval::report::digest::digest;
use crate::eval::report::report::Report;
use crate::eval::report::run::Run;
use crate::say::say;
use crate::trouble::Trouble;

/// Writes report.json, and its figures on the terminal.
pub(crate) fn write(dir: &Path, mut report: Report, _curves: &Curves) -> Result<()> {
    let place = || Trouble::Disk(format!("cannot write {}", dir.display()));
    fs::create_dir_all(dir).with_context(place)?;
    report.digest = digest(&serde_json::to_vec(&report)?).context("a report is a JSON object")?;
    fs::write(dir.join("report.json"), serde_json::to_vec_pretty(&report)?).with_context(place)?;
    say!(
        "{}: {} media, {} genuine and {} impostor comparisons{}",
        report.data.name,
        report.data.media,
        report.data.genuine,
        report.data.impostors,
        if report.data.is_generated { ", generated" } else { "" }
    )?;
    rates("TAR at FAR", &report.tar_at_far)?;
    for search in &report.identification {
        say!(
            "{}: {} entries, {} searches with a mate, {} without",
            search.name,
            search.gallery,
            search.mated,
            search.non_mated
        )?;
        for (rank, rate) in &search.rank {
            say!("  rank {rank:<6} {}", rate.percent())?;
        }
        rates("FNIR at FPIR", &search.fnir_at_fpir)?;
    }
    for noted in &report.noted {
        say!("noted: {} ({})", noted.what, noted.count)?;
    }
    eprintln!("written: report.json in {}; digest {}", dir.display(), report.digest);
    Ok(())
}

fn rates(name: &str, rates: &ByFar) -> Result<()> {
    for (far, at) in rates.iter().rev() {
        match at {
            AtFar::Counted { rate, threshold, far: impostors } => {
                say!("  {name} {far:<5} {} at {threshold:.6} ({} accepted)", rate.percent(), impostors.hits)?;
            }
            AtFar::NotSupported { reason, .. } => say!("  {name} {far:<5} - {reason}")?,
        }
    }
    Ok(())
}

/// Where and how a report was made.
pub(crate) fn run_of(began: Instant, threads: usize) -> Run {
    Run {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seconds: began.elapsed().as_secs_f64(),
        threads,
        machine: std::env::consts::ARCH.to_owned(),
        peak_memory: peak_memory(),
    }
}
