//! What people see: the screens of the panel at the door, and faces marked on frames.
//!
//! `no_std`, no allocation: every drawing is a plain function that draws on an
//! [`embedded_graphics::draw_target::DrawTarget`], so that a framebuffer, a PNG and a test's array all
//! show the same.
//!
//! A screen is a function of a [`UiState`], a [`Style`] and a [`ScreenSize`]: [`draw_screen`] draws it whole, a
//! [`Painter`] only what changed.
//!
//! | module | holds |
//! |---|---|
//! | [`canvas`] | an image's bytes to draw on |
//! | [`overlay`] | faces marked on a frame: box, landmarks, label |
//! | `magnify` | the fonts' pixels as squares, so that labels are readable on photos of any size |
//! | [`state`] | what a screen shows |
//! | [`style`] | a screen's size, language and light |
//! | [`words`] | what a screen says, a language a file |
//! | [`keypad`] | the keys of a PIN, and which one was touched |
//! | [`layout`] | where things stand, as shares of the size |
//! | `scene`, `element`, `area`, `lines` | a screen as a list of things in areas of their own |
//! | [`painter`] | screens, whole or what changed |
//! | `symbol`, `palette` | shapes and colours of the states |
//! | `pen`, `letters`, `row` | shapes and letters as outlines, and outlines as smooth pixels |
#![no_std]
#![forbid(unsafe_code)]

mod area;
pub mod canvas;
mod element;
pub mod keypad;
pub mod layout;
mod letters;
mod lines;
mod magnify;
pub mod overlay;
pub mod painter;
mod palette;
mod pen;
mod row;
mod scene;
pub mod state;
pub mod style;
mod symbol;
pub mod words;

// The list of all states is shared with the tests outside, which know this crate by its name.
#[cfg(test)]
extern crate self as arcdoor_panel;
#[cfg(test)]
#[allow(
    dead_code,
    clippy::unwrap_used,
    reason = "shared with the tests outside; clippy exempts test functions only"
)]
#[path = "../tests/common/states.rs"]
mod states;

pub use canvas::RgbCanvas;
pub use embedded_graphics::geometry::Point;
pub use keypad::{Key, KeyOrder, KeyOrderError, Keypad};
pub use layout::headline_capital_px;
pub use overlay::{FaceMark, MarkKind, draw_overlay};
pub use painter::{Dirty, DirtyArea, Painter, draw_screen};
pub use state::{Alarm, DenyAdvice, Fault, Percent, Progress, UiState, View};
pub use style::{Language, Light, ScreenSize, ScreenSizeError, Style};
pub use words::Words;
