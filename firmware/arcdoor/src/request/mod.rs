//! What each request does: one function a request, on the device that it is about. No request asks a terminal, reads a
//! clock or prints: passphrases and the time come in as arguments, and answers go out as values.

pub mod annotate;
mod apart;
pub mod doctor;
mod engines;
mod enrol;
mod find;
mod frames;
mod gallery;
mod handle;
mod identify;
mod log;
mod logged;
mod pack;
mod pin;
mod replay;
mod secrets;
mod tune;
mod why;

pub use frames::{Begun, LOOK_MS, Stepper};
pub use handle::begin;
pub use secrets::Secrets;
