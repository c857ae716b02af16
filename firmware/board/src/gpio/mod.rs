//! The lines of a real board, over the kernel's GPIO character device.
//!
//! [`kernel`] is the seam: [`sys`] is the kernel's side of it, [`fake`] a kernel that tests break. [`lines`] is all
//! between it and [`LineDriver`](crate::LineDriver).

#[cfg(test)]
pub(crate) mod fake;
pub(crate) mod kernel;
mod lines;
pub(crate) mod sys;

pub use lines::Gpio;
