//! What people see: annotated frames now, the door's screens later.
//!
//! `no_std`, no allocation: every drawing is a plain function that draws on an
//! [`embedded_graphics::draw_target::DrawTarget`], so that a framebuffer, a PNG and a test's array all
//! show the same.
//!
//! | module | holds |
//! |---|---|
//! | [`canvas`] | an image's bytes to draw on |
//! | [`overlay`] | faces marked on a frame: box, landmarks, label |
//! | `magnify` | the fonts' pixels as squares, so that labels are readable on photos of any size |
#![no_std]
#![forbid(unsafe_code)]

pub mod canvas;
mod magnify;
pub mod overlay;

pub use canvas::RgbCanvas;
pub use overlay::{FaceMark, MarkKind, draw_overlay};
