//! Which engine runs each network of a pack, why, and what each step should cost.

use crate::error::VisionError;
use crate::graphs::load;
use arcdoor_infer::{Engine, EngineChoice, Entry, Unsupported};
use arcdoor_models::Pack;

pub use arcdoor_infer::METHOD;

/// One network of a pack.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// Name of its file in the pack.
    pub file: String,
    /// Batch, planes, rows and columns of the input that it was prepared for: the manifest's.
    pub input: [usize; 4],
    /// What runs it.
    pub engine: Engine,
    /// Whether the plan was compiled from its graph file, without tract.
    pub from_graph: bool,
    /// The first operator that the plan does not run, and why.
    pub unsupported: Option<Unsupported>,
    /// The plan's steps, in the order in which they run; none on tract.
    pub steps: Vec<Entry>,
    /// Bytes of packed weights, and of the buffer for what the steps make; unknown on tract.
    pub bytes: Option<[usize; 2]>,
}

/// Loads each network of a verified pack and says how it is run.
///
/// # Errors
/// When a network cannot be loaded.
pub fn explain(pack: &Pack, choice: EngineChoice) -> Result<Vec<Explained>, VisionError> {
    pack.nets()
        .map(|file| {
            let input = file.preprocess.shape();
            let net = load(file, input, &choice.into())?;
            Ok(Explained {
                file: file.file.clone(),
                input,
                engine: net.engine(),
                from_graph: net.from_graph(),
                unsupported: net.unsupported().cloned(),
                steps: net.steps().to_vec(),
                bytes: net.plan_bytes(),
            })
        })
        .collect()
}
