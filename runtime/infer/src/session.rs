//! One runner of a network, with its buffers.

use std::sync::Arc;

use crate::engine::Engine;
use crate::error::InferError;
use crate::plan::{Plan, Runner};
use crate::source::{Tract, TractRunner};
use crate::team::{self, Threads};
use crate::watcher::Watcher;

/// A loaded network, shared between sessions.
#[derive(Clone)]
pub(crate) enum Loaded {
    Plan(Arc<Plan>),
    Tract(Tract),
}

/// Runs one [`Net`](crate::Net); keeps the input buffer and the runner's state between runs. Not for
/// sharing between threads: each thread makes its own.
pub struct Session {
    runner: Inside,
    names: Arc<[String]>,
    watcher: Watcher,
    /// Whether a run has been since the input was asked for.
    spent: bool,
}

enum Inside {
    Plan(Runner),
    Tract(Box<TractRunner>),
}

impl Session {
    pub(crate) fn new(
        loaded: &Loaded,
        names: Arc<[String]>,
        threads: Threads,
        watcher: Watcher,
    ) -> Result<Self, InferError> {
        let runner = match loaded {
            Loaded::Plan(plan) => {
                if threads == Threads::Two {
                    team::start()?;
                }
                Inside::Plan(Runner::new(plan, threads))
            }
            Loaded::Tract(tract) => Inside::Tract(Box::new(tract.runner()?)),
        };
        Ok(Self { runner, names, watcher, spent: false })
    }

    /// Whether the plan or tract runs the network.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self.runner {
            Inside::Plan(_) => Engine::Plan,
            Inside::Tract(_) => Engine::Tract,
        }
    }

    /// The input values, batch by channel by row by column. Write them all before each run: maps take the place of
    /// what has been read.
    pub fn input_mut(&mut self) -> &mut [f32] {
        self.spent = false;
        match &mut self.runner {
            Inside::Plan(runner) => runner.input_mut(),
            Inside::Tract(tract) => tract.input_mut(),
        }
    }

    /// Runs the network on the present input, and spends it. On the plan nothing is allocated.
    ///
    /// # Errors
    /// [`InferError::SpentInput`] where [`input_mut`](Self::input_mut) was not called since the last run, [`InferError::Run`] when the plan or tract fails, [`InferError::OutputType`] when an output holds no f32
    /// values. Outputs are then empty.
    pub fn run(&mut self) -> Result<(), InferError> {
        if self.spent {
            return Err(InferError::SpentInput);
        }
        self.spent = true;
        match &mut self.runner {
            Inside::Plan(runner) => runner.run(&self.watcher),
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

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("outputs", &self.names).finish_non_exhaustive()
    }
}
