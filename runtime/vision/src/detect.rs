//! What a detector and a landmarker are, and the settings that bound their cost.

use crate::error::VisionError;
use arcdoor_core::{Faces, Landmarks5, Rect};
use arcdoor_frame::RgbView;
use serde::{Deserialize, Serialize};

/// What to look for, and where. Larger faces in a smaller region cost less.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectSettings {
    /// Width in frame pixels of the smallest face that matters; narrower ones are not reported.
    /// Taken as 8 where it is less.
    pub min_face_px: u32,
    /// The part of the frame that is searched, in frame pixels; the whole frame where it is `None`.
    pub region: Option<Rect>,
    /// Lowest detector score that counts as a face, 0..=1; 0.7 suits both detectors.
    pub min_score: f32,
}

impl Default for DetectSettings {
    fn default() -> Self {
        Self { min_face_px: 80, region: None, min_score: 0.7 }
    }
}

/// Finds faces in a frame.
pub trait Detector {
    /// Its name in logs and benches.
    fn name(&self) -> &'static str;

    /// Puts the faces of `frame` into `faces`, best score first, in frame coordinates; `faces` is
    /// emptied first. A frame too small to hold a face holds none.
    ///
    /// # Errors
    /// When the settings are out of range or the network fails.
    fn detect(
        &mut self,
        frame: RgbView<'_>,
        settings: &DetectSettings,
        faces: &mut Faces,
    ) -> Result<(), VisionError>;
}

/// Finds the five landmarks of a face whose box is known.
pub trait Landmarker {
    /// The landmarks of the face at `rect`, in frame coordinates; `None` where no face is seen there.
    ///
    /// # Errors
    /// When the network fails.
    fn landmarks(&mut self, frame: RgbView<'_>, rect: &Rect) -> Result<Option<Landmarks5>, VisionError>;
}

/// A checked part of a frame, whole pixels, at least 1 x 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) w: u32,
    pub(crate) h: u32,
}

impl Region {
    /// The whole pixels of a `width` x `height` frame that `rect` touches; `None` where it touches none.
    pub(crate) fn within(rect: &Rect, width: u32, height: u32) -> Option<Self> {
        let x = rect.x.max(0.0).floor() as u32;
        let y = rect.y.max(0.0).floor() as u32;
        let right = (rect.right().max(0.0).ceil() as u32).min(width);
        let bottom = (rect.bottom().max(0.0).ceil() as u32).min(height);
        (x < right && y < bottom).then(|| Self { x, y, w: right - x, h: bottom - y })
    }

    pub(crate) fn longest(&self) -> u32 {
        self.w.max(self.h)
    }
}

impl DetectSettings {
    /// The smallest face with the floor applied.
    pub(crate) fn min_face(&self) -> f32 {
        self.min_face_px.clamp(8, 1 << 16) as f32
    }

    /// The searched part of the frame; `None` where the region lies outside the frame.
    pub(crate) fn searched(&self, frame: RgbView<'_>) -> Result<Option<Region>, VisionError> {
        if !(0.0..=1.0).contains(&self.min_score) {
            return Err(VisionError::MinScore(self.min_score));
        }
        let whole = Rect::new(0.0, 0.0, frame.width() as f32, frame.height() as f32);
        let rect = self.region.unwrap_or(whole);
        if ![rect.x, rect.y, rect.w, rect.h].iter().all(|v| v.is_finite()) {
            return Err(VisionError::Region);
        }
        Ok(Region::within(&rect, frame.width(), frame.height()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_cut_to_the_frame() {
        let cut = Region::within(&Rect::new(-5.0, 2.5, 100.0, 3.0), 20, 10);
        assert_eq!(cut, Some(Region { x: 0, y: 2, w: 20, h: 4 }));
        assert_eq!(Region::within(&Rect::new(30.0, 0.0, 5.0, 5.0), 20, 10), None);
        assert_eq!(Region::within(&Rect::new(-9.0, 0.0, 5.0, 5.0), 20, 10), None);
    }

    #[test]
    fn broken_settings_are_refused() {
        let data = [0; 12];
        let frame = RgbView::new(&data, 2, 2, 6).unwrap();
        let nan =
            DetectSettings { region: Some(Rect { x: f32::NAN, ..Rect::default() }), ..Default::default() };
        assert!(matches!(nan.searched(frame), Err(VisionError::Region)));
        for min_score in [f32::NAN, -0.1, 1.1] {
            let bad = DetectSettings { min_score, ..Default::default() };
            assert!(matches!(bad.searched(frame), Err(VisionError::MinScore(_))));
        }
    }
}
