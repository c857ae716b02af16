//! What the daemon, the operator's commands and the bridge say to each other.
//!
//! Values alone: no text for people, no clock, no file. `arcdoor --json` prints a [`Response`] as it is, one object a
//! line, `kind` first; its field names are stable.
//!
//! | module | holds |
//! |---|---|
//! | `call` | [`Call`], [`Said`]: a request over the daemon's socket, and what is said to it |
//! | `role` | [`Role`]: who may ask for what there |
//! | `request` | [`Request`]: one command, and [`Feed`]: where its images come from |
//! | `response` | [`Response`]: the answers, and [`Progress`]: what long work says on its way |
//! | `sight` | [`Sight`]: what was observed and decided on one image; [`View`] and [`Advice`] of an enrolment |
//! | `door` | [`DoorState`]: how the door stands; [`DoorAct`]: what it is told |
//! | `finding` | [`Finding`]: what the doctor found |
//! | `network` | how a network is run, layer by layer and step by step |
//! | `log` | [`Record`]: an entry of the operator's log, or what the log says of itself: `link`, [`Link`] |
//! | `name` | [`NewName`]: a name as it is entered for somebody new |
//! | `promise` | [`Promised`]: a promised rate of wrong grants, and what speaks against it |
//! | `re_enrolment` | [`ReEnrolment`]: people whom a pack of another embedder does not know |
//! | `path` | [`FilePath`]: a path in an answer |
//! | `key` | [`KeySource`]: where the gallery's key comes from |
//! | `why` | [`Why`]: what a decision rests on |
//! | `time` | [`UtcTime`]: a point of time, as the log writes it |
#![forbid(unsafe_code)]

mod call;
mod door;
mod finding;
mod key;
mod link;
mod log;
mod name;
mod network;
mod path;
mod promise;
mod re_enrolment;
mod request;
mod response;
mod role;
mod sight;
mod time;
mod why;

pub use call::{CALL_VERSION, Call, CallSecrets, MAX_CALL_BYTES, MAX_SAID_BYTES, Said};
pub use door::{DoorAct, DoorFault, DoorState};
pub use finding::{Check, Finding, Health};
pub use key::KeySource;
pub use link::{Link, LogHash};
pub use log::{Act, By, CameraFault, Content, Entry, Record};
pub use name::{NewName, NewNameError, composed};
pub use network::{LayerForm, NetworkStep, UnsupportedNode};
pub use path::FilePath;
pub use promise::Promised;
pub use re_enrolment::{MAX_NAMED, ReEnrolment};
pub use request::{Access, Feed, MAX_PHOTOS, Request};
pub use response::{NoteStanding, Progress, Remain, Response};
pub use role::Role;
pub use sight::{Advice, FoundFace, OperatingPoint, Reason, Sight, Target, Verdict, View};
pub use time::{NoTime, UtcTime};
pub use why::{Gated, GatedQuality, Intended, Looks, Method, Reached, Why};
