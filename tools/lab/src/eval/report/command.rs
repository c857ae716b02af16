//! `arcdoor-lab report`: checks a report, or sets two beside each other.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;

use crate::eval::report::{diff, verify};

#[derive(Subcommand)]
pub(crate) enum ReportCommand {
    /// Computes a report's digest anew, the hashes of its files, and its figures from the scores beside it
    Verify {
        /// The report.json
        file: PathBuf,
    },
    /// What two reports say differently; ends with 1 where any figure differs
    Diff {
        /// A report.json
        a: PathBuf,
        /// Another
        b: PathBuf,
    },
}

pub(crate) fn run(what: ReportCommand) -> Result<()> {
    match what {
        ReportCommand::Verify { file } => verify::run(&file),
        ReportCommand::Diff { a, b } => diff::run(&a, &b),
    }
}
