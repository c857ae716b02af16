//! The networks of a pack as a device runs them, for measuring which tiles are fastest there.

use crate::detect::DetectSettings;
use crate::error::VisionError;
use crate::graphs::load;
use crate::yunet::YuNet;
use arcdoor_infer::{Net, RunOptions};
use arcdoor_models::{Pack, Role};

pub use arcdoor_infer::{
    Choice, Form, Isa, Layer, MAX_LAYERS, Session, ShapeError, Tile, Tuned, Tuning, TuningError, tune,
};

/// One network at one input size.
#[derive(Debug, Clone)]
pub struct Network {
    /// Name of its file in the pack.
    pub file: String,
    /// The network, loaded for that input size.
    pub net: Net,
}

/// The networks that frames of `frame` (width, height) need: the detector at its inputs, then the embedder.
/// A network that the plan does not run is listed as well; it has no layers to tune.
///
/// # Errors
/// When a network cannot be loaded.
pub fn networks(
    pack: &Pack,
    frame: [u32; 2],
    settings: &DetectSettings,
    tuning: &Tuning,
) -> Result<Vec<Network>, VisionError> {
    let options = RunOptions { tuning: tuning.clone(), ..RunOptions::default() };
    let (detector, embedder) = (pack.net(Role::Detector)?, pack.net(Role::Embedder)?);
    let planes = detector.preprocess.channel_order.planes();
    YuNet::inputs(frame[0], frame[1], settings)
        .into_iter()
        .map(|[width, height]| (detector, [1, planes, height, width]))
        .chain([(embedder, embedder.preprocess.shape())])
        .map(|(file, shape)| {
            let net = load(file, shape, &options)?;
            Ok(Network { file: file.file.clone(), net })
        })
        .collect()
}
