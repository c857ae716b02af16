//! `cargo xtask flash`: an image onto a card, and what was written read back.
//!
//! Before a byte is written, the whole image is read once: its length, its hash, its table and its board are right, or the card
//! stays as it is. It is read again to be written, and compared with the first reading before the card becomes an image.

mod disk;
mod source;

use std::fs::{self, File};
use std::io::{IsTerminal, Read, Seek, Write};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::image::{LABEL_AT, LABEL_BYTES, LOADER, Label, MIB, check_table};

use disk::{Disk, System};
use source::Source;

/// Bytes that are read and written at once.
const CHUNK: usize = 4 << 20;

/// Writes `image` onto `device`, and verifies it.
pub(crate) fn run(image: &Path, device: &Path, board: Option<&str>, fixed: Option<&str>) -> Result<()> {
    let said = write(&System::this(), image, device, board, fixed, &mut Progress::new())?;
    println!("{said}");
    Ok(())
}

fn write(
    system: &System,
    image: &Path,
    device: &Path,
    board: Option<&str>,
    fixed: Option<&str>,
    progress: &mut Progress,
) -> Result<String> {
    let checked = check(image, board, progress)?;
    let label = &checked.label;
    let disk = Disk::find(system, device, fixed)?;
    ensure!(
        disk.room() >= label.bytes,
        "{} has room for {} MiB, and the image has {} MiB: take a larger card",
        device.display(),
        disk.room() / MIB,
        label.bytes / MIB
    );
    // By its number, not by its name: a file may have two.
    let file = |path: &Path| fs::metadata(path).ok().map(|about| (about.dev(), about.ino()));
    ensure!(
        file(device).is_none() || file(device) != file(image),
        "{} is the image itself",
        device.display()
    );
    // Open until all is read back: a desktop mounts a disk that it sees closed, and writes to it.
    let mut card = disk.open(device)?;
    let written = copy(&mut Source::open(image)?, &mut card, &checked, progress)
        .with_context(|| format!("{} onto {}", image.display(), device.display()))?;
    let found = read_back(&mut card, label, progress)
        .with_context(|| format!("cannot read {} back", device.display()))?;
    ensure!(
        found == written,
        "{} does not hold what was written: it is worn out, or not what it says it is. Take another card",
        device.display()
    );
    Ok(format!("{}: arcdoor {} for {}, verified", device.display(), label.version, label.board))
}

/// An image that was read once, and found right.
struct Checked {
    label: Label,
    /// Its first sectors, which the label's hash leaves out.
    head: Vec<u8>,
}

/// Reads all of an image before anything is written.
fn check(image: &Path, board: Option<&str>, progress: &mut Progress) -> Result<Checked> {
    let named = || image.display().to_string();
    let mut source = Source::open(image)?;
    // The first sectors: table, label, and zeros.
    let mut head = vec![0; usize::try_from(LOADER)?];
    source.read_exact(&mut head).context("the image is cut short").with_context(named)?;
    let at = usize::try_from(LABEL_AT)?;
    let label = Label::read(&head[at..at + LABEL_BYTES]).with_context(named)?;
    check_table(&head, label.bytes).with_context(named)?;
    if let Some(board) = board {
        ensure!(
            label.board == board,
            "{}: the image is for {}, not for {board}: another board's lines would move other things",
            image.display(),
            label.board
        );
    }
    let (mut hash, mut done, mut chunk) = (Sha256::new(), LOADER, vec![0; CHUNK]);
    loop {
        let length = source.read(&mut chunk).with_context(named)?;
        if length == 0 {
            break;
        }
        hash.update(&chunk[..length]);
        done += length as u64;
        progress.show("checking", done, label.bytes);
        ensure!(
            done <= label.bytes,
            "{}: longer than the {} bytes that it says",
            image.display(),
            label.bytes
        );
    }
    source.end().with_context(named)?;
    ensure!(
        done == label.bytes,
        "{}: cut short: {done} of {} bytes; load it down again",
        image.display(),
        label.bytes
    );
    ensure!(
        hex(hash) == label.sha256,
        "{}: damaged: its hash is another; load it down again",
        image.display()
    );
    Ok(Checked { label, head })
}

/// Writes all of it, the first MiB last: until then the card is no image, and nothing starts from half of one, nor from other
/// bytes than were checked. The hash of what was written.
fn copy(
    source: &mut impl Read,
    card: &mut File,
    checked: &Checked,
    progress: &mut Progress,
) -> Result<String> {
    const CHANGED: &str = "the image changed while it was written: the card is none now; flash it again";
    let label = &checked.label;
    let at = checked.head.len();
    let mut head = vec![0; usize::try_from(MIB)?];
    source.read_exact(&mut head).context(CHANGED)?;
    let (mut hash, mut body) = (Sha256::new(), Sha256::new());
    hash.update(&head);
    body.update(&head[at..]);
    card.write_all(&vec![0; head.len()])?;
    let (mut done, mut chunk) = (MIB, vec![0; CHUNK]);
    while done < label.bytes {
        let length = source.read(&mut chunk)?;
        ensure!(length > 0, CHANGED);
        hash.update(&chunk[..length]);
        body.update(&chunk[..length]);
        card.write_all(&chunk[..length])?;
        done += length as u64;
        progress.show("writing", done, label.bytes);
    }
    card.sync_all()?;
    ensure!(head[..at] == checked.head && hex(body) == label.sha256, CHANGED);
    card.write_all_at(&head, 0)?;
    card.sync_all()?;
    Ok(hex(hash))
}

/// The hash of what the card holds, not of what the kernel remembers.
fn read_back(card: &mut File, label: &Label, progress: &mut Progress) -> Result<String> {
    card.rewind()?;
    rustix::fs::fadvise(&*card, 0, None, rustix::fs::Advice::DontNeed)
        .context("cannot forget what was written")?;
    let (mut hash, mut done, mut chunk) = (Sha256::new(), 0, vec![0; CHUNK]);
    while done < label.bytes {
        let most = usize::try_from((label.bytes - done).min(CHUNK as u64))?;
        let length = card.read(&mut chunk[..most])?;
        ensure!(length > 0, "it ends before what was written");
        hash.update(&chunk[..length]);
        done += length as u64;
        progress.show("reading back", done, label.bytes);
    }
    Ok(hex(hash))
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How far it is, where somebody watches.
struct Progress {
    is_watched: bool,
    last: (&'static str, u64),
}

impl Progress {
    fn new() -> Self {
        Self { is_watched: std::io::stderr().is_terminal(), last: ("", 0) }
    }

    fn show(&mut self, step: &'static str, done: u64, all: u64) {
        let percent = done.saturating_mul(100) / all.max(1);
        if self.is_watched && self.last != (step, percent) {
            self.last = (step, percent);
            eprint!("\r{step} {percent:>3} % of {} MiB   ", all / MIB);
            if done == all {
                eprintln!();
            }
        }
    }
}

#[cfg(test)]
mod tests;
