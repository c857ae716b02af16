//! Stories in plain text that the machine plays: for tests, for counter-examples, and for whoever sets up a door.
//!
//! A line is one thing; what follows `#` is a remark.
//!
//! ```text
//! policy methods card+face        # the rules, before everything else; what is not said is as in `Fields::default`
//! policy unlock 5s                # fail-mode unlock exit held-warn held-alarm factor two-person anti-passback methods
//! clock 2026-11-30 07:59          # in-alarm unlocked methods-at holiday; the clock is unset until it is set
//! inside 3                        # so many people, without names, are inside from the start (anti-passback)
//! 0:00.0 card ada                 # since the start, or +5s since the line before; -5s is a clock that jumps
//! +2s face ada
//! expect granted unlocked         # reasons that the last line gave, and what the door is now
//! +1s restart                     # the program ends and starts again with what it kept
//! ```
//!
//! | event | |
//! |---|---|
//! | `tick` | time passes |
//! | `face NAME`, `card NAME`, `pin NAME`, `duress NAME` | a credential, verified; `duress` is the other PIN |
//! | `unknown face`, `unknown card`, `unknown pin` | one that is nobody's |
//! | `exit` | a request to exit |
//! | `contact open`, `contact closed` | the door |
//! | `tamper on`, `fire on`, `lockdown on`, and `off` | inputs, and the operator's lockdown |
//! | `fire-reset`, `acknowledge`, `left NAME`, `forget-inside` | the operator, and other readers |
//! | `read-back energised`, `read-back de-energised` | the lock's line as it is |
//!
//! `expect` takes the names of reasons; `locked`, `unlocked`, `energised`, `de-energised`; `silent`, `beeps`, `steady`;
//! `duress`; `nothing` (no action at all); `view-fire`, `view-alarm`, `view-close-door`, `view-lockdown`,
//! `view-out-of-order`, `view-welcome`, `view-open-hours`, `view-denied`, `view-second-factor`, `view-second-person`,
//! `view-ready`; and each of these after `no-`.

mod duration;
mod event;
mod expect;
mod machine;
mod play;
mod problem;
mod rules;

pub use event::event_text;
pub use machine::Machine;
pub use play::{Story, play, play_on};
pub use problem::{Problem, ScenarioError};
pub use rules::{is_rule, policy};
