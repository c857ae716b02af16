//! Running cargo, and finding what it built.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The repository's root: of the checkout that cargo runs this for, which need not be the one that it was compiled in,
/// where two share a target folder.
pub(crate) fn root() -> PathBuf {
    let run_in = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = run_in.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    here.ancestors().nth(2).unwrap_or(&here).to_path_buf()
}

/// The folder that cargo builds into.
pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// The cargo that runs us, or the one on the path.
pub(crate) fn command() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs `cargo` with these arguments; the child writes to our terminal.
pub(crate) fn run(args: &[&str]) -> Result<()> {
    check(command().args(args))
}

/// Runs a prepared command and makes a failure an error that names it.
pub(crate) fn check(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !status.success() {
        bail!("{:?} ended with {status}", command.get_program());
    }
    Ok(())
}

/// Builds every binary. Always the whole workspace: cargo unifies features over the packages that are
/// selected, and a smaller selection would compile tract a second time.
pub(crate) fn build_binaries() -> Result<()> {
    run(&["build", "--release", "--locked", "--workspace", "--bins"])
}

/// Builds the device's program alone, with the workspace's features.
pub(crate) fn build_arcdoor() -> Result<()> {
    run(&["build", "--release", "--locked", "--workspace", "--bin", "arcdoor"])
}

/// Builds the lab alone, with the workspace's features.
pub(crate) fn build_lab() -> Result<()> {
    run(&["build", "--release", "--locked", "--workspace", "--bin", "arcdoor-lab"])
}

/// A binary of the workspace, after [`build_binaries`].
pub(crate) fn binary(name: &str) -> PathBuf {
    target_dir().join("release").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
