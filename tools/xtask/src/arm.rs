//! Building for 64-bit ARM and running it here, emulated; `cargo xtask bench arm` counts instructions by stage.
//!
//! Counts come from a plugin of QEMU's user emulation (`plugin/count.c`), which sees every instruction of the
//! guest. They are exact for this binary and say nothing of time: an instruction may take one cycle or forty.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::qemu::{output, which};
use crate::{bench, cargo, fetch, pack, peers};

/// What cargo builds for.
pub(crate) const TARGET: &str = "aarch64-unknown-linux-gnu";
/// Links, and assembles tract's kernels.
const LINKER: &str = "aarch64-linux-gnu-gcc";
/// The guest's shared libraries.
const SYSROOT: &str = "/usr/aarch64-linux-gnu";
/// Debian's packages of an emulator that takes plugins, which the static one does not.
const EMULATOR: [&str; 2] = ["qemu-user", "libcapstone4"];
/// The demo's photo whose recognition is counted.
const PHOTO: &str = "obama2.jpg";

/// Says what is missing for building; nothing of it is installed by itself.
pub(crate) fn ready() -> Result<()> {
    if which(LINKER).is_err() || !Path::new(SYSROOT).is_dir() {
        bail!(
            "this needs Debian's packages; apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static"
        );
    }
    let root = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    if !Path::new(root.trim()).join("lib/rustlib").join(TARGET).is_dir() {
        bail!("Rust's library for ARM is missing: rustup target add {TARGET}");
    }
    Ok(())
}

/// cargo, set to build and run for ARM.
pub(crate) fn cargo() -> Result<Command> {
    ready()?;
    let mut cargo = cargo::command();
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER);
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", format!("qemu-aarch64-static -L {SYSROOT}"));
    Ok(cargo)
}

