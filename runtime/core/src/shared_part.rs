//! What a template has in common with those of degraded faces.

use crate::limits::MAX_DIMENSION;
use zeroize::Zeroize as _;

/// The part of a template in the directions that degraded faces share, whoever they are of.
///
/// Faces that are covered, turned, blurred or misaligned alike give templates that are near to each other because of the
/// damage. In speaker recognition such nuisance is projected away from every template (nuisance attribute projection:
/// Solomonoff, Campbell and Boardman, ICASSP 2005). Good faces differ in these directions, too: here they may add to a
/// score in proportion to what all other directions say, and only what exceeds that is taken off ([`discount`]).
#[derive(Clone, PartialEq)]
pub struct SharedPart {
    pub(crate) values: heapless::Vec<f32, MAX_DIMENSION>,
}

/// What is taken off a cosine of which `shared`, the dot product of one template's shared part and the other template,
/// lies in the shared directions. `allowance` is how much of the rest these may add; below 0, so much of the rest is
/// taken off as well. Not negative.
#[must_use]
pub fn discount(cosine: f32, shared: f32, allowance: f32) -> f32 {
    (shared - allowance * (cosine - shared)).max(0.0)
}

/// It is personal data, as the template is.
impl Drop for SharedPart {
    fn drop(&mut self) {
        self.values.zeroize();
    }
}

impl SharedPart {
    /// The projection: as many values as the template has, of a length of 0 to 1.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    pub(crate) fn plus(mut self, other: &Self) -> Self {
        self.values.iter_mut().zip(&other.values).for_each(|(sum, value)| *sum += value);
        self
    }
}

/// The values are biometric data: they stay out of logs.
impl core::fmt::Debug for SharedPart {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SharedPart({}-d)", self.values.len())
    }
}
