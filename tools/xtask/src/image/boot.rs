//! The boot partition: what a board's firmware reads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use arcdoor_board::{Board, Boot, Machine};

use super::card::Card;
use super::layout::Part;
use crate::qemu::output;

/// Where Debian's package raspi-firmware keeps its files.
const RASPI: &str = "usr/lib/raspi-firmware";
/// Of these, what the firmware of one board or another reads.
const RASPI_ENDINGS: [&str; 4] = ["bin", "elf", "dat", "dtbo"];
/// What the installer may lay there.
const README: &str = include_str!("../../../../firmware/image/boot/README.txt");
/// The largest device tree that is looked at, in bytes.
const MAX_TREE: u64 = 1 << 20;

/// Fills the folder `boot`.
pub(super) fn fill(boot: &Path, name: &str, board: &Board, root: &Path, card: &Card) -> Result<()> {
    let (kernel, trees) = starts(name, board, root)?;
    copy(&kernel.image, &boot.join("vmlinuz"))?;
    copy(&kernel.ramdisk, &boot.join("initrd.img"))?;
    fs::write(boot.join("README.txt"), README)?;
    let command_line = command_line(card, serial(board.machine()));
    let Some(machine) = board.machine() else {
        // An emulator takes kernel and ramdisk from here.
        return Ok(fs::write(boot.join("cmdline.txt"), command_line + "\n")?);
    };
    match machine.boot() {
        Boot::RaspberryPi => {
            for tree in &trees {
                copy(tree, &boot.join(tree.file_name().context("a device tree without a name")?))?;
            }
            raspberry_pi(boot, root)?;
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

/// The newest kernel of a system and the board's device trees, of which there is one at least; that its ramdisk switches the
/// card's supply, where the kernel says how.
pub(super) fn starts(name: &str, board: &Board, root: &Path) -> Result<(Kernel, Vec<PathBuf>)> {
    let kernel = Kernel::find(root)?;
    let Some(machine) = board.machine() else {
        return Ok((kernel, Vec::new()));
    };
    let trees = device_trees(&root.join("usr/lib"), machine.compatible())?;
    ensure!(
        !trees.is_empty(),
        "Debian's kernel {} has no device tree for {}: it does not know {name}. A later release may (--suite), or this board's \
         own system with the package of `cargo xtask deb`",
        kernel.version,
        machine.compatible().join(" or ")
    );
    let config = fs::read_to_string(root.join("boot").join(format!("config-{}", kernel.version)));
    if let Ok(config) = config
        && trees.iter().any(|tree| fs::read(tree).is_ok_and(|tree| holds(&tree, b"vmmc-supply\0")))
    {
        let listed = output(Command::new("lsinitramfs").arg(&kernel.ramdisk))?;
        let lacks = lacks(&config, &listed);
        ensure!(
            lacks.is_empty(),
            "the ramdisk lacks {}, without which {name} finds no card: name it in firmware/image/ramdisk-hook",
            lacks.join(", ")
        );
    }
    Ok((kernel, trees))
}

/// What switches a card's supply: a kernel's option, and its module.
const SUPPLIES: [(&str, &str); 3] = [
    ("CONFIG_REGULATOR_FIXED_VOLTAGE", "fixed.ko"),
    ("CONFIG_REGULATOR_GPIO", "gpio-regulator.ko"),
    ("CONFIG_GPIO_RASPBERRYPI_EXP", "gpio-raspberrypi-exp.ko"),
];

/// Modules of a kernel's `config` that a ramdisk's list has not.
fn lacks(config: &str, listed: &str) -> Vec<&'static str> {
    let is_module = |option: &str| config.lines().any(|line| line == format!("{option}=m"));
    let is_listed = |module: &str| {
        let packed = format!("{module}.xz");
        listed.lines().filter_map(|line| line.rsplit('/').next()).any(|name| name == module || name == packed)
    };
    SUPPLIES
        .iter()
        .filter(|(option, module)| is_module(option) && !is_listed(module))
        .map(|(_, module)| *module)
        .collect()
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// For Raspberry Pi's firmware; names of device trees are those of the kernel itself.
const CONFIG: &str = "arm_64bit=1\nupstream_kernel=1\nkernel=vmlinuz\ninitramfs initrd.img followkernel\nenable_uart=1\n\
                      # Where a kernel of Raspberry Pi's own is used: a relay's line is let go when the program is killed.\n\
                      dtparam=strict_gpiod\n";

/// Where a cable for repairs goes: a `console=` on the command line is the only one that gets a prompt, whatever a device tree
/// names. Raspberry Pi's is the one of pins 14 and 15 (BCM numbers), the Rockchip boards' the one that their loaders talk on.
fn serial(machine: Option<&Machine>) -> &'static str {
    match machine.map(Machine::boot) {
        Some(Boot::RaspberryPi) => "ttyS1,115200",
        Some(Boot::UBoot) => "ttyS2,1500000",
        None => "ttyAMA0,115200",
    }
}

/// The system is never written to; /var is in memory; no cursor blinks through the panel; a kernel that fails starts again.
fn command_line(card: &Card, serial: &str) -> String {
    format!(
        "root=PARTUUID={} ro rootwait rootfstype=ext4 systemd.volatile=state panic=10 quiet \
         vt.global_cursor_default=0 consoleblank=0 console={serial} console=tty1",
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
pub(super) struct Kernel {
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
        // 6.1.0-10 is newer than 6.1.0-9.
        let key = |name: &String| -> Vec<u64> {
            name.split(|at: char| !at.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
        };
        names.sort_by_key(key);
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
    fn a_ramdisk_without_the_regulators_of_a_cards_supply_is_found_out() {
        let config =
            "CONFIG_REGULATOR_FIXED_VOLTAGE=m\nCONFIG_REGULATOR_GPIO=m\nCONFIG_GPIO_RASPBERRYPI_EXP=y\n";
        assert_eq!(
            lacks(config, "usr/lib/modules/6.1/kernel/x/unfixed.ko\n"),
            ["fixed.ko", "gpio-regulator.ko"]
        );
        let listed = "usr/lib/modules/x/fixed.ko\nusr/lib/modules/x/gpio-regulator.ko.xz\n";
        assert!(lacks(config, listed).is_empty());
        assert!(holds(b"\0vmmc-supply\0", b"vmmc-supply\0"));
    }

    #[test]
    fn a_tree_is_a_boards_only_where_its_whole_name_stands() {
        let names = ["raspberrypi,3-model-b".to_owned()];
        assert!(is_for(b"\0\0\0\x1f\0\0\0\x01raspberrypi,3-model-b\0brcm,bcm2837\0", &names));
        assert!(!is_for(b"\0\0\0\x24raspberrypi,3-model-b-plus\0brcm,bcm2837\0", &names));
        assert!(!is_for(b"\0xraspberrypi,3-model-b\0", &names));
        assert!(!is_for(b"", &names));
    }
}
