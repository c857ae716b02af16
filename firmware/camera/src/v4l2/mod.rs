//! Our own V4L2 capture: poll with a time-out, the newest frame, `GREY`, fractional rates.
//!
//! nokhwa's own V4L2 backend blocks for ever on a stalled camera, refuses `GREY` and fractional rates and
//! needs libclang to build; this one stands behind the same trait.

mod backend;
mod device;
mod driver;
#[cfg(test)]
mod fake;
mod format;
mod stream;
mod sys;

pub use backend::V4l2Backend;
pub use format::Wanted;
