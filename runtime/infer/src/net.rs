//! A loaded network, ready for one input shape.

use std::sync::Arc;

use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::model::TypedSimplePlan;

use crate::engine::{Engine, EngineChoice, RunOptions};
use crate::error::InferError;
use crate::graph::Unsupported;
use crate::plan::{Entry, Loading, Plan};
use crate::session::Session;
use crate::source::checks as limits;
use crate::source::declutter;
use crate::team::Threads;
use crate::tuning::Tuning;

/// Largest ONNX file that is read, in bytes: an IResNet-100 of the lab's. A pack's files are smaller.
pub const MAX_ONNX_BYTES: usize = 256 << 20;
/// Most values that an input may hold.
pub const MAX_ELEMENTS: usize = 16 << 20;
/// Most outputs of one network.
pub const MAX_OUTPUTS: usize = 32;

/// What the caller wants of a graph.
#[derive(Debug, Clone, Copy)]
pub struct NetSpec<'a> {
    /// Input shape: batch, channels, height, width. It replaces the shape that the file declares.
    pub input: [usize; 4],
    /// The outputs, by name, in the order in which [`Session::output`] numbers them.
    pub outputs: &'a [&'a str],
}

impl NetSpec<'_> {
    fn check(&self) -> Result<(), InferError> {
        let elements = self.input.iter().try_fold(1_usize, |product, &side| product.checked_mul(side));
        if !elements.is_some_and(|n| (1..=MAX_ELEMENTS).contains(&n)) {
            return Err(InferError::InputShape(self.input));
        }
        if !(1..=MAX_OUTPUTS).contains(&self.outputs.len()) {
            return Err(InferError::OutputCount(self.outputs.len()));
        }
        Ok(())
    }
}

/// The files of a network.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// The ONNX file.
    pub onnx: &'a [u8],
    /// What [`write_graphs`](crate::write_graphs) made of it: the plan starts from this where it is there, and tract
    /// is left out. Like the ONNX file, it says what the network does: its origin must be known.
    pub graphs: Option<&'a [u8]>,
}

impl<'a> From<&'a [u8]> for Files<'a> {
    fn from(onnx: &'a [u8]) -> Self {
        Self { onnx, graphs: None }
    }
}

impl<'a> From<&'a Vec<u8>> for Files<'a> {
    fn from(onnx: &'a Vec<u8>) -> Self {
        Self::from(&**onnx)
    }
}

/// What runs a network.
#[derive(Clone)]
pub(crate) enum Inner {
    Plan(Arc<Plan>),
    Tract(Arc<TypedSimplePlan>),
}

