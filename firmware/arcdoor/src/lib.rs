//! The device: the operator's commands, and the loop at the door.
//!
//! ```text
//! arguments -> cli -> Request -> request -> Device -> Response -> cli: a line of text or JSON
//!               \-> daemon: frame after frame -> Device, and requests between two frames
//! ```
//!
//! | module | holds | imports |
//! |---|---|---|
//! | [`cli`] | arguments to requests, answers to text; the only one that prints | daemon, request |
//! | [`daemon`] | the loop, and the clock that it lives by | request, device |
//! | [`request`] | what each request does, one function each | device |
//! | [`device`] | [`Device`]: recognition, gallery and journal, each opened once | home |
//! | [`home`] | the folder of all state, and its files | |
//! | [`error`] | [`Error`]: exit code and advice | |
//!
//! Requests, responses and log records are `arcdoor_api`'s.
#![forbid(unsafe_code)]

pub mod cli;
pub mod daemon;
pub mod device;
pub mod error;
pub mod home;
pub mod request;

pub use device::{Device, Options, Outcome, Reply};
pub use error::Error;
pub use home::Home;
