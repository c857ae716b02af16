//! What an evaluation says, in one form for every protocol: `report.json`, tables and curves as CSV, and one HTML page.

pub(crate) mod at_far;
pub(crate) mod by_group;
mod command;
pub(crate) mod compare;
pub(crate) mod csv;
pub(crate) mod curves;
mod diff;
pub(crate) mod digest;
pub(crate) mod folder;
mod html;
pub(crate) mod identification;
pub(crate) mod pair_figures;
pub(crate) mod pairs_file;
mod plot;
pub(crate) mod rate;
#[expect(clippy::module_inception, reason = "the folder is the module's one noun")]
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod table;
pub(crate) mod thumbnail;
mod verify;

pub(crate) use command::{ReportCommand, run as run_command};
