//! The door: one pure machine from credentials, lines and time to what the lock is driven to, and why.
//!
//! **Egress never depends on this crate.** The request-to-exit button and the fire release are wired into the lock's
//! own circuit; the machine observes them, keeps the time of an exit, and reports. A request to exit drives nothing
//! here, so that a missing wire is noticed on the day of installation and not on the day of a fire.
//!
//! ```
//! use arcdoor_core::{Millis, SubjectId};
//! use arcdoor_door::{Credential, Event, Fields, Kept, Now, Policy, Position, State};
//!
//! # fn main() -> Result<(), arcdoor_door::PolicyError> {
//! let policy = Policy::new(Fields::default())?;
//! let at = |ms| Now { mono: Millis(ms), civil: None };
//! let mut door = State::start(Kept::default(), at(0));
//! door.step(&policy, Event::Tick, at(0));
//! let ada = SubjectId(1);
//! door.step(&policy, Event::Present(Credential::Card(ada)), at(100));
//! assert_eq!(door.position(), Position::Locked, "a card alone is not enough here");
//! door.step(&policy, Event::Present(Credential::Face(ada)), at(2_000));
//! assert_eq!(door.position(), Position::Unlocked);
//! door.step(&policy, Event::Tick, at(7_000));
//! assert_eq!(door.position(), Position::Locked, "nobody opened");
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`lock`] | [`FailMode`]: which level of the line means locked |
//! | [`clock`] | [`Now`]: monotonic time for delays, civil time for schedules |
//! | [`credential`] | what a person presents, and [`Methods`]: which of it is enough |
//! | [`schedule`] | hours and holidays, functions of civil time alone |
//! | [`policy`] | [`Policy`]: the rules of one door, parsed |
//! | [`event`], [`action`], [`reason`] | what goes in, what comes out, and why |
//! | [`kept`] | what survives a restart |
//! | [`view`] | what panel, lights and buzzer show: functions of the state |
//! | `machine` | [`State`] and its [`step`](State::step) |
//! | `scenario` | with the feature `std`: stories in plain text that the machine plays |
//!
//! Readers (OSDP, Wiegand) and a lock controller of its own end in [`Event`] and begin at [`Action`]: whoever speaks to a
//! reader checks the card's number and hands in a [`Credential`]; whoever holds the relay carries out
//! [`Action::Drive`] and hands its read-back in. Nothing here knows a wire.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "std")]
extern crate std;

pub mod action;
pub mod clock;
pub mod credential;
pub mod event;
pub mod inside;
pub mod kept;
pub mod limits;
pub mod lock;
mod machine;
pub mod policy;
pub mod reason;
#[cfg(feature = "std")]
pub mod scenario;
pub mod schedule;
mod text;
pub mod view;

pub use action::{About, Action, Actions};
pub use clock::{Civil, Date, Minute, Now};
pub use credential::{Credential, Factor, Factors, Method, Methods};
pub use event::{Contact, Event};
pub use inside::Inside;
pub use kept::{Alarm, Alarms, Kept};
pub use lock::{FailMode, Level, Position};
pub use machine::{Situation, State};
pub use policy::{Fields, Held, Policy, PolicyError, TwoPerson};
pub use reason::{Kind, Reason};
pub use schedule::{Days, Hours, MethodHours, Schedule, Window};
pub use view::{Buzzer, Indicators, View};
