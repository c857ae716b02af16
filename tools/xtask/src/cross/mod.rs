//! `cargo xtask cross`: programs for 64-bit ARM, each one static file, and its symbols in a file beside it: the device's, and the
//! engineer's where it is asked for.

mod crash;
mod elf;
mod engine;
mod register;
mod sizes;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use arcdoor_board::Board;

use crate::qemu::{output, which};
use crate::{bench, cargo};

pub(crate) use elf::Elf;
#[cfg(test)]
pub(crate) use elf::elf_of;

/// What cargo builds for: every 64-bit ARM Linux, whatever its C library.
pub(crate) const TARGET: &str = "aarch64-unknown-linux-musl";
/// Cargo's profile.
const PROFILE: &str = "device";
/// The device's program.
const DEVICE: &str = "arcdoor";
/// The engineer's.
const LAB: &str = "arcdoor-lab";
/// How the program is linked.
const LINK: [&str; 5] = [
    // A build's name, by which its symbols are found.
    "link-arg=--build-id=sha1",
    // Functions of the same code are one, of which tract has many.
    "link-arg=--icf=all",
    // What a crate is built for holds for its functions; what joins them all is for speed.
    "opt-level=3",
    // Instructions that occur again become a function of their own only where they are more than its row in the table by which
    // panics unwind, which takes 40 bytes.
    "llvm-args=-outliner-benefit-threshold=40",
    // Where a function is built for size, saving registers and fetching them again are calls, too. How a panic unwinds through them stands
    // in the function's own row.
    "llvm-args=-homogeneous-prolog-epilog",
];
/// Assembles tract's kernels.
const CC: &str = "aarch64-linux-gnu-gcc";
/// Splits symbols off.
const OBJCOPY: &str = "aarch64-linux-gnu-objcopy";
/// The longest that the program may be without the pack that is compiled in: it had 11,804,403 bytes when this was set.
const MOST_BYTES: u64 = 12_000_000;
/// The pack that is compiled in.
const PACK: &str = "doornet";
/// Of these files of it, the bytes lie in the program.
const PACK_ENDINGS: [&str; 3] = ["graph", "onnx", "toml"];

/// What the program can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Features {
    /// The engine that reads ONNX files.
    pub(crate) tract: bool,
    /// The pack that is compiled in.
    pub(crate) pack: bool,
}

impl Features {
    /// What ships.
    pub(crate) const ALL: Self = Self { tract: true, pack: true };

    fn list(self) -> String {
        let named = [(self.tract, "tract"), (self.pack, "embedded-pack")];
        let names: Vec<&str> = named.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        names.join(",")
    }

    /// What is given up, for a person.
    fn lacks(self) -> Vec<&'static str> {
        let mut lacks = Vec::new();
        if !self.tract {
            lacks.push(
                "without tract: packs run from their graph files alone. A pack is not checked against its ONNX files when it \
                 is installed, no reference stands beside the plan in `doctor`, and a network that the plan does not run \
                 is refused",
            );
        }
        if !self.pack {
            lacks
                .push("without a pack: it recognises nobody until one is installed (`arcdoor pack install`)");
        }
        lacks
    }
}

/// What was built.
pub(crate) struct Built {
    /// Without symbols: what goes onto the board.
    pub(crate) program: PathBuf,
    /// Its symbols.
    pub(crate) symbols: PathBuf,
}

impl Built {
    fn print(&self) -> Result<()> {
        for file in [&self.program, &self.symbols] {
            println!("{} {:>12} bytes", file.display(), fs::metadata(file)?.len());
        }
        Ok(())
    }
}

/// Builds it, says what fills it, and refuses what is too large; then the lab where it is wanted.
pub(crate) fn run(board: Option<&str>, features: Features, lab: bool) -> Result<()> {
    if let Some(name) = board {
        let board = Board::find(name)?;
        println!("{}: the same program as for every other 64-bit ARM board", board.title());
    }
    let built = build_any(features)?;
    println!("{}", sizes::table(&built_by_cargo(DEVICE))?);
    built.print()?;
    let without = without_pack(&built, features)?;
    println!("without the pack that is compiled in: {without} bytes; at most {MOST_BYTES} are taken");
    for sentence in features.lacks() {
        println!("{sentence}");
    }
    if features.tract {
        match crash::report(&built.program, &bench::folder(PACK)) {
            Ok(line) => println!("a crash report with the symbols beside the program reads: {line}"),
            Err(error) if which(crash::EMULATOR).is_err() => println!("skipped: a crash report: {error:#}"),
            Err(error) => return Err(error),
        }
    }
    fits(without)?;
    if lab {
        build_lab()?.print()?;
    }
    Ok(())
}

