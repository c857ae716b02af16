//! The device: the operator's commands and the loop at the door, as requests to one service.
//!
//! ```text
//! arguments -> Cli -> Request -> Service -> Response -> a line of text or JSON
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`cli`] | the arguments, parsed to a [`Request`] |
//! | [`message`] | [`Request`] and [`Response`]: what a socket will carry, too |
//! | [`service`] | [`Service`]: the only one that opens pack, gallery and log |
//! | [`engine`] | pack and recognizer for photos and frames |
//! | [`source`] | frames from a camera or a replay |
//! | [`home`], [`settings`], [`log`], [`probes`] | the folder of all state, and three of its files |
//! | [`journal`] | what is kept of a decision |
//! | [`enrolling`], [`moving`], [`recall`] | requests by what they are about: enrolment, whole galleries, the log |
//! | [`keys`], [`passphrase`] | where the gallery's key comes from |
//! | [`install`] | a pack into the home folder |
//! | [`tuning`] | tiles that were measured on this device: another of the home's files |
//! | [`site`], [`site_export`] | the site's own calibration, and what it is made of |
//! | [`doctor`] | what is wrong with this device, and what to do |
//! | [`annotate`] | marked copies of photos |
//! | [`text`] | responses for people |
//! | [`error`] | [`Error`]: exit code and advice |
#![forbid(unsafe_code)]

pub mod annotate;
pub mod cli;
pub mod doctor;
pub mod engine;
pub mod enrolling;
pub mod error;
mod explain;
pub mod home;
pub mod install;
pub mod journal;
pub mod keys;
pub mod log;
pub mod message;
pub mod moving;
pub mod passphrase;
pub mod probes;
pub mod recall;
pub mod run;
pub mod service;
pub mod settings;
pub mod site;
pub mod site_export;
pub mod source;
pub mod text;
mod tune;
pub mod tuning;

pub use error::Error;
pub use home::Home;
pub use message::{Request, Response};
pub use service::{Outcome, Service};
