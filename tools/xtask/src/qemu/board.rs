//! `cargo xtask board-test`: the board's own program on an emulated 64-bit ARM board with Debian's kernel, from the first
//! set-up to a power cut in the midst of an enrolment.
//!
//! Real in it: the kernel, GPIO lines over their character device (gpio-sim), a framebuffer, a V4L2 camera (vivid), an ext4
//! disk. Faces come from a replay: vivid shows test images. Time is the emulator's: an instruction takes a nanosecond.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::gpio::{NEEDED, gpio_sim};
use super::machine::{self, Arch, Machine, copy, test_binary_by};
use crate::cross::{self, Features};
use crate::door_demo::write_png;
use crate::{cargo, fetch};

const BOARD: &str = include_str!("../../board/board.toml");
const WORDS: &str = include_str!("../../board/words.sh");
const FIRST: &str = include_str!("../../board/first.sh");
const DAY: &str = include_str!("../../board/day.sh");
const SHORT: &str = include_str!("../../board/short.sh");
const SECOND: &str = include_str!("../../board/second.sh");
const PI3: &str = include_str!("../../board/pi3.sh");
/// The kernel's parts; ext4's checksum is one that nothing asks for by name.
const MODULES: [(&str, &str); 6] = [
    ("virtio_pci", ""),
    ("virtio_blk", ""),
    ("crc32c_generic", ""),
    ("ext4", ""),
    ("vivid", "n_devs=1 node_types=0x1"),
    ("virtio-gpu", ""),
];
/// The same of a Raspberry Pi 3: its cards, and what switches it off.
const PI3_MODULES: [&str; 5] = ["bcm2835", "sdhci_iproc", "bcm2835_wdt", "crc32c_generic", "ext4"];
/// Photos of the demo that it uses.
const PHOTOS: [&str; 3] = ["obama.jpg", "obama2.jpg", "biden.jpg"];
/// The pack for slower boards, with which the memory of one identification is looked at.
const SMALL: &str = "models/packs/doornet-m";
/// The framebuffer's sides, as board.toml has them.
const PANEL: [usize; 2] = [1280, 800];
/// What the panel showed, as the script leaves it.
const SCREENS: [&str; 2] = ["granted", "held-open"];

/// Plays both starts with `program`, or with one that is built for it, and draws what the panel showed.
pub(crate) fn board(program: Option<PathBuf>) -> Result<()> {
    let began = Instant::now();
    let also = [&NEEDED[..], &[("mke2fs", "e2fsprogs"), ("debugfs", "e2fsprogs")]].concat();
    let mut machine = Machine::new(Arch::Arm64, &also)?;
    let program = match program {
        Some(program) => program,
        None => cross::build(Features::ALL)?.program,
    };
    let built_s = began.elapsed().as_secs();
    machine.put(&program, "arcdoor")?;
    if has_libclang()? {
        machine.put(&nokhwas_own()?, "nokhwa")?;
    } else {
        println!("skipped: nokhwa's own capture: libclang is missing: apt-get install libclang-dev");
    }
    wire(&mut machine)?;
    machine.put_pack(&cargo::root().join(SMALL))?;
    let disk = disk(&machine.dir)?;
    let drive = format!("file={},if=virtio,format=raw", disk.display());
    let devices = ["-drive", &drive, "-device", "virtio-gpu-pci"];
    let began = Instant::now();
    let mut said = machine.play(&format!("sleep 1\n{WORDS}{FIRST}{DAY}"), &devices)?;
    said += &machine.play(&format!("sleep 1\n{WORDS}{SECOND}"), &devices)?;
    said += &raspberry_pi_3(&program)?;
    let out = cargo::target_dir().join("board-test");
    fs::create_dir_all(&out)?;
    for name in SCREENS {
        screen(&disk, name, &out)?;
    }
    println!("\nwhat was tried, with the board's own seconds:");
    said.lines()
        .filter_map(|line| line.strip_prefix("board-test: "))
        .for_each(|line| println!("  {}", line.trim()));
    println!(
        "{} bytes of program; built in {built_s} s, played in {} s; what the panel showed: {}",
        fs::metadata(&program)?.len(),
        began.elapsed().as_secs(),
        out.display()
    );
    Ok(())
}

/// Whether nokhwa's own capture can be built.
fn has_libclang() -> Result<bool> {
    let mut folders = fs::read_dir("/usr/lib")?.filter_map(|folder| Some(folder.ok()?.path()));
    let has_clang = |folder: PathBuf| {
        [folder.join("lib"), folder].iter().any(|folder| folder.join("libclang.so.1").exists())
    };
    Ok(std::env::var_os("LIBCLANG_PATH").is_some() || folders.any(has_clang))
}

