//! `cargo xtask check NAME`: single checks that are too slow for `cargo xtask test`.

use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::qemu::output;
use crate::{arm, cargo};

/// The platform that AddressSanitizer builds for.
const HOST: &str = "x86_64-unknown-linux-gnu";
/// How many cases each property test has by itself.
const USUAL_CASES: u32 = 256;
/// How many it has under Miri, where each takes a thousand times as long.
const MIRI_CASES: u32 = 4;

/// The kernels' portable code under Miri: undefined behaviour of any kind.
pub(crate) fn miri() -> Result<()> {
    nightly("miri", "rustup +nightly component add miri rust-src")?;
    let mut miri = on_nightly("miri");
    // proptest looks for its settings in the environment.
    miri.env("MIRIFLAGS", "-Zmiri-disable-isolation").env("PROPTEST_CASES", MIRI_CASES.to_string());
    passed("miri", miri.args(["miri", "test", "--locked", "-p", "arcdoor-kernels"]))
}

/// The kernels on this CPU's instructions under AddressSanitizer: reads and writes out of bounds.
pub(crate) fn asan(cases: Option<u32>) -> Result<()> {
    nightly("rustc", "rustup toolchain install nightly")?;
    let mut test = on_nightly("asan");
    test.env("RUSTFLAGS", "-Zsanitizer=address").env("PROPTEST_CASES", number(cases));
    // Doc tests would not be linked with the sanitizer.
    test.args(["test", "--release", "--locked", "-p", "arcdoor-kernels", "--features", "std"]);
    passed("asan", test.args(["--target", HOST, "--lib", "--tests"]))
}

/// The kernels' NEON code, emulated.
pub(crate) fn neon(cases: Option<u32>) -> Result<()> {
    let mut test = arm::cargo()?;
    test.env("PROPTEST_CASES", number(cases));
    test.args(["test", "--release", "--locked", "-p", "arcdoor-kernels", "--features", "std", "--target"]);
    passed("neon", test.arg(arm::TARGET))
}

/// `cases` random inputs of each operator, compared with a plain loop; and `cases` random graphs, run on the plan and
/// compared with tract.
pub(crate) fn equal(cases: u32) -> Result<()> {
    let mut test = cargo::command();
    test.env("PROPTEST_CASES", cases.to_string());
    // The whole workspace, or cargo would build tract a second time.
    test.args(["test", "--release", "--locked", "--workspace", "--test", "operators", "--test", "equal"]);
    passed("equal", &mut test)
}

/// `cases` drawn visits to a door, each decided again from its capsule; and changed bytes of them. With `on_arm`, the same
/// capsules are decided on an emulated 64-bit ARM as well.
pub(crate) fn capsules(cases: u32, on_arm: bool) -> Result<()> {
    let mut test = cargo::command();
    test.env("PROPTEST_CASES", cases.to_string());
    test.args(["test", "--release", "--locked", "--workspace", "--test", "capsules"]);
    if !on_arm {
        return passed("capsules", &mut test);
    }
    let folder = cargo::target_dir().join("capsules");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    passed("capsules", test.env("ARCDOOR_CAPSULES_INTO", &folder))?;
    let mut test = arm::cargo()?;
    test.env("ARCDOOR_CAPSULES_FROM", &folder).args(["test", "--release", "--locked", "-p", "arcdoor"]);
    // Without tract, which decides nothing and takes a quarter of an hour to compile.
    test.args(["--no-default-features", "--test", "capsules", "--target", arm::TARGET, "--"]);
    passed("capsules --arm", test.args(["--nocapture", "another_machine"]))
}

/// The number of cases as `PROPTEST_CASES` takes it.
fn number(cases: Option<u32>) -> String {
    cases.unwrap_or(USUAL_CASES).to_string()
}

/// cargo of the nightly toolchain, with a target folder of its own.
fn on_nightly(folder: &str) -> Command {
    // The proxy on the path, not the cargo that runs us: only that one takes a toolchain's name.
    let mut cargo = Command::new("cargo");
    cargo.arg("+nightly").current_dir(cargo::root());
    cargo.env("CARGO_TARGET_DIR", cargo::target_dir().join(folder));
    cargo
}

/// Fails with `advice` where the nightly toolchain lacks `tool`.
fn nightly(tool: &str, advice: &str) -> Result<()> {
    let mut which = Command::new("rustup");
    let found = output(which.args(["which", "--toolchain", "nightly", tool])).is_ok();
    ensure!(found, "the nightly toolchain with {tool} is missing: {advice}");
    Ok(())
}

/// Runs a check to its end and prints how long it took.
fn passed(name: &str, command: &mut Command) -> Result<()> {
    let start = Instant::now();
    cargo::check(command).with_context(|| format!("{name} failed"))?;
    println!("cargo xtask check {name}: passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}
