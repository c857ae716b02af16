//! YuNet (Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research
//! 2023): boxes and five landmarks from one small network.
//!
//! The same weights run at a fixed ladder of input sizes. [`DetectSettings`] choose the rung, so that
//! searching for large faces, or in a small region, really costs less. A size is loaded when it is
//! first needed; [`YuNet::prepare`] does so before the first frame. [`YuNetLandmarker`] runs the same
//! network around one face.

mod decode;
mod ladder;
mod landmarker;
mod runner;

use crate::detect::{DetectSettings, Detector, DetectorKind, Region};
use crate::error::VisionError;
use crate::nms::suppress;
use arcdoor_core::{Faces, Rect};
use arcdoor_frame::RgbView;
use arcdoor_infer::{Engine, RunOptions, Session};
use arcdoor_models::Pack;
pub use ladder::SMALLEST_FACE_NET_PX;
use ladder::{Fit, INPUTS, LANDMARKS_SIDE, fit};
pub use landmarker::YuNetLandmarker;
use runner::{Network, Runner};

/// YuNet as a detector. Not `Send` where the engine's sessions are not: make it in the thread that uses it.
pub struct YuNet {
    network: Network,
    /// By the inputs of the ladder; those that were needed so far.
    sessions: [Option<Session>; INPUTS],
    runner: Runner,
}

impl YuNet {
    /// The detector of a verified pack, run as `options` say. No network is loaded yet: see [`YuNet::prepare`].
    ///
    /// # Errors
    /// When the manifest does not list YuNet's twelve outputs.
    pub fn from_pack(pack: &Pack, options: &RunOptions) -> Result<Self, VisionError> {
        let network = Network::new(pack, options)?;
        let runner = Runner::new(network.channels());
        Ok(Self { network, sessions: [const { None }; INPUTS], runner })
    }

    /// Width and height of every input that there is.
    pub(crate) fn all_inputs() -> impl Iterator<Item = [usize; 2]> {
        ladder::all()
    }

    /// Width and height of the inputs that frames of `width` x `height` pixels need: the detector's, then the
    /// landmarker's.
    pub(crate) fn inputs(width: u32, height: u32, settings: &DetectSettings) -> Vec<[usize; 2]> {
        let searched =
            searched_part(width, height, settings).map(|region| fit(&region, settings.min_face()).net);
        searched.into_iter().chain([[LANDMARKS_SIDE; 2]]).collect()
    }

    /// How many network pixels one frame pixel becomes under `settings` in `frame`; 0 where nothing is searched.
    ///
    /// # Errors
    /// When the settings are out of range.
    pub fn net_scale(&self, frame: RgbView<'_>, settings: &DetectSettings) -> Result<f32, VisionError> {
        Ok(settings
            .searched(frame)?
            .map_or(0.0, |region| fit(&region, settings.min_face()).scaled[0] as f32 / region.w as f32))
    }
}

/// The part of a frame that `settings` have searched; `None` where it lies beside the frame.
fn searched_part(width: u32, height: u32, settings: &DetectSettings) -> Option<Region> {
    let whole = Rect::new(0.0, 0.0, width as f32, height as f32);
    Region::within(&settings.region.unwrap_or(whole), width, height)
}

/// The session for `fit`, loaded where it is not yet there.
fn loaded<'a>(
    sessions: &'a mut [Option<Session>; INPUTS],
    network: &Network,
    fit: &Fit,
) -> Result<&'a mut Session, VisionError> {
    let slot = &mut sessions[fit.index];
    match slot {
        Some(session) => Ok(session),
        None => Ok(slot.insert(network.session(fit.net)?)),
    }
}

impl Detector for YuNet {
    fn kind(&self) -> DetectorKind {
        DetectorKind::Yunet
    }

    fn engine(&self) -> Option<Engine> {
        self.sessions.iter().flatten().map(Session::engine).next()
    }

    fn prepare(&mut self, width: u32, height: u32, settings: &DetectSettings) -> Result<(), VisionError> {
        if let Some(region) = searched_part(width, height, settings) {
            let fit = fit(&region, settings.min_face());
            loaded(&mut self.sessions, &self.network, &fit)?;
            self.runner.reserve([region.w, region.h], fit.net);
        }
        Ok(())
    }

    fn detect(
        &mut self,
        frame: RgbView<'_>,
        settings: &DetectSettings,
        faces: &mut Faces,
    ) -> Result<(), VisionError> {
        faces.clear();
        let Some(region) = settings.searched(frame)? else { return Ok(()) };
        let min_face = settings.min_face();
        let fit = fit(&region, min_face);
        let session = loaded(&mut self.sessions, &self.network, &fit)?;
        let found = self.runner.run(session, frame, &region, &fit, settings.min_score)?;
        found.retain(|face| face.rect.w >= min_face);
        suppress(found, faces);
        Ok(())
    }
}
