//! The path that evaluations and crops take: a photo, its faces, a template or a crop.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use arcdoor_core::{Face, Faces, Landmarks5, Point, Quality, Rect, Template};
use arcdoor_frame::{ImageLimits, Orientation, RgbImage, RgbView, Turn, decode, read_image};
use arcdoor_models::Pack;
use arcdoor_vision::align::{ARCFACE_112, Similarity, TEMPLATE_SIDE, warp};
use arcdoor_vision::{Assessment, Channels, DetectSettings, DetectorKind, QualityGate, RunOptions, Vision};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::eval::floor::make_grey;
use crate::eval::set::scenes::SAME_FACE;
use crate::eval::set::set::{Medium, Sample};
use crate::trouble::Trouble;

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

/// One face on its way through quality and embedder.
pub(crate) struct Judged {
    pub(crate) template: Template,
    /// As it came from the network.
    pub(crate) embedding: Vec<f32>,
    /// Without recognisability.
    pub(crate) assessment: Assessment,
}

/// Finds the faces of photos, one photo at a time; each thread needs one of its own.
pub(crate) struct FaceFinder {
    vision: Vision,
    settings: DetectSettings,
    image: RgbImage,
    faces: Faces,
    /// Whether colour is taken away before anything is looked for.
    in_grey: bool,
}

impl FaceFinder {
    /// With the networks of `pack`.
    pub(crate) fn open(pack: &Pack, detector: DetectorKind, settings: DetectSettings) -> Result<Self> {
        let vision = Vision::from_pack(pack, detector, &RunOptions::default())
            .with_context(|| format!("cannot load the networks of {}", pack.dir().display()))?;
        Ok(Self { vision, settings, image: RgbImage::new(), faces: Faces::new(), in_grey: false })
    }

    /// Takes the colour away from every photo and crop that is read.
    pub(crate) fn in_grey(self, in_grey: bool) -> Self {
        Self { in_grey, ..self }
    }

    /// Reads a photo and finds its faces, each with landmarks where they could be had.
    pub(crate) fn find(&mut self, path: &Path) -> Result<&[Face]> {
        read_photo(path, &mut self.image)?;
        self.tone();
        self.faces.clear();
        self.vision.detect(self.image.view(), &self.settings, &mut self.faces)?;
        Ok(&self.faces)
    }

    /// Reads a photo; the landmarks of the face nearest its centre, of those that have any.
    fn central(&mut self, path: &Path) -> Result<Option<Landmarks5>> {
        let faces = with_landmarks(self.find(path)?);
        Ok(nearest_centre(&faces, self.size()).and_then(|face| face.landmarks))
    }

    /// Width and height of the photo last read, pixels.
    pub(crate) fn size(&self) -> (u32, u32) {
        (self.image.width(), self.image.height())
    }

    /// The template of a face in the photo last read.
    pub(crate) fn embed(&mut self, landmarks: &Landmarks5) -> Result<Template> {
        Ok(self.vision.embed(self.image.view(), landmarks)?)
    }

    /// The template of a crop that is aligned to the ArcFace template already.
    fn template_of_crop(&mut self, bytes: &[u8]) -> Result<Template> {
        self.read_crop(bytes)?;
        self.embed(&Landmarks5(ARCFACE_112))
    }

    fn read_crop(&mut self, bytes: &[u8]) -> Result<()> {
        decode(bytes, &ImageLimits::default(), &mut self.image)?;
        let side = TEMPLATE_SIDE;
        ensure!(self.size() == (side, side), "an aligned crop is {side}x{side}, not {:?}", self.size());
        self.tone();
        Ok(())
    }

    fn tone(&mut self) {
        if self.in_grey {
            make_grey(&mut self.image);
        }
    }

    /// Takes the colour of an image that was read elsewhere, where that was asked for.
    pub(crate) fn take_tone(&self, image: &mut RgbImage) {
        if self.in_grey {
            make_grey(image);
        }
    }

    /// The aligned crop of a sample; `None` where its face was not found, or without landmarks.
    pub(crate) fn crop_of(&mut self, sample: &Sample) -> Result<Option<RgbImage>> {
        match &sample.medium {
            Medium::Photo(path) => self.aligned(path).with_context(|| sample.name.clone()),
            Medium::Crop(_) | Medium::CropFile(_) => {
                self.read_crop(&sample.bytes()?).with_context(|| sample.name.clone())?;
                Ok(Some(self.image.clone()))
            }
        }
    }

    /// The crop of a face in the photo last read, aligned to the ArcFace template: `out` is square, and its side is the crop's.
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

