//! A pack's networks as they are loaded, and the graph files from which they start.

use crate::error::VisionError;
use crate::yunet::YuNet;
use arcdoor_infer::{Files, InferError, Net, NetSpec, RunOptions, check_graphs, write_graphs};
use arcdoor_models::{Pack, PackNet, Preprocess, Role};
use std::iter;

/// The graph file of a network, for every input that a device may run it at: a detector's may be any of YuNet's,
/// others run at their manifest's. `None` where the plan does not run the network.
///
/// # Errors
/// When the network cannot be read, or lacks an output.
pub fn graph_file(
    onnx: &[u8],
    role: Role,
    outputs: &[&str],
    input: &Preprocess,
) -> Result<Option<Vec<u8>>, VisionError> {
    let own = input.shape();
    let ladder = YuNet::all_inputs().map(|[width, height]| [own[0], own[1], height, width]);
    let others = ladder.filter(|other| role == Role::Detector && *other != own);
    let inputs: Vec<[usize; 4]> = iter::once(own).chain(others).collect();
    match write_graphs(onnx, outputs, &inputs) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(InferError::Unplanned(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Checks that each graph file of a verified pack is what this arcdoor makes of the network beside it. A file that
/// another version wrote is neither used nor looked at.
///
/// # Errors
/// When one is not.
pub fn check_pack_graphs(pack: &Pack) -> Result<(), VisionError> {
    for net in pack.nets() {
        if let Some(graphs) = net.graphs {
            check_graphs(net.onnx, &names(&net.outputs), graphs)?;
        }
    }
    Ok(())
}

/// Loads a network of a pack for inputs of `shape` (batch, planes, rows, columns).
pub(crate) fn load(net: PackNet<'_>, shape: [usize; 4], options: &RunOptions) -> Result<Net, VisionError> {
    let files = Files { onnx: net.onnx, graphs: net.graphs };
    Ok(Net::load(files, &NetSpec { input: shape, outputs: &names(&net.outputs) }, options)?)
}

/// Output names as the engine takes them.
fn names(outputs: &[String]) -> Vec<&str> {
    outputs.iter().map(String::as_str).collect()
}
