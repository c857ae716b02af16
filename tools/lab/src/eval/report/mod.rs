//! What an evaluation says, in one form for every protocol: `report.json`, tables and curves as CSV, and one HTML page.

pub(crate) mod at_far;
pub(crate) mod curves;
pub(crate) mod digest;
pub(crate) mod identification;
pub(crate) mod rate;
#[expect(clippy::module_inception, reason = "the folder is the module's one noun")]
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod table;