    /// The crop of a photo's face, aligned to the ArcFace template; of several, the face nearest the centre; `None` where
    /// none has landmarks.
    pub(crate) fn aligned(&mut self, path: &Path) -> Result<Option<RgbImage>> {
        let Some(landmarks) = self.central(path)? else { return Ok(None) };
        let mut crop = RgbImage::with_size(TEMPLATE_SIDE, TEMPLATE_SIDE);
        self.crop(&landmarks, &mut crop)?;
        Ok(Some(crop))
    }

    /// What a crop that is aligned already comes to: its template, its embedding and its quality.
    pub(crate) fn judge(&mut self, crop: &RgbImage) -> Result<Judged> {
        let side = TEMPLATE_SIDE as f32;
        let landmarks = Landmarks5(ARCFACE_112);
        let face = Face { rect: Rect::new(0.0, 0.0, side, side), score: 1.0, landmarks: Some(landmarks) };
        let assessment = self.vision.assess(crop.view(), &face);
        let template = self.vision.embed(crop.view(), &landmarks)?;
        Ok(Judged { template, embedding: self.vision.embedding().to_vec(), assessment })
    }

    /// The face nearest the middle of an image, where enrolment's gate takes it but for recognisability: its landmarks and its
    /// template.
    pub(crate) fn enrolled(&mut self, image: RgbView<'_>) -> Result<Option<(Landmarks5, Template)>> {
        self.vision.detect(image, &self.settings, &mut self.faces)?;
        let faces = with_landmarks(&self.faces);
        let Some(face) = nearest_centre(&faces, (image.width(), image.height())) else { return Ok(None) };
        let passes = QualityGate::enrol().check(&self.vision.assess(image, face)).is_ok();
        let Some(landmarks) = face.landmarks.filter(|_| passes) else { return Ok(None) };
        Ok(Some((landmarks, self.vision.embed(image, &landmarks)?)))
    }

    /// The networks themselves.
    pub(crate) const fn vision(&mut self) -> &mut Vision {
        &mut self.vision
    }

    /// The template of a sample; `None` where its face was not found, or without landmarks.
    pub(crate) fn template(&mut self, sample: &Sample) -> Result<Option<Template>> {
        match &sample.medium {
            Medium::Crop(_) | Medium::CropFile(_) => {
                self.template_of_crop(&sample.bytes()?).map(Some).with_context(|| sample.name.clone())
            }
            Medium::Photo(path) => {
                let faces = with_landmarks(self.find(path)?);
                let face = match &sample.face {
                    Some(rect) => at(&faces, rect),
                    None => nearest_centre(&faces, self.size()),
                };
                let template = face.and_then(|face| face.landmarks).map(|landmarks| self.embed(&landmarks));
                template.transpose().with_context(|| sample.name.clone())
            }
        }
    }

    /// The embedding of the face of a photo, as it comes from the network, and that of the photo's mirror image where it is
    /// asked for; of several faces, that nearest the centre. `None` where none has landmarks.
    pub(crate) fn embeddings(&mut self, path: &Path, mirrored: bool) -> Result<Option<Vec<Vec<f32>>>> {
        let Some(landmarks) = self.central(path)? else { return Ok(None) };
        let mut found = Vec::with_capacity(2);
        self.embed(&landmarks)?;
        found.push(self.vision.embedding().to_vec());
        if mirrored {
            let landmarks = of_mirror_image(&landmarks, self.image.width())?;
            mirror(&mut self.image);
            self.embed(&landmarks)?;
            found.push(self.vision.embedding().to_vec());
        }
        Ok(Some(found))
    }

    /// The template and the quality of a photo's face, recognisability among it; of several, the face nearest the centre.
    pub(crate) fn assessed(&mut self, path: &Path) -> Result<Option<(Template, Quality)>> {
        let faces = with_landmarks(self.find(path)?);
        let Some(face) = nearest_centre(&faces, self.size()) else { return Ok(None) };
        let Some(landmarks) = face.landmarks else { return Ok(None) };
        let assessment = self.vision.assess(self.image.view(), face);
        let template = self.embed(&landmarks).with_context(|| path.display().to_string())?;
        Ok(Some((template, assessment.with(self.vision.recognised()).quality)))
    }

    /// The template of the largest face that has landmarks; `None` where there is none.
    pub(crate) fn template_of_largest(&mut self, path: &Path) -> Result<Option<Template>> {
        let faces = with_landmarks(self.find(path)?);
        let largest = faces.iter().max_by(|a, b| a.rect.area().total_cmp(&b.rect.area()));
        largest.and_then(|face| face.landmarks).map(|landmarks| self.embed(&landmarks)).transpose()
    }
}

