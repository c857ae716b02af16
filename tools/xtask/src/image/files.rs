//! File systems in files, made by the usual tools without root.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::layout::Part;
use crate::cargo;
use crate::qemu::which;

/// Programs, and the Debian packages that bring them.
pub(super) const NEEDED: &[(&str, &str)] = &[
    ("mkfs.vfat", "dosfstools"),
    ("mcopy", "mtools"),
    ("mke2fs", "e2fsprogs"),
    ("fakeroot", "fakeroot"),
    ("tar", "tar"),
];

/// Says which programs are missing, and what installs them.
pub(super) fn installed(needed: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<&str> =
        needed.iter().filter(|(program, _)| which(program).is_err()).map(|(_, package)| *package).collect();
    ensure!(missing.is_empty(), "this needs Debian's packages: apt-get install {}", missing.join(" "));
    Ok(())
}

/// Makes a FAT32 file system of `folder`'s content in `file`, which has its length already.
pub(super) fn fat(file: &Path, folder: &Path) -> Result<()> {
    // FAT32, whatever the size: some firmware reads nothing else.
    let mut make = Command::new(which("mkfs.vfat")?);
    cargo::check(quiet(make.args(["-F", "32", "-n", Part::Boot.label()]).arg(file)))?;
    let mut entries: Vec<_> = std::fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<_>>()?;
    entries.sort();
    if entries.is_empty() {
        return Ok(());
    }
    cargo::check(Command::new("mcopy").args(["-s", "-Q", "-i"]).arg(file).args(entries).arg("::"))
        .context("the boot partition may be too small for its files")
}

/// Makes an ext4 file system of `folder`'s content in `file`, which has its length already; everything is root's.
pub(super) fn ext4(file: &Path, folder: &Path, label: &str) -> Result<()> {
    let mut make = Command::new("fakeroot");
    make.arg(which("mke2fs")?).args([
        "-q",
        "-F",
        "-t",
        "ext4",
        "-m",
        "0",
        "-E",
        "root_owner=0:0",
        "-L",
        label,
    ]);
    cargo::check(make.arg("-d").arg(folder).arg(file)).context("the partition may be too small for its files")
}

/// As [`ext4`], of an archive, whose owners and device files it keeps; `work` is a folder that is removed.
pub(super) fn ext4_of_archive(file: &Path, archive: &Path, work: &Path, label: &str) -> Result<()> {
    std::fs::create_dir_all(work)?;
    // Owners and device files are remembered within one run of fakeroot.
    let script = "tar --numeric-owner -C \"$2\" -xpf \"$1\" && exec \"$5\" -q -F -t ext4 -m 0 -L \"$4\" -d \"$2\" \"$3\"";
    let mut shell = Command::new("fakeroot");
    shell.args(["sh", "-c", script, "sh"]).arg(archive).arg(work).arg(file).arg(label).arg(which("mke2fs")?);
    let made = cargo::check(&mut shell).context("the slot may be too small for the system");
    std::fs::remove_dir_all(work)?;
    made
}

/// Without what it says when all is well.
fn quiet(command: &mut Command) -> &mut Command {
    command.stdout(std::process::Stdio::null())
}
