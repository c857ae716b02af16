//! A set of crops on disk: images, `dataset.toml` that says how they were made, and the journal `crops.tsv`.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use arcdoor_core::file::{ReadError, read_bounded};
use arcdoor_frame::{RgbImage, write_png};
use arcdoor_models::Alignment;
use serde::{Deserialize, Serialize};

use crate::limits::{MAX_JOURNAL_BYTES, MAX_SMALL_BYTES};
use crate::part_file::part_of;
use crate::trouble::Trouble;

/// Declares a set; the trainer takes no other alignment than it names.
pub(crate) const DECLARATION: &str = "dataset.toml";
/// One line a photo: name, outcome, faces found, name of the crop.
pub(crate) const JOURNAL: &str = "crops.tsv";

/// How a set was made: `dataset.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Declaration {
    /// Version of this file; 1.
    pub(crate) format: u32,
    /// How the faces were brought into the crops.
    pub(crate) alignment: Alignment,
    /// Side of a crop, pixels.
    pub(crate) size: u32,
    /// Whether each folder is one person.
    pub(crate) labelled: bool,
    /// What made the crops.
    pub(crate) tool: String,
    /// Which detector found the boxes.
    pub(crate) detector: String,
    /// sha256 of the network that found the landmarks.
    pub(crate) landmarks_sha256: String,
    /// Which of several faces was taken.
    pub(crate) several: String,
    /// Least score and width (pixels) of a face.
    pub(crate) min_score: f32,
    pub(crate) min_face_px: u32,
}

/// What became of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Cropped,
    /// Several faces; one was taken.
    Chosen,
    /// Several faces; none was taken.
    Several,
    NoFace,
    Corrupt,
}

impl Outcome {
    pub(crate) const ALL: [Self; 5] =
        [Self::Cropped, Self::Chosen, Self::Several, Self::NoFace, Self::Corrupt];

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Cropped => "cropped",
            Self::Chosen => "chosen",
            Self::Several => "several",
            Self::NoFace => "no_face",
            Self::Corrupt => "corrupt",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.text() == text)
    }
}

/// The folder being filled.
pub(crate) struct CropSet {
    dir: PathBuf,
    journal: File,
    done: HashSet<String>,
    counts: BTreeMap<Outcome, usize>,
}

impl CropSet {
    /// Begins a set in `dir`, or goes on with the one that is there if it was made the same way.
    pub(crate) fn open(dir: &Path, declaration: &Declaration) -> Result<Self> {
        let path = dir.join(DECLARATION);
        if path.is_file() {
            let text = read_bounded(&path, MAX_SMALL_BYTES).map_err(|cause| disk(&path, &cause))?;
            let found: Option<Declaration> = toml::from_slice(&text).ok();
            if found.as_ref() != Some(declaration) {
                let text = format!(
                    "{} was made in another way (see {}): name another --out, or give the same options",
                    dir.display(),
                    path.display()
                );
                return Err(Trouble::BadInput(text).into());
            }
        } else {
            if fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some()) {
                let text =
                    format!("{} is not empty and holds no {DECLARATION}: name another --out", dir.display());
                return Err(Trouble::BadInput(text).into());
            }
            fs::create_dir_all(dir).map_err(|cause| disk(dir, &cause))?;
            let part = dir.join("dataset.part");
            fs::write(&part, toml::to_string(declaration)?)
                .and_then(|()| fs::rename(&part, &path))
                .map_err(|cause| disk(&path, &cause))?;
        }
        let path = dir.join(JOURNAL);
        let (mut done, mut counts) = (HashSet::new(), BTreeMap::new());
        let text = whole_lines(&path)?;
        for line in text.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            let [name, outcome, _, _] = fields[..] else { continue };
            if let Some(outcome) = Outcome::parse(outcome)
                && done.insert(name.to_owned())
            {
                *counts.entry(outcome).or_default() += 1;
            }
        }
        let journal =
            OpenOptions::new().create(true).append(true).open(&path).map_err(|cause| disk(&path, &cause))?;
        Ok(Self { dir: dir.to_path_buf(), journal, done, counts })
    }

    /// Whether this photo was dealt with, now or before.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.done.contains(name)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        self.counts.get(&outcome).copied().unwrap_or(0)
    }

    /// Writes down what became of a photo; its crop must be in its place by then.
    pub(crate) fn note(&mut self, name: &str, outcome: Outcome, faces: usize, crop: &str) -> Result<()> {
        let line = format!("{name}\t{}\t{faces}\t{crop}\n", outcome.text());
        self.journal.write_all(line.as_bytes()).map_err(|cause| disk(&self.dir.join(JOURNAL), &cause))?;
        self.done.insert(name.to_owned());
        *self.counts.entry(outcome).or_default() += 1;
        Ok(())
    }
}

