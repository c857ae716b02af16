//! No room, no right to write, nobody who reads the answer: an error that says why, nothing lost, nothing left.

use super::child::{End, script};
use super::device::Device;
use super::ground::{Ground, copy_folder};
use super::kills::Write;
use super::people::People;
use super::random::Random;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

/// Of the disk in memory; the home without its packs takes a tenth of it.
const DISK_KIB: usize = 4096;
/// Left free on the full disk, at most: from nothing to almost enough for any command.
const MOST_FREE_KIB: usize = 256;
/// Blocks of 512 bytes that a file may have, at most, where files may not grow.
const MOST_BLOCKS: usize = 400;

/// One home and one fault.
pub(super) fn round(ground: &Ground, random: &mut Random) -> Result<()> {
    let write = drawn(random);
    match random.below(4) {
        0 => on_disk(ground, write, |disk| full(disk, random.below(MOST_FREE_KIB))),
        1 => on_disk(ground, write, |disk| {
            disk.remount("ro")?;
            Ok(Fault::ReadOnly)
        }),
        2 => {
            let blocks = random.below(MOST_BLOCKS);
            here(ground, write, &script(&format!("trap '' XFSZ; ulimit -f {blocks};"), "2>/dev/null"))
        }
        _ => {
            let closed = if random.coin() { ">&-" } else { ">/dev/full" };
            here(ground, write, &script("", closed))
        }
    }
}

/// A command that writes into the home, or beside it; no installation, for which the disk is too small.
fn drawn(random: &mut Random) -> Write {
    let mut all = Write::possible(&People::base());
    all.retain(|write| *write != Write::Install);
    *random.pick(&all)
}

/// A fault of the command's surroundings; its home lies on the usual disk.
fn here(ground: &Ground, write: Write, script: &str) -> Result<()> {
    let device = Device::prepared(ground)?;
    let mut people = People::base();
    let words = write.words(&device);
    let end = device.call_in(&words.iter().map(String::as_str).collect::<Vec<_>>(), script)?;
    judge(&end, write, &mut people)?;
    after(&device, write, &mut people)?;
    device.clear()
}

enum Fault {
    Full(PathBuf),
    ReadOnly,
}

/// A fault of the disk that the home lies on.
fn on_disk(ground: &Ground, write: Write, fault: impl FnOnce(&Disk) -> Result<Fault>) -> Result<()> {
    let device = Device::prepared(ground)?;
    let Some(disk) = Disk::mount(device.dir().join("disk"))? else {
        eprintln!("         no disk in memory can be mounted here: skipped");
        return device.clear();
    };
    let device = device.moved_to(disk.0.join("home"))?;
    let result = starved(&device, &disk, write, fault);
    if result.is_err() {
        copy_folder(device.home(), &device.dir().join("home-of-the-disk"))?;
    }
    drop(disk);
    result?;
    device.clear()
}

fn starved(
    device: &Device<'_>,
    disk: &Disk,
    write: Write,
    fault: impl FnOnce(&Disk) -> Result<Fault>,
) -> Result<()> {
    let mut people = People::base();
    let fault = fault(disk)?;
    let words = write.words(device);
    let end = device.call(&words.iter().map(String::as_str).collect::<Vec<_>>())?;
    end.expect_reason()?;
    judge(&end, write, &mut people)?;
    match fault {
        Fault::Full(filler) => fs::remove_file(filler)?,
        Fault::ReadOnly => {
            // What only reads works all the same.
            people.observe_list(device)?;
            disk.remount("rw")?;
        }
    }
    after(device, write, &mut people)
}

fn full(disk: &Disk, free_kib: usize) -> Result<Fault> {
    let filler = disk.0.join("filler");
    let zeros = vec![0; 1024];
    let mut file = fs::File::create(&filler)?;
    let mut kib: u64 = 0;
    while std::io::Write::write_all(&mut file, &zeros).is_ok() {
        kib += 1;
    }
    file.set_len(kib.saturating_sub(free_kib as u64) * 1024)?;
    Ok(Fault::Full(filler))
}

/// It was done, or failed as device trouble; then its change may have been made or not.
fn judge(end: &End, write: Write, people: &mut People) -> Result<()> {
    end.expect(&[0, 5])?;
    write.apply(people, end.is_done());
    Ok(())
}

/// The fault is gone: everybody is there, and the next command that writes works and leaves nothing behind.
fn after(device: &Device<'_>, write: Write, people: &mut People) -> Result<()> {
    people.observe(device)?;
    let export = device.export();
    ensure!(write == Write::Export || !export.exists(), "an export that nobody asked for");
    let next = people.strangers().first().map_or(Write::Replace(0), |person| Write::Enrol(*person));
    let words = next.words(device);
    device.call(&words.iter().map(String::as_str).collect::<Vec<_>>())?.expect(&[0])?;
    next.apply(people, true);
    people.observe(device)?;
    device.is_tidy(false)
}

/// A file system in memory of its own, unmounted at the end.
struct Disk(PathBuf);

impl Disk {
    /// None where mounting is not allowed.
    fn mount(path: PathBuf) -> Result<Option<Self>> {
        fs::create_dir(&path)?;
        let options = format!("size={DISK_KIB}k,mode=700");
        let is_mounted =
            quietly(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(&path));
        Ok(is_mounted.then_some(Self(path)))
    }

    fn remount(&self, how: &str) -> Result<()> {
        let done = quietly(Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0));
        ensure!(done, "cannot remount {}", self.path().display());
        Ok(())
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        quietly(Command::new("umount").arg(&self.0));
    }
}

fn quietly(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
