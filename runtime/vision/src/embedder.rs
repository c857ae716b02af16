//! The embedder: an aligned face in, a template out.

use crate::align::{Similarity, warp};
use crate::error::VisionError;
use crate::graphs::load;
use crate::live::live_template;
use crate::preprocess::Channels;
use crate::recognisability::Recognised;
use arcdoor_core::{Landmarks5, ModelId, Template};
use arcdoor_frame::RgbView;
use arcdoor_infer::{Engine, RunOptions, Session};
use arcdoor_models::{Alignment, Pack, RecognisabilityTable, Role};

/// Input sides that the ArcFace template is drawn at, in pixels.
const SIDES: core::ops::RangeInclusive<u32> = 16..=512;

/// A pack's embedder, ready to run. Not `Send` where the engine's sessions are not.
pub struct Embedder {
    session: Session,
    channels: Channels,
    alignment: Alignment,
    side: u32,
    dimension: usize,
    model_id: ModelId,
    recognisability: Option<RecognisabilityTable>,
    recognised: Option<Recognised>,
}

impl Embedder {
    /// The embedder of a verified pack; its network runs as `options` say.
    ///
    /// # Errors
    /// When the input is no usable square or the network cannot be loaded.
    pub fn from_pack(pack: &Pack, options: &RunOptions) -> Result<Self, VisionError> {
        let net = pack.net(Role::Embedder)?;
        let input = &net.preprocess;
        let (width, height) = (input.width, input.height);
        if width != height || !SIDES.contains(&width) {
            return Err(VisionError::EmbedderInput { width, height });
        }
        let session = load(net, input.shape(), options)?.session()?;
        Ok(Self {
            session,
            channels: Channels::new(input),
            alignment: input.alignment,
            side: width,
            dimension: pack.dimension(),
            model_id: pack.model_id(),
            recognisability: pack.manifest().recognisability.clone(),
            recognised: None,
        })
    }

    /// What runs the network.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.session.engine()
    }

    /// Whose templates it makes.
    #[must_use]
    pub const fn model_id(&self) -> ModelId {
        self.model_id
    }

    /// How many values a template has.
    #[must_use]
    pub const fn dimension(&self) -> usize {
        self.dimension
    }

    /// The template of the face with these landmarks.
    ///
    /// # Errors
    /// When the landmarks coincide, the network fails, or its answer is no template.
    pub fn embed(&mut self, frame: RgbView<'_>, landmarks: &Landmarks5) -> Result<Template, VisionError> {
        self.align(frame, landmarks)?;
        self.run()
    }

    /// First half of [`embed`](Self::embed): warps the face into the network's input.
    ///
    /// # Errors
    /// When the landmarks coincide or are not finite.
    pub fn align(&mut self, frame: RgbView<'_>, landmarks: &Landmarks5) -> Result<(), VisionError> {
        let to_crop = match self.alignment {
            Alignment::Arcface112 => Similarity::to_template(landmarks, self.side)?,
        };
        warp(frame, &to_crop, &self.channels, self.side, self.session.input_mut());
        Ok(())
    }

    /// Second half of [`embed`](Self::embed): the template of what was aligned last.
    ///
    /// # Errors
    /// When the network fails or its answer is no template.
    pub fn run(&mut self) -> Result<Template, VisionError> {
        self.recognised = None;
        self.session.run()?;
        let embedding = self.session.output(0);
        if embedding.len() != self.dimension {
            return Err(VisionError::EmbedderOutput { found: embedding.len(), expected: self.dimension });
        }
        let (template, recognised) = live_template(self.model_id, self.recognisability.as_ref(), embedding)?;
        self.recognised = recognised;
        Ok(template)
    }

    /// How recognisable the face of the last template is; `None` where there is none, or the pack does not tell.
    #[must_use]
    pub const fn recognised(&self) -> Option<Recognised> {
        self.recognised
    }

    /// The embedding that the last [`run`](Self::run) made, as it came from the network.
    #[must_use]
    pub fn embedding(&self) -> &[f32] {
        self.session.output(0)
    }
}
