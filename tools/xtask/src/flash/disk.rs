//! Which disks may be written.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// Opens a disk only where nothing has it mounted (open(2), Linux, block devices).
const O_EXCL: i32 = 0o200;

/// Where the system says what its disks are; tests have other folders.
pub(super) struct System {
    /// /sys/class/block.
    pub(super) blocks: PathBuf,
    /// /proc/self/mountinfo.
    pub(super) mounts: PathBuf,
    /// /proc/swaps.
    pub(super) swaps: PathBuf,
}

impl System {
    pub(super) fn this() -> Self {
        Self {
            blocks: "/sys/class/block".into(),
            mounts: "/proc/self/mountinfo".into(),
            swaps: "/proc/swaps".into(),
        }
    }
}

/// What may be written.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Disk {
    /// A file, which grows.
    File,
    /// A whole disk.
    Whole {
        /// How much it holds.
        bytes: u64,
        /// The kernel's number of it, as `8:0`.
        number: String,
    },
}

impl Disk {
    /// Looks at `device`: a file, or a whole disk that can be taken out and that nothing uses. `fixed` names a disk that is
    /// meant although it is built in.
    pub(super) fn find(system: &System, device: &Path, fixed: Option<&str>) -> Result<Self> {
        let Ok(about) = fs::metadata(device) else {
            ensure!(
                !device.starts_with("/dev"),
                "{}: there is no such disk; is the card in? `lsblk` shows what there is",
                device.display()
            );
            return Ok(Self::File);
        };
        if about.is_file() {
            return Ok(Self::File);
        }
        ensure!(about.file_type().is_block_device(), "{} is neither a disk nor a file", device.display());
        let path = fs::canonicalize(device)?;
        let name = path.file_name().context("a disk without a name")?.to_string_lossy().into_owned();
        Self::judge(system, &name, fixed)
    }

    /// Judges the disk that the kernel calls `name`.
    pub(super) fn judge(system: &System, name: &str, fixed: Option<&str>) -> Result<Self> {
        let dir = system.blocks.join(name);
        ensure!(dir.is_dir(), "the kernel knows no disk {name}");
        if dir.join("partition").exists() {
            bail!("{name} is a partition: an image is for the whole disk; `lsblk` shows which that is");
        }
        let mut parts = vec![(name.to_owned(), dir.clone())];
        for entry in fs::read_dir(&dir)? {
            let entry = entry?;
            if entry.path().join("partition").exists() {
                parts.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
            }
        }
        for (part, dir) in &parts {
            in_use(system, part, dir)?;
        }
        let is_one = |file: &str| read(&dir.join(file)).is_some_and(|text| text == "1");
        // A card in a reader of its own (MMC) says that it is fixed, and is not.
        let is_card =
            name.starts_with("mmcblk") && read(&dir.join("device/type")).is_some_and(|kind| kind == "SD");
        ensure!(
            is_one("removable") || is_card || fixed == Some(name),
            "{name} is built in, by what it says: everything on it would be lost. If it is meant, name it: --even-fixed {name}"
        );
        ensure!(!is_one("ro"), "{name} is protected against writing: push the card's lock back");
        let sectors: u64 = read(&dir.join("size")).and_then(|size| size.parse().ok()).unwrap_or_default();
        ensure!(sectors > 0, "{name} holds nothing: is the card in?");
        let number = read(&dir.join("dev")).with_context(|| format!("{name} has no number"))?;
        Ok(Self::Whole { bytes: sectors * 512, number })
    }

    /// How much it holds; a file takes everything.
    pub(super) const fn room(&self) -> u64 {
        match self {
            Self::File => u64::MAX,
            Self::Whole { bytes, .. } => *bytes,
        }
    }

    /// Opens `device` for writing and reading: what was judged, and nothing else that has its name by now.
    pub(super) fn open(&self, device: &Path) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        match self {
            Self::File => options.create(true).truncate(true),
            Self::Whole { .. } => options.custom_flags(O_EXCL),
        };
        let card = options.open(device).with_context(|| format!("cannot write {}", device.display()))?;
        let about = card.metadata()?;
        let is_it = match self {
            Self::File => about.is_file(),
            Self::Whole { number, .. } => {
                about.file_type().is_block_device() && *number == number_of(about.rdev())
            }
        };
        ensure!(is_it, "{} is another disk now: look at `lsblk`, and try again", device.display());
        Ok(card)
    }
}

/// A device's number, as the kernel writes it.
fn number_of(device: u64) -> String {
    format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device))
}

/// Refuses what is mounted, swapped to, or a part of something larger.
fn in_use(system: &System, part: &str, dir: &Path) -> Result<()> {
    let number = read(&dir.join("dev")).unwrap_or_default();
    let mounts = fs::read_to_string(&system.mounts).context("cannot see what is mounted")?;
    for line in mounts.lines() {
        // The third field is the disk's number, the fifth where it is mounted (proc(5)).
        let mut fields = line.split(' ');
        if fields.nth(2) == Some(&number) && !number.is_empty() {
            let place = fields.nth(1).unwrap_or("/");
            bail!("{part} is mounted at {place}: umount {place}, if that is the card");
        }
        // Some file systems have numbers of their own, and name the disk.
        let source = line.split(" - ").nth(1).and_then(|rest| rest.split(' ').nth(1));
        if source == Some(&format!("/dev/{part}")) {
            bail!("{part} is mounted: umount /dev/{part}, if that is the card");
        }
    }
    let swaps = match fs::read_to_string(&system.swaps) {
        // A kernel that cannot swap.
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        swaps => swaps.context("cannot see what is swapped to")?,
    };
    let path = format!("/dev/{part}");
    ensure!(
        !swaps.lines().any(|line| line.split_whitespace().next() == Some(&path)),
        "{part} is swapped to: it is no card for a door"
    );
    if let Some(Ok(holder)) = fs::read_dir(dir.join("holders")).ok().and_then(|mut all| all.next()) {
        bail!("{part} is a part of {}: it is no card for a door", holder.file_name().to_string_lossy());
    }
    Ok(())
}