/// The camera's tests with nokhwa's own capture, for the board. It is no part of the program.
fn nokhwas_own() -> Result<PathBuf> {
    let mut cargo = cross::command()?;
    cargo.env(
        format!("BINDGEN_EXTRA_CLANG_ARGS_{}", cross::TARGET.replace('-', "_")),
        "--sysroot=/usr/aarch64-linux-gnu -I/usr/aarch64-linux-gnu/include",
    );
    let packages = ["--package", "arcdoor-camera", "--features", "nokhwa-v4l", "--target", cross::TARGET];
    test_binary_by(cargo, &packages, "vivid")
}

/// Starts `program` on a Raspberry Pi 3, by that board's own file.
fn raspberry_pi_3(program: &Path) -> Result<String> {
    let mut machine = Machine::new(Arch::Pi3, &[])?;
    machine.put(program, "arcdoor")?;
    furnish(&machine)?;
    for module in PI3_MODULES {
        machine.load(module, "")?;
    }
    let disk = disk(&machine.dir)?;
    let drive = format!("file={},if=sd,format=raw", disk.display());
    machine.play(&format!("{WORDS}{PI3}"), &["-drive", &drive])
}

/// The short form: set-up, an enrolment, the lines, the log; no visit. On this computer's processor, by the program that the tests
/// are built with. `may_fetch`: else it is skipped where Debian's kernel is not there already.
pub(crate) fn short(may_fetch: bool) -> Result<()> {
    let also = [&NEEDED[..], &[("mke2fs", "e2fsprogs")]].concat();
    if !may_fetch && let Err(error) = machine::is_there(Arch::Amd64, &also) {
        println!("skipped: {error:#}; `cargo xtask board-test --short` fetches what it needs");
        return Ok(());
    }
    if may_fetch {
        fetch::demo_photos()?;
        cargo::build_binaries()?;
    }
    let mut machine = Machine::new(Arch::Amd64, &also)?;
    machine.put(&cargo::binary("arcdoor"), "arcdoor")?;
    wire(&mut machine)?;
    let drive = format!("file={},if=virtio,format=raw", disk(&machine.dir)?.display());
    let devices = ["-drive", &drive, "-device", "virtio-gpu-pci", "-vga", "none"];
    machine.play(&format!("sleep 1\n{WORDS}{FIRST}{SHORT}"), &devices).map(drop)
}

/// Lines, camera, panel and disk, the board's file, and photos.
fn wire(machine: &mut Machine) -> Result<()> {
    furnish(machine)?;
    machine.load("configfs", "")?;
    for (module, options) in MODULES {
        machine.load(module, options)?;
    }
    let module = gpio_sim(machine.arch, &machine.work, &machine.kernel)?;
    machine.load_file(&module, "")
}

/// The board's file, and photos.
fn furnish(machine: &Machine) -> Result<()> {
    let (photos, from) = (machine.root().join("photos"), fetch::demo_photos()?);
    for folder in ["etc", "photos"] {
        fs::create_dir_all(machine.root().join(folder))?;
    }
    fs::write(machine.root().join("etc/board.toml"), BOARD)?;
    for photo in PHOTOS {
        copy(&from.join(photo), &photos.join(photo))?;
    }
    write_png(&photos.join("empty.png"), [640, 480], &vec![96; 640 * 480 * 3])
}

/// An empty disk, which outlives a start.
fn disk(folder: &Path) -> Result<PathBuf> {
    let disk = folder.join("board-data");
    fs::File::create(&disk)?.set_len(64 << 20)?;
    cargo::check(Command::new(super::which("mke2fs")?).args(["-q", "-t", "ext4"]).arg(&disk))?;
    Ok(disk)
}

/// Draws a copy of the framebuffer: blue, green, red and nothing, four bytes a pixel.
fn screen(disk: &Path, name: &str, out: &Path) -> Result<()> {
    let raw = out.join(format!("{name}.raw"));
    let dump = format!("dump /{name}.raw {}", raw.display());
    cargo::check(Command::new(super::which("debugfs")?).args(["-R", &dump]).arg(disk))?;
    let bytes = fs::read(&raw).with_context(|| format!("the panel's {name} was not kept"))?;
    ensure!(
        bytes.len() == PANEL[0] * PANEL[1] * 4,
        "the framebuffer has another size: {} bytes",
        bytes.len()
    );
    let pixels: Vec<u8> = bytes.as_chunks::<4>().0.iter().flat_map(|[b, g, r, _]| [*r, *g, *b]).collect();
    ensure!(
        pixels.as_chunks::<3>().0.iter().any(|pixel| pixel[..] != pixels[..3]),
        "the panel shows nothing"
    );
    fs::remove_file(raw)?;
    write_png(&out.join(format!("{name}.png")), PANEL, &pixels)
}
