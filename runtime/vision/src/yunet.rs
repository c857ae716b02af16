//! YuNet (Wu, Peng, Yu: "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research
//! 2023): boxes and five landmarks from one small network.
//!
//! The same weights run at a fixed ladder of input sizes. [`DetectSettings`] choose the rung, so that
//! searching for large faces, or in a small region, really costs less. A size is loaded when it is
//! first needed; [`YuNet::prepare`] does so before the first frame.

mod decode;
mod ladder;

use crate::detect::{DetectSettings, Detector, Landmarker, Region};
use crate::error::VisionError;
use crate::graphs::files;
use crate::letterbox::Letterbox;
use crate::nms::suppress;
use crate::preprocess::Channels;
use arcdoor_core::{Face, Faces, Landmarks5, Rect};
use arcdoor_frame::RgbView;
use arcdoor_infer::{Engine, Files, Net, NetSpec, RunOptions, Session, Tuning};
use arcdoor_models::Pack;
use decode::{Level, MAX_CANDIDATES, STRIDES};
pub use ladder::SMALLEST_FACE_NET_PX;
use ladder::{Fit, INPUTS, SIDES, fit, fit_square};

/// Outputs of the network.
const OUTPUTS: usize = 12;
/// Side of a closer look's crop, in sides of the box: it wants some surroundings, and detectors draw their boxes
/// differently. Crops of 1.5 sides in an input of 96 pixels take less than half the time, but genuine scores on
/// LFW fall by 0.003 to 0.005.
const CROP_SIDES: f32 = 2.0;
/// Lowest score of a face that a landmarker accepts: that there is a face has been decided already.
const LANDMARK_MIN_SCORE: f32 = 0.5;
/// Least overlap with the box whose landmarks were asked for.
const LANDMARK_MIN_IOU: f32 = 0.3;

/// What a region is run for.
#[derive(Debug, Clone, Copy)]
enum Look {
    /// Finding faces.
    Whole,
    /// The landmarks of one face.
    Closer,
}

/// YuNet as detector and as landmarker. Not `Send` where the engine's sessions are not: make it in the
/// thread that uses it.
pub struct YuNet {
    onnx: Vec<u8>,
    graphs: Option<Vec<u8>>,
    outputs: Vec<String>,
    channels: Channels,
    options: RunOptions,
    tuning: Tuning,
    sessions: [Option<Session>; INPUTS],
    /// One for each [`Look`], so that a closer one leaves the weights for whole frames as they are.
    letterboxes: [Letterbox; 2],
    candidates: Vec<Face>,
    near: Faces,
}

impl YuNet {
    /// From a verified pack's detector. No network is loaded yet: see [`YuNet::prepare`].
    ///
    /// # Errors
    /// When the manifest does not list YuNet's twelve outputs.
    pub fn from_pack(pack: &Pack) -> Result<Self, VisionError> {
        let file = pack.detector();
        Self::new(files(pack, file), &file.outputs, Channels::new(&file.preprocess))
    }

