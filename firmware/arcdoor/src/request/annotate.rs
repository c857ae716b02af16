//! Marked copies of photos: boxes, landmarks, names.

use crate::error::Error;
use arcdoor_api::{Sight, Verdict};
use arcdoor_frame::{RgbImage, write_png};
use arcdoor_panel::{FaceMark, MarkKind, RgbCanvas, draw_overlay};
use arcdoor_pipeline::Step;
use std::path::{Path, PathBuf};

/// Writes marked copies of photos into a folder.
pub struct Annotator {
    dir: PathBuf,
    written: Vec<PathBuf>,
}

impl Annotator {
    /// Into `dir`, which is made where it is missing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(dir: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(dir).map_err(|source| Error::File { path: dir.to_owned(), source })?;
        Ok(Self { dir: dir.to_owned(), written: Vec::new() })
    }

    /// Marks `image` in place, writes it as PNG, and says where.
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
        let path = target(&self.dir, photo, &self.written);
        draw(image, step, sight);
        write_png(&path, image.view()).map_err(|source| Error::Annotate { path: path.clone(), source })?;
        self.written.push(path.clone());
        Ok(path)
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

/// Where the marked copy of `photo` goes: its name with `.png`, and a number where two photos share it.
fn target(dir: &Path, photo: &Path, taken: &[PathBuf]) -> PathBuf {
    let stem = photo.file_stem().map_or_else(|| "frame".into(), |stem| stem.to_string_lossy().into_owned());
    let first = dir.join(format!("{stem}.png"));
    if !taken.contains(&first) {
        return first;
    }
    (2..).map(|n| dir.join(format!("{stem}-{n}.png"))).find(|path| !taken.contains(path)).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photos_of_one_name_get_copies_of_their_own() {
        let dir = Path::new("out");
        let first = target(dir, Path::new("a/me.jpg"), &[]);
        let second = target(dir, Path::new("b/me.png"), std::slice::from_ref(&first));
        assert_eq!((first, second), (dir.join("me.png"), dir.join("me-2.png")));
    }
}
