//! The system of a slot: Debian's packages, and what is ours.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use arcdoor_board::Board;

use super::layout::Part;
use super::wishes::Wishes;
use super::{boot, files, packed};
use crate::qemu::output;
use crate::{cargo, cross, fetch};

/// Programs, and the Debian packages that bring them.
pub(super) const NEEDED: &[(&str, &str)] = &[
    ("mmdebstrap", "mmdebstrap"),
    ("qemu-aarch64-static", "qemu-user-static"),
    ("lsinitramfs", "initramfs-tools-core"),
    ("systemd-sysusers", "systemd"),
    ("systemctl", "systemd"),
];
/// What the system is made of, beyond the base, which has a shell and gettys.
const PACKAGES: [&str; 15] = [
    "dbus",
    "e2fsprogs",
    "fdisk",
    "initramfs-tools",
    "iproute2",
    "kmod",
    "linux-image-arm64",
    "openssh-server",
    "raspi-firmware",
    "systemd",
    "systemd-sysv",
    "tzdata",
    "udev",
    "util-linux",
    "zstd",
];
/// Where the kernel is told which programs an emulator runs.
const BINFMT: &str = "/proc/sys/fs/binfmt_misc/qemu-aarch64";
/// Makes a door's system of Debian's.
const PREPARE: &str = "firmware/image/prepare.sh";
/// Chooses what the ramdisk holds.
const RAMDISK_HOOK: &str = "firmware/image/ramdisk-hook";
/// By which Debian signs; not every system that has mmdebstrap has them.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// How long an archive of Debian's serves before its updates are asked for, in seconds: 30 days.
const ARCHIVE_S: u64 = 2_592_000;
/// Where each of ours goes, beside what lies in firmware/image/root.
const FILES: [(&str, &str); 4] = [
    ("arcdoor/arcdoor.service", "usr/lib/systemd/system/arcdoor.service"),
    ("image/deb/sysusers.conf", "usr/lib/sysusers.d/arcdoor.conf"),
    ("image/deb/60-arcdoor.rules", "usr/lib/udev/rules.d/60-arcdoor.rules"),
    ("image/deb/profile.sh", "etc/profile.d/arcdoor.sh"),
];

/// A system.
pub(super) enum Root {
    /// A folder, whose files become root's.
    Folder(PathBuf),
    /// Debian's archive, the folder of what is ours, and what was unpacked of the archive to be looked at.
    Debian { archive: PathBuf, ours: PathBuf, looked_at: PathBuf },
}

impl Root {
    /// A folder that holds a system, or as much of one as a test wants.
    pub(super) fn from_folder(folder: &Path) -> Result<Self> {
        ensure!(folder.is_dir(), "{}: no such folder", folder.display());
        Ok(Self::Folder(folder.to_owned()))
    }

    /// Where kernel, firmware and device trees lie.
    pub(super) fn folder(&self) -> &Path {
        match self {
            Self::Folder(folder) | Self::Debian { looked_at: folder, .. } => folder,
        }
    }

    /// Makes the slot's file system.
    pub(super) fn write(&self, file: &Path) -> Result<()> {
        let label = Part::SlotA.label();
        match self {
            Self::Folder(folder) => files::ext4(file, folder, label),
            Self::Debian { archive, ours, .. } => {
                let prepare = cargo::root().join(PREPARE);
                files::ext4_of_archive(file, label, &files::Layers { archive, ours, prepare: &prepare })
            }
        }
    }
}

/// Makes it of Debian's packages; what is not ours is made once a month and kept.
pub(super) fn build(work: &Path, name: &str, board: &Board, wishes: &Wishes) -> Result<Root> {
    let archive = debian(&wishes.suite)?;
    let of = output(Command::new("date").args(["-u", "+%F", "-r"]).arg(&archive))?;
    println!("Debian {} as of {}", wishes.suite, of.trim());
    let looked_at = work.join("looked-at");
    fs::create_dir_all(&looked_at)?;
    let mut unpack = Command::new("tar");
    unpack.arg("-C").arg(&looked_at).args(["--no-same-owner", "--wildcards", "-xf"]).arg(&archive);
    cargo::check(unpack.args(["./boot/*", "./usr/lib/raspi-firmware/*", "./usr/lib/linux-image-*/*"]))?;
    // Before the program is built, which takes long.
    boot::starts(name, board, &looked_at)?;
    let program = match &wishes.program {
        Some(program) => program.clone(),
        None => cross::build(cross::Features::ALL)?.program,
    };
    let ours = ours(work, name, &program)?;
    Ok(Root::Debian { archive, ours, looked_at })
}