/// A network made ready: immutable, cheap to clone, shared between threads. It answers through sessions.
#[derive(Clone)]
pub struct Net {
    inner: Inner,
    input: [usize; 4],
    outputs: Arc<[String]>,
    threads: Threads,
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
        Self::load_watched(files, spec, options, |_| {})
    }

    /// [`load`](Self::load) that calls `after` for whoever holds a clock, each time that a part of the plan's making
    /// is done. On tract it is not called.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_watched<'a>(
        files: impl Into<Files<'a>>,
        spec: &NetSpec<'_>,
        options: &RunOptions,
        mut after: impl FnMut(Loading),
    ) -> Result<Self, InferError> {
        let &RunOptions { engine, threads, ref tuning } = options;
        let files = files.into();
        let outputs: Arc<[String]> = spec.outputs.iter().map(|&name| name.to_owned()).collect();
        let input = spec.input;
        spec.check()?;
        let mut unsupported = None;
        if engine != EngineChoice::Tract {
            match planned(files, spec, tuning, &mut after) {
                Ok((plan, from_graph)) => {
                    let inner = Inner::Plan(Arc::new(plan));
                    return Ok(Self { inner, input, outputs, threads, unsupported, from_graph });
                }
                Err(error @ InferError::Graph(_)) => return Err(error),
                Err(error) if engine == EngineChoice::Plan => return Err(error),
                Err(InferError::Unplanned(why)) => unsupported = Some(why),
                // What is no file, or no graph, is for tract to say.
                Err(_) => {}
            }
        }
        let plan = limits::guarded(|| {
            let model = declutter::typed(files.onnx, spec)?;
            model.into_optimized().and_then(IntoRunnable::into_runnable).map_err(load_error)
        })?;
        Ok(Self { inner: Inner::Tract(plan), input, outputs, threads, unsupported, from_graph: false })
    }

    /// What runs the network.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self.inner {
            Inner::Plan(_) => Engine::Plan,
            Inner::Tract(_) => Engine::Tract,
        }
    }

    /// Whether the plan was compiled from a graph that tract had read already.
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
        match &self.inner {
            Inner::Plan(plan) => plan.entries(),
            Inner::Tract(_) => &[],
        }
    }

    /// Bytes of packed weights, and of the buffer that each session keeps for maps; unknown on tract.
    #[must_use]
    pub fn plan_bytes(&self) -> Option<[usize; 2]> {
        match &self.inner {
            Inner::Plan(plan) => Some(plan.bytes()),
            Inner::Tract(_) => None,
        }
    }

    /// A runner with buffers of its own, on as many threads as the net was loaded for. The second thread, where the
    /// plan runs, starts now and ends with the calling thread, which must be the one that runs the session: on
    /// another, a network takes as long as on one thread. Outputs are the same, bit for bit.
    ///
    /// # Errors
    /// When the engine cannot make its state; [`InferError::Thread`] where the second thread cannot be started.
    pub fn session(&self) -> Result<Session, InferError> {
        Session::new(&self.inner, self.input, Arc::clone(&self.outputs), self.threads)
    }

    /// The input shape: batch, channels, height, width.
    #[must_use]
    pub const fn input_shape(&self) -> [usize; 4] {
        self.input
    }

    /// The outputs' names, in order.
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

/// From the stored graph, or from what tract makes of the ONNX file; and whether it was the former.
fn planned(
    files: Files<'_>,
    spec: &NetSpec<'_>,
    tuning: &Tuning,
    after: &mut dyn FnMut(Loading),
) -> Result<(Plan, bool), InferError> {
    if let Some(plan) = Plan::compile_stored(files, spec, tuning, after)? {
        return Ok((plan, true));
    }
    let simple = limits::guarded(|| declutter::simple(files.onnx, spec, after))?;
    Ok((Plan::compile(&simple, spec.input, tuning, after)?, false))
}

/// The graph with its input shape fixed and its outputs selected.
pub(crate) fn parse(onnx: &[u8], spec: &NetSpec<'_>) -> Result<InferenceModel, InferError> {
    spec.check()?;
    read(&limits::decode(onnx)?, spec, 0)
}

/// As [`parse`], of a decoded file with so many weights as inputs behind the first one.
pub(crate) fn read(
    proto: &ModelProto,
    spec: &NetSpec<'_>,
    weights: usize,
) -> Result<InferenceModel, InferError> {
    limits::check(proto)?;
    // Declared shapes of inner values are stale once the input shape is ours.
    let reader = tract_onnx::onnx().with_ignore_value_info(true);
    let mut model = reader.model_for_proto_model(proto).map_err(load_error)?;
    let inputs = model.input_outlets().map_err(load_error)?.len();
    if inputs != 1 + weights {
        return Err(InferError::Inputs(inputs.saturating_sub(weights)));
    }
    let mut outlets = Vec::with_capacity(spec.outputs.len());
    for &name in spec.outputs {
        let known = model.output_outlets().map_err(load_error)?;
        let outlet = known.iter().find(|&&outlet| model.outlet_label(outlet) == Some(name));
        outlets.push(*outlet.ok_or_else(|| InferError::NoSuchOutput(name.to_owned()))?);
    }
    model.select_output_outlets(&outlets).map_err(load_error)?;
    model.set_input_fact(0, f32::fact(spec.input).into()).map_err(load_error)?;
    Ok(model)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(crate) fn load_error(error: TractError) -> InferError {
    InferError::Load(format!("{error:#}"))
}
