//! YuNet's network, and one run of it over a part of a frame.

use super::decode::{Level, MAX_CANDIDATES, STRIDES};
use super::ladder::Fit;
use crate::detect::Region;
use crate::error::VisionError;
use crate::letterbox::Letterbox;
use crate::preprocess::Channels;
use arcdoor_core::Face;
use arcdoor_frame::RgbView;
use arcdoor_infer::{Files, Net, NetSpec, RunOptions, Session};
use arcdoor_models::{Pack, Role};

/// Outputs of the network: cls, obj, bbox, kps, each at strides 8, 16, 32.
const OUTPUTS: usize = 12;

/// A pack's detector, from which sessions for any input size are made.
pub(super) struct Network {
    onnx: Vec<u8>,
    graphs: Option<Vec<u8>>,
    outputs: Vec<String>,
    channels: Channels,
    options: RunOptions,
}

impl Network {
    /// Copies the network out of a verified pack; nothing is loaded yet.
    ///
    /// # Errors
    /// When the manifest does not list YuNet's twelve outputs.
    pub(super) fn new(pack: &Pack, options: &RunOptions) -> Result<Self, VisionError> {
        let net = pack.net(Role::Detector)?;
        if net.outputs.len() != OUTPUTS {
            return Err(VisionError::NotYunet { found: net.outputs.len() });
        }
        Ok(Self {
            onnx: net.onnx.to_vec(),
            graphs: net.graphs.map(<[u8]>::to_vec),
            outputs: net.outputs.clone(),
            channels: Channels::new(&net.preprocess),
            options: options.clone(),
        })
    }

    pub(super) const fn channels(&self) -> Channels {
        self.channels
    }

    /// Loads the network for an input of `width` x `height` pixels.
    pub(super) fn session(&self, [width, height]: [usize; 2]) -> Result<Session, VisionError> {
        let files = Files { onnx: &self.onnx, graphs: self.graphs.as_deref() };
        let input = [1, self.channels.planes(), height, width];
        let outputs: Vec<&str> = self.outputs.iter().map(String::as_str).collect();
        let spec = NetSpec { input, outputs: &outputs };
        Ok(Net::load(files, &spec, &self.options)?.session()?)
    }
}

/// What a run needs beside a session; reused from frame to frame.
pub(super) struct Runner {
    channels: Channels,
    letterbox: Letterbox,
    candidates: Vec<Face>,
}

impl Runner {
    pub(super) fn new(channels: Channels) -> Self {
        Self { channels, letterbox: Letterbox::new(), candidates: Vec::with_capacity(MAX_CANDIDATES) }
    }

    /// Makes room for regions with sides up to `from` in inputs with sides up to `net`.
    pub(super) fn reserve(&mut self, from: [u32; 2], net: [usize; 2]) {
        self.letterbox.reserve(from, net);
    }

    /// The boxes with a score of at least `min_score` in a region of `frame`, in frame coordinates, overlapping and
    /// in no order.
    pub(super) fn run(
        &mut self,
        session: &mut Session,
        frame: RgbView<'_>,
        region: &Region,
        fit: &Fit,
        min_score: f32,
    ) -> Result<&mut Vec<Face>, VisionError> {
        self.candidates.clear();
        let input = session.input_mut();
        let placed = self.letterbox.fill(frame, region, fit.scaled, fit.net, &self.channels, input)?;
        session.run()?;
        // The largest faces first, should there ever be more candidates than are kept.
        for index in (0..STRIDES.len()).rev() {
            let level = Level::new(index, fit.net, |i| session.output(i))?;
            level.decode(min_score, &placed, &mut self.candidates);
        }
        Ok(&mut self.candidates)
    }
}
