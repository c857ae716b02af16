//! The image of a card while it is made.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::label::{self, FORMAT, Label};
use super::layout::{LOADER, Layout, Part, Place};
use super::{packed, table};

/// Bytes that are copied at once.
const CHUNK: usize = 1 << 20;

/// A file that becomes an image. Until it is finished it lies beside its place, and is removed when that fails.
pub(super) struct Card {
    out: PathBuf,
    unfinished: PathBuf,
    layout: Layout,
    /// The table's signature; partitions are known to the kernel by it.
    signature: u32,
}

impl Card {
    pub(super) fn create(out: &Path, layout: Layout) -> Result<Self> {
        if let Some(folder) = out.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut unfinished = out.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        let file =
            File::create(&unfinished).with_context(|| format!("cannot write {}", unfinished.display()))?;
        file.set_len(layout.bytes())?;
        let mut signature = [0; 4];
        File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut signature))?;
        Ok(Self { out: out.to_owned(), unfinished, layout, signature: u32::from_le_bytes(signature) })
    }

    /// How the kernel's command line names a partition.
    pub(super) fn partition(&self, part: Part) -> String {
        let number = Part::ALL.iter().position(|other| *other == part).unwrap_or_default() + 1;
        format!("{:08x}-{number:02}", self.signature)
    }

    /// Makes a partition's content in a file of its length, and copies it to its place.
    pub(super) fn fill(&self, part: Part, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let place = self.place(part)?;
        let file = self.unfinished.with_extension(part.label());
        File::create(&file)?.set_len(place.length)?;
        make(&file).with_context(|| format!("partition {}", part.label()))?;
        let length = fs::metadata(&file)?.len();
        ensure!(length <= place.length, "partition {} has no room for {length} bytes", part.label());
        let mut card = OpenOptions::new().write(true).open(&self.unfinished)?;
        card.seek(SeekFrom::Start(place.start))?;
        copy(&mut File::open(&file)?, &mut card)?;
        Ok(fs::remove_file(file)?)
    }

    /// Writes table, loader and label, and gives the image its name.
    pub(super) fn finish(self, board: &str, loader: Option<&[u8]>) -> Result<()> {
        let mut card = OpenOptions::new().read(true).write(true).open(&self.unfinished)?;
        card.write_all(&table::write(&self.layout.places(), self.signature)?)?;
        if let Some(loader) = loader {
            card.seek(SeekFrom::Start(LOADER))?;
            card.write_all(loader)?;
        }
        card.seek(SeekFrom::Start(LOADER))?;
        let sha256 = packed::hash_of(&mut card)?;
        let label = Label {
            format: FORMAT,
            board: board.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            bytes: self.layout.bytes(),
            sha256,
        };
        card.seek(SeekFrom::Start(label::AT))?;
        card.write_all(&label.write()?)?;
        card.sync_all()?;
        Ok(fs::rename(&self.unfinished, &self.out)?)
    }

    fn place(&self, part: Part) -> Result<Place> {
        self.layout.places().into_iter().find(|place| place.part == part).context("no such partition")
    }
}

impl Drop for Card {
    fn drop(&mut self) {
        // Gone already where it was finished.
        let _ = fs::remove_file(&self.unfinished);
        for part in Part::ALL {
            let _ = fs::remove_file(self.unfinished.with_extension(part.label()));
        }
    }
}

/// Copies; zeros are passed over, so that the image has holes in their place.
fn copy(from: &mut File, to: &mut File) -> Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = from.read(&mut chunk)?;
        if length == 0 {
            return Ok(());
        }
        if chunk[..length].iter().all(|byte| *byte == 0) {
            to.seek(SeekFrom::Current(i64::try_from(length)?))?;
        } else {
            to.write_all(&chunk[..length])?;
        }
    }
}
