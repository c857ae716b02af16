//! File systems in files, made by the usual tools without root.

use std::fs;
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
    let mut entries: Vec<_> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?;
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
        // What is small gets small blocks otherwise, and those stay when it grows.
        "-b",
        "4096",
        "-m",
        "0",
        "-E",
        "root_owner=0:0",
        "-L",
        label,
    ]);
    cargo::check(make.arg("-d").arg(folder).arg(file)).context("the partition may be too small for its files")
}

/// What a system is made of, one over the other.
pub(super) struct Layers<'a> {
    /// Debian's.
    pub(super) archive: &'a Path,
    /// A folder whose files become root's.
    pub(super) ours: &'a Path,
    /// A script that changes what was unpacked, in the folder that it is given.
    pub(super) prepare: &'a Path,
}

/// Unpacks, changes and packs within one run of fakeroot, which remembers owners and device files.
const UNPACK_AND_MAKE: &str = "set -eu; umask 022; archive=$1 ours=$2 prepare=$3 root=$4 file=$5 label=$6 mke2fs=$7\n\
    tar --numeric-owner -C \"$root\" -xpf \"$archive\"\n\
    tar -C \"$ours\" --owner=0 --group=0 --no-same-permissions -cf \"$root.tar\" .\n\
    tar -C \"$root\" --no-overwrite-dir -xpf \"$root.tar\"\n\
    rm \"$root.tar\"\n\
    sh \"$prepare\" \"$root\"\n\
    exec \"$mke2fs\" -q -F -t ext4 -b 4096 -m 0 -L \"$label\" -d \"$root\" \"$file\"";

/// As [`ext4`], of a system in layers.
pub(super) fn ext4_of_archive(file: &Path, label: &str, layers: &Layers<'_>) -> Result<()> {
    let root = layers.ours.with_extension("root");
    fs::create_dir_all(&root)?;
    let mut shell = Command::new("fakeroot");
    shell.args(["sh", "-c", UNPACK_AND_MAKE, "sh"]);
    shell.args([layers.archive, layers.ours, layers.prepare, &root, file]).arg(label).arg(which("mke2fs")?);
    let made = cargo::check(&mut shell).context("the slot may be too small for the system");
    fs::remove_dir_all(root)?;
    made
}

/// Without what it says when all is well.
fn quiet(command: &mut Command) -> &mut Command {
    command.stdout(std::process::Stdio::null())
}