/// Builds the engineer's program, which no image holds, however large it is.
pub(crate) fn build_lab() -> Result<Built> {
    ready()?;
    eprintln!("building {LAB} for {TARGET}; the first time that takes a quarter of an hour ...");
    let mut build = command()?;
    build.args(["build", "--locked", "--profile", PROFILE, "--target", TARGET]);
    cargo::check(build.args(["--package", LAB, "--bin", LAB]))?;
    split(LAB)
}

/// Builds the program, and refuses what is too large.
pub(crate) fn build(features: Features) -> Result<Built> {
    let built = build_any(features)?;
    fits(without_pack(&built, features)?)?;
    Ok(built)
}

fn fits(without_pack: u64) -> Result<()> {
    ensure!(
        without_pack <= MOST_BYTES,
        "the program is larger than {MOST_BYTES} bytes without its pack: `cargo xtask cross` says what fills it"
    );
    Ok(())
}

/// The program's bytes, without those of the pack that is compiled in.
fn without_pack(built: &Built, features: Features) -> Result<u64> {
    let pack = if features.pack { pack_bytes()? } else { 0 };
    Ok(fs::metadata(&built.program)?.len().saturating_sub(pack))
}

/// Builds the program and splits its symbols off.
fn build_any(features: Features) -> Result<Built> {
    ready()?;
    eprintln!("building for {TARGET}; the first time that takes a quarter of an hour ...");
    let mut build = command()?;
    build.args(["rustc", "--locked", "--profile", PROFILE, "--target", TARGET]);
    build.args(["--package", DEVICE, "--bin", DEVICE, "--no-default-features"]);
    build.arg("--features").arg(features.list());
    build.arg("--");
    cargo::check(build.args(LINK.iter().flat_map(|word| ["-C", word])))?;
    split(DEVICE)
}

/// cargo, set to compile and link for the target.
pub(crate) fn command() -> Result<Command> {
    let mut cargo = cargo::command();
    cargo.env("RUSTC_WRAPPER", engine::compiler(TARGET)?);
    cargo.env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER", "rust-lld");
    cargo.env("CC_aarch64_unknown_linux_musl", CC);
    Ok(cargo)
}

/// A program with its symbols, as cargo leaves it.
fn built_by_cargo(name: &str) -> PathBuf {
    cargo::target_dir().join(TARGET).join(PROFILE).join(name)
}

/// Says what is missing for building, and the command that installs it.
fn ready() -> Result<()> {
    let missing = |program: &&str| which(program).is_err();
    if [CC, OBJCOPY].iter().any(missing) || !Path::new("/usr/aarch64-linux-gnu/include").is_dir() {
        bail!("this needs Debian's packages: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross");
    }
    let root = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    if !Path::new(root.trim()).join("lib/rustlib").join(TARGET).is_dir() {
        bail!("Rust's library for the board is missing: rustup target add {TARGET}");
    }
    Ok(())
}

/// Splits what cargo built into a program and its symbols; the program names the file of its symbols.
fn split(name: &str) -> Result<Built> {
    let (whole, dir) = (built_by_cargo(name), cargo::target_dir().join("cross"));
    fs::create_dir_all(&dir)?;
    let (program, symbols) = (dir.join(name), dir.join(format!("{name}.debug")));
    let mut keep = Command::new(OBJCOPY);
    keep.args(["--only-keep-debug", "--compress-debug-sections=zlib"]);
    cargo::check(keep.arg(&whole).arg(&symbols))?;
    let mut strip = Command::new(OBJCOPY);
    strip.args(["--strip-all", "--remove-section=.comment"]).arg(format!("--add-gnu-debuglink={name}.debug"));
    // The link's checksum is taken of the file where it lies.
    cargo::check(strip.current_dir(&dir).arg(&whole).arg(&program))?;
    let elf = Elf::read(&program)?;
    ensure!(
        elf.architecture() == Some("arm64") && elf.is_static(),
        "{} is not a static program for 64-bit ARM: boards may lack the libraries that it wants",
        program.display()
    );
    Ok(Built { program, symbols })
}

fn pack_bytes() -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(bench::folder(PACK)).context("the pack that is compiled in is missing")? {
        let entry = entry?;
        let ending = entry.path().extension().map(|ending| ending.to_string_lossy().into_owned());
        if ending.is_some_and(|ending| PACK_ENDINGS.contains(&&*ending)) {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