/// An archive of Debian's packages, made once for each release, list of packages, content of the ramdisk, and month.
fn debian(suite: &str) -> Result<PathBuf> {
    let hook = fs::read_to_string(cargo::root().join(RAMDISK_HOOK))?;
    let month = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / ARCHIVE_S;
    let list = packed::hex_of(format!("{}\n{hook}\n{month}", PACKAGES.join(",")).as_bytes());
    let dir = fetch::cache_dir()?.join("image");
    let archive = dir.join(format!("{suite}-{}.tar", &list[..16]));
    if archive.is_file() {
        return Ok(archive);
    }
    ensure!(
        Path::new(BINFMT).exists(),
        "the kernel does not run 64-bit ARM's programs: apt-get install binfmt-support qemu-user-static, or \
         `systemctl restart systemd-binfmt`"
    );
    ensure!(Path::new(KEYS).exists(), "Debian's keys are missing: apt-get install debian-archive-keyring");
    fs::create_dir_all(&dir)?;
    let unfinished = archive.with_extension("unfinished.tar");
    eprintln!("making a system of Debian {suite}, emulated: a quarter of an hour, once a month ...");
    let mut make = Command::new("mmdebstrap");
    make.args(["--architectures=arm64", "--variant=minbase", "--components=main,non-free-firmware"]);
    make.arg("--aptopt=Apt::Install-Recommends \"false\"").arg(format!("--include={}", PACKAGES.join(",")));
    // Before the kernel is installed, which makes the ramdisk.
    let hook = cargo::root().join(RAMDISK_HOOK);
    make.arg(format!(
        "--essential-hook=cd \"$1/etc\" && mkdir -p initramfs-tools/conf.d initramfs-tools/hooks && echo MODULES=list \
         >initramfs-tools/conf.d/arcdoor && install -m 755 '{}' initramfs-tools/hooks/arcdoor",
        hook.display()
    ));
    // Its files must not lie where something else cleans up.
    cargo::check(make.env("TMPDIR", &dir).arg(suite).arg(&unfinished))?;
    // One at a time: each is 700 MB.
    for old in fs::read_dir(&dir)? {
        let old = old?;
        let name = old.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&format!("{suite}-")) && name.ends_with(".tar") && old.path() != unfinished {
            fs::remove_file(old.path())?;
        }
    }
    fs::rename(unfinished, &archive)?;
    Ok(archive)
}

/// What is ours in it: the program, its service, and what lies in firmware/image/root.
fn ours(work: &Path, name: &str, program: &Path) -> Result<PathBuf> {
    let (ours, firmware) = (work.join("ours"), cargo::root().join("firmware"));
    copy_tree(&firmware.join("image/root"), &ours)?;
    put(program, &ours.join("usr/bin/arcdoor"), 0o755)?;
    for (from, to) in FILES {
        put(&firmware.join(from), &ours.join(to), 0o644)?;
    }
    fs::create_dir_all(ours.join("etc/arcdoor"))?;
    fs::write(ours.join("etc/arcdoor/board"), format!("BOARD={name}\n"))?;
    Ok(ours)
}

/// Copies a tree of files; what lies in lib/arcdoor is a program.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &to)?;
        } else {
            put(&entry.path(), &to, if from.ends_with("lib/arcdoor") { 0o755 } else { 0o644 })?;
        }
    }
    Ok(())
}

fn put(from: &Path, to: &Path, mode: u32) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file without a folder")?)?;
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(mode))?)
}
