//! One run of a network on each engine, side by side: whether this CPU computes what the reference says.

use super::apart::{apart, noise};
use crate::error::Error;
use arcdoor_infer::{Files, HAS_TRACT, InferError, Net, NetSpec, Session};
use arcdoor_models::PackNet;
use arcdoor_vision::{Channels, EngineChoice, VisionError};

/// The largest difference of two output values, in terms of the greatest, for one input of noise at the manifest's size.
/// `None`: this program has no tract, or the plan does not run the network.
pub(super) fn difference(net: PackNet<'_>) -> Result<Option<f32>, Error> {
    if !HAS_TRACT {
        return Ok(None);
    }
    let ours = match run(net, EngineChoice::Plan) {
        Err(InferError::Unplanned(_)) => return Ok(None),
        ours => ours.map_err(VisionError::from)?,
    };
    let theirs = run(net, EngineChoice::Tract).map_err(VisionError::from)?;
    let outputs = 0..net.outputs.len();
    Ok(Some(apart(outputs.flat_map(|at| theirs.output(at).iter().zip(ours.output(at))))))
}

fn run(net: PackNet<'_>, engine: EngineChoice) -> Result<Session, InferError> {
    let outputs: Vec<&str> = net.outputs.iter().map(String::as_str).collect();
    let spec = NetSpec { input: net.preprocess.shape(), outputs: &outputs };
    let files = Files { onnx: net.onnx, graphs: net.graphs };
    let mut session = Net::load(files, &spec, &engine.into())?.session()?;
    let channels = Channels::new(&net.preprocess);
    let input = session.input_mut();
    let plane = (input.len() / channels.planes()).max(1);
    for ((at, value), noise) in input.iter_mut().enumerate().zip(noise()) {
        *value = channels.value(at / plane, [noise; 3]);
    }
    session.run()?;
    Ok(session)
}
