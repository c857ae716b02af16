//! One changed byte in one file of the home: an error that says why or work as before, never a stranger let in; and
//! with the byte back, everything is.

use super::bytes::{exchange, flip};
use super::device::Device;
use super::ground::{Ground, copy_folder, text};
use super::people::People;
use super::random::Random;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Damaged files, one after the other on one home.
const FLIPS: usize = 4;

/// One home, some flips.
pub(super) fn round(ground: &Ground, random: &mut Random) -> Result<()> {
    let device = Device::prepared(ground)?;
    for _ in 0..FLIPS {
        // The whole home is brought back, as from a copy: one older file beside newer ones is a change of its own, and
        // the log says so.
        let copy = device.copy()?;
        let path = random.pick(&files(device.home())?).clone();
        let mut bytes = fs::read(&path)?;
        flip(&mut bytes, random);
        exchange(&path, &bytes)?;
        damaged(&device, &path).with_context(|| format!("with a changed byte in {}", path.display()))?;
        fs::remove_dir_all(device.home())?;
        copy_folder(copy.home(), device.home())?;
        copy.clear()?;
        let restored = || format!("after {} was restored", path.display());
        People::base().observe(&device).with_context(restored)?;
    }
    device.clear()
}

fn damaged(device: &Device<'_>, path: &Path) -> Result<()> {
    let packs = device.home().join("packs");
    let own_pack = path.starts_with(&packs);
    let installed = ["--pack", "yunet-sface"];
    let more: &[&str] = if own_pack { &installed } else { &[] };
    for words in [&["list"][..], &["doctor"], &["log", "--json"], &["pack", "check", "yunet-sface"]] {
        device.call(&[words, more].concat())?.expect_reason()?;
    }
    // Nobody signed this pack, so that whoever changes its manifest may change its thresholds too.
    if own_pack && path.ends_with("pack.toml") {
        return device
            .call(&[&["pack", "check", &text(&packs.join("yunet-sface"))], more].concat())?
            .expect_reason();
    }
    People::base().observe_damaged(device, more)
}

/// All files under a folder, in the order of their names; locks hold nothing.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else if fs::metadata(&path)?.len() > 0 {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
