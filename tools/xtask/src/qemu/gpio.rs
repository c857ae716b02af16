//! `cargo xtask qemu gpio`: the door's lines on a chip that the kernel simulates, and what people press on devices that a test
//! plugs in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::machine::{Arch, Kernel, Machine, copy, output, test_binary};
use crate::cargo;

/// Programs that build the module.
pub(super) const NEEDED: [(&str, &str); 4] =
    [("make", "make"), ("gcc", "gcc"), ("tar", "tar"), ("xz", "xz-utils")];
const TESTS: [&str; 2] = ["gpio_sim", "presses"];
const PREPARE: &str = "mkdir /config; mount -t configfs configfs /config; export ARCDOOR_GPIO_SIM=/config/gpio-sim; \
     export ARCDOOR_UINPUT=1";
/// The parts of the kernel's source that the module is made of.
const SOURCES: [&str; 3] = ["drivers/gpio/gpio-sim.c", "drivers/gpio/gpiolib.h", "kernel/irq/irq_sim.c"];
/// Debian's kernel leaves simulated interrupts out, so they become a part of the module.
const MAKEFILE: &str =
    "obj-m := gpio-sim.o\ngpio-sim-y := main.o irq_sim.o\nccflags-y := -DCONFIG_IRQ_SIM=1\n";

/// Boots Debian's kernel with the modules gpio-sim and uinput, and runs the board's tests in it.
pub(crate) fn gpio() -> Result<()> {
    let mut machine = Machine::new(Arch::Amd64, &NEEDED)?;
    // By itself the board builds without tract.
    for test in TESTS {
        machine.put(&test_binary(&["--package", "arcdoor-board"], test)?, test)?;
    }
    let module = gpio_sim(Arch::Amd64, &machine.work, &machine.kernel)?;
    machine.load("configfs", "")?;
    machine.load_file(&module, "")?;
    for module in ["evdev", "uinput"] {
        machine.load(module, "")?;
    }
    machine.boot(PREPARE, &TESTS)
}

/// Builds the module for this kernel, once.
pub(super) fn gpio_sim(arch: Arch, work: &Path, kernel: &Kernel) -> Result<PathBuf> {
    let kept = work.join(format!("gpio-sim-{}.ko", kernel.version));
    if kept.is_file() {
        return Ok(kept);
    }
    let dir = work.join("gpio-sim");
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    fs::create_dir_all(dir.join("module"))?;
    let headers = headers(arch, &dir, &kernel.version).with_context(|| {
        format!(
            "Debian has no headers for kernel {} any more: remove {}, and a newer kernel is fetched",
            kernel.version,
            work.join("kernel").display()
        )
    })?;
    sources(arch, &dir, &kernel.version)?;
    let mut make = Command::new("make");
    make.arg("-C").arg(&headers).arg(format!("M={}", dir.join("module").display())).arg("modules");
    if arch != Arch::Amd64 {
        make.args(["ARCH=arm64", "CROSS_COMPILE=aarch64-linux-gnu-", "CC=aarch64-linux-gnu-gcc"]);
    }
    cargo::check(&mut make)?;
    copy(&dir.join("module/gpio-sim.ko"), &kept)?;
    fs::remove_dir_all(dir)?;
    Ok(kept)
}

/// Unpacks what modules are built with; where it lies.
fn headers(arch: Arch, dir: &Path, version: &str) -> Result<PathBuf> {
    let package = format!("linux-headers-{version}");
    let depends = output(Command::new("apt-cache").args(["depends", &format!("{package}:{}", arch.name())]))?;
    let parts =
        depends
            .split_whitespace()
            .filter(|word| word.starts_with("linux-headers-") || word.starts_with("linux-kbuild-"))
            // The tools run here, whatever the module is for.
            .map(|word| {
                if word.starts_with("linux-kbuild-") { word.split(':').next().unwrap_or(word) } else { word }
            });
    for part in parts {
        let deb = download(dir, part)?;
        cargo::check(Command::new("dpkg-deb").arg("-x").arg(deb).arg(dir))?;
    }
    let headers = dir.join("usr/src").join(&package);
    // As installed, it looks for the common part under /usr.
    let common = format!("{}-common", package.trim_end_matches(&format!("-{}", arch.name())));
    let include = dir.join("usr/src").join(common).join("Makefile");
    fs::write(headers.join("Makefile"), format!("include {}\n", include.display()))?;
    Ok(headers)
}

/// Takes the module's sources out of the kernel's, of the same version as the kernel.
fn sources(arch: Arch, dir: &Path, version: &str) -> Result<()> {
    let package = format!("linux-headers-{version}:{}", arch.name());
    let shown = output(Command::new("apt-cache").args(["show", &package]))?;
    let release = shown
        .lines()
        .find_map(|line| line.strip_prefix("Version: "))
        .context("apt-cache shows no version")?;
    let series: Vec<&str> = version.split('.').take(2).collect();
    let source = format!("linux-source-{}", series.join("."));
    eprintln!("fetching {source} (140 MB) ...");
    let deb = download(dir, &format!("{source}={release}"))?;
    let wanted = SOURCES.map(|file| format!("{source}/{file}"));
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!(
        "dpkg-deb --fsys-tarfile {} | tar -xO ./usr/src/{source}.tar.xz | tar -xJ {}",
        deb.display(),
        wanted.join(" ")
    ));
    cargo::check(shell.current_dir(dir))?;
    let module = dir.join("module");
    for (file, name) in SOURCES.into_iter().zip(["main.c", "gpiolib.h", "irq_sim.c"]) {
        let text = fs::read_to_string(dir.join(&source).join(file))?;
        // The kernel keeps this one to itself; the other does the same and is for modules, too.
        let text = text.replace("handle_simple_irq(irq_to_desc(irqnum))", "generic_handle_irq(irqnum)");
        fs::write(module.join(name), text)?;
    }
    fs::write(module.join("Makefile"), MAKEFILE)?;
    Ok(())
}

/// Downloads one package into a folder of its own; its file.
fn download(dir: &Path, package: &str) -> Result<PathBuf> {
    let into = dir.join("debs").join(package);
    fs::create_dir_all(&into)?;
    cargo::check(Command::new("apt-get").args(["download", "-qq", package]).current_dir(&into))?;
    let mut files = fs::read_dir(&into)?;
    let file = files.next().context("apt-get downloaded nothing")??.path();
    ensure!(files.next().is_none(), "apt-get downloaded more than {package}");
    Ok(file)
}
