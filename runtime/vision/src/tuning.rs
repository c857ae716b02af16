//! The networks of a pack as a device runs them, for measuring which tiles are fastest there.

use crate::detect::DetectSettings;
use crate::error::VisionError;
use crate::graphs::files;
use crate::yunet::YuNet;
use arcdoor_infer::{Net, NetSpec, RunOptions};
use arcdoor_models::{NetFile, Pack};

pub use arcdoor_infer::{
    Choice, Form, Isa, Layer, MAX_LAYERS, Session, ShapeError, Tile, Tuned, Tuning, TuningError, tune,
};

/// One network at one input size.
#[derive(Debug, Clone)]
pub struct Network {
    /// Its file.
    pub file: String,
    /// Ready to run.
    pub net: Net,
}

/// The networks that frames of `frame` (width, height) need: the detector at its inputs, then the embedder.
/// What the plan does not run is there, too, and has no layers.
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
    let load = |file: &NetFile, [width, height]: [usize; 2]| {
        let outputs: Vec<&str> = file.outputs.iter().map(String::as_str).collect();
        let spec = NetSpec { input: [1, 3, height, width], outputs: &outputs };
        let net = Net::load(files(pack, file), &spec, &options)?;
        Ok(Network { file: file.file.clone(), net })
    };
    let (detector, embedder) = (pack.detector(), pack.embedder());
    let side = [embedder.preprocess.width as usize, embedder.preprocess.height as usize];
    let inputs = YuNet::inputs(frame[0], frame[1], settings).into_iter().map(|input| (detector, input));
    inputs.chain([(embedder, side)]).map(|(file, input)| load(file, input)).collect()
}
