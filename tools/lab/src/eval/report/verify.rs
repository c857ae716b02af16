//! Whether a report is what it was when it was made, and says what its scores say.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use arcdoor_models::sha256_hex;
use serde::Serialize;
use serde_json::Value;

use crate::eval::report::digest::digest;
use crate::eval::report::report::{FORMAT, Report};
use crate::eval::report::{pair_figures, pairs_file};
use crate::input_file::{read, read_text};
use crate::limits::{MAX_LIST_BYTES, MAX_REFERENCE_BYTES};
use crate::say::say;
use crate::trouble::Trouble;

/// Reads a report.
///
/// # Errors
/// When it is none; the text names the file.
pub(crate) fn read_report(file: &Path) -> Result<(Vec<u8>, Report)> {
    let json = read(file, MAX_LIST_BYTES)?;
    let parsed = serde_json::from_slice::<Report>(&json);
    let report =
        parsed.map_err(|error| Trouble::BadInput(format!("{} is no report: {error}", file.display())))?;
    if report.format != FORMAT {
        let text = format!("{}: format {}; this lab reads {FORMAT}", file.display(), report.format);
        return Err(Trouble::BadInput(text).into());
    }
    Ok((json, report))
}

pub(crate) fn run(file: &Path) -> Result<()> {
    let (json, report) = read_report(file)?;
    let mut wrong = 0;
    let mut check = |what: &str, is_right: bool| {
        wrong += usize::from(!is_right);
        say!("{}  {what}", if is_right { "ok     " } else { "DIFFERS" })
    };
    check("digest of the figures", digest(&json).as_ref() == Some(&report.digest))?;
    for (name, expected) in &report.files {
        let bytes = read(&beside(file, name)?, MAX_REFERENCE_BYTES);
        check(name, bytes.is_ok_and(|bytes| sha256_hex(&bytes) == *expected))?;
    }
    if report.files.contains_key(pairs_file::NAME) {
        let path = beside(file, pairs_file::NAME)?;
        let read = pairs_file::read(&read_text(&path, MAX_REFERENCE_BYTES)?);
        let mut pairs = read.with_context(|| path.display().to_string())?;
        let again = pair_figures::figures(&mut pairs);
        check("accuracy from pairs.csv", same(&again.accuracy_mean, &report.accuracy_mean)?)?;
        check("its deviation over folds", same(&again.accuracy_sd, &report.accuracy_sd)?)?;
        check("its interval", same(&again.accuracy, &report.accuracy)?)?;
        check("true accept rates from pairs.csv", same(&again.tar_at_far, &report.tar_at_far)?)?;
        check("equal error rate from pairs.csv", same(&again.eer, &report.eer)?)?;
    }
    if wrong > 0 {
        return Err(Trouble::Failed(format!("{wrong} parts of {} differ", file.display())).into());
    }
    Ok(say!("{}", report.digest)?)
}

/// As the report's text has them: a number is what it is read back as.
fn same(again: &impl Serialize, said: &impl Serialize) -> Result<bool> {
    let again: Value = serde_json::from_slice(&serde_json::to_vec(again)?)?;
    let said: Value = serde_json::from_slice(&serde_json::to_vec(said)?)?;
    Ok(again == said)
}

/// A file of the report's own folder; a name with a path in it leads nowhere.
fn beside(file: &Path, name: &str) -> Result<PathBuf> {
    let is_plain = Path::new(name).file_name().is_some_and(|last| last == name);
    ensure!(is_plain, Trouble::BadInput(format!("{}: {name} is no file's name", file.display())));
    Ok(file.with_file_name(name))
}