    /// From a network's bytes and the names of the outputs: cls, obj, bbox, kps, each at strides 8, 16, 32.
    ///
    /// # Errors
    /// When there are not twelve outputs.
    pub fn new<'a>(
        files: impl Into<Files<'a>>,
        outputs: &[String],
        channels: Channels,
    ) -> Result<Self, VisionError> {
        let Files { onnx, graphs } = files.into();
        if outputs.len() != OUTPUTS {
            return Err(VisionError::NotYunet { found: outputs.len() });
        }
        Ok(Self {
            onnx: onnx.to_vec(),
            graphs: graphs.map(<[u8]>::to_vec),
            outputs: outputs.to_vec(),
            channels,
            options: RunOptions::default(),
            tuning: Tuning::default(),
            sessions: [const { None }; INPUTS],
            letterboxes: [Letterbox::new(), Letterbox::new()],
            candidates: Vec::with_capacity(MAX_CANDIDATES),
            near: Faces::new(),
        })
    }

    /// The same on the engine and the number of threads of the caller's choice; nothing may be loaded yet.
    #[must_use]
    pub fn on(self, options: impl Into<RunOptions>) -> Self {
        let options = options.into();
        Self { options, sessions: [const { None }; INPUTS], ..self }
    }

    /// The same with layers cut as `tuning` says; nothing may be loaded yet.
    #[must_use]
    pub fn tuned(self, tuning: Tuning) -> Self {
        Self { tuning, sessions: [const { None }; INPUTS], ..self }
    }

    /// What runs the network; unknown until it is loaded.
    #[must_use]
    pub fn engine(&self) -> Option<Engine> {
        self.sessions.iter().flatten().map(Session::engine).next()
    }

    /// Loads what frames of `width` x `height` need under `settings`, so that the first frame is as fast
    /// as the others; [`landmarks`](Landmarker::landmarks)' network, too.
    ///
    /// # Errors
    /// When the network cannot be loaded.
    pub fn prepare(&mut self, width: u32, height: u32, settings: &DetectSettings) -> Result<(), VisionError> {
        let whole = Rect::new(0.0, 0.0, width as f32, height as f32);
        if let Some(region) = Region::within(&settings.region.unwrap_or(whole), width, height) {
            let fit = fit(&region, settings.min_face());
            self.load(&fit)?;
            self.letterboxes[Look::Whole as usize].reserve([region.w, region.h], fit.net);
        }
        self.prepare_landmarks(width, height)
    }

    /// Width and height of every input that there is.
    pub(crate) fn all_inputs() -> impl Iterator<Item = [usize; 2]> {
        ladder::all()
    }

    /// Width and height of the inputs that [`prepare`](Self::prepare) loads.
    pub(crate) fn inputs(width: u32, height: u32, settings: &DetectSettings) -> Vec<[usize; 2]> {
        let whole = Rect::new(0.0, 0.0, width as f32, height as f32);
        let region = Region::within(&settings.region.unwrap_or(whole), width, height);
        let searched = region.map(|region| fit(&region, settings.min_face()).net);
        searched.into_iter().chain([[SIDES[0]; 2]]).collect()
    }

    /// Loads what [`landmarks`](Landmarker::landmarks) needs in frames of `width` x `height`.
    ///
    /// # Errors
    /// When the network cannot be loaded.
    pub fn prepare_landmarks(&mut self, width: u32, height: u32) -> Result<(), VisionError> {
        let fit = fit_square(&Region { x: 0, y: 0, w: 1, h: 1 }, f32::MAX);
        self.letterboxes[Look::Closer as usize].reserve([width, height], fit.net);
        self.load(&fit)
    }

    /// Network pixels a frame pixel that `settings` lead to in `frame`; 0 where nothing is searched.
    ///
    /// # Errors
    /// When the settings are out of range.
    pub fn net_scale(&self, frame: RgbView<'_>, settings: &DetectSettings) -> Result<f32, VisionError> {
        Ok(settings
            .searched(frame)?
            .map_or(0.0, |region| fit(&region, settings.min_face()).scaled[0] as f32 / region.w as f32))
    }

    /// Loads the network of `fit` where it is not yet there.
    fn load(&mut self, fit: &Fit) -> Result<(), VisionError> {
        if self.sessions[fit.index].is_none() {
            let mut names = [""; OUTPUTS];
            names.iter_mut().zip(&self.outputs).for_each(|(name, output)| *name = output);
            let spec = NetSpec { input: [1, 3, fit.net[1], fit.net[0]], outputs: &names };
            let files = Files { onnx: &self.onnx, graphs: self.graphs.as_deref() };
            let net = Net::load_tuned(files, &spec, self.options.engine, &self.tuning)?;
            self.sessions[fit.index] = Some(net.session_on(self.options.threads)?);
        }
        Ok(())
    }

    /// Runs one region; the candidates are left in `self.candidates`.
    fn run(
        &mut self,
        look: Look,
        frame: RgbView<'_>,
        region: &Region,
        fit: &Fit,
        min_score: f32,
    ) -> Result<(), VisionError> {
        self.candidates.clear();
        self.load(fit)?;
        let Some(session) = &mut self.sessions[fit.index] else { return Ok(()) };
        let input = session.input_mut();
        let placed = self.letterboxes[look as usize].fill(
            frame,
            region,
            fit.scaled,
            fit.net,
            &self.channels,
            input,
        )?;
        session.run()?;
        // The largest faces first, should there ever be more candidates than are kept.
        for index in (0..STRIDES.len()).rev() {
            let level = Level::new(index, fit.net, |i| session.output(i))?;
            level.decode(min_score, &placed, &mut self.candidates);
        }
        Ok(())
    }
}

impl Detector for YuNet {
    fn name(&self) -> &'static str {
        "yunet"
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
        self.run(Look::Whole, frame, &region, &fit(&region, min_face), settings.min_score)?;
        self.candidates.retain(|face| face.rect.w >= min_face);
        suppress(&mut self.candidates, faces);
        Ok(())
    }
}

impl Landmarker for YuNet {
    fn landmarks(&mut self, frame: RgbView<'_>, rect: &Rect) -> Result<Option<Landmarks5>, VisionError> {
        let side = rect.w.max(rect.h) * CROP_SIDES;
        if !(side.is_finite() && side >= 1.0) {
            return Ok(None);
        }
        let centre = rect.centre();
        let crop = Rect::new(centre.x - side / 2.0, centre.y - side / 2.0, side, side);
        let Some(region) = Region::within(&crop, frame.width(), frame.height()) else { return Ok(None) };
        // A face cut by the frame's edge leaves a narrow crop: the scale follows the face, not the crop.
        let fit = fit_square(&region, SIDES[0] as f32 / side);
        self.run(Look::Closer, frame, &region, &fit, LANDMARK_MIN_SCORE)?;
        suppress(&mut self.candidates, &mut self.near);
        let nearest = self.near.iter().max_by(|a, b| a.rect.iou(rect).total_cmp(&b.rect.iou(rect)));
        Ok(nearest.filter(|face| face.rect.iou(rect) >= LANDMARK_MIN_IOU).and_then(|face| face.landmarks))
    }
}
