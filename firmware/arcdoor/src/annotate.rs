//! Marked copies of photos: boxes, landmarks, names.

use crate::engine::Seen;
use crate::error::Error;
use crate::message::{Sight, Verdict};
use arcdoor_frame::{RgbImage, write_png};
use arcdoor_panel::{FaceMark, MarkKind, draw_overlay};
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::prelude::PointsIter;
use embedded_graphics::primitives::Rectangle;
use std::path::{Path, PathBuf};

/// An image as a draw target; pixels beyond it are dropped.
struct Canvas<'a> {
    pixels: &'a mut [u8],
    size: Size,
}

impl OriginDimensions for Canvas<'_> {
    fn size(&self) -> Size {
        self.size
    }
}

impl DrawTarget for Canvas<'_> {
    type Color = Rgb888;
    type Error = core::convert::Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Self::Error> {
        for Pixel(at, colour) in pixels {
            let (Ok(x), Ok(y)) = (u32::try_from(at.x), u32::try_from(at.y)) else { continue };
            if x < self.size.width && y < self.size.height {
                let at = (y as usize * self.size.width as usize + x as usize) * 3;
                self.pixels[at..at + 3].copy_from_slice(&[colour.r(), colour.g(), colour.b()]);
            }
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, colour: Rgb888) -> Result<(), Self::Error> {
        self.draw_iter(area.points().map(|at| Pixel(at, colour)))
    }
}

/// Marks `image` in place and writes it as PNG to `path`.
///
/// # Errors
/// When the file cannot be written.
pub fn annotate(image: &mut RgbImage, seen: &Seen, sight: &Sight, path: &Path) -> Result<(), Error> {
    let label = label(sight);
    let marks: Vec<FaceMark<'_>> = seen
        .faces
        .iter()
        .enumerate()
        .map(|(index, face)| {
            let chosen = seen.chosen == Some(index) || (seen.chosen.is_none() && seen.faces.len() == 1);
            FaceMark {
                rect: face.rect,
                landmarks: face.landmarks,
                label: if chosen { &label } else { "" },
                kind: if chosen { kind(sight.decision) } else { MarkKind::Retry },
            }
        })
        .collect();
    let size = Size::new(image.width(), image.height());
    let mut canvas = Canvas { pixels: image.data_mut(), size };
    let Ok(()) = draw_overlay(&mut canvas, &marks);
    write_png(path, image.view()).map_err(|source| Error::Annotate { path: path.to_owned(), source })
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
#[must_use]
pub fn target(dir: &Path, photo: &Path, taken: &[PathBuf]) -> PathBuf {
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
