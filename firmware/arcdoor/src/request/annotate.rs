//! Marked copies of photos: boxes, landmarks, names.

use crate::error::Error;
use crate::home::file::make;
use arcdoor_api::{Sight, Verdict};
use arcdoor_frame::{RgbImage, encode_png};
use arcdoor_panel::{FaceMark, MarkKind, RgbCanvas, draw_overlay};
use arcdoor_pipeline::Step;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Copies of one name in a folder; more are an error.
const MOST_OF_A_NAME: u32 = 10_000;

/// Writes marked copies of photos into a folder.
pub struct Annotator {
    dir: PathBuf,
}

impl Annotator {
    /// Copies go into `dir`, which is made where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(dir: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(dir).map_err(|source| Error::File { path: dir.to_owned(), source })?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Marks `image` in place, writes it as a new PNG, and says where. Nothing is overwritten, and no link followed: the
    /// folder may be the one that the photos lie in.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn mark(
        &mut self,
        image: &mut RgbImage,
        step: &Step,
        sight: &Sight,
        photo: &Path,
    ) -> Result<PathBuf, Error> {
        draw(image, step, sight);
        let png =
            encode_png(image.view()).map_err(|source| Error::Annotate { path: self.dir.clone(), source })?;
        let (path, mut file) = self.free(photo)?;
        file.write_all(&png).map_err(|source| {
            // The first error is the one to report.
            let _ = std::fs::remove_file(&path);
            Error::File { path: path.clone(), source }
        })?;
        Ok(path)
    }

    /// A new file for the marked copy of `photo`: its name with `.png`, and a number where something has that.
    fn free(&self, photo: &Path) -> Result<(PathBuf, File), Error> {
        let stem = photo.file_stem().unwrap_or_else(|| OsStr::new("frame"));
        for n in 1..=MOST_OF_A_NAME {
            let mut name = stem.to_owned();
            name.push(if n == 1 { ".png".to_owned() } else { format!("-{n}.png") });
            let path = self.dir.join(name);
            match make(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(source) => return Err(Error::File { path, source }),
            }
        }
        Err(Error::Exists(self.dir.join(stem).with_added_extension("png")))
    }
}

fn draw(image: &mut RgbImage, step: &Step, sight: &Sight) {
    let label = label(sight);
    let marks: Vec<FaceMark<'_>> = step
        .faces
        .iter()
        .enumerate()
        .map(|(index, face)| {
            let chosen = step.chosen == Some(index) || (step.chosen.is_none() && step.faces.len() == 1);
            FaceMark {
                rect: face.rect,
                landmarks: face.landmarks,
                label: if chosen { &label } else { "" },
                kind: if chosen { kind(sight.decision) } else { MarkKind::Retry },
            }
        })
        .collect();
    let (width, height) = (image.width(), image.height());
    if let Some(mut canvas) = RgbCanvas::new(image.data_mut(), width, height) {
        let Ok(()) = draw_overlay(&mut canvas, &marks);
    }
}

const fn kind(verdict: Verdict) -> MarkKind {
    match verdict {
        Verdict::Granted => MarkKind::Granted,
        Verdict::Denied => MarkKind::Denied,
        Verdict::Retry => MarkKind::Retry,
    }
}

/// A name only where it was granted: the best candidate of a denial is nobody.
fn label(sight: &Sight) -> String {
    match (sight.decision, &sight.candidate, sight.score, sight.reason) {
        (Verdict::Granted, Some(name), Some(score), _) => format!("{name} {score:.2}"),
        (Verdict::Denied, _, Some(score), _) => format!("unknown {score:.2}"),
        (_, _, _, Some(reason)) => reason.text().to_owned(),
        _ => sight.decision.text().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_overwrites_neither_its_photo_nor_another_copy_and_follows_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("me.png"), "the photo itself").unwrap();
        std::os::unix::fs::symlink(at("victim"), at("me-2.png")).unwrap();
        let annotator = Annotator::new(dir.path()).unwrap();
        for (photo, copy) in [("me.png", "me-3.png"), ("other/me.jpg", "me-4.png"), ("you.jpg", "you.png")] {
            assert_eq!(annotator.free(&at(photo)).unwrap().0, at(copy));
        }
        assert_eq!(std::fs::read(at("me.png")).unwrap(), b"the photo itself");
        assert!(!at("victim").exists());
    }
}
