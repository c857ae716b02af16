//! The system of a slot: Debian's packages, and what is ours.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::layout::Part;
use super::{Wishes, files};
use crate::{cargo, cross};

/// Programs, and the Debian packages that bring them. binfmt runs the packages' own scripts, emulated.
pub(super) const NEEDED: &[(&str, &str)] =
    &[("mmdebstrap", "mmdebstrap"), ("qemu-aarch64-static", "qemu-user-static")];
/// What the system is made of, beyond the base. gettys and a shell are in the base.
const PACKAGES: [&str; 16] = [
    "systemd",
    "systemd-sysv",
    "udev",
    "kmod",
    "dbus",
    "linux-image-arm64",
    "initramfs-tools",
    "zstd",
    "raspi-firmware",
    "e2fsprogs",
    "fdisk",
    "util-linux",
    "tzdata",
    "iproute2",
    "openssh-server",
    "busybox",
];
/// Where the kernel is told which programs an emulator runs.
const BINFMT: &str = "/proc/sys/fs/binfmt_misc/qemu-aarch64";
/// What is not needed on a door, by paths.
const LEFT_OUT: [&str; 4] =
    ["/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*"];
/// Runs in the new system, once it is whole.
const PREPARE: &str = include_str!("../../../../firmware/image/prepare.sh");

/// A system.
pub(super) enum Root {
    /// A folder, whose files become root's.
    Folder(PathBuf),
    /// An archive, and what was unpacked of it to be looked at.
    Archive { archive: PathBuf, looked_at: PathBuf },
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
            Self::Folder(folder) | Self::Archive { looked_at: folder, .. } => folder,
        }
    }

    /// Makes the slot's file system.
    pub(super) fn into_file(&self, file: &Path) -> Result<()> {
        let label = Part::SlotA.label();
        match self {
            Self::Folder(folder) => files::ext4(file, folder, label),
            Self::Archive { archive, .. } => {
                files::ext4_of_archive(file, archive, &archive.with_extension("unpacked"), label)
            }
        }
    }
}

/// Makes it of Debian's packages.
pub(super) fn build(work: &Path, name: &str, wishes: &Wishes) -> Result<Root> {
    ensure!(
        Path::new(BINFMT).exists(),
        "the kernel does not run 64-bit ARM's programs: apt-get install binfmt-support qemu-user-static, or \
         `systemctl restart systemd-binfmt`"
    );
    let program = match &wishes.program {
        Some(program) => program.clone(),
        None => cross::build(cross::Features::ALL)?.program,
    };
    let ours = ours(work, name, &program)?;
    let archive = work.join("root.tar");
    eprintln!("making a system of Debian {}; that takes some minutes ...", wishes.suite);
    let mut make = Command::new("mmdebstrap");
    make.args(["--architectures=arm64", "--variant=minbase", "--components=main,non-free-firmware"]);
    make.arg("--aptopt=Apt::Install-Recommends \"false\"").arg(format!("--include={}", PACKAGES.join(",")));
    make.args(LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}")));
    make.arg(format!(
        "--customize-hook=tar -C '{}' --owner=0 --group=0 -cf - . | tar -C \"$1\" -xpf -",
        ours.display()
    ));
    make.arg("--customize-hook=chroot \"$1\" sh /prepare.sh && rm \"$1/prepare.sh\"");
    // Its files must not lie where something else cleans up.
    make.env("TMPDIR", work).arg(&wishes.suite).arg(&archive);
    cargo::check(&mut make)?;
    let looked_at = work.join("looked-at");
    fs::create_dir_all(&looked_at)?;
    let mut unpack = Command::new("tar");
    unpack.args(["-C"]).arg(&looked_at).args(["--no-same-owner", "--wildcards", "-xf"]).arg(&archive);
    cargo::check(unpack.args(["./boot/*", "./usr/lib/raspi-firmware/*", "./usr/lib/linux-image-*/*"]))?;
    Ok(Root::Archive { archive, looked_at })
}

/// What is ours in it: the program, its service, and what lies in firmware/image/root.
fn ours(work: &Path, name: &str, program: &Path) -> Result<PathBuf> {
    let (ours, firmware) = (work.join("ours"), cargo::root().join("firmware"));
    copy_tree(&firmware.join("image/root"), &ours)?;
    let units = ours.join("usr/lib/systemd/system");
    fs::create_dir_all(ours.join("usr/bin"))?;
    fs::create_dir_all(ours.join("etc/arcdoor"))?;
    put(program, &ours.join("usr/bin/arcdoor"), 0o755)?;
    put(&firmware.join("arcdoor/arcdoor.service"), &units.join("arcdoor.service"), 0o644)?;
    for (from, to) in [("sysusers.conf", "usr/lib/sysusers.d"), ("60-arcdoor.rules", "usr/lib/udev/rules.d")]
    {
        fs::create_dir_all(ours.join(to))?;
        let named = if from == "sysusers.conf" { "arcdoor.conf" } else { from };
        put(&firmware.join("image/deb").join(from), &ours.join(to).join(named), 0o644)?;
    }
    fs::write(ours.join("etc/arcdoor/board"), format!("BOARD={name}\n"))?;
    // The clock starts no earlier than this.
    fs::write(ours.join("usr/lib/clock-epoch"), "")?;
    fs::write(ours.join("prepare.sh"), PREPARE)?;
    Ok(ours)
}

/// Copies a tree of files; what lies in a folder `arcdoor` of `lib` is a program.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &to)?;
        } else {
            let mode = if from.ends_with("lib/arcdoor") { 0o755 } else { 0o644 };
            put(&entry.path(), &to, mode)?;
        }
    }
    Ok(())
}

fn put(from: &Path, to: &Path, mode: u32) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(mode))?)
}
