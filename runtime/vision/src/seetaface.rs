//! SeetaFace (Wu, Kan, He, Shan, Chen: "Funnel-structured cascade for multi-view face detection with
//! alignment-awareness", Neurocomputing 2017) by way of rustface: boxes only, no pack needed.

use crate::detect::{DetectSettings, Detector, DetectorKind, Region};
use crate::error::VisionError;
use crate::letterbox::Placement;
use crate::nms::suppress;
use arcdoor_core::{Face, Faces, Point, Rect};
use arcdoor_frame::{Resizer, RgbImage, RgbView};

/// The smallest face that rustface finds, in pixels of its input. Its `set_min_face_size` has no effect,
/// so the frame is scaled instead.
const WINDOW_PX: u32 = 40;
/// Longest side of the image it searches, in pixels.
const MAX_SIDE: f32 = 1280.0;
/// Raw scores are open-ended; `1 - exp(-raw / SCORE_SCALE)` brings them to 0..1 such that 0.7 is the
/// original's usual threshold of 2.0 and 0.9 is rustface's own of 3.85.
const SCORE_SCALE: f64 = 1.661;

static MODEL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/seetaface.bin"));

/// SeetaFace's frontal detector with the model of the rustface crate. Not `Send`: make it in the thread
/// that uses it.
pub struct SeetaFace {
    detector: Box<dyn rustface::Detector>,
    resizer: Resizer,
    scaled: RgbImage,
    grey: Vec<u8>,
    candidates: Vec<Face>,
}

impl SeetaFace {
    /// The detector with the model that is compiled in.
    ///
    /// # Errors
    /// When that model cannot be read.
    pub fn new() -> Result<Self, VisionError> {
        let model = rustface::read_model(MODEL).map_err(VisionError::SeetaModel)?;
        Ok(Self {
            detector: rustface::create_detector_with_model(model),
            resizer: Resizer::new(),
            scaled: RgbImage::new(),
            grey: Vec::new(),
            candidates: Vec::new(),
        })
    }
}

impl Detector for SeetaFace {
    fn kind(&self) -> DetectorKind {
        DetectorKind::Seetaface
    }

    fn detect(
        &mut self,
        frame: RgbView<'_>,
        settings: &DetectSettings,
        faces: &mut Faces,
    ) -> Result<(), VisionError> {
        faces.clear();
        let Some(region) = settings.searched(frame)? else { return Ok(()) };
        let Some(size) = scaled_size(&region, settings.min_face()) else { return Ok(()) };
        // `Region` lies within its frame, so this is never `None`.
        let part = frame.crop(region.x, region.y, region.w, region.h).ok_or(VisionError::Region)?;
        self.scaled.reshape(size[0], size[1]);
        self.resizer.resize(part, &mut self.scaled)?;
        to_grey(self.scaled.view(), &mut self.grey);
        self.detector.set_score_thresh(raw_score(settings.min_score));
        let found = self.detector.detect(&rustface::ImageData::new(&self.grey, size[0], size[1]));
        let placed = Placement::new(&region, size);
        self.candidates.clear();
        self.candidates.extend(found.iter().map(|info| {
            let corner = placed.point(Point::new(info.bbox().x() as f32, info.bbox().y() as f32));
            let [w, h] = placed.size(info.bbox().width() as f32, info.bbox().height() as f32);
            let score = 1.0 - (-info.score() / SCORE_SCALE).exp();
            Face { rect: Rect::new(corner.x, corner.y, w, h), score: score as f32, landmarks: None }
        }));
        self.candidates.retain(|face| face.rect.w >= settings.min_face());
        suppress(&mut self.candidates, faces);
        Ok(())
    }
}

/// The size at which a face of `min_face` frame pixels fills the detector's window; `None` where no window
/// fits (rustface panics, or worse, on images smaller than its window).
fn scaled_size(region: &Region, min_face: f32) -> Option<[u32; 2]> {
    let scale = (WINDOW_PX as f32 / min_face).min(MAX_SIDE / region.longest() as f32);
    let size = [region.w, region.h].map(|v| (v as f32 * scale).round() as u32);
    (size[0] >= WINDOW_PX && size[1] >= WINDOW_PX).then_some(size)
}

/// The raw score of a score in 0..=1; always above 0, below which rustface panics.
fn raw_score(score: f32) -> f64 {
    -SCORE_SCALE * (1.0 - f64::from(score).clamp(1e-3, 0.999)).ln()
}

/// Luma by ITU-R BT.601 with weights in 1024ths.
fn to_grey(view: RgbView<'_>, grey: &mut Vec<u8>) {
    grey.clear();
    for y in 0..view.height() {
        grey.extend(view.row(y).chunks_exact(3).map(|p| {
            ((306 * u32::from(p[0]) + 601 * u32::from(p[1]) + 117 * u32::from(p[2]) + 512) >> 10) as u8
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_score_scale_meets_the_usual_thresholds() {
        assert!((raw_score(0.7) - 2.0).abs() < 0.01 && (raw_score(0.9) - 3.85).abs() < 0.05);
        assert!(raw_score(0.0) > 0.0 && raw_score(1.0).is_finite());
    }

    #[test]
    fn the_smallest_face_fills_the_window() {
        let region = |w, h| Region { x: 0, y: 0, w, h };
        assert_eq!(scaled_size(&region(640, 480), 80.0), Some([320, 240]));
        assert_eq!(scaled_size(&region(640, 480), 20.0), Some([1280, 960]));
        assert_eq!(scaled_size(&region(640, 480), 5.0), Some([1280, 960]));
        assert_eq!(scaled_size(&region(640, 70), 80.0), None);
    }

    #[test]
    fn images_about_the_window_size_do_not_panic() {
        let mut detector = SeetaFace::new().unwrap();
        let mut faces = Faces::new();
        let settings = DetectSettings { min_face_px: 40, ..Default::default() };
        for (w, h) in [(1, 1), (1, 200), (39, 39), (40, 40), (41, 40), (40, 63), (49, 50), (50, 50), (51, 97)]
        {
            let data: Vec<u8> = (0..w * h * 3).map(|i| (i * 37 % 251) as u8).collect();
            let frame = RgbView::new(&data, w, h, w as usize * 3).unwrap();
            detector.detect(frame, &settings, &mut faces).unwrap();
        }
    }

    #[test]
    fn grey_weighs_the_channels_by_bt_601() {
        let data = [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255];
        let mut grey = Vec::new();
        to_grey(RgbView::new(&data, 4, 1, 12).unwrap(), &mut grey);
        assert_eq!(grey, [76, 150, 29, 255]);
    }
}
