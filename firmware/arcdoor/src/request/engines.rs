//! One run of a network on each engine, side by side: whether this CPU computes what the reference says.

use crate::error::Error;
use arcdoor_infer::{Files, HAS_TRACT, InferError, Net, NetSpec, Session};
use arcdoor_models::PackNet;
use arcdoor_vision::{Channels, EngineChoice, VisionError};

/// Where the noise starts: every run, on every device, sees the same.
const SEED: u32 = 1;

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
    let pairs = || (0..net.outputs.len()).flat_map(|at| ours.output(at).iter().zip(theirs.output(at)));
    let most = pairs().fold(0.0_f32, |most, (_, value)| most.max(value.abs()));
    // Not `max`: a NaN must not pass for no difference.
    let apart = pairs()
        .map(|(a, b)| (a - b).abs())
        .fold(0.0_f32, |most, apart| if apart > most || apart.is_nan() { apart } else { most });
    Ok(Some(apart / most.max(f32::MIN_POSITIVE)))
}

fn run(net: PackNet<'_>, engine: EngineChoice) -> Result<Session, InferError> {
    let outputs: Vec<&str> = net.outputs.iter().map(String::as_str).collect();
    let spec = NetSpec { input: net.preprocess.shape(), outputs: &outputs };
    let files = Files { onnx: net.onnx, graphs: net.graphs };
    let mut session = Net::load(files, &spec, &engine.into())?.session()?;
    let channels = Channels::new(&net.preprocess);
    let input = session.input_mut();
    let plane = (input.len() / channels.planes()).max(1);
    let mut state = SEED;
    for (at, value) in input.iter_mut().enumerate() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [.., high] = state.to_le_bytes();
        *value = channels.value(at / plane, [f32::from(high); 3]);
    }
    session.run()?;
    Ok(session)
}