/// Reads a photo, and names it where it cannot be read.
pub(crate) fn read_photo(path: &Path, out: &mut RgbImage) -> Result<()> {
    read_image(path, &ImageLimits::default(), out).with_context(|| format!("cannot read {}", path.display()))
}

/// Landmarks by which a mirrored photo, `width` pixels wide, aligns to the mirror image of the crop that `landmarks` make of
/// it. (The template itself is not quite symmetric.)
fn of_mirror_image(landmarks: &Landmarks5, width: u32) -> Result<Landmarks5> {
    let across = |point: Point, width: u32| Point::new((width - 1) as f32 - point.x, point.y);
    let to_photo = Similarity::to_template(landmarks, TEMPLATE_SIDE)?.inverse();
    Ok(Landmarks5(ARCFACE_112).map(|point| across(to_photo.apply(across(point, TEMPLATE_SIDE)), width)))
}

/// Left becomes right.
pub(crate) fn mirror(image: &mut RgbImage) {
    Orientation { mirror: true, turn: Turn::None }.apply(image, &mut RgbImage::new());
}

/// The faces that a template or a crop can be made of.
pub(crate) fn with_landmarks(faces: &[Face]) -> Vec<Face> {
    faces.iter().filter(|face| face.landmarks.is_some()).copied().collect()
}

/// The face whose centre is nearest that of a photo, whose width and height are given in pixels.
pub(crate) fn nearest_centre(faces: &[Face], (width, height): (u32, u32)) -> Option<&Face> {
    let off_centre = |face: &Face| {
        let centre = face.rect.centre();
        (centre.x - width as f32 / 2.0).hypot(centre.y - height as f32 / 2.0)
    };
    faces.iter().min_by(|a, b| off_centre(a).total_cmp(&off_centre(b)))
}

/// The face that is meant by a box.
fn at<'a>(faces: &'a [Face], rect: &Rect) -> Option<&'a Face> {
    let meant = faces.iter().filter(|face| face.rect.iou(rect) >= SAME_FACE);
    meant.max_by(|a, b| a.rect.iou(rect).total_cmp(&b.rect.iou(rect)))
}

/// Refuses a pack whose thresholds nobody chose.
pub(crate) fn calibrated(pack: &Pack) -> Result<(), Trouble> {
    if pack.manifest().calibration.impostor == 0 {
        let dir = pack.dir().display();
        let text = format!("{dir} is not calibrated: `arcdoor-lab calibrate` makes the table that it lacks");
        return Err(Trouble::Pack(text));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mirrored_photo_aligns_to_the_mirror_image_of_its_crop() {
        let mut photo = RgbImage::with_size(90, 70);
        for (at, value) in photo.data_mut().iter_mut().enumerate() {
            *value = (at * at / 7 % 251) as u8;
        }
        let landmarks = Landmarks5(
            [(30.0, 28.0), (52.0, 31.0), (39.0, 41.0), (29.0, 51.0), (48.0, 54.0)]
                .map(|(x, y)| Point::new(x, y)),
        );
        let crop = |photo: &RgbImage, landmarks: &Landmarks5| {
            let side = TEMPLATE_SIDE as usize;
            let mut planes = vec![0.0; 3 * side * side];
            let to_crop = Similarity::to_template(landmarks, TEMPLATE_SIDE).unwrap();
            warp(photo.view(), &to_crop, &Channels::RGB, TEMPLATE_SIDE, &mut planes);
            planes
        };
        let mut wanted = crop(&photo, &landmarks);
        wanted.chunks_exact_mut(TEMPLATE_SIDE as usize).for_each(<[f32]>::reverse);
        let mirrored = of_mirror_image(&landmarks, photo.width()).unwrap();
        mirror(&mut photo);
        for (one, other) in crop(&photo, &mirrored).iter().zip(&wanted) {
            assert!((one - other).abs() < 0.05, "{one} {other}");
        }
    }

    #[test]
    fn a_box_names_a_face_and_without_one_the_centre_does() {
        let face = |x, width| Face { rect: Rect::new(x, 40.0, width, width), score: 0.9, landmarks: None };
        let faces = [face(0.0, 20.0), face(45.0, 10.0), face(60.0, 20.0)];
        assert_eq!(nearest_centre(&faces, (100, 100)), Some(&faces[1]));
        assert_eq!(at(&faces, &Rect::new(58.0, 41.0, 20.0, 20.0)), Some(&faces[2]));
        assert_eq!(at(&faces, &Rect::new(0.0, 0.0, 20.0, 20.0)), None);
    }
}
