//! Weights as int8 with one scale for all, or one for each index along an axis.

use crate::codes::Codes;

/// The largest code: the range is symmetric.
const LARGEST: f32 = 127.0;

/// A constant's codes, which times their scales are its values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Int8 {
    pub(super) codes: Vec<i8>,
    /// One for all, or one for each index along `axis`.
    pub(super) scales: Vec<f32>,
    pub(super) axis: usize,
}

impl Int8 {
    /// The nearest codes to a constant's values, for a scale that each index along `axis` has for itself.
    pub(super) fn nearest(values: &[f32], dims: &[usize], axis: usize) -> Option<Self> {
        let count = *dims.get(axis)?;
        let run: usize = dims.get(axis + 1..)?.iter().product();
        let channel = |at: usize| at / run.max(1) % count.max(1);
        let mut largest = vec![0.0_f32; count];
        for (at, value) in values.iter().enumerate() {
            largest[channel(at)] = largest[channel(at)].max(value.abs());
        }
        let scale = |largest: f32| (largest / LARGEST).max(f32::MIN_POSITIVE);
        let scales: Vec<f32> = largest.into_iter().map(scale).collect();
        let code =
            |(at, value): (usize, &f32)| (value / scales[channel(at)]).round().clamp(-LARGEST, LARGEST) as i8;
        Some(Self { codes: values.iter().enumerate().map(code).collect(), scales, axis })
    }

    /// The same weights, each output channel (along `axis`) times a factor. `None` where scales belong to another axis,
    /// or one for all would become one for each channel and the file's operator set cannot say that (`by_axis`).
    pub(super) fn times(&self, axis: usize, factors: &[f64], by_axis: bool) -> Option<Self> {
        let is_along = self.scales.len() == 1 || self.axis == axis;
        if !is_along || !by_axis && self.scales.len() != factors.len() {
            return None;
        }
        let scales = self.scales.iter().cycle().zip(factors);
        let scales = scales.map(|(&scale, factor)| (f64::from(scale) * factor) as f32).collect();
        Some(Self { codes: self.codes.clone(), scales, axis })
    }

    /// The weights as f32, for a constant of this shape.
    pub(super) fn values(&self, dims: &[usize]) -> Vec<f32> {
        let codes: Vec<u8> = self.codes.iter().map(|code| code.cast_unsigned()).collect();
        let scales: Vec<[u8; 4]> = self.scales.iter().map(|scale| scale.to_le_bytes()).collect();
        let run = match scales.len() {
            1 => codes.len(),
            _ => dims.iter().skip(self.axis + 1).product(),
        };
        Codes { codes: &codes, scales: &scales, run }.values().collect()
    }
}
