//! YuNet around one face.

use super::ladder::{LANDMARKS_SIDE, fit_square};
use super::runner::{Network, Runner};
use crate::detect::{Landmarker, Region};
use crate::error::VisionError;
use crate::nms::suppress;
use arcdoor_core::{Faces, Landmarks5, Rect};
use arcdoor_frame::RgbView;
use arcdoor_infer::{Engine, RunOptions, Session};
use arcdoor_models::Pack;

/// Side of the crop in sides of the box: the network wants some surroundings, and detectors draw their boxes
/// differently. Crops of 1.5 sides in an input of 96 pixels take less than half the time, but genuine scores on
/// LFW fall by 0.003 to 0.005.
const CROP_SIDES: f32 = 2.0;
/// Lowest score of a face whose landmarks are taken, 0..=1: that there is a face has been decided already.
const MIN_SCORE: f32 = 0.5;
/// Least overlap (intersection over union) with the box whose landmarks were asked for.
const MIN_IOU: f32 = 0.3;

/// YuNet as a landmarker: it detects once more, in a crop around the face. Not `Send` where the engine's sessions
/// are not.
pub struct YuNetLandmarker {
    session: Session,
    runner: Runner,
    nearby: Faces,
}

impl YuNetLandmarker {
    /// A landmarker from a verified pack's detector, run as `options` say.
    ///
    /// # Errors
    /// When the manifest does not list YuNet's twelve outputs, or the network cannot be loaded.
    pub fn from_pack(pack: &Pack, options: &RunOptions) -> Result<Self, VisionError> {
        let network = Network::new(pack, options)?;
        let session = network.session([LANDMARKS_SIDE; 2])?;
        Ok(Self { session, runner: Runner::new(network.channels()), nearby: Faces::new() })
    }
}

impl Landmarker for YuNetLandmarker {
    fn engine(&self) -> Engine {
        self.session.engine()
    }

    fn prepare(&mut self, width: u32, height: u32) {
        self.runner.reserve([width, height], [LANDMARKS_SIDE; 2]);
    }

    fn landmarks(&mut self, frame: RgbView<'_>, rect: &Rect) -> Result<Option<Landmarks5>, VisionError> {
        let side = rect.w.max(rect.h) * CROP_SIDES;
        if !(side.is_finite() && side >= 1.0) {
            return Ok(None);
        }
        let centre = rect.centre();
        let crop = Rect::new(centre.x - side / 2.0, centre.y - side / 2.0, side, side);
        let Some(region) = Region::within(&crop, frame.width(), frame.height()) else { return Ok(None) };
        // A face cut by the frame's edge leaves a narrow crop: the scale follows the face, not the crop.
        let fit = fit_square(&region, LANDMARKS_SIDE as f32 / side);
        let found = self.runner.run(&mut self.session, frame, &region, &fit, MIN_SCORE)?;
        suppress(found, &mut self.nearby);
        let nearest = self.nearby.iter().max_by(|a, b| a.rect.iou(rect).total_cmp(&b.rect.iou(rect)));
        Ok(nearest.filter(|face| face.rect.iou(rect) >= MIN_IOU).and_then(|face| face.landmarks))
    }
}
