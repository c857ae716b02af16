//! Writes what a protocol on features says, and says it on the terminal.

use std::path::Path;

use anyhow::Result;

use crate::eval::report::at_far::{AtFar, ByFar};
use crate::eval::report::curves::Curves;
use crate::eval::report::folder;
use crate::eval::report::report::Report;
use crate::say::say;

/// Writes the report's folder, and its figures on the terminal.
pub(crate) fn write(dir: &Path, report: Report, curves: &Curves) -> Result<()> {
    let data = &report.data;
    let generated = if data.is_generated { ", generated" } else { "" };
    say!(
        "{}: {} media, {} genuine and {} impostor comparisons{generated}",
        data.name,
        data.media,
        data.genuine,
        data.impostors
    )?;
    rates("TAR at FAR", &report.tar_at_far)?;
    for search in &report.identification {
        let (gallery, mated, others) = (search.gallery, search.mated, search.non_mated);
        say!("{}: {gallery} entries, {mated} searches with a mate, {others} without", search.name)?;
        for (rank, rate) in &search.rank {
            say!("  rank {rank:<6} {}", rate.percent())?;
        }
        rates("FNIR at FPIR", &search.fnir_at_fpir)?;
    }
    for noted in &report.noted {
        say!("noted: {} ({})", noted.what, noted.count)?;
    }
    folder::write(dir, report, curves, Vec::new(), &[]).map(drop)
}

fn rates(name: &str, rates: &ByFar) -> Result<()> {
    let mut sorted: Vec<_> = rates.iter().collect();
    // Keys are rates as text, in the order of their letters.
    sorted.sort_by(|a, b| b.0.parse::<f64>().unwrap_or(0.0).total_cmp(&a.0.parse().unwrap_or(0.0)));
    for (far, at) in sorted {
        match at {
            AtFar::Counted { rate, threshold, far: impostors } => {
                let accepted = impostors.hits;
                say!("  {name} {far:<5} {} at {threshold:.6} ({accepted} accepted)", rate.percent())?;
            }
            AtFar::NotSupported { reason, .. } => say!("  {name} {far:<5} - {reason}")?,
        }
    }
    Ok(())
}
