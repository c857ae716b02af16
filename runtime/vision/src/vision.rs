//! Detector, landmarker and embedder behind one value.

use crate::detect::{DetectSettings, Detector, Landmarker};
use crate::embedder::Embedder;
use crate::error::VisionError;
use crate::quality::{Assessment, assess};
use crate::seetaface::SeetaFace;
use crate::yunet::YuNet;
use arcdoor_core::{Face, Faces, Landmarks5, ModelId, Template};
use arcdoor_frame::RgbView;
use arcdoor_infer::{Engine, RunOptions, Tuning};
use arcdoor_models::Pack;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Which detector looks for faces; the landmarks come from the pack either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectorKind {
    /// The pack's YuNet.
    #[default]
    Yunet,
    /// SeetaFace through rustface.
    Rustface,
}

/// What runs a pack's networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Running {
    /// The compiled plan, all of them.
    Plan,
    /// tract, all of them.
    Tract,
    /// Some the one, some the other.
    Mixed,
}

impl Running {
    /// For people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Tract => "tract",
            Self::Mixed => "mixed",
        }
    }
}

/// How long the last run of each stage took, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StageTimes {
    /// Finding faces in the frame.
    pub detect_us: u32,
    /// Landmarks of faces that had none, or only coarse ones.
    pub landmarks_us: u32,
    /// Warping the face to the template.
    pub align_us: u32,
    /// Assessing quality.
    pub quality_us: u32,
    /// The embedder.
    pub embed_us: u32,
}

impl StageTimes {
    /// All stages together.
    #[must_use]
    pub fn total_us(&self) -> u32 {
        [self.detect_us, self.landmarks_us, self.align_us, self.quality_us, self.embed_us]
            .iter()
            .fold(0, |sum, &us| sum.saturating_add(us))
    }
}

/// Everything that recognition does with pixels. Not `Send`: make it in the thread that uses it.
pub struct Vision {
    yunet: YuNet,
    seetaface: Option<SeetaFace>,
    embedder: Embedder,
    times: StageTimes,
}

impl Vision {
    /// From a verified pack.
    ///
    /// # Errors
    /// When a network cannot be loaded or the pack's detector is no YuNet.
    pub fn from_pack(pack: &Pack, kind: DetectorKind) -> Result<Self, VisionError> {
        Self::from_pack_on(pack, kind, RunOptions::default())
    }

    /// From a verified pack, on the engine and the number of threads of the caller's choice.
    ///
    /// # Errors
    /// As [`from_pack`](Self::from_pack).
    pub fn from_pack_on(
        pack: &Pack,
        kind: DetectorKind,
        options: impl Into<RunOptions>,
    ) -> Result<Self, VisionError> {
        Self::from_pack_tuned(pack, kind, options, &Tuning::default())
    }

    /// As [`from_pack_on`](Self::from_pack_on), with layers cut as `tuning` says.
    ///
    /// # Errors
    /// As [`from_pack`](Self::from_pack).
    pub fn from_pack_tuned(
        pack: &Pack,
        kind: DetectorKind,
        options: impl Into<RunOptions>,
        tuning: &Tuning,
    ) -> Result<Self, VisionError> {
        let options = options.into();
        let seetaface = match kind {
            DetectorKind::Yunet => None,
            DetectorKind::Rustface => Some(SeetaFace::new()?),
        };
        Ok(Self {
            yunet: YuNet::from_pack(pack)?.on(options).tuned(tuning.clone()),
            seetaface,
            embedder: Embedder::from_pack_tuned(pack, options, tuning)?,
            times: StageTimes::default(),
        })
    }

    /// What runs the networks that are loaded.
    #[must_use]
    pub fn engine(&self) -> Running {
        match (self.yunet.engine(), self.embedder.engine()) {
            (None | Some(Engine::Plan), Engine::Plan) => Running::Plan,
            (None | Some(Engine::Tract), Engine::Tract) => Running::Tract,
            _ => Running::Mixed,
        }
    }

    /// Loads what frames of this size need, so that the first frame is as fast as the others.
    ///
    /// # Errors
    /// When a network cannot be loaded.
    pub fn prepare(&mut self, width: u32, height: u32, settings: &DetectSettings) -> Result<(), VisionError> {
        match &self.seetaface {
            Some(_) => self.yunet.prepare_landmarks(width, height),
            None => self.yunet.prepare(width, height, settings),
        }
    }

    /// Puts the faces of `frame` into `out`, best detector score first, with landmarks wherever a face
    /// was confirmed by them. The largest face's landmarks come from a second, closer look: of LFW's faces on
    /// frames of 640x480 that are searched for faces from 80 pixels on, 3.1 % are missed at FMR 1e-4 with it,
    /// 6.3 % without.
    ///
    /// # Errors
    /// When the settings are out of range or a network fails.
    pub fn see(
        &mut self,
        frame: RgbView<'_>,
        settings: &DetectSettings,
        out: &mut Faces,
    ) -> Result<(), VisionError> {
        self.times = StageTimes::default();
        let start = Instant::now();
        match &mut self.seetaface {
            Some(seetaface) => seetaface.detect(frame, settings, out)?,
            None => self.yunet.detect(frame, settings, out)?,
        }
        self.times.detect_us = micros(start);
        let start = Instant::now();
        for face in out.iter_mut().filter(|face| face.landmarks.is_none()) {
            face.landmarks = self.yunet.landmarks(frame, &face.rect)?;
        }
        if self.seetaface.is_none() {
            self.look_closer(frame, out)?;
        }
        self.times.landmarks_us = micros(start);
        Ok(())
    }

    fn look_closer(&mut self, frame: RgbView<'_>, faces: &mut Faces) -> Result<(), VisionError> {
        let largest = faces.iter_mut().max_by(|a, b| a.rect.area().total_cmp(&b.rect.area()));
        if let Some(face) = largest
            && let Some(landmarks) = self.yunet.landmarks(frame, &face.rect)?
        {
            face.landmarks = Some(landmarks);
        }
        Ok(())
    }

    /// The quality of one face of `frame`.
    pub fn assess(&mut self, frame: RgbView<'_>, face: &Face) -> Assessment {
        let start = Instant::now();
        let assessment = assess(frame, face);
        self.times.quality_us = micros(start);
        assessment
    }

    /// The template of the face with these landmarks.
    ///
    /// # Errors
    /// When the landmarks coincide, the network fails, or its answer is no template.
    pub fn embed(&mut self, frame: RgbView<'_>, landmarks: &Landmarks5) -> Result<Template, VisionError> {
        let start = Instant::now();
        self.embedder.align(frame, landmarks)?;
        self.times.align_us = micros(start);
        let start = Instant::now();
        let template = self.embedder.run();
        self.times.embed_us = micros(start);
        template
    }

    /// How long each stage took since the last [`see`](Self::see) began; 0 for what has not run since.
    #[must_use]
    pub const fn times(&self) -> &StageTimes {
        &self.times
    }

    /// Whose templates [`embed`](Self::embed) makes.
    #[must_use]
    pub const fn model_id(&self) -> ModelId {
        self.embedder.model_id()
    }

    /// Values of a template.
    #[must_use]
    pub const fn dimension(&self) -> usize {
        self.embedder.dimension()
    }
}

fn micros(start: Instant) -> u32 {
    u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX)
}
