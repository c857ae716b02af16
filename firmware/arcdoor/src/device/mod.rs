//! What a device is made of while it runs: recognition, gallery and journal, each opened once.

#[expect(clippy::module_inception, reason = "the folder is the module's one noun")]
mod device;
pub mod journal;
pub mod people;
pub mod recognition;
mod reply;
pub mod source;
pub mod thresholds;

pub use device::{Device, Options, Work};
pub use reply::{Now, Outcome, Reply};
