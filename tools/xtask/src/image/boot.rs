//! The boot partition: what a board's firmware reads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use arcdoor_board::{Board, Boot};

use super::card::Card;
use super::layout::Part;
use super::root::Root;

/// Where Debian's package raspi-firmware keeps its files.
const RASPI: &str = "usr/lib/raspi-firmware";
/// Of these, what the firmware of one board or another reads.
const RASPI_ENDINGS: [&str; 4] = ["bin", "elf", "dat", "dtbo"];
/// What the installer may lay there.
const README: &str = include_str!("../../../../firmware/image/boot/README.txt");
/// The largest device tree that is looked at, in bytes.
const MAX_TREE: u64 = 1 << 20;

/// Fills the folder `boot`.
pub(super) fn fill(boot: &Path, name: &str, board: &Board, root: &Root, card: &Card) -> Result<()> {
    let kernel = Kernel::find(root.folder())?;
    copy(&kernel.image, &boot.join("vmlinuz"))?;
    copy(&kernel.ramdisk, &boot.join("initrd.img"))?;
    fs::write(boot.join("README.txt"), README)?;
    let command_line = command_line(card);
    let Some(machine) = board.machine() else {
        // An emulator takes kernel and ramdisk from here.
        return Ok(fs::write(boot.join("cmdline.txt"), command_line + "\n")?);
    };
    let trees = device_trees(&root.folder().join("usr/lib"), machine.compatible())?;
    ensure!(
        !trees.is_empty(),
        "Debian's kernel {} has no device tree for {}: it does not know {name}. A later release may (--suite), or this board's \
         own system with the package of `cargo xtask deb`",
        kernel.version,
        machine.compatible().join(" or ")
    );
    match machine.boot() {
        Boot::RaspberryPi => {
            for tree in &trees {
                copy(tree, &boot.join(tree.file_name().context("a device tree without a name")?))?;
            }
            raspberry_pi(boot, root.folder())?;
            fs::write(boot.join("cmdline.txt"), command_line + "\n")?;
            fs::write(boot.join("config.txt"), CONFIG)?;
        }
        Boot::UBoot => {
            copy(&trees[0], &boot.join("board.dtb"))?;
            fs::create_dir_all(boot.join("extlinux"))?;
            let entry = format!(
                "default arcdoor\nlabel arcdoor\n  kernel /vmlinuz\n  initrd /initrd.img\n  fdt /board.dtb\n  append {command_line}\n"
            );
            fs::write(boot.join("extlinux/extlinux.conf"), entry)?;
        }
    }
    Ok(())
}

/// For Raspberry Pi's firmware; names of device trees are those of the kernel itself.
const CONFIG: &str = "arm_64bit=1\nupstream_kernel=1\nkernel=vmlinuz\ninitramfs initrd.img followkernel\nenable_uart=1\n\
                      # Where a kernel of Raspberry Pi's own is used: a relay's line is let go when the program is killed.\n\
                      dtparam=strict_gpiod\n";

/// The system is never written to; /var is in memory; no cursor blinks through the panel; a kernel that fails starts again.
fn command_line(card: &Card) -> String {
    format!(
        "root=PARTUUID={} ro rootwait rootfstype=ext4 systemd.volatile=state panic=10 quiet \
         vt.global_cursor_default=0 consoleblank=0 console=tty1",
        card.partition(Part::SlotA)
    )
}

fn raspberry_pi(boot: &Path, root: &Path) -> Result<()> {
    let from = root.join(RASPI);
    let mut found = false;
    let entries = fs::read_dir(&from).with_context(|| {
        format!("{}: the system lacks raspi-firmware, of Debian's non-free-firmware", from.display())
    })?;
    for entry in entries {
        let path = entry?.path();
        let ending = path.extension().map(|ending| ending.to_string_lossy().into_owned());
        if ending.is_some_and(|ending| RASPI_ENDINGS.contains(&&*ending)) {
            copy(&path, &boot.join(path.file_name().unwrap_or_default()))?;
            found = true;
        }
    }
    ensure!(found, "{} holds no firmware", from.display());
    Ok(())
}

/// Debian's kernel in a system.
struct Kernel {
    image: PathBuf,
    ramdisk: PathBuf,
    version: String,
}

impl Kernel {
    fn find(root: &Path) -> Result<Self> {
        let boot = root.join("boot");
        let mut names: Vec<String> = fs::read_dir(&boot)
            .with_context(|| format!("cannot read {}", boot.display()))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| name.strip_prefix("vmlinuz-").map(str::to_owned))
            .collect();
        names.sort();
        let version = names.pop().context("the system has no kernel: boot/vmlinuz-VERSION")?;
        let (image, ramdisk) =
            (boot.join(format!("vmlinuz-{version}")), boot.join(format!("initrd.img-{version}")));
        ensure!(ramdisk.is_file(), "the kernel {version} has no ramdisk: {}", ramdisk.display());
        Ok(Self { image, ramdisk, version })
    }
}

/// Every device tree in a system that begins with one of these names of a board.
fn device_trees(folder: &Path, compatible: &[String]) -> Result<Vec<PathBuf>> {
    let (mut folders, mut trees) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let (kind, path) = (entry.file_type()?, entry.path());
            if kind.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "dtb")
                && entry.metadata()?.len() <= MAX_TREE
                && is_for(&fs::read(&path)?, compatible)
            {
                trees.push(path);
            }
        }
    }
    trees.sort();
    Ok(trees)
}

/// Whether one of these names stands in a device tree, whole.
fn is_for(tree: &[u8], compatible: &[String]) -> bool {
    compatible.iter().any(|name| {
        let mut whole = vec![0];
        whole.extend_from_slice(name.as_bytes());
        whole.push(0);
        // What stands first in a property has its own length before it, of which the last byte is not zero.
        tree.windows(whole.len()).any(|window| window[1..] == whole[1..] && !window[0].is_ascii_graphic())
    })
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_a_boards_only_where_its_whole_name_stands() {
        let names = ["raspberrypi,3-model-b".to_owned()];
        assert!(is_for(b"\0\0\0\x1f\0\0\0\x01raspberrypi,3-model-b\0brcm,bcm2837\0", &names));
        assert!(!is_for(b"\0\0\0\x24raspberrypi,3-model-b-plus\0brcm,bcm2837\0", &names));
        assert!(!is_for(b"\0xraspberrypi,3-model-b\0", &names));
        assert!(!is_for(b"", &names));
    }
}
