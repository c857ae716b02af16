//! A second look at a face that was found: brought upright by its landmarks, is it a face that stands upright, with its
//! landmarks where they are said to be?
//!
//! YuNet finds faces that lie on their side or stand on their head, and often gives them the landmarks of upright ones;
//! so it does with faces that are half covered. Nothing in the quality of such a face shows it, and its template is
//! nobody's.

use crate::align::{Similarity, TEMPLATE_SIDE, sample_runs};
use crate::detect::{DetectSettings, Detector, Landmarker};
use crate::error::VisionError;
use crate::seetaface::SeetaFace;
use arcdoor_core::{Faces, Landmarks5, Rect};
use arcdoor_frame::{RgbImage, RgbView};

/// Side of the square that the face is warped into, in pixels: the template in its middle, half its side around it.
const SIDE: u32 = 2 * TEMPLATE_SIDE;
/// From the square's edge to the template's, in pixels.
const MARGIN: f32 = TEMPLATE_SIDE as f32 / 2.0;
/// Where an upright face lies in the square, as YuNet draws its box: the mean of LFW's.
const FACE: Rect = Rect::new(74.0, 64.0, 76.0, 98.0);
/// Farthest that the landmarks may lie from the template's, on average, in eye distances.
const MOST_OFF: f32 = 0.15;
/// What SeetaFace looks for in the square: a face of half the template's side or more.
const FRONTAL: DetectSettings = DetectSettings { min_face_px: 56, region: None, min_score: 0.7 };
/// Degrees to either side that a face must not stand better at. SeetaFace finds faces up to some 20 degrees from upright.
const TILT_DEG: f64 = 30.0;
/// Least overlap (intersection over union) of a face that SeetaFace finds with where one should be.
const MIN_IOU: f32 = 0.3;

/// What the second look found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SecondLook {
    /// Mean distance of the landmarks that are found now from where they were said to be, in eye distances; `None` where
    /// no face is found there.
    pub off: Option<f32>,
    /// The score of the face that SeetaFace finds there, 0..=1; `None` where it finds none, or was not asked.
    pub frontal: Option<f32>,
    /// The same once the square is turned by half a turn: the face stands on its head where this is higher.
    pub on_its_head: Option<f32>,
    /// The better of both turns by [`TILT_DEG`]: the face is tilted where this is higher.
    pub tilted: Option<f32>,
}

impl SecondLook {
    /// Whether the landmarks are found where they were said to be.
    #[must_use]
    pub fn meets_landmarks(&self) -> bool {
        self.off.is_some_and(|off| off <= MOST_OFF)
    }

    /// Whether SeetaFace finds a face, and a better one than in the square on its head.
    #[must_use]
    pub fn is_frontal(&self) -> bool {
        let turned = higher(self.on_its_head, self.tilted);
        self.frontal.is_some_and(|frontal| turned.is_none_or(|turned| turned < frontal))
    }
}

/// Looks a second time. What that needs is loaded with the first look: most frames are looked at once.
pub struct SecondLooker {
    asks_seetaface: bool,
    seetaface: Option<SeetaFace>,
    square: RgbImage,
    faces: Faces,
}

impl SecondLooker {
    /// `asks_seetaface`: SeetaFace, which knows upright frontal faces alone, is asked as well.
    #[must_use]
    pub const fn new(asks_seetaface: bool) -> Self {
        Self { asks_seetaface, seetaface: None, square: RgbImage::new(), faces: Faces::new() }
    }

    /// Looks at the face with these landmarks.
    ///
    /// # Errors
    /// When the landmarks coincide, or a network fails or cannot be loaded.
    pub fn look(
        &mut self,
        landmarker: &mut dyn Landmarker,
        frame: RgbView<'_>,
        landmarks: &Landmarks5,
    ) -> Result<SecondLook, VisionError> {
        let to_crop = Similarity::to_template(landmarks, TEMPLATE_SIDE)?;
        let margin = f64::from(MARGIN);
        let upright = Similarity { tx: to_crop.tx + margin, ty: to_crop.ty + margin, ..to_crop };
        self.warp(frame, &upright);
        let found = landmarker.landmarks(self.square.view(), &FACE)?;
        let off = found.map(|found| off(&found, &landmarks.map(|point| upright.apply(point))));
        let mut look = SecondLook { off, frontal: None, on_its_head: None, tilted: None };
        if self.asks_seetaface {
            look.frontal = self.frontal()?;
        }
        if look.frontal.is_some() {
            self.warp(frame, &turned(&upright, 180.0));
            look.on_its_head = self.frontal()?;
            for degrees in [-TILT_DEG, TILT_DEG] {
                self.warp(frame, &turned(&upright, degrees));
                look.tilted = higher(look.tilted, self.frontal()?);
            }
        }
        Ok(look)
    }

    /// The score of the face that SeetaFace finds in the square's middle.
    fn frontal(&mut self) -> Result<Option<f32>, VisionError> {
        let seetaface = match self.seetaface.take() {
            Some(seetaface) => seetaface,
            None => SeetaFace::new()?,
        };
        let seetaface = self.seetaface.insert(seetaface);
        seetaface.detect(self.square.view(), &FRONTAL, &mut self.faces)?;
        let there = self.faces.iter().filter(|face| face.rect.iou(&FACE) >= MIN_IOU);
        Ok(there.map(|face| face.score).reduce(f32::max))
    }

    /// Whether the face stands upright where these landmarks say.
    ///
    /// # Errors
    /// As [`look`](Self::look).
    pub fn confirms(
        &mut self,
        landmarker: &mut dyn Landmarker,
        frame: RgbView<'_>,
        landmarks: &Landmarks5,
    ) -> Result<bool, VisionError> {
        let look = self.look(landmarker, frame, landmarks)?;
        Ok(look.meets_landmarks() && (look.is_frontal() || !self.asks_seetaface))
    }

    /// Warps the frame into the square.
    fn warp(&mut self, frame: RgbView<'_>, to_square: &Similarity) {
        self.square.reshape(SIDE, SIDE);
        let square = self.square.data_mut();
        sample_runs(frame, to_square, SIDE, |index, pixels, _| {
            for (out, pixel) in square[index * 3..].chunks_exact_mut(3).zip(pixels) {
                for (out, value) in out.iter_mut().zip(pixel) {
                    // `as` keeps within 0..=255.
                    *out = (value + 0.5) as u8;
                }
            }
        });
    }
}

/// The same, and then turned clockwise about the middle of the square.
fn turned(to_square: &Similarity, degrees: f64) -> Similarity {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let middle = f64::from(SIDE - 1) / 2.0;
    let Similarity { a, b, tx, ty } = *to_square;
    let (x, y) = (tx - middle, ty - middle);
    Similarity {
        a: cos * a - sin * b,
        b: sin * a + cos * b,
        tx: cos * x - sin * y + middle,
        ty: sin * x + cos * y + middle,
    }
}

fn higher(a: Option<f32>, b: Option<f32>) -> Option<f32> {
    a.into_iter().chain(b).reduce(f32::max)
}

/// See [`SecondLook::off`].
fn off(found: &Landmarks5, said: &Landmarks5) -> f32 {
    let distances = found.0.iter().zip(&said.0).map(|(a, b)| libm::hypotf(a.x - b.x, a.y - b.y));
    distances.sum::<f32>() / 5.0 / said.eye_distance()
}
