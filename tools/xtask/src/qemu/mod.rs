//! `cargo xtask qemu`: what only a real kernel can show, in an emulator.

mod camera;
mod gpio;
mod machine;

pub(crate) use camera::camera;
pub(crate) use gpio::gpio;
pub(crate) use machine::{output, which};
