//! Photos, packs, exports, traces and settings with changed bytes: read or refused with a reason, never a panic, a
//! signal or a hang.

use super::bytes::{damage, exchange};
use super::device::Device;
use super::ground::{Ground, copy_folder, text};
use super::people::{PEOPLE, People, is_grant};
use super::random::Random;
use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};

/// Inputs, one after the other on one home.
const INPUTS: usize = 8;

/// One home, some damaged inputs.
pub(super) fn round(ground: &Ground, random: &mut Random) -> Result<()> {
    let device = Device::prepared(ground)?;
    for _ in 0..INPUTS {
        match random.below(5) {
            0 | 1 => photo(&device, random)?,
            2 => pack(&device, random)?,
            3 => sealed(&device, random)?,
            _ => settings(&device, random)?,
        }
    }
    People::base().observe(&device)?;
    device.clear()
}

/// A damaged copy of a file, in the device's folder.
fn damaged(device: &Device<'_>, from: &PathBuf, name: &str, random: &mut Random) -> Result<PathBuf> {
    let mut bytes = fs::read(from)?;
    damage(&mut bytes, random);
    let path = device.dir().join(name);
    fs::write(&path, bytes)?;
    Ok(path)
}

fn photo(device: &Device<'_>, random: &mut Random) -> Result<()> {
    let person = random.pick(&PEOPLE);
    let path = damaged(device, &device.ground.photos.join(person.photo), person.photo, random)?;
    let end = device.call(&["identify", "--json", "--image", &text(&path)])?;
    end.expect_reason()?;
    if end.is_done() {
        let granted = end.lines()?.iter().all(|line| !is_grant(line) || line["candidate"] == person.name);
        ensure!(granted, "{} granted to somebody else: {end}", person.photo);
    }
    Ok(())
}

fn pack(device: &Device<'_>, random: &mut Random) -> Result<()> {
    let folder = device.dir().join("damaged");
    copy_folder(&device.ground.pack, &folder)?;
    let file = folder.join(random.pick(&["pack.toml", "sface.graph", "yunet.graph", "yunet.onnx"]));
    let mut bytes = fs::read(&file)?;
    damage(&mut bytes, random);
    exchange(&file, &bytes)?;
    for words in [["pack", "check"], ["pack", "install"]] {
        device.call(&[words[0], words[1], &text(&folder)])?.expect_reason()?;
    }
    Ok(fs::remove_dir_all(&folder)?)
}

/// An export or a trace.
fn sealed(device: &Device<'_>, random: &mut Random) -> Result<()> {
    let ground = device.ground;
    let (command, file) = *random.pick(&[("import", 0), ("replay", 1)]);
    let from = if file == 0 { ground.export() } else { ground.trace() };
    let path = damaged(device, &from, command, random)?;
    device.call(&[command, &text(&path)])?.expect_reason()
}

fn settings(device: &Device<'_>, random: &mut Random) -> Result<()> {
    let file = device.home().join("settings.toml");
    let own = fs::read(&file)?;
    let mut bytes = own.clone();
    damage(&mut bytes, random);
    exchange(&file, &bytes)?;
    People::base().observe_damaged(device, &[])?;
    device.call(&["doctor"])?.expect_reason()?;
    exchange(&file, &own)
}
