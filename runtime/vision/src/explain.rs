//! Which engine runs each network of a pack, why, and what each step should cost.

use crate::error::VisionError;
use crate::graphs::files;
use arcdoor_infer::{Engine, EngineChoice, Entry, Net, NetSpec, Unsupported};
use arcdoor_models::Pack;

pub use arcdoor_infer::METHOD;

/// One network of a pack.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// Its file.
    pub file: String,
    /// Batch, channels, rows and columns that it was prepared for: the manifest's.
    pub input: [usize; 4],
    /// What runs it.
    pub engine: Engine,
    /// Whether the plan was compiled from its graph file, without tract.
    pub from_graph: bool,
    /// The first operator that the plan does not run, and why.
    pub unsupported: Option<Unsupported>,
    /// The plan's steps; none on tract.
    pub steps: Vec<Entry>,
    /// Bytes of packed weights, and of maps; unknown on tract.
    pub bytes: Option<[usize; 2]>,
}

/// Loads each network of a verified pack and says how it is run.
///
/// # Errors
/// When a network cannot be loaded.
pub fn explain(pack: &Pack, choice: EngineChoice) -> Result<Vec<Explained>, VisionError> {
    pack.manifest()
        .nets()
        .map(|(_, file)| {
            let (width, height) = (file.preprocess.width as usize, file.preprocess.height as usize);
            let outputs: Vec<&str> = file.outputs.iter().map(String::as_str).collect();
            let spec = NetSpec { input: [1, 3, height, width], outputs: &outputs };
            let net = Net::load(files(pack, file), &spec, &choice.into())?;
            Ok(Explained {
                file: file.file.clone(),
                input: spec.input,
                engine: net.engine(),
                from_graph: net.from_graph(),
                unsupported: net.unsupported().cloned(),
                steps: net.steps().to_vec(),
                bytes: net.plan_bytes(),
            })
        })
        .collect()
}
