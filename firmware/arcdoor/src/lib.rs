//! The device: the operator's commands and the loop at the door, as requests to one service.
//!
//! ```text
//! arguments -> Cli -> Request -> Service -> Response -> a line of text or JSON
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`cli`] | arguments to requests, answers to text |
//! | [`request`] | what each request does |
//! | [`daemon`] | the loop at the door |
//! | [`device`] | recognition, sources of frames, and what is kept of a decision |
//! | [`home`] | the folder of all state, and its files |
//! | [`error`] | [`Error`]: exit code and advice |
#![forbid(unsafe_code)]

pub mod cli;
pub mod daemon;
pub mod device;
pub mod error;
pub mod home;
pub mod message;
pub mod request;

pub use error::Error;
pub use home::Home;
pub use message::{Request, Response};
pub use request::{Outcome, Service};
