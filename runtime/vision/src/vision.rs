//! Detector, landmarker and embedder behind one value.

use crate::detect::{DetectSettings, Detector, DetectorKind, Landmarker};
use crate::embedder::Embedder;
use crate::error::VisionError;
use crate::quality::{Assessment, assess};
use crate::recognisability::Recognised;
use crate::second_look::{SecondLook, SecondLooker};
use crate::seetaface::SeetaFace;
use crate::yunet::{YuNet, YuNetLandmarker};
use arcdoor_core::{Engines, Face, Faces, Landmarks5, ModelId, Stage, StageTimes, Template};
use arcdoor_frame::RgbView;
use arcdoor_infer::{Engine, RunOptions};
use arcdoor_models::Pack;
use std::time::Instant;

/// Everything that recognition does with pixels. Not `Send`: make it in the thread that uses it.
pub struct Vision {
    detector: Box<dyn Detector>,
    landmarker: Box<dyn Landmarker>,
    embedder: Embedder,
    second: SecondLooker,
    times: StageTimes,
}

impl Vision {
    /// Detector, landmarker and embedder of a verified pack; their networks run as `options` say.
    ///
    /// # Errors
    /// When a network cannot be loaded or the pack's detector is no YuNet.
    pub fn from_pack(pack: &Pack, kind: DetectorKind, options: &RunOptions) -> Result<Self, VisionError> {
        let detector: Box<dyn Detector> = match kind {
            DetectorKind::Yunet => Box::new(YuNet::from_pack(pack, options)?),
            DetectorKind::Seetaface => Box::new(SeetaFace::new()?),
        };
        Ok(Self {
            detector,
            landmarker: Box::new(YuNetLandmarker::from_pack(pack, options)?),
            embedder: Embedder::from_pack(pack, options)?,
            second: SecondLooker::new(true),
            times: StageTimes::default(),
        })
    }

    /// Whether SeetaFace, too, must find the face at a second look; it must unless this says otherwise.
    #[must_use]
    pub fn asking_seetaface(mut self, asks: bool) -> Self {
        self.second = SecondLooker::new(asks);
        self
    }

    /// What runs the networks that are loaded.
    #[must_use]
    pub fn engines(&self) -> Engines {
        let loaded = [self.detector.engine(), Some(self.landmarker.engine()), Some(self.embedder.engine())];
        let all = |engine| loaded.iter().flatten().all(|&other| other == engine);
        match (all(Engine::Plan), all(Engine::Tract)) {
            (true, _) => Engines::Plan,
            (_, true) => Engines::Tract,
            _ => Engines::Mixed,
        }
    }

    /// Loads what frames of this size need, so that the first frame is as fast as the others.
    ///
    /// # Errors
    /// When a network cannot be loaded.
    pub fn prepare(&mut self, width: u32, height: u32, settings: &DetectSettings) -> Result<(), VisionError> {
        self.landmarker.prepare(width, height);
        self.detector.prepare(width, height, settings)
    }

    /// Puts the faces of `frame` into `out`, best detector score first, with landmarks wherever a face
    /// was confirmed by them; those of the largest face are [refined](Landmarker::refine).
    ///
    /// # Errors
    /// When the settings are out of range or a network fails.
    pub fn detect(
        &mut self,
        frame: RgbView<'_>,
        settings: &DetectSettings,
        out: &mut Faces,
    ) -> Result<(), VisionError> {
        self.times = StageTimes::default();
        timed(&mut self.times, Stage::Detect, || self.detector.detect(frame, settings, out))?;
        timed(&mut self.times, Stage::Landmarks, || self.landmarker.refine(frame, out))
    }

    /// The quality of one face of `frame`.
    pub fn assess(&mut self, frame: RgbView<'_>, face: &Face) -> Assessment {
        timed(&mut self.times, Stage::Quality, || assess(frame, face))
    }

    /// A second look at the face with these landmarks.
    ///
    /// # Errors
    /// When the landmarks coincide, or a network fails.
    pub fn second_look(
        &mut self,
        frame: RgbView<'_>,
        landmarks: &Landmarks5,
    ) -> Result<SecondLook, VisionError> {
        self.second.look(&mut *self.landmarker, frame, landmarks)
    }

    /// The template of the face with these landmarks.
    ///
    /// # Errors
    /// When the landmarks coincide, the network fails, or its answer is no template.
    pub fn embed(&mut self, frame: RgbView<'_>, landmarks: &Landmarks5) -> Result<Template, VisionError> {
        timed(&mut self.times, Stage::Align, || self.embedder.align(frame, landmarks))?;
        timed(&mut self.times, Stage::Embed, || self.embedder.run())
    }

    /// How recognisable the face of the last template is; `None` where there is none, or the pack does not tell.
    #[must_use]
    pub const fn recognised(&self) -> Option<Recognised> {
        self.embedder.recognised()
    }

    /// The embedding that the last template was made of, as it came from the network.
    #[must_use]
    pub fn embedding(&self) -> &[f32] {
        self.embedder.embedding()
    }

    /// How long each stage took in all since the last [`detect`](Self::detect) began; 0 for what has not run since.
    #[must_use]
    pub const fn times(&self) -> &StageTimes {
        &self.times
    }

    /// Whose templates [`embed`](Self::embed) makes.
    #[must_use]
    pub const fn model_id(&self) -> ModelId {
        self.embedder.model_id()
    }

    /// How many values a template has.
    #[must_use]
    pub const fn dimension(&self) -> usize {
        self.embedder.dimension()
    }
}

/// Runs a stage and puts down what it took.
fn timed<T>(times: &mut StageTimes, stage: Stage, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = run();
    times.record(stage, start.elapsed());
    done
}
