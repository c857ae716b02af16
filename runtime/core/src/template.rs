//! Templates: unit vectors that carry the id of the embedder that made them.

use crate::limits::MAX_DIMENSION;
use crate::model_id::ModelId;
use crate::score::Score;
use crate::shared_part::{SharedPart, discount};
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
    allowance: Option<f32>,
    shared: Option<SharedPart>,
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
        Ok(Self { model_id, values, allowance: None, shared: None })
    }

    /// This template with its part in the directions that degraded faces share: the projection of its values onto them,
    /// as many values as it has. Of a score they then make at most `allowance` times what the other directions do; see
    /// [`score`](Self::score).
    ///
    /// # Errors
    /// When the part has another dimension, or a value is not finite.
    pub fn with_shared(self, part: &[f32], allowance: f32) -> Result<Self, TemplateError> {
        let values = heapless::Vec::from_slice(part).ok().filter(|values| values.len() == self.values.len());
        let values = values.ok_or(TemplateError::Dimension(part.len()))?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err(TemplateError::NotFinite);
        }
        let mut template = self.with_allowance(allowance)?;
        template.shared = Some(SharedPart { values });
        Ok(template)
    }

    /// This template with its allowance alone, as a gallery keeps it: the other template of a score is the live one, and
    /// has a shared part.
    ///
    /// # Errors
    /// When the allowance is not finite.
    pub fn with_allowance(mut self, allowance: f32) -> Result<Self, TemplateError> {
        if !allowance.is_finite() {
            return Err(TemplateError::NotFinite);
        }
        self.allowance = Some(allowance);
        Ok(self)
    }

    /// The normalised mean of several templates of one embedder (ArcFace's template of a video), which knows its shared
    /// part where all of them do; its allowance is then the least of theirs.
    ///
    /// # Errors
    /// When there is none, when they come from different embedders, or when they cancel out.
    pub fn mean<'a>(templates: impl IntoIterator<Item = &'a Self>) -> Result<Self, TemplateError> {
        let mut templates = templates.into_iter();
        let first = templates.next().ok_or(TemplateError::Dimension(0))?;
        let (mut sum, mut shared) = (first.values.clone(), first.shared.clone());
        let mut allowance = first.allowance;
        for template in templates {
            first.same_model(template)?;
            sum.iter_mut().zip(&template.values).for_each(|(s, v)| *s += v);
            shared = shared.zip(template.shared.as_ref()).map(|(sum, part)| sum.plus(part));
            allowance = allowance.zip(template.allowance).map(|(least, other)| least.min(other));
        }
        let mean = Self::new(first.model_id, &sum)?;
        let (Some(mut shared), Some(allowance)) = (shared, allowance) else { return Ok(mean) };
        // A projection is linear: what makes the sum a unit vector makes its part that vector's.
        let to_unit = dot(&mean.values, &sum).recip();
        shared.values.iter_mut().for_each(|value| *value *= to_unit);
        mean.with_shared(&shared.values, allowance)
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

    /// How much the directions that degraded faces share may add to a score, as a share of what the others make of it;
    /// less for a face that hardly shows clearly. `None` where that is not known.
    #[must_use]
    pub const fn allowance(&self) -> Option<f32> {
        self.allowance
    }

    /// Its part in the directions that degraded faces share, where that is known: of a live template of an embedder
    /// that names such directions.
    #[must_use]
    pub const fn shared(&self) -> Option<&SharedPart> {
        self.shared.as_ref()
    }

    /// Cosine similarity with `other`.
    ///
    /// # Errors
    /// When the templates come from different embedders.
    pub fn cosine(&self, other: &Self) -> Result<Score, TemplateError> {
        self.same_model(other)?;
        Ok(Score(dot(&self.values, &other.values).clamp(-1.0, 1.0)))
    }

    /// How much the templates are of one person: their cosine similarity, less what exceeds the allowance in the
    /// directions that degraded faces share, where one of the two knows its part there. The greater allowance counts,
    /// which is that of the clearer face: the danger is two that do not show clearly. Never above
    /// [`cosine`](Self::cosine).
    ///
    /// # Errors
    /// When the templates come from different embedders.
    pub fn score(&self, other: &Self) -> Result<Score, TemplateError> {
        let Score(cosine) = self.cosine(other)?;
        let shared = match (&self.shared, &other.shared) {
            (Some(part), _) => dot(&part.values, &other.values),
            (None, Some(part)) => dot(&part.values, &self.values),
            (None, None) => return Ok(Score(cosine)),
        };
        // A template with a part has an allowance.
        let known = self.allowance.into_iter().chain(other.allowance);
        let allowance = known.fold(f32::NEG_INFINITY, f32::max);
        Ok(Score((cosine - discount(cosine, shared, allowance)).clamp(-1.0, 1.0)))
    }

    fn same_model(&self, other: &Self) -> Result<(), TemplateError> {
        if self.model_id == other.model_id && self.values.len() == other.values.len() {
            Ok(())
        } else {
            Err(TemplateError::OtherModel)
        }
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
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

    /// A template whose part in the first direction of three is shared.
    fn of(embedding: [f32; 3], allowance: f32) -> Template {
        let template = Template::new(A, &embedding).unwrap();
        let part = [template.values()[0], 0.0, 0.0];
        template.with_shared(&part, allowance).unwrap()
    }

    #[test]
    fn what_exceeds_the_allowance_in_shared_directions_is_no_score() {
        // 0.64 in the first direction, 0.18 in the second.
        let (a, b) = ([0.8, 0.6, 0.0], [0.8, 0.3, 0.27_f32.sqrt()]);
        let score = |a: &Template, b: &Template| a.score(b).unwrap().0;
        for (allowance, expected) in [(-0.5, 0.09), (0.0, 0.18), (0.5, 0.27), (4.0, 0.82)] {
            let (a, b) = (of(a, allowance), of(b, allowance));
            assert!((score(&a, &b) - expected).abs() < 1e-6, "{allowance}");
            assert!((a.cosine(&b).unwrap().0 - 0.82).abs() < 1e-6);
            let stored = Template::new(A, b.values()).unwrap();
            assert_eq!(
                (score(&a, &stored), score(&stored, &a)),
                (score(&a, &b), score(&a, &b)),
                "one side knows"
            );
        }
        for (own, other) in [(0.0, 0.5), (0.5, 0.0)] {
            assert!((score(&of(a, own), &of(b, other)) - 0.27).abs() < 1e-6, "the clearer face counts");
            let kept = Template::new(A, of(b, other).values()).unwrap().with_allowance(other).unwrap();
            assert!((score(&of(a, own), &kept) - 0.27).abs() < 1e-6, "also where it is a gallery's");
        }
        let opposite = of([-0.8, 0.6, 0.0], 0.0);
        assert!((score(&of(a, 0.0), &opposite) + 0.28).abs() < 1e-6, "a discount never raises a score");
    }

    #[test]
    fn a_mean_shares_what_its_templates_share() {
        let (a, b) = (of([0.8, 0.6, 0.0], 0.3), of([0.6, 0.0, -0.8], 0.2));
        let mean = Template::mean([&a, &b]).unwrap();
        let part = mean.shared().unwrap();
        assert!((part.values()[0] - mean.values()[0]).abs() < 1e-6);
        assert_eq!((part.values()[1], mean.allowance()), (0.0, Some(0.2)));
        let plain = Template::new(A, &[0.0, 1.0, 0.0]).unwrap();
        assert!(Template::mean([&a, &plain]).unwrap().shared().is_none());
    }

    #[test]
    fn a_broken_shared_part_is_refused() {
        let template = || Template::new(A, &[1.0, 0.0]).unwrap();
        assert_eq!(template().with_shared(&[0.0; 3], 0.1), Err(TemplateError::Dimension(3)));
        assert_eq!(template().with_shared(&[f32::NAN, 0.0], 0.1), Err(TemplateError::NotFinite));
        assert_eq!(template().with_shared(&[0.0; 2], f32::NAN), Err(TemplateError::NotFinite));
        assert_eq!(template().with_allowance(f32::INFINITY), Err(TemplateError::NotFinite));
    }
}
