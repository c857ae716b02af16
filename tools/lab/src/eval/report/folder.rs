//! The folder of a report: `report.json`, `report.html` and CSV files.

use std::fs;
use std::path::Path;

use anyhow::Result;
use arcdoor_models::sha256_hex;

use crate::eval::report::curves::Curves;
use crate::eval::report::digest::digest;
use crate::eval::report::html::page;
use crate::eval::report::report::Report;
use crate::eval::report::thumbnail::Thumbnail;
use crate::eval::report::{csv, plot};
use crate::trouble::Trouble;

/// The report's own file.
pub(crate) const JSON: &str = "report.json";

/// Makes the folder: called before hours of work whose result would have no place.
pub(crate) fn make(out: &Path) -> Result<()> {
    let refuse = |error| Trouble::Disk(format!("cannot make {}: {error}; name another --out", out.display()));
    Ok(fs::create_dir_all(out).map_err(refuse)?)
}

/// Writes a report, what it draws and the protocol's own `files` into `out`, and prints where. Its `files` and `digest`
/// are filled in here.
pub(crate) fn write(
    out: &Path,
    mut report: Report,
    curves: &Curves,
    files: Vec<(String, Vec<u8>)>,
    thumbnails: &[Thumbnail],
) -> Result<Report> {
    make(out)?;
    for (name, bytes) in files.into_iter().chain(csv::files(curves)) {
        put(&out.join(&name), &bytes)?;
        report.files.insert(name, sha256_hex(&bytes));
    }
    report.digest = digest(&serde_json::to_vec(&report)?).unwrap_or_default();
    let mut json = serde_json::to_vec_pretty(&report)?;
    json.push(b'\n');
    put(&out.join(JSON), &json)?;
    put(&out.join("report.html"), page(&report, &plot::plots(curves)?, thumbnails).as_bytes())?;
    eprintln!(
        "written: report.json, report.html and CSV files in {}; digest {}",
        out.display(),
        report.digest
    );
    Ok(report)
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(fs::write(path, bytes)
        .map_err(|error| Trouble::Disk(format!("cannot write {}: {error}", path.display())))?)
}
