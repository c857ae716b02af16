//! Running a plan.

use std::sync::Arc;

use arcdoor_kernels::{Inputs, Part, ShapeError};

use super::Plan;
use super::floats::Floats;
use super::step::{Source, Step};
use crate::error::InferError;

/// A plan with buffers of its own. Nothing is allocated after it is made.
pub(crate) struct Runner {
    plan: Arc<Plan>,
    input: Vec<f32>,
    arena: Floats,
    scratch: Floats,
    outputs: Vec<Vec<f32>>,
    /// Whether the outputs are those of a run.
    ran: bool,
}

impl Runner {
    pub(crate) fn new(plan: &Arc<Plan>) -> Self {
        let outputs = plan.outputs.iter().map(|output| vec![0.0; output.unblock.output_len() * plan.batch]);
        Self {
            plan: Arc::clone(plan),
            input: vec![0.0; plan.image * plan.batch],
            arena: Floats::new(plan.arena_len),
            scratch: Floats::new(plan.scratch_len),
            outputs: outputs.collect(),
            ran: false,
        }
    }

    pub(crate) fn input_mut(&mut self) -> &mut [f32] {
        &mut self.input
    }

    /// Calls `after` with the index of each step, or of a piece of it, that has just run; with the number of
    /// steps after the outputs were read out.
    pub(crate) fn run(&mut self, mut after: impl FnMut(usize)) -> Result<(), InferError> {
        self.ran = false;
        for image in 0..self.plan.batch {
            self.image(image, &mut after).map_err(|error| InferError::Run(error.to_string()))?;
        }
        self.ran = true;
        Ok(())
    }

    fn image(&mut self, index: usize, after: &mut impl FnMut(usize)) -> Result<(), ShapeError> {
        let plan = &*self.plan;
        let input = self.input.chunks_exact(plan.image).nth(index).unwrap_or_default();
        let (weights, arena) = (plan.weights.all(), self.arena.all_mut());
        let scratch = self.scratch.all_mut();
        for (at, step) in plan.steps.iter().enumerate() {
            run_step(step, plan, weights, input, scratch, arena)?;
            after(at);
        }
        for (output, values) in plan.outputs.iter().zip(&mut self.outputs) {
            let map = arena.get(output.place.clone()).unwrap_or_default();
            let len = output.unblock.output_len();
            let values = values.chunks_exact_mut(len).nth(index).unwrap_or_default();
            output.unblock.run(plan.isa, map, values)?;
        }
        after(plan.steps.len());
        Ok(())
    }

    pub(crate) fn output(&self, index: usize) -> &[f32] {
        self.outputs.get(index).filter(|_| self.ran).map(|values| &**values).unwrap_or_default()
    }

    pub(crate) fn output_shape(&self, index: usize) -> &[usize] {
        self.plan.outputs.get(index).filter(|_| self.ran).map(|output| &*output.dims).unwrap_or_default()
    }
}

/// The arena's pieces are disjoint, but for a step that adds its own input.
fn run_step(
    step: &Step,
    plan: &Plan,
    weights: &[f32],
    image: &[f32],
    scratch: &mut [f32],
    arena: &mut [f32],
) -> Result<(), ShapeError> {
    let overlap = |_| ShapeError::EmptyMap;
    let packed = weights.get(step.packed.clone()).unwrap_or_default();
    let output = step.output.clone();
    let mut run = |input: &[f32], residual: Option<&[f32]>, output: &mut [f32]| {
        step.kernel.run(plan.isa, Inputs { packed, input, residual }, Part::WHOLE, scratch, output)
    };
    match (&step.input, &step.residual) {
        (Source::Image, None) => run(image, None, arena.get_mut(output).unwrap_or_default()),
        (Source::Image, Some(added)) => {
            let [added, output] = arena.get_disjoint_mut([added.clone(), output]).map_err(overlap)?;
            run(image, Some(added), output)
        }
        (Source::Map(input), None) => {
            let [input, output] = arena.get_disjoint_mut([input.clone(), output]).map_err(overlap)?;
            run(input, None, output)
        }
        (Source::Map(input), Some(added)) if input == added => {
            let [input, output] = arena.get_disjoint_mut([input.clone(), output]).map_err(overlap)?;
            run(input, Some(input), output)
        }
        (Source::Map(input), Some(added)) => {
            let pieces = [input.clone(), added.clone(), output];
            let [input, added, output] = arena.get_disjoint_mut(pieces).map_err(overlap)?;
            run(input, Some(added), output)
        }
    }
}
