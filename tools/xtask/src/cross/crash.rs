//! Whether a crash report of the program reads, once its symbols lie beside it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::cargo;
use crate::image::hex_of;
use crate::qemu::which;

/// Runs the program here.
pub(super) const EMULATOR: &str = "qemu-aarch64-static";
/// The network that is damaged: a convolution's dilations become a field that nobody knows, and tract counts on them.
const NETWORK: &str = "yunet.onnx";
const DILATIONS: &[u8] = b"dilations\x42\x02\x01\x01";
/// Behind the name, the field's number.
const NO_DILATIONS: &[u8] = b"dilations\xc2\x02\x01\x01";
/// What the report says first, and a place in our own code that the fault came through.
const FAULT: &str = "arcdoor: fault at ";
const PLACE: &str = "runtime/infer/src/source/";

/// Lets the program stumble over a pack that is damaged, emulated; the line of its report that names our code. An error where it names
/// none.
pub(super) fn report(program: &Path, whole: &Path) -> Result<String> {
    let emulator = which(EMULATOR).context("apt-get install qemu-user-static")?;
    let dir = cargo::target_dir().join("cross/crash");
    let pack = dir.join("pack");
    fs::create_dir_all(&pack)?;
    damaged(whole, &pack)?;
    // A home of its own, which takes packs of nobody's.
    fs::write(dir.join("settings.toml"), "allow_unsigned_packs = true\n")?;
    let mut run = Command::new(emulator);
    run.arg(program).args(["pack", "check"]).arg(&pack);
    let done = run.env("ARCDOOR_HOME", &dir).env("RUST_BACKTRACE", "full").output()?;
    fs::remove_dir_all(&dir)?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(said.contains(FAULT), "the damaged network is no fault any more, so nothing is shown: {said}");
    let place = said.lines().find(|line| line.contains(PLACE));
    place
        .map(|line| line.trim().to_owned())
        .with_context(|| format!("the report of a fault names no line of ours: {said}"))
}

/// Copies a pack whose network is damaged, without graph files, which would be run in its stead.
fn damaged(from: &Path, to: &Path) -> Result<()> {
    let mut manifest = String::new();
    let mut is_graph = false;
    for line in fs::read_to_string(from.join("pack.toml"))?.lines() {
        if line.starts_with('[') {
            is_graph = line.ends_with(".graph]");
        }
        if !is_graph {
            manifest += &format!("{line}\n");
        }
    }
    for file in fs::read_dir(from)? {
        let file = file?;
        let (name, bytes) = (file.file_name(), fs::read(file.path())?);
        if name == NETWORK {
            let changed = without_dilations(&bytes)?;
            manifest = manifest.replace(&hex_of(&bytes), &hex_of(&changed));
            fs::write(to.join(name), changed)?;
        } else if name.to_string_lossy().ends_with(".onnx") {
            fs::write(to.join(name), bytes)?;
        }
    }
    Ok(fs::write(to.join("pack.toml"), manifest)?)
}

fn without_dilations(network: &[u8]) -> Result<Vec<u8>> {
    let at = network.windows(DILATIONS.len()).position(|bytes| bytes == DILATIONS);
    let at = at.context("the network has no dilations")?;
    Ok([&network[..at], NO_DILATIONS, &network[at + DILATIONS.len()..]].concat())
}