/// Puts a crop in its place whole, or not at all.
pub(crate) fn put(dir: &Path, name: &str, crop: &RgbImage) -> Result<()> {
    let path = dir.join(name);
    let part = part_of(&path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|cause| disk(folder, &cause))?;
    }
    write_png(&part, crop.view()).map_err(|cause| disk(&path, &cause))?;
    Ok(fs::rename(&part, &path).map_err(|cause| disk(&path, &cause))?)
}

/// The journal up to its last whole line; what a stopped run left after that is cut off.
fn whole_lines(path: &Path) -> Result<String> {
    let mut bytes = match read_bounded(path, MAX_JOURNAL_BYTES) {
        Ok(bytes) => bytes,
        Err(cause) if cause.is_missing() => return Ok(String::new()),
        Err(cause @ ReadError::TooLarge { .. }) => {
            return Err(Trouble::BadInput(format!("{} {cause}", path.display())).into());
        }
        Err(cause) => return Err(disk(path, &cause).into()),
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    if whole < bytes.len() {
        bytes.truncate(whole);
        fs::write(path, &bytes).map_err(|cause| disk(path, &cause))?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn disk(path: &Path, cause: &dyn std::fmt::Display) -> Trouble {
    Trouble::Disk(format!("{}: {cause}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declaration() -> Declaration {
        Declaration {
            format: 1,
            alignment: Alignment::Arcface112,
            size: 112,
            labelled: true,
            tool: "arcdoor-lab 0".to_owned(),
            detector: "yunet".to_owned(),
            landmarks_sha256: "0".repeat(64),
            several: "centre".to_owned(),
            min_score: 0.6,
            min_face_px: 20,
        }
    }

    #[test]
    fn a_stopped_run_goes_on_after_its_last_whole_line() {
        let dir = tempfile::tempdir().unwrap();
        let mut set = CropSet::open(dir.path(), &declaration()).unwrap();
        set.note("a/1.jpg", Outcome::Cropped, 1, "a/1.png").unwrap();
        set.note("a/2.jpg", Outcome::NoFace, 0, "").unwrap();
        drop(set);
        let journal = dir.path().join(JOURNAL);
        let mut torn = fs::read(&journal).unwrap();
        torn.extend_from_slice(b"a/3.jpg\tcrop");
        fs::write(&journal, torn).unwrap();
        let mut set = CropSet::open(dir.path(), &declaration()).unwrap();
        assert!(set.has("a/1.jpg") && set.has("a/2.jpg") && !set.has("a/3.jpg"));
        assert_eq!((set.count(Outcome::Cropped), set.count(Outcome::NoFace)), (1, 1));
        set.note("a/3.jpg", Outcome::Chosen, 2, "a/3.png").unwrap();
        drop(set);
        let text = fs::read_to_string(&journal).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(text.ends_with("a/3.jpg\tchosen\t2\ta/3.png\n"));
    }

    #[test]
    fn a_set_of_another_kind_and_a_foreign_folder_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        CropSet::open(dir.path(), &declaration()).unwrap();
        let other = Declaration { min_face_px: 40, ..declaration() };
        assert_eq!(Trouble::code_of(&CropSet::open(dir.path(), &other).err().unwrap()), 3);
        let foreign = tempfile::tempdir().unwrap();
        fs::write(foreign.path().join("letter.txt"), "mine").unwrap();
        assert_eq!(Trouble::code_of(&CropSet::open(foreign.path(), &declaration()).err().unwrap()), 3);
    }

    #[test]
    fn a_crop_that_cannot_be_written_is_a_matter_of_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "a file where a folder must be").unwrap();
        let error = put(dir.path(), "a/1.png", &RgbImage::with_size(2, 2)).unwrap_err();
        assert_eq!(Trouble::code_of(&error), 5);
    }
}
