//! Faces over time: a folder for each person, in it a folder for each track, in it its frames.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::eval::set::people::{file_name, stem};
use crate::eval::set::set::{Medium, Sample, Set};
use crate::face_finder::photos_in;
use crate::trouble::Trouble;

/// Most frames that are read: of 512 values each, 1 GiB of templates.
const MAX_FRAMES: usize = 500_000;

/// A person's face in frames that follow each other.
#[derive(Debug, PartialEq)]
pub(crate) struct Track {
    /// Whose, as an index into the set's subjects.
    pub(crate) person: usize,
    /// Its frames, as samples of the set.
    pub(crate) frames: Range<usize>,
}

/// Frames and the tracks that they make.
pub(crate) struct Tracks {
    pub(crate) frames: Set,
    /// Those of a person follow each other, by name.
    pub(crate) tracks: Vec<Track>,
}

/// Reads `PERSON/TRACK/FRAME.jpg`: of each track the first `most` frames, in the order of the last number in their names
/// (`0.9.jpg` comes before `0.10.jpg`).
pub(crate) fn read(dir: &Path, most: usize) -> Result<Tracks> {
    let mut found = Tracks { frames: Set::default(), tracks: Vec::new() };
    for folder in folders(dir)? {
        let person = found.frames.subjects.len();
        found.frames.subjects.push(file_name(&folder));
        for track in folders(&folder)? {
            let mut photos = photos_in(&track)?;
            photos.sort_by_cached_key(|photo| (number(&stem(photo)), photo.clone()));
            let first = found.frames.samples.len();
            for photo in photos.into_iter().take(most) {
                let name = format!("{}/{}/{}", file_name(&folder), file_name(&track), file_name(&photo));
                let medium = Medium::Photo(photo);
                found.frames.samples.push(Sample { name, medium, subject: Some(person), face: None });
            }
            found.tracks.push(Track { person, frames: first..found.frames.samples.len() });
        }
        if found.frames.samples.len() > MAX_FRAMES {
            let text = format!("{}: more than {MAX_FRAMES} frames; give fewer as --frames", dir.display());
            return Err(Trouble::BadInput(text).into());
        }
    }
    Ok(found)
}

fn folders(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    if folders.is_empty() {
        let text = format!("{} holds no folders; tracks are PERSON/TRACK/FRAME.jpg", dir.display());
        return Err(Trouble::BadInput(text).into());
    }
    folders.sort();
    Ok(folders)
}

/// The last number in a name; 0 where there is none.
fn number(name: &str) -> u64 {
    let rest = name.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let digits = rest.len() - rest.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    rest[rest.len() - digits..].parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_in_the_order_of_their_numbers_and_folders_without_tracks_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for frame in ["Ann/0/0.10.jpg", "Ann/0/0.9.jpg", "Ann/0/0.11.jpg", "Ann/2/frame7b.jpg", "Bob/1/1.png"]
        {
            let path = dir.path().join(frame);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"").unwrap();
        }
        let Tracks { frames, tracks } = read(dir.path(), 2).unwrap();
        let names: Vec<&str> = frames.samples.iter().map(|frame| frame.name.as_str()).collect();
        assert_eq!(names, ["Ann/0/0.9.jpg", "Ann/0/0.10.jpg", "Ann/2/frame7b.jpg", "Bob/1/1.png"]);
        let track = |person, frames| Track { person, frames };
        assert_eq!(tracks, [track(0, 0..2), track(0, 2..3), track(1, 3..4)]);
        assert_eq!(
            [number("0.10"), number("frame7b"), number("é"), number("99999999999999999999")],
            [10, 7, 0, 0]
        );
        let refused = read(&dir.path().join("Ann"), 2).err().unwrap().to_string();
        assert!(refused.contains("PERSON/TRACK/FRAME.jpg"), "{refused}");
    }
}