/// A file of one line.
fn read(file: &Path) -> Option<String> {
    Some(fs::read_to_string(file).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A system with the disk `sdx` and its partition `sdx1`, and what mounts say.
    fn system(mounts: &str, swaps: &str) -> (tempfile::TempDir, System) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, text) in [
            ("block/sdx/removable", "1\n"),
            ("block/sdx/ro", "0\n"),
            ("block/sdx/size", "4194304\n"),
            ("block/sdx/dev", "8:0\n"),
            ("block/sdx/sdx1/partition", "1\n"),
            ("block/sdx/sdx1/dev", "8:1\n"),
            ("block/sdx1/partition", "1\n"),
            ("mounts", mounts),
            ("swaps", swaps),
        ] {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), text).unwrap();
        }
        let system = System { blocks: at("block"), mounts: at("mounts"), swaps: at("swaps") };
        (folder, system)
    }

    const ROOT: &str = "26 1 254:0 / / rw shared:1 - ext4 /dev/vda rw\n";

    #[test]
    fn a_card_that_nothing_uses_may_be_written() {
        let (_folder, system) = system(ROOT, "Filename Type\n/dev/vdb partition\n");
        let whole = Disk::Whole { bytes: 2 << 30, number: "8:0".to_owned() };
        assert_eq!(Disk::judge(&system, "sdx", None).unwrap(), whole);
        fs::remove_file(&system.swaps).unwrap();
        assert!(Disk::judge(&system, "sdx", None).is_ok(), "a kernel without swap");
        fs::remove_file(&system.mounts).unwrap();
        assert!(Disk::judge(&system, "sdx", None).is_err(), "nobody knows what is mounted");
    }

    #[test]
    fn a_name_that_leads_elsewhere_by_now_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        let device = folder.path().join("sdx");
        fs::write(&device, "before").unwrap();
        let whole = Disk::Whole { bytes: 2 << 30, number: "8:0".to_owned() };
        assert!(whole.open(&device).unwrap_err().to_string().contains("is another disk now"));
        assert_eq!(fs::read(&device).unwrap(), b"before");
        assert_eq!(number_of(rustix::fs::makedev(8, 17)), "8:17");
    }

    #[test]
    fn what_somebody_uses_is_never_written_even_if_it_is_named() {
        let mounted = format!("{ROOT}40 26 8:1 / /media/card rw - vfat /dev/sdx1 rw\n");
        let by_name = format!("{ROOT}41 26 0:44 / /mnt rw - btrfs /dev/sdx1 rw\n");
        for (mounts, swaps, word) in [
            (mounted.as_str(), "", "mounted at /media/card"),
            (by_name.as_str(), "", "umount /dev/sdx1"),
            (ROOT, "Filename\n/dev/sdx1 partition 1\n", "swapped to"),
        ] {
            let (_folder, system) = system(mounts, swaps);
            let said = Disk::judge(&system, "sdx", Some("sdx")).unwrap_err().to_string();
            assert!(said.contains(word), "{said}");
        }
        let (folder, system) = system(ROOT, "");
        fs::create_dir_all(folder.path().join("block/sdx/sdx1/holders/dm-0")).unwrap();
        assert!(Disk::judge(&system, "sdx", None).unwrap_err().to_string().contains("part of dm-0"));
    }

    #[test]
    fn a_disk_that_is_built_in_is_written_only_if_it_is_named() {
        let (folder, system) = system(ROOT, "");
        let disk = folder.path().join("block/sdx");
        fs::write(disk.join("removable"), "0\n").unwrap();
        assert!(Disk::judge(&system, "sdx", None).unwrap_err().to_string().contains("--even-fixed sdx"));
        assert!(Disk::judge(&system, "sdx", Some("sdy")).is_err());
        assert!(Disk::judge(&system, "sdx", Some("sdx")).is_ok());
    }

    #[test]
    fn a_partition_an_empty_reader_and_a_locked_card_are_refused() {
        let (folder, system) = system(ROOT, "");
        let refused = |name: &str| Disk::judge(&system, name, None).unwrap_err().to_string();
        assert!(refused("sdx1").contains("is a partition"));
        assert!(refused("sdz").contains("no disk sdz"));
        fs::write(folder.path().join("block/sdx/size"), "0\n").unwrap();
        assert!(refused("sdx").contains("is the card in?"));
        fs::write(folder.path().join("block/sdx/ro"), "1\n").unwrap();
        assert!(refused("sdx").contains("lock"));
    }

    #[test]
    fn a_name_under_dev_that_is_not_there_becomes_no_file() {
        let system = System::this();
        assert!(Disk::find(&system, Path::new("/dev/no-such-card"), None).is_err());
        assert!(
            Disk::find(&system, Path::new("/dev/null"), None).unwrap_err().to_string().contains("neither")
        );
    }
}
