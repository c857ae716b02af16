//! The crates that run without an operating system, built for one: a Cortex-M4F.

use std::process::Command;

use anyhow::{Result, bail};

use crate::cargo;
use crate::qemu::output;

const TARGET: &str = "thumbv7em-none-eabihf";

/// Every crate that says `no_std`.
const CRATES: [&str; 4] = ["arcdoor-core", "arcdoor-kernels", "arcdoor-panel", "arcdoor-door"];

/// Builds them with no default features. Fails where the target's core library cannot be had.
pub(crate) fn build() -> Result<()> {
    let mut build = cargo::command();
    build.args(["build", "--release", "--locked", "--no-default-features", "--target", TARGET]);
    for package in CRATES {
        build.args(["--package", package]);
    }
    match core_library()? {
        Core::Target => {}
        // The sources of the standard library, compiled here: a switch that stable cargo takes only when asked twice.
        Core::Source => drop(build.arg("-Zbuild-std=core,alloc").env("RUSTC_BOOTSTRAP", "1")),
    }
    cargo::check(&mut build)
}

/// Where the target's core library comes from.
enum Core {
    /// rustup has it, or rustc brings it.
    Target,
    /// Its source lies beside rustc.
    Source,
}

fn core_library() -> Result<Core> {
    if installed() {
        return Ok(Core::Target);
    }
    let rustup = |args: &[&str]| output(Command::new("rustup").args(args)).is_ok();
    if rustup(&["target", "add", TARGET]) && installed() {
        return Ok(Core::Target);
    }
    let source = || sysroot("lib/rustlib/src/rust/library/core/Cargo.toml");
    if source() || (rustup(&["component", "add", "rust-src"]) && source()) {
        return Ok(Core::Source);
    }
    bail!(
        "the core library for {TARGET} is missing, and so is its source: `rustup target add {TARGET}` or \
         `rustup component add rust-src`; without rustup, your system's package of Rust's source, unpacked into \
         lib/rustlib/src/rust of rustc's sysroot"
    )
}

fn installed() -> bool {
    sysroot(&format!("lib/rustlib/{TARGET}/lib"))
}

/// Whether rustc's own folder holds this.
fn sysroot(path: &str) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut asked = Command::new(rustc);
    asked.current_dir(cargo::root()).args(["--print", "sysroot"]);
    output(&mut asked).is_ok_and(|root| std::path::Path::new(root.trim()).join(path).exists())
}
