//! In place of tract, in a build without it: whatever would need it is refused.

use std::convert::Infallible;

use crate::error::InferError;
use crate::graph::{Graph, Unsupported};
use crate::spec::NetSpec;
use crate::watcher::Watcher;

/// A graph that tract has simplified: there is none.
pub(crate) struct Simple(Infallible);

impl Simple {
    pub(crate) fn graph(&self, _input: [usize; 4]) -> Result<Graph<'_>, Unsupported> {
        match self.0 {}
    }
}

pub(crate) fn simple(_onnx: &[u8], _spec: &NetSpec<'_>, _watcher: &Watcher) -> Result<Simple, InferError> {
    Err(InferError::NoTract)
}

/// A network that tract runs: there is none.
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

/// Its state: there is none.
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

/// Graph files are made of what tract reads.
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

/// Graph files are compared with what tract reads.
///
/// # Errors
/// [`InferError::NoTract`], always: this build has no tract.
pub const fn check_graphs(_onnx: &[u8], _outputs: &[&str], _graphs: &[u8]) -> Result<(), InferError> {
    Err(InferError::NoTract)
}
