//! A loaded network, ready for one input shape.

use std::sync::Arc;

use crate::engine::{Engine, EngineChoice, RunOptions};
use crate::error::InferError;
use crate::graph::Unsupported;
use crate::plan::{self, Entry, Plan};
use crate::session::{Loaded, Session};
use crate::source::{self, Tract};
use crate::spec::{Files, NetSpec};
use crate::team::Threads;
use crate::tuning::Tuning;
use crate::watcher::{Done, Watcher};

/// A network made ready: immutable, cheap to clone, shared between threads. It answers through sessions.
#[derive(Clone)]
pub struct Net {
    loaded: Loaded,
    input: [usize; 4],
    outputs: Arc<[String]>,
    threads: Threads,
    watcher: Watcher,
    unsupported: Option<Unsupported>,
    from_graph: bool,
}

impl Net {
    /// Reads a graph with one f32 input and compiles it to a plan; or, where the plan does not support it and
    /// `options` allow it, hands it to tract, which optimises it for tens of milliseconds.
    ///
    /// # Errors
    /// When the file or the shape is out of bounds, the graph cannot be run, or an output is missing;
    /// [`InferError::Unplanned`] where the plan is demanded and does not support the graph.
    pub fn load<'a>(
        files: impl Into<Files<'a>>,
        spec: &NetSpec<'_>,
        options: &RunOptions,
    ) -> Result<Self, InferError> {
        let &RunOptions { engine, threads, ref tuning, ref watcher } = options;
        let files = files.into();
        let outputs: Arc<[String]> = spec.outputs.iter().map(|&name| name.to_owned()).collect();
        let input = spec.input;
        spec.check()?;
        let mut unsupported = None;
        if engine != EngineChoice::Tract {
            match planned(files, spec, tuning, watcher) {
                Ok((plan, from_graph)) => {
                    let loaded = Loaded::Plan(Arc::new(plan));
                    let watcher = watcher.clone();
                    return Ok(Self { loaded, input, outputs, threads, watcher, unsupported, from_graph });
                }
                Err(error @ InferError::Graph(_)) => return Err(error),
                Err(error) if engine == EngineChoice::Plan => return Err(error),
                Err(InferError::Unplanned(why)) => unsupported = Some(why),
                // Files that cannot be read or prepared: tract's error is the one to show.
                Err(_) => {}
            }
        }
        let loaded = Loaded::Tract(Tract::load(files.onnx, spec)?);
        let watcher = watcher.clone();
        Ok(Self { loaded, input, outputs, threads, watcher, unsupported, from_graph: false })
    }

    /// Whether the plan or tract runs the network.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self.loaded {
            Loaded::Plan(_) => Engine::Plan,
            Loaded::Tract(_) => Engine::Tract,
        }
    }

    /// Whether the plan was compiled from a graph file.
    #[must_use]
    pub const fn from_graph(&self) -> bool {
        self.from_graph
    }

    /// Why the plan does not run the network, where that is why tract does.
    #[must_use]
    pub const fn unsupported(&self) -> Option<&Unsupported> {
        self.unsupported.as_ref()
    }

    /// The plan's steps; empty on tract.
    #[must_use]
    pub fn steps(&self) -> &[Entry] {
        match &self.loaded {
            Loaded::Plan(plan) => plan.entries(),
            Loaded::Tract(_) => &[],
        }
    }

    /// Bytes of packed weights, and of the buffer that each session keeps for maps; `None` on tract.
    #[must_use]
    pub fn plan_bytes(&self) -> Option<[usize; 2]> {
        match &self.loaded {
            Loaded::Plan(plan) => Some(plan.bytes()),
            Loaded::Tract(_) => None,
        }
    }

    /// A runner with buffers of its own, on as many threads as the net was loaded for. The second thread, where the
    /// plan runs, starts now and ends with the calling thread, which must be the one that runs the session: on
    /// another, a network takes as long as on one thread. Outputs are the same, bit for bit.
    ///
    /// # Errors
    /// [`InferError::Load`] when tract cannot make its state; [`InferError::Thread`] where the second thread cannot be
    /// started.
    pub fn session(&self) -> Result<Session, InferError> {
        Session::new(&self.loaded, Arc::clone(&self.outputs), self.threads, self.watcher.clone())
    }

    /// The input shape: batch, channels, height, width.
    #[must_use]
    pub const fn input_shape(&self) -> [usize; 4] {
        self.input
    }

    /// The outputs' names, in the order in which [`Session::output`] numbers them.
    #[must_use]
    pub fn outputs(&self) -> &[String] {
        &self.outputs
    }
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net")
            .field("engine", &self.engine())
            .field("input", &self.input)
            .field("outputs", &self.outputs)
            .finish_non_exhaustive()
    }
}

/// The plan, compiled from the graph file where there is one for this input, else from what tract makes of the ONNX
/// file; and whether it was the graph file.
fn planned(
    files: Files<'_>,
    spec: &NetSpec<'_>,
    tuning: &Tuning,
    watcher: &Watcher,
) -> Result<(Plan, bool), InferError> {
    if let Some(graphs) = files.graphs
        && let Some(graph) = source::stored_graph(files.onnx, graphs, spec)?
    {
        watcher.tell(Done::Decluttered);
        return Ok((plan::compile(&graph, tuning, watcher)?, true));
    }
    let simple = source::simple(files.onnx, spec, watcher)?;
    Ok((plan::compile(&simple.graph(spec.input)?, tuning, watcher)?, false))
}
