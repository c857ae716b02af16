//! tract itself as a runner: the reference, and what runs networks that the plan does not support.

use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::model::{TypedSimplePlan, TypedSimpleState};

use super::declutter;
use super::model::load_error;
use crate::error::InferError;
use crate::guard::guarded;
use crate::spec::NetSpec;

/// A network that tract has optimised.
#[derive(Clone)]
pub(crate) struct Tract {
    plan: Arc<TypedSimplePlan>,
    input: [usize; 4],
}

impl Tract {
    pub(crate) fn load(onnx: &[u8], spec: &NetSpec<'_>) -> Result<Self, InferError> {
        guarded(|| {
            let model = declutter::typed(onnx, spec)?;
            let plan = model.into_optimized().and_then(IntoRunnable::into_runnable).map_err(load_error)?;
            Ok(Self { plan, input: spec.input })
        })
    }

    pub(crate) fn runner(&self) -> Result<TractRunner, InferError> {
        let state = self.plan.spawn().map_err(load_error)?;
        let input = Arc::new(Tensor::zero::<f32>(&self.input).map_err(load_error)?);
        Ok(TractRunner { state, input, outputs: TVec::new() })
    }
}

/// tract's state and buffers.
pub(crate) struct TractRunner {
    state: TypedSimpleState,
    input: Arc<Tensor>,
    outputs: TVec<TValue>,
}

impl TractRunner {
    pub(crate) fn input_mut(&mut self) -> &mut [f32] {
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

    pub(crate) fn run(&mut self, names: &[String]) -> Result<(), InferError> {
        self.outputs.clear();
        let input = TValue::from_const(Arc::clone(&self.input));
        // Where tract panics on a crafted network, this run fails and the process goes on.
        let outputs =
            guarded(|| self.state.run(tvec!(input)).map_err(|error| InferError::Run(format!("{error:#}"))))?;
        for (output, name) in outputs.iter().zip(names) {
            if output.try_as_plain_ram().and_then(|view| view.as_slice::<f32>()).is_err() {
                return Err(InferError::OutputType(name.clone()));
            }
        }
        self.outputs = outputs;
        Ok(())
    }

    pub(crate) fn output(&self, index: usize) -> &[f32] {
        let values = self.outputs.get(index).and_then(|output| output.as_plain_ram());
        values.and_then(|view| view.as_slice::<f32>().ok()).unwrap_or_default()
    }

    pub(crate) fn output_shape(&self, index: usize) -> &[usize] {
        self.outputs.get(index).map(|output| output.shape()).unwrap_or_default()
    }
}
