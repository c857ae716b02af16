//! What stands in for tract in a build without it: everything that needs tract is refused.

use std::convert::Infallible;

use crate::error::InferError;
use crate::graph::{Graph, Unsupported};
use crate::spec::NetSpec;
use crate::watcher::Watcher;

/// In place of a graph that tract has simplified. It has no values.
pub(crate) struct Simple(Infallible);

impl Simple {
    pub(crate) fn graph(&self, _input: [usize; 4]) -> Result<Graph<'_>, Unsupported> {
        match self.0 {}
    }
}

pub(crate) fn simple(_onnx: &[u8], _spec: &NetSpec<'_>, _watcher: &Watcher) -> Result<Simple, InferError> {
    Err(InferError::NoTract)
}

/// In place of a network that tract runs. It has no values.
#[derive(Clone)]
pub(crate) struct Tract(Infallible);

impl Tract {
    pub(crate) const fn load(_onnx: &[u8], _spec: &NetSpec<'_>) -> Result<Self, InferError> {
        Err(InferError::NoTract)
    }

    pub(crate) const fn runner(&self) -> Result<TractRunner, InferError> {
        match self.0 {}
    }
}

/// In place of tract's state. It has no values.
pub(crate) struct TractRunner(Infallible);

impl TractRunner {
    pub(crate) const fn input_mut(&mut self) -> &mut [f32] {
        match self.0 {}
    }

    pub(crate) const fn run(&mut self, _names: &[String]) -> Result<(), InferError> {
        match self.0 {}
    }

    pub(crate) const fn output(&self, _index: usize) -> &[f32] {
        match self.0 {}
    }

    pub(crate) const fn output_shape(&self, _index: usize) -> &[usize] {
        match self.0 {}
    }
}

/// Writes graph files in builds with tract, which reads the ONNX file.
///
/// # Errors
/// [`InferError::NoTract`], always: this build has no tract.
pub const fn write_graphs(
    _onnx: &[u8],
    _outputs: &[&str],
    _inputs: &[[usize; 4]],
) -> Result<Vec<u8>, InferError> {
    Err(InferError::NoTract)
}

/// Checks graph files in builds with tract, which reads the ONNX file.
///
/// # Errors
/// [`InferError::NoTract`], always: this build has no tract.
pub const fn check_graphs(_onnx: &[u8], _outputs: &[&str], _graphs: &[u8]) -> Result<(), InferError> {
    Err(InferError::NoTract)
}
