//! `cargo xtask qemu`: what only a real kernel can show, in an emulator.

mod board;
mod camera;
mod gpio;
mod lab;
mod machine;

pub(crate) use board::{board, short};
pub(crate) use camera::camera;
pub(crate) use gpio::gpio;
pub(crate) use lab::lab;
pub(crate) use machine::{output, which};
