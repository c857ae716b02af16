//! What happens to a sum before it is stored.

use crate::error::{ShapeError, check_len};
use crate::map::{LANES, Map};

/// Applied to each value. NaN stays NaN in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Activation {
    /// The value itself.
    #[default]
    None,
    /// max(x, 0).
    Relu,
    /// x, times its channel's slope where x < 0; slopes are finite.
    Prelu,
    /// min(max(x, min), max).
    Clip {
        /// Least value; no NaN.
        min: f32,
        /// Greatest value; no NaN, and not below the least.
        max: f32,
    },
    /// 1 / (1 + exp(-x)), within 1e-6.
    Sigmoid,
}

/// A second map, of the output's shape, that is added to each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Residual {
    /// No map is added.
    #[default]
    None,
    /// activation(x + residual); how the residual lies.
    BeforeActivation(Map),
    /// activation(x) + residual; how the residual lies.
    AfterActivation(Map),
}

/// Activation and residual of one operator; the bias belongs to its sums.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Epilogue {
    /// Applied to each value.
    pub activation: Activation,
    /// Added to each value.
    pub residual: Residual,
}

impl Epilogue {
    /// Neither activation nor residual.
    pub const NONE: Self = Self { activation: Activation::None, residual: Residual::None };

    /// An activation without a residual.
    #[must_use]
    pub const fn activation(activation: Activation) -> Self {
        Self { activation, residual: Residual::None }
    }

    pub(crate) fn check(&self, output: &Map) -> Result<(), ShapeError> {
        match self.residual_map() {
            Some(map) if !map.same_shape(output) => Err(ShapeError::Residual),
            _ => Ok(()),
        }
    }

    /// Writes bias (0 where there is none) and slopes to the front of `packed`, of an operator that makes
    /// `output`; returns the rest, all zeros.
    pub(crate) fn pack<'a>(
        &self,
        output: &Map,
        bias: Option<&[f32]>,
        slopes: Option<&[f32]>,
        packed: &'a mut [f32],
    ) -> Result<&'a mut [f32], ShapeError> {
        let (head, body) = packed.split_at_mut(head_len(output.blocks()));
        pack_head(output.channels(), self.activation, bias, slopes, head)?;
        body.fill(0.0);
        Ok(body)
    }

    pub(crate) const fn residual_map(&self) -> Option<Map> {
        match self.residual {
            Residual::None => None,
            Residual::BeforeActivation(map) | Residual::AfterActivation(map) => Some(map),
        }
    }

    pub(crate) fn check_residual(&self, residual: Option<&[f32]>) -> Result<(), ShapeError> {
        match (self.residual_map(), residual) {
            (None, None) => Ok(()),
            (Some(map), Some(values)) => check_len("residual", map.len(), values.len()),
            _ => Err(ShapeError::ResidualMissing),
        }
    }
}

/// What one run reads.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// What `pack` wrote.
    pub packed: &'a [f32],
    /// The operator's input.
    pub input: &'a [f32],
    /// The map that is added, where the epilogue adds one.
    pub residual: Option<&'a [f32]>,
    /// What operators after this one will read, such as their weights, in values. A dense convolution fetches up to
    /// 256 KiB of it into the second cache meanwhile, where the instruction set can. May be empty: no result depends
    /// on it.
    pub next: &'a [f32],
}

/// Bias and slopes, padded to whole blocks: the head of what `pack` writes.
pub(crate) const fn head_len(blocks: usize) -> usize {
    2 * blocks * LANES
}

/// Writes bias (0 where there is none) and slopes into `head`, `head_len` values.
fn pack_head(
    channels: usize,
    activation: Activation,
    bias: Option<&[f32]>,
    slopes: Option<&[f32]>,
    head: &mut [f32],
) -> Result<(), ShapeError> {
    if matches!(activation, Activation::Prelu) != slopes.is_some() {
        return Err(ShapeError::Slopes);
    }
    head.fill(0.0);
    let half = head.len() / 2;
    let (bias_head, slopes_head) = head.split_at_mut(half);
    for (what, values, head) in [("bias", bias, bias_head), ("slopes", slopes, slopes_head)] {
        if let Some(values) = values {
            check_len(what, channels, values.len())?;
            head[..channels].copy_from_slice(values);
        }
    }
    Ok(())
}
