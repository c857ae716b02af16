//! Running a plan.

use std::ops::Range;
use std::sync::Arc;

use arcdoor_kernels::{Epilogue, Inputs, Residual, ShapeError};

use super::Plan;
use super::bands::{Chain, Link, Progress};
use super::floats::Floats;
use super::halves;
use super::step::{Kernel, Source, Step};
use crate::error::InferError;
use crate::team::Threads;

/// A plan with buffers of its own. Nothing is allocated after it is made.
pub(crate) struct Runner {
    plan: Arc<Plan>,
    threads: Threads,
    input: Vec<f32>,
    arena: Floats,
    scratch: Floats,
    /// Of the steps of the chain that runs.
    progress: Vec<Progress>,
    outputs: Vec<Vec<f32>>,
    /// Whether the outputs are those of a run.
    ran: bool,
}

impl Runner {
    pub(crate) fn new(plan: &Arc<Plan>, threads: Threads) -> Self {
        let outputs = plan.outputs.iter().map(|output| vec![0.0; output.unblock.output_len() * plan.batch]);
        Self {
            plan: Arc::clone(plan),
            threads,
            input: vec![0.0; plan.image * plan.batch],
            arena: Floats::new(plan.arena_len),
            scratch: Floats::new(halves::scratch_len(plan.scratch_len, threads)),
            progress: Vec::with_capacity(
                plan.chains.iter().map(|chain| chain.steps.len()).max().unwrap_or(0),
            ),
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
        let mut room = Room { plan, threads: self.threads, weights, image: input, scratch, arena };
        let mut chains = plan.chains.iter().peekable();
        let mut at = 0;
        while let Some(step) = plan.steps.get(at) {
            if let Some(chain) = chains.next_if(|chain| chain.steps.start == at) {
                room.chain(chain, &mut self.progress, after)?;
                at = chain.steps.end;
            } else {
                room.step(step)?;
                after(at);
                at += 1;
            }
        }
        let arena = room.arena;
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

/// What the steps of one image read and write.
struct Room<'a> {
    plan: &'a Plan,
    threads: Threads,
    weights: &'a [f32],
    image: &'a [f32],
    scratch: &'a mut [f32],
    arena: &'a mut [f32],
}

impl Room<'_> {
    fn step(&mut self, step: &Step) -> Result<(), ShapeError> {
        self.run(&step.kernel, step, &step.input, step.residual.as_ref(), &step.output)
    }

    /// Band by band, each through all steps.
    fn chain(
        &mut self,
        chain: &Chain,
        progress: &mut Vec<Progress>,
        after: &mut impl FnMut(usize),
    ) -> Result<(), ShapeError> {
        progress.clear();
        progress.resize(chain.steps.len(), Progress::default());
        let steps = self.plan.steps.get(chain.steps.clone()).unwrap_or_default();
        while chain.advance(progress) {
            for (index, step) in steps.iter().enumerate() {
                let (now, before) = (progress[index], index.checked_sub(1).map(|before| progress[before]));
                let held = index + 1 < steps.len();
                if held {
                    now.keep(&step.maps.1, self.arena.get_mut(step.output.clone()).unwrap_or_default());
                }
                if now.from < now.to {
                    self.band(
                        step,
                        chain.links[index],
                        now,
                        before,
                        held.then_some(chain.links[index].height()),
                    )?;
                    after(chain.steps.start + index);
                }
            }
        }
        Ok(())
    }

    /// The rows of `now`. `before` is how far the step before has come, where its map is held in part; `held` the
    /// rows of the whole output, where this one is.
    fn band(
        &mut self,
        step: &Step,
        link: Link,
        now: Progress,
        before: Option<Progress>,
        held: Option<usize>,
    ) -> Result<(), ShapeError> {
        let rows = now.from..now.to;
        let (output, within) = match held {
            Some(height) => now.of_held(&step.maps.1, height)?,
            None => now.of_whole(&step.maps.1)?,
        };
        let base = before.map_or(0, |before| before.base);
        let (input, source) = match (step.maps.0, &step.input) {
            (Some(map), Source::Map(place)) => {
                let seen = link.input(&rows);
                let (view, within) = map.rows(seen.start - base..seen.end - base, [false; 2])?;
                (Some(view), Source::Map(inner(place, within)))
            }
            _ => (None, Source::Image),
        };
        let (epilogue, residual) = match (step.epilogue.residual, &step.residual) {
            (Residual::BeforeActivation(map), Some(place)) => {
                let (view, within) = now.of_whole(&map)?;
                let residual = Residual::BeforeActivation(view);
                (Epilogue { residual, ..step.epilogue }, Some(inner(place, within)))
            }
            (Residual::AfterActivation(map), Some(place)) => {
                let (view, within) = now.of_whole(&map)?;
                let residual = Residual::AfterActivation(view);
                (Epilogue { residual, ..step.epilogue }, Some(inner(place, within)))
            }
            _ => (step.epilogue, None),
        };
        let kernel = step.form.kernel(input, output, rows, epilogue, self.plan.isa, step.tile)?;
        self.run(&kernel, step, &source, residual.as_ref(), &inner(&step.output, within))
    }

    /// The output's place in the arena overlaps with no other.
    fn run(
        &mut self,
        kernel: &Kernel,
        step: &Step,
        input: &Source,
        residual: Option<&Range<usize>>,
        output: &Range<usize>,
    ) -> Result<(), ShapeError> {
        let packed = self.weights.get(step.packed.clone()).unwrap_or_default();
        let (before, rest) = self.arena.split_at_mut_checked(output.start).ok_or(ShapeError::EmptyMap)?;
        let (written, after) = rest.split_at_mut_checked(output.len()).ok_or(ShapeError::EmptyMap)?;
        let read = |place: &Range<usize>| {
            if place.end <= output.start {
                before.get(place.clone())
            } else {
                let start = place.start.checked_sub(output.end);
                start.and_then(|start| after.get(start..start + place.len()))
            }
        };
        let input = match input {
            Source::Image => Some(self.image),
            Source::Map(place) => read(place),
        };
        let input = input.ok_or(ShapeError::EmptyMap)?;
        let inputs = Inputs { packed, input, residual: residual.and_then(read) };
        halves::run(kernel, self.threads, self.plan.isa, inputs, self.scratch, written)
    }
}

/// A piece of a place in the arena.
fn inner(place: &Range<usize>, within: Range<usize>) -> Range<usize> {
    place.start + within.start..place.start + within.end
}
