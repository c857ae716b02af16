//! The path that evaluations and crops take: a file, its faces, a template or a crop.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use arcdoor_core::{Face, Faces, Landmarks5, Template};
use arcdoor_frame::{ImageLimits, RgbImage, decode, read_image};
use arcdoor_models::Pack;
use arcdoor_vision::align::{ARCFACE_112, Similarity, TEMPLATE_SIDE, warp};
use arcdoor_vision::{Channels, DetectSettings, DetectorKind, RunOptions, Vision};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

/// Reads a detector's name; the help lists them.
pub(crate) fn detector_parser() -> impl TypedValueParser<Value = DetectorKind> {
    let described = |kind: DetectorKind| {
        PossibleValue::new(kind.name()).help(match kind {
            DetectorKind::Yunet => "YuNet: boxes and landmarks in one pass",
            DetectorKind::Seetaface => "SeetaFace: boxes; YuNet then looks for the landmarks within each",
        })
    };
    PossibleValuesParser::new(DetectorKind::ALL.map(described)).try_map(|name| name.parse::<DetectorKind>())
}

/// Everything that one thread needs to look at files.
pub(crate) struct Sight {
    vision: Vision,
    settings: DetectSettings,
    image: RgbImage,
    faces: Faces,
}

impl Sight {
    pub(crate) fn open(pack: &Pack, detector: DetectorKind, settings: DetectSettings) -> Result<Self> {
        let vision = Vision::from_pack(pack, detector, &RunOptions::default())
            .with_context(|| format!("cannot load the networks of {}", pack.dir().display()))?;
        Ok(Self { vision, settings, image: RgbImage::new(), faces: Faces::new() })
    }

    /// Reads a photo and finds its faces, each with landmarks where they could be had.
    pub(crate) fn look(&mut self, path: &Path) -> Result<&[Face]> {
        read_image(path, &ImageLimits::default(), &mut self.image)
            .with_context(|| format!("cannot read {}", path.display()))?;
        self.faces.clear();
        self.vision.detect(self.image.view(), &self.settings, &mut self.faces)?;
        Ok(&self.faces)
    }

    /// Width and height of the photo last looked at, pixels.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.image.width(), self.image.height())
    }

    /// The template of a face in the photo last looked at.
    pub(crate) fn embed(&mut self, landmarks: &Landmarks5) -> Result<Template> {
        Ok(self.vision.embed(self.image.view(), landmarks)?)
    }

    /// The template of a crop that is aligned to the ArcFace template already.
    pub(crate) fn template_of_crop(&mut self, bytes: &[u8]) -> Result<Template> {
        decode(bytes, &ImageLimits::default(), &mut self.image)?;
        let side = TEMPLATE_SIDE;
        ensure!(self.size() == (side, side), "an aligned crop is {side}x{side}, not {:?}", self.size());
        self.embed(&Landmarks5(ARCFACE_112))
    }

    /// The face's crop, aligned to the ArcFace template: `out` is square, and its side is the crop's.
    pub(crate) fn crop(&self, landmarks: &Landmarks5, out: &mut RgbImage) -> Result<()> {
        let side = out.width();
        ensure!(side == out.height(), "a crop of {side}x{} is no square", out.height());
        let plane = (side * side) as usize;
        let to_crop = Similarity::to_template(landmarks, side)?;
        let mut planes = vec![0.0; 3 * plane];
        warp(self.image.view(), &to_crop, &Channels::RGB, side, &mut planes);
        for (index, pixel) in out.data_mut().chunks_exact_mut(3).enumerate() {
            for (channel, value) in pixel.iter_mut().enumerate() {
                // `as` keeps within 0..=255.
                *value = planes[channel * plane + index].round() as u8;
            }
        }
        Ok(())
    }

    /// The template of the face nearest the photo's centre; `None` where there is no face with landmarks.
    pub(crate) fn template_at_centre(&mut self, path: &Path) -> Result<Option<Template>> {
        self.look(path)?;
        let (width, height) = self.size();
        let off_centre = |face: &Face| {
            let centre = face.rect.centre();
            (centre.x - width as f32 / 2.0).hypot(centre.y - height as f32 / 2.0)
        };
        let with_landmarks = self.faces.iter().filter(|face| face.landmarks.is_some());
        let nearest = with_landmarks.min_by(|a, b| off_centre(a).total_cmp(&off_centre(b)));
        match nearest.and_then(|face| face.landmarks) {
            Some(landmarks) => self.embed(&landmarks).map(Some),
            None => Ok(None),
        }
    }
}

/// Opens a pack, or says what to do where there is none.
pub(crate) fn open_pack(dir: &Path) -> Result<Pack> {
    Pack::open(dir).with_context(|| {
        format!("cannot open the pack {}; `cargo xtask pack yunet-sface` builds one", dir.display())
    })
}

/// The photos directly within `dir`, by name.
pub(crate) fn photos_in(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
    let mut photos = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let extension = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        if matches!(extension.as_deref(), Some("jpg" | "jpeg" | "png")) {
            photos.push(path);
        }
    }
    if photos.is_empty() {
        bail!("no JPEG or PNG photo in {}", dir.display());
    }
    photos.sort();
    Ok(photos)
}
