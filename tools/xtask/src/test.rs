//! `cargo xtask test`: everything that must hold before a change goes in.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::{bare, cargo, deny, deps, fetch, inside, pack, qemu, trainer};

type Step = (&'static str, fn() -> Result<()>);

const STEPS: [Step; 12] = [
    ("format", || cargo::run(&["fmt", "--all", "--check"])),
    ("import rules", deps::run),
    ("documents", || inside::documents(&cargo::root())),
    ("licences and duplicates", deny::run),
    ("model pack and photos", || {
        pack::build("yunet-sface", None)?;
        fetch::demo_photos().map(drop)
    }),
    ("clippy", || {
        cargo::run(&[
            "clippy",
            "--release",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ])
    }),
    ("bare metal", bare::build),
    ("without tract", without_tract),
    ("tests", tests),
    // Half a minute where an emulator and Debian's kernel are there, else nothing.
    ("an emulated board", || qemu::short(false)),
    ("trainer", trainer::test),
    ("docs", || {
        let mut doc = cargo::command();
        doc.args(["doc", "--release", "--locked", "--workspace", "--no-deps"]);
        cargo::check(doc.env("RUSTDOCFLAGS", "-D warnings"))
    }),
];

/// Runs every step; the first that fails ends it.
pub(crate) fn run() -> Result<()> {
    let start = Instant::now();
    for (name, step) in STEPS {
        eprintln!("== {name}");
        let began = Instant::now();
        step().with_context(|| format!("{name} failed"))?;
        eprintln!("== {name}: passed in {:.0} s", began.elapsed().as_secs_f64());
    }
    println!("cargo xtask test: {} steps passed in {:.0} s", STEPS.len(), start.elapsed().as_secs_f64());
    Ok(())
}

/// Networks run from their graph files in a build that has no tract.
fn without_tract() -> Result<()> {
    let only = ["-p", "arcdoor-infer", "--no-default-features", "--test", "start"];
    cargo::run(&[&["test", "--release", "--locked"][..], &only].concat())
}

/// The suites that want real photos find them through `ARCDOOR_DEMO_PHOTOS`; so none of them skips here.
fn tests() -> Result<()> {
    let mut test = cargo::command();
    test.args(["test", "--release", "--locked", "--workspace", "--no-fail-fast"]);
    cargo::check(test.env("ARCDOOR_DEMO_PHOTOS", fetch::demo_photos()?))
}

/// A day at a door, with its figures.
pub(crate) fn soak(visits: u32, seed: u32) -> Result<()> {
    pack::build("yunet-sface", None)?;
    let mut test = cargo::command();
    test.args(["test", "--release", "--locked", "--workspace", "--test", "soak", "--", "--nocapture"]);
    test.env("ARCDOOR_SOAK_VISITS", visits.to_string()).env("ARCDOOR_SOAK_SEED", seed.to_string());
    cargo::check(test.env("ARCDOOR_DEMO_PHOTOS", fetch::demo_photos()?))
}
