//! The graph files of a pack's networks: for which inputs they are written, and that they are what they should be.

use crate::error::VisionError;
use crate::yunet::YuNet;
use arcdoor_infer::{Files, InferError, check_graphs, write_graphs};
use arcdoor_models::{NetFile, Pack, Preprocess};
use std::iter;

/// What a network of a pack is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// YuNet: any of its inputs may be asked for.
    Detector,
    /// Runs at the input of its manifest.
    Embedder,
}

/// The graph file of a network, for every input that a device may run it at. `None` where the plan does not run it.
///
/// # Errors
/// When the network cannot be read, or lacks an output.
pub fn graph_file(
    onnx: &[u8],
    role: Role,
    outputs: &[&str],
    input: &Preprocess,
) -> Result<Option<Vec<u8>>, VisionError> {
    let own = [input.width as usize, input.height as usize];
    let others = YuNet::all_inputs().filter(|other| role == Role::Detector && *other != own);
    let inputs: Vec<[usize; 4]> =
        iter::once(own).chain(others).map(|[width, height]| [1, 3, height, width]).collect();
    match write_graphs(onnx, outputs, &inputs) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(InferError::Unplanned(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// That each graph file of a verified pack is what this arcdoor makes of the network beside it. One that another
/// version wrote is not used, and not looked at.
///
/// # Errors
/// When one is not.
pub fn check_pack_graphs(pack: &Pack) -> Result<(), VisionError> {
    for (_, file) in pack.manifest().nets() {
        let outputs: Vec<&str> = file.outputs.iter().map(String::as_str).collect();
        if let Some(graphs) = pack.graph_bytes(file) {
            check_graphs(pack.file_bytes(file), &outputs, graphs)?;
        }
    }
    Ok(())
}

/// The files of one network of a pack.
pub(crate) fn files<'a>(pack: &'a Pack, net: &NetFile) -> Files<'a> {
    Files { onnx: pack.file_bytes(net), graphs: pack.graph_bytes(net) }
}
