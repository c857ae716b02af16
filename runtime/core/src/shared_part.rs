//! What a template has in common with those of degraded faces.

use crate::limits::MAX_DIMENSION;
use crate::template::TemplateError;
use zeroize::Zeroize as _;

/// The part of a template in the directions that degraded faces share, whoever they are of.
///
/// Faces that are covered, turned, blurred or misaligned alike give templates that are near to each other because of the
/// damage. In speaker recognition such nuisance is projected away from every template (nuisance attribute projection:
/// Solomonoff, Campbell and Boardman, ICASSP 2005). Here a score may owe the allowance to these directions, in which good
/// faces differ, too; only what exceeds it is taken off, so that good faces score as before.
#[derive(Clone, PartialEq)]
pub struct SharedPart {
    pub(crate) values: heapless::Vec<f32, MAX_DIMENSION>,
    pub(crate) allowance: f32,
}

/// It is personal data, as the template is.
impl Drop for SharedPart {
    fn drop(&mut self) {
        self.values.zeroize();
    }
}

impl SharedPart {
    pub(crate) fn new(part: &[f32], allowance: f32, dimension: usize) -> Result<Self, TemplateError> {
        let values = heapless::Vec::from_slice(part).ok().filter(|values| values.len() == dimension);
        let values = values.ok_or(TemplateError::Dimension(part.len()))?;
        if !allowance.is_finite() || !values.iter().all(|value| value.is_finite()) {
            return Err(TemplateError::NotFinite);
        }
        Ok(Self { values, allowance })
    }

    /// The projection: as many values as the template has, of a length of 0 to 1.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Shared score that is not taken off.
    #[must_use]
    pub const fn allowance(&self) -> f32 {
        self.allowance
    }

    /// What is taken off a score of which `shared`, the dot product of this part and the other template, lies in the
    /// shared directions. Not negative.
    #[must_use]
    pub fn discount(&self, shared: f32) -> f32 {
        (shared - self.allowance).max(0.0)
    }

    pub(crate) fn plus(mut self, other: &Self) -> Self {
        self.values.iter_mut().zip(&other.values).for_each(|(sum, value)| *sum += value);
        self
    }
}

/// The values are biometric data: they stay out of logs.
impl core::fmt::Debug for SharedPart {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SharedPart({}-d, {} allowed)", self.values.len(), self.allowance)
    }
}
