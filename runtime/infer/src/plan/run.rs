//! Running a plan.

use std::ops::Range;
use std::sync::Arc;

use arcdoor_kernels::{Inputs, Isa, ShapeError, Unblock};

use super::explain::Entry;
use super::floats::Floats;
use super::halves;
use super::step::Step;
use crate::error::InferError;
use crate::team::Threads;
use crate::watcher::{Done, Watcher};

/// A network, compiled for one input shape.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) entries: Vec<Entry>,
    pub(super) weights: Floats,
    pub(super) arena_len: usize,
    /// Length of scratch memory in values: what the step that needs most of it needs.
    pub(super) scratch_len: usize,
    pub(super) outputs: Vec<Output>,
    pub(super) batch: usize,
    /// Where in the arena an input image lies, until the last step that reads it.
    pub(super) image: Range<usize>,
    pub(super) isa: Isa,
}

/// How an output is read out of its map.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) unblock: Unblock,
    pub(super) place: Range<usize>,
    pub(super) dims: Vec<usize>,
}

impl Plan {
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Bytes of packed weights, and of a runner's arena.
    pub(crate) fn bytes(&self) -> [usize; 2] {
        [self.weights.len() * 4, (self.arena_len + self.scratch_len) * 4]
    }
}

/// A plan with buffers of its own. Nothing is allocated after it is made.
pub(crate) struct Runner {
    plan: Arc<Plan>,
    threads: Threads,
    /// The images of a batch of several; a single one lies in the arena from the start.
    batch: Vec<f32>,
    arena: Floats,
    scratch: Floats,
    outputs: Vec<Vec<f32>>,
    /// Whether the last run ended without an error, so that outputs may be read.
    ran: bool,
}

impl Runner {
    pub(crate) fn new(plan: &Arc<Plan>, threads: Threads) -> Self {
        let outputs = plan.outputs.iter().map(|output| vec![0.0; output.unblock.output_len() * plan.batch]);
        Self {
            plan: Arc::clone(plan),
            threads,
            batch: if plan.batch > 1 { vec![0.0; plan.image.len() * plan.batch] } else { Vec::new() },
            arena: Floats::new(plan.arena_len),
            scratch: Floats::new(halves::scratch_len(plan.scratch_len, threads)),
            outputs: outputs.collect(),
            ran: false,
        }
    }

    pub(crate) fn input_mut(&mut self) -> &mut [f32] {
        if self.plan.batch > 1 {
            return &mut self.batch;
        }
        self.arena.all_mut().get_mut(self.plan.image.clone()).unwrap_or_default()
    }

    pub(crate) fn run(&mut self, watcher: &Watcher) -> Result<(), InferError> {
        self.ran = false;
        for image in 0..self.plan.batch {
            self.image(image, watcher).map_err(|error| InferError::Run(error.to_string()))?;
        }
        self.ran = true;
        Ok(())
    }

    fn image(&mut self, index: usize, watcher: &Watcher) -> Result<(), ShapeError> {
        let plan = &*self.plan;
        let (weights, arena) = (plan.weights.all(), self.arena.all_mut());
        if let Some(image) = self.batch.chunks_exact(plan.image.len()).nth(index) {
            arena.get_mut(plan.image.clone()).ok_or(ShapeError::EmptyMap)?.copy_from_slice(image);
        }
        let scratch = self.scratch.all_mut();
        let mut room = Room { plan, threads: self.threads, weights, scratch, arena };
        for (at, step) in plan.steps.iter().enumerate() {
            room.step(step)?;
            watcher.tell(Done::Step(at));
        }
        let arena = room.arena;
        for (output, values) in plan.outputs.iter().zip(&mut self.outputs) {
            let map = arena.get(output.place.clone()).unwrap_or_default();
            let len = output.unblock.output_len();
            let values = values.chunks_exact_mut(len).nth(index).unwrap_or_default();
            output.unblock.run(plan.isa, map, values)?;
        }
        watcher.tell(Done::Outputs);
        Ok(())
    }

    pub(crate) fn output(&self, index: usize) -> &[f32] {
        self.outputs.get(index).filter(|_| self.ran).map(|values| &**values).unwrap_or_default()
    }

    pub(crate) fn output_shape(&self, index: usize) -> &[usize] {
        self.plan.outputs.get(index).filter(|_| self.ran).map(|output| &*output.dims).unwrap_or_default()
    }
}

/// The memory that the steps read and write while they run for one image.
struct Room<'a> {
    plan: &'a Plan,
    threads: Threads,
    weights: &'a [f32],
    scratch: &'a mut [f32],
    arena: &'a mut [f32],
}

impl Room<'_> {
    /// Runs a step. Its output's place in the arena overlaps with none that it reads, so the arena is split there.
    fn step(&mut self, step: &Step) -> Result<(), ShapeError> {
        let output = &step.output;
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
        let input = read(&step.input).ok_or(ShapeError::EmptyMap)?;
        let next = self.weights.get(step.next.clone()).unwrap_or_default();
        let inputs = Inputs { packed, input, residual: step.residual.as_ref().and_then(read), next };
        halves::run(&step.kernel, self.threads, self.plan.isa, inputs, self.scratch, written)
    }
}