/// `cargo xtask bench arm`: instructions of each stage, the plan beside tract.
pub(crate) fn bench(core: &str, json: Option<PathBuf>, name: &str) -> Result<()> {
    ready()?;
    if name == bench::PACK {
        pack::build(name, None)?;
    }
    let photo = fetch::demo_photos()?.join(PHOTO);
    let nets = bench::made_nets(&peers::install()?)?.join("nets");
    let qemu = Emulator::find()?;
    let plugin = qemu.plugin()?;
    eprintln!("building for {TARGET}; the first time that takes a quarter of an hour ...");
    let mut build = cargo()?;
    build.args(["build", "--release", "--locked", "--workspace", "--bin", "arcdoor-lab", "--target", TARGET]);
    cargo::check(&mut build)?;
    eprintln!("running it emulated; some minutes ...");
    let counts = cargo::target_dir().join("arm-counts");
    let mut run = qemu.command();
    run.args(["-cpu", &format!("cortex-{core}"), "-L", SYSROOT, "-plugin"]);
    run.arg(with(&plugin, ",out=", &counts));
    run.arg(cargo::target_dir().join(TARGET).join("release/arcdoor-lab"));
    run.args(["bench", "count", "--nets"]).arg(nets).arg("--pack");
    run.arg(bench::folder(name)).arg(photo);
    // The emulator shows the host's /proc/cpuinfo, from which tract would not see what it runs on.
    let stages = output(run.env("TRACT_CPU_AARCH64_KIND", core))?;
    let rows = pair(&stages, &fs::read_to_string(&counts)?)?;
    print(core, &qemu.version()?, &rows);
    if let Some(path) = json {
        fs::write(&path, serde_json::to_vec_pretty(&rows)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

fn with(first: &Path, between: &str, last: &Path) -> OsString {
    let mut text = first.as_os_str().to_owned();
    text.push(between);
    text.push(last);
    text
}

/// What one stage executed on one engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) stage: String,
    pub(crate) engine: String,
    pub(crate) instructions: u64,
    /// Of these, vector multiply-adds.
    pub(crate) fused: u64,
}

/// Two marks for each stage, in order.
fn pair(stages: &str, counts: &str) -> Result<Vec<Row>> {
    let marks: Vec<[u64; 2]> = counts
        .lines()
        .map(|line| {
            let (all, fused) = line.split_once(' ').context("no count")?;
            Ok([all.parse()?, fused.parse()?])
        })
        .collect::<Result<_>>()
        .context("the plugin's counts cannot be read")?;
    let stages: Vec<(&str, &str)> = stages.lines().filter_map(|line| line.split_once('\t')).collect();
    ensure!(
        !stages.is_empty() && marks.len() == 2 * stages.len(),
        "{} marks were counted for {} stages",
        marks.len(),
        stages.len()
    );
    let rows = stages.iter().zip(marks.as_chunks::<2>().0).map(|((stage, engine), [from, to])| Row {
        stage: (*stage).to_owned(),
        engine: (*engine).to_owned(),
        instructions: to[0].saturating_sub(from[0]),
        fused: to[1].saturating_sub(from[1]),
    });
    Ok(rows.collect())
}

fn print(core: &str, version: &str, rows: &[Row]) {
    println!("instructions executed on an emulated Cortex-{}; {version}; no time", core.to_uppercase());
    println!(
        "{:<50} {:>12} {:>12} {:>8} {:>12} {:>12}",
        "", "plan", "tract", "ratio", "plan's fmla", "tract's"
    );
    let mut stages: BTreeMap<usize, [Option<&Row>; 2]> = BTreeMap::new();
    for row in rows {
        let first = rows.iter().position(|other| other.stage == row.stage).unwrap_or_default();
        stages.entry(first).or_default()[usize::from(row.engine != "plan")] = Some(row);
    }
    for pair in stages.values() {
        let millions = |row: Option<&Row>, of: fn(&Row) -> u64| {
            row.map_or_else(|| "-".to_owned(), |row| format!("{:.3} M", of(row) as f64 / 1e6))
        };
        let ratio = match pair {
            [Some(plan), Some(tract)] => {
                format!("{:.2}", plan.instructions as f64 / tract.instructions as f64)
            }
            _ => "-".to_owned(),
        };
        let [plan, tract] = *pair;
        println!(
            "{:<50} {:>12} {:>12} {ratio:>8} {:>12} {:>12}",
            plan.or(tract).map_or("", |row| &row.stage),
            millions(plan, |row| row.instructions),
            millions(tract, |row| row.instructions),
            millions(plan, |row| row.fused),
            millions(tract, |row| row.fused),
        );
    }
}

/// QEMU's user emulation, with plugins.
struct Emulator {
    program: PathBuf,
    /// Its shared libraries, where it is not installed but unpacked.
    libraries: Option<PathBuf>,
}

impl Emulator {
    /// The installed one if it takes plugins, else Debian's, unpacked into the cache.
    fn find() -> Result<Self> {
        if let Ok(program) = which("qemu-aarch64") {
            let installed = Self { program, libraries: None };
            if installed.takes_plugins() {
                return Ok(installed);
            }
        }
        let dir = fetch::cache_dir()?.join("qemu-user");
        let unpacked =
            Self { program: dir.join("usr/bin/qemu-aarch64"), libraries: Some(dir.join("usr/lib")) };
        if !unpacked.program.is_file() {
            unpack(&dir)
                .context("apt-get install qemu-user, whose qemu-aarch64 takes plugins, serves as well")?;
        }
        ensure!(unpacked.takes_plugins(), "{} takes no plugins", unpacked.program.display());
        Ok(unpacked)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if let Some(libraries) = &self.libraries {
            // Debian has them in a folder of the architecture's.
            let folder = libraries.join(format!("{}-linux-gnu", std::env::consts::ARCH));
            command.env("LD_LIBRARY_PATH", folder);
        }
        command
    }

    fn takes_plugins(&self) -> bool {
        output(self.command().arg("--help")).is_ok_and(|help| help.contains("QEMU_PLUGIN"))
    }

    fn version(&self) -> Result<String> {
        let text = output(self.command().arg("--version"))?;
        Ok(text.lines().next().unwrap_or("qemu").to_owned())
    }

    /// Compiles the counter for this emulator's interface.
    fn plugin(&self) -> Result<PathBuf> {
        let version = self.version()?;
        let major = version.split_whitespace().find_map(|word| word.split('.').next()?.parse::<u32>().ok());
        let interface = if major.is_some_and(|major| major >= 9) { 2 } else { 1 };
        let file = cargo::target_dir().join("arm-count.so");
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-Wall", "-shared", "-fPIC", "-o"])
            .arg(&file)
            .arg(format!("-DINTERFACE={interface}"));
        cargo::check(cc.arg(cargo::root().join("tools/xtask/plugin/count.c")))?;
        Ok(file)
    }
}

/// Downloads Debian's packages and unpacks them side by side; nothing is installed.
fn unpack(dir: &Path) -> Result<()> {
    eprintln!("fetching {} (13 MB) ...", EMULATOR.join(" and "));
    let packages = dir.join("packages");
    fs::create_dir_all(&packages)?;
    let mut apt = Command::new("apt-get");
    cargo::check(apt.args(["download", "-qq"]).args(EMULATOR).current_dir(&packages))?;
    for package in fs::read_dir(&packages)? {
        cargo::check(Command::new("dpkg-deb").arg("-x").arg(package?.path()).arg(dir))?;
    }
    Ok(fs::remove_dir_all(&packages)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_what_lies_between_its_two_marks() {
        let rows = pair("embedder\tplan\nembedder\ttract\n", "100 1\n150 11\n900 11\n1000 31\n").unwrap();
        let numbers: Vec<_> = rows.iter().map(|row| (&*row.engine, row.instructions, row.fused)).collect();
        assert_eq!(numbers, [("plan", 50, 10), ("tract", 100, 20)]);
        // A mark too many, none, or nothing at all.
        for (stages, counts) in [("a\tplan", "1 0\n2 0\n3 0"), ("a\tplan", ""), ("", ""), ("a\tplan", "1\n2")]
        {
            assert!(pair(stages, counts).is_err(), "{stages:?} {counts:?}");
        }
    }
}
