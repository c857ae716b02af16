//! Templates: unit vectors that carry the id of the embedder that made them.

use crate::limits::MAX_DIMENSION;
use crate::model_id::ModelId;
use crate::score::Score;
use zeroize::Zeroize as _;

/// Why an embedding is no template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// No values, or more than [`MAX_DIMENSION`].
    #[error("an embedding of {0} values; templates hold 1 to {MAX_DIMENSION}")]
    Dimension(usize),
    /// A NaN, an infinity, or a length of zero.
    #[error("the embedding holds NaN, infinity or only zeros: the model or its input is broken")]
    NotFinite,
    /// Two templates of different embedders or dimensions met.
    #[error("templates of different embedders cannot be compared: enrol again with the present pack")]
    OtherModel,
}

/// A unit-length embedding; stored in a gallery, or live as a probe.
#[derive(Clone, PartialEq)]
pub struct Template {
    model_id: ModelId,
    values: heapless::Vec<f32, MAX_DIMENSION>,
}

/// A template is personal data: it does not outlive its use in memory.
impl Drop for Template {
    fn drop(&mut self) {
        self.values.zeroize();
    }
}

impl Template {
    /// Normalises `embedding` to length 1.
    ///
    /// # Errors
    /// When the dimension is out of range, a value is not finite, or the length is 0.
    pub fn new(model_id: ModelId, embedding: &[f32]) -> Result<Self, TemplateError> {
        let dimension = embedding.len();
        if dimension == 0 {
            return Err(TemplateError::Dimension(0));
        }
        let mut values =
            heapless::Vec::from_slice(embedding).map_err(|_| TemplateError::Dimension(dimension))?;
        let sum: f64 = values.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
        let length = libm::sqrt(sum);
        if !length.is_finite() || length < f64::from(f32::MIN_POSITIVE) {
            return Err(TemplateError::NotFinite);
        }
        for value in &mut values {
            *value = (f64::from(*value) / length) as f32;
        }
        Ok(Self { model_id, values })
    }

    /// The normalised mean of several templates of one embedder (ArcFace's template of a video).
    ///
    /// # Errors
    /// When there is none, when they come from different embedders, or when they cancel out.
    pub fn mean<'a>(templates: impl IntoIterator<Item = &'a Self>) -> Result<Self, TemplateError> {
        let mut templates = templates.into_iter();
        let first = templates.next().ok_or(TemplateError::Dimension(0))?;
        let mut sum = first.values.clone();
        for template in templates {
            first.same_model(template)?;
            sum.iter_mut().zip(&template.values).for_each(|(s, v)| *s += v);
        }
        Self::new(first.model_id, &sum)
    }

    /// The embedder that made it.
    #[must_use]
    pub const fn model_id(&self) -> ModelId {
        self.model_id
    }

    /// The unit vector.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Cosine similarity with `other`.
    ///
    /// # Errors
    /// When the templates come from different embedders.
    pub fn score(&self, other: &Self) -> Result<Score, TemplateError> {
        self.same_model(other)?;
        let dot = self.values.iter().zip(&other.values).map(|(a, b)| a * b).sum::<f32>();
        Ok(Score(dot.clamp(-1.0, 1.0)))
    }

    fn same_model(&self, other: &Self) -> Result<(), TemplateError> {
        if self.model_id == other.model_id && self.values.len() == other.values.len() {
            Ok(())
        } else {
            Err(TemplateError::OtherModel)
        }
    }
}

/// The values are biometric data: they stay out of logs.
impl core::fmt::Debug for Template {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Template({}-d of {})", self.values.len(), self.model_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ModelId = ModelId::new([1; 16]);

    #[test]
    fn a_template_has_length_one_whatever_its_scale() {
        for scale in [1e-12_f32, 1.0, 1e18] {
            let t = Template::new(A, &[3.0 * scale, 4.0 * scale]).unwrap();
            assert!((t.values()[0] - 0.6).abs() < 1e-6 && (t.values()[1] - 0.8).abs() < 1e-6);
        }
    }

    #[test]
    fn broken_embeddings_are_refused() {
        assert_eq!(Template::new(A, &[]), Err(TemplateError::Dimension(0)));
        assert_eq!(Template::new(A, &[0.0; 513]), Err(TemplateError::Dimension(513)));
        for bad in [f32::NAN, f32::INFINITY] {
            assert_eq!(Template::new(A, &[1.0, bad]), Err(TemplateError::NotFinite));
        }
        assert_eq!(Template::new(A, &[0.0; 4]), Err(TemplateError::NotFinite));
    }

    #[test]
    fn templates_of_two_embedders_never_meet() {
        let a = Template::new(A, &[1.0, 0.0]).unwrap();
        let b = Template::new(ModelId::new([2; 16]), &[1.0, 0.0]).unwrap();
        assert_eq!(a.score(&b), Err(TemplateError::OtherModel));
        assert_eq!(Template::mean([&a, &b]), Err(TemplateError::OtherModel));
        assert_eq!(a.score(&a), Ok(Score(1.0)));
    }
}
