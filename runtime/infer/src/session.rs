//! One runner of a network, with its buffers.

use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::model::{TypedSimplePlan, TypedSimpleState};

use crate::engine::Engine;
use crate::error::InferError;
use crate::net::{Inner, load_error};
use crate::plan::Runner;
use crate::source::checks as limits;
use crate::team::{self, Threads};

/// Runs one [`Net`](crate::Net); keeps the input buffer and the engine's state between runs. Not for
/// sharing between threads: each thread makes its own.
pub struct Session {
    runner: Inside,
    names: Arc<[String]>,
}

enum Inside {
    Plan(Runner),
    Tract(Box<Tract>),
}

impl Session {
    pub(crate) fn new(
        inner: &Inner,
        input: [usize; 4],
        names: Arc<[String]>,
        threads: Threads,
    ) -> Result<Self, InferError> {
        let runner = match inner {
            Inner::Plan(plan) => {
                if threads == Threads::Two {
                    team::start()?;
                }
                Inside::Plan(Runner::new(plan, threads))
            }
            Inner::Tract(plan) => Inside::Tract(Box::new(Tract::new(plan, input)?)),
        };
        Ok(Self { runner, names })
    }

    /// What runs the network.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self.runner {
            Inside::Plan(_) => Engine::Plan,
            Inside::Tract(_) => Engine::Tract,
        }
    }

    /// The input values, batch by channel by row by column; they stay as they were written last.
    pub fn input_mut(&mut self) -> &mut [f32] {
        match &mut self.runner {
            Inside::Plan(runner) => runner.input_mut(),
            Inside::Tract(tract) => tract.input_mut(),
        }
    }

    /// Runs the network on the present input. On the plan nothing is allocated.
    ///
    /// # Errors
    /// When the engine fails or an output holds no f32 values; outputs are then empty.
    pub fn run(&mut self) -> Result<(), InferError> {
        match &mut self.runner {
            Inside::Plan(runner) => runner.run(|_| {}),
            Inside::Tract(tract) => tract.run(&self.names),
        }
    }

    /// As [`run`](Self::run), and calls `after` for whoever holds a clock: with a step's index in
    /// [`Net::steps`](crate::Net::steps) when it, or a piece of it, has run, and with their number when the
    /// outputs were read out. On tract it is not called.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn run_watched(&mut self, after: impl FnMut(usize)) -> Result<(), InferError> {
        match &mut self.runner {
            Inside::Plan(runner) => runner.run(after),
            Inside::Tract(tract) => tract.run(&self.names),
        }
    }

    /// Values of the output `index` of the last run; empty before the first run or beyond the last output.
    #[must_use]
    pub fn output(&self, index: usize) -> &[f32] {
        match &self.runner {
            Inside::Plan(runner) => runner.output(index),
            Inside::Tract(tract) => tract.output(index),
        }
    }

    /// Shape of the output `index` of the last run; empty before the first run.
    #[must_use]
    pub fn output_shape(&self, index: usize) -> &[usize] {
        match &self.runner {
            Inside::Plan(runner) => runner.output_shape(index),
            Inside::Tract(tract) => tract.output_shape(index),
        }
    }
}

/// tract's state.
struct Tract {
    state: TypedSimpleState,
    input: Arc<Tensor>,
    outputs: TVec<TValue>,
}

impl Tract {
    fn new(plan: &Arc<TypedSimplePlan>, input: [usize; 4]) -> Result<Self, InferError> {
        let state = plan.spawn().map_err(load_error)?;
        let input = Arc::new(Tensor::zero::<f32>(&input).map_err(load_error)?);
        Ok(Self { state, input, outputs: TVec::new() })
    }

    fn input_mut(&mut self) -> &mut [f32] {
        // An output that passes the input through would still hold it; the copy is then ours alone.
        let tensor = Arc::make_mut(&mut self.input);
        // The tensor was made as plain f32, so neither step can fail.
        match tensor.as_plain_ram_storage_mut() {
            Some(_) => tensor
                .to_plain_array_view_mut::<f32>()
                .ok()
                .and_then(|view| view.into_slice())
                .unwrap_or_default(),
            None => &mut [],
        }
    }

    fn run(&mut self, names: &[String]) -> Result<(), InferError> {
        self.outputs.clear();
        let input = TValue::from_const(Arc::clone(&self.input));
        // What the engine asserts about a crafted network ends the run, not the process.
        let outputs = limits::guarded(|| {
            self.state.run(tvec!(input)).map_err(|error| InferError::Run(format!("{error:#}")))
        })?;
        for (output, name) in outputs.iter().zip(names) {
            if output.try_as_plain_ram().and_then(|view| view.as_slice::<f32>()).is_err() {
                return Err(InferError::OutputType(name.clone()));
            }
        }
        self.outputs = outputs;
        Ok(())
    }

    fn output(&self, index: usize) -> &[f32] {
        let values = self.outputs.get(index).and_then(|output| output.as_plain_ram());
        values.and_then(|view| view.as_slice::<f32>().ok()).unwrap_or_default()
    }

    fn output_shape(&self, index: usize) -> &[usize] {
        self.outputs.get(index).map(|output| output.shape()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("outputs", &self.names).finish_non_exhaustive()
    }
}
