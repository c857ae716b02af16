//! Collecting the templates of one person.

use arcdoor_core::limits::MAX_TEMPLATES_PER_SUBJECT;
use arcdoor_core::{Quality, RetryReason, Score, Template, Threshold};
use arcdoor_frame::RgbView;

use crate::error::PipelineError;
use crate::recognizer::{Recognizer, View};

/// The views taken so far.
#[derive(Debug, Clone, Default)]
pub struct Enrolment {
    templates: Vec<Template>,
    qualities: Vec<Quality>,
}

impl Enrolment {
    /// Without a view yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { templates: Vec::new(), qualities: Vec::new() }
    }

    /// Offers a picture. `Some`: why it was not taken.
    ///
    /// # Errors
    /// When a network fails, or the subject has all the templates that it may have.
    pub fn offer(
        &mut self,
        recognizer: &mut Recognizer,
        frame: RgbView<'_>,
    ) -> Result<Option<RetryReason>, PipelineError> {
        let view = recognizer.view(frame)?;
        self.take(view, &recognizer.rules().threshold)
    }

    /// Views taken.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.templates.len()
    }

    /// Whether no view was taken.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// The templates so far.
    #[must_use]
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// The quality of each view that was taken.
    #[must_use]
    pub fn qualities(&self) -> &[Quality] {
        &self.qualities
    }

    /// How well the views agree: of each the best score against the others, and of those the least. `None`
    /// with fewer than two views.
    ///
    /// # Errors
    /// When two views are of different embedders.
    pub fn consistency(&self) -> Result<Option<Score>, PipelineError> {
        let mut least: Option<Score> = None;
        for (index, view) in self.templates.iter().enumerate() {
            let mut best: Option<Score> = None;
            for (_, other) in self.templates.iter().enumerate().filter(|(other, _)| *other != index) {
                let score = view.score(other)?;
                best = Some(best.map_or(score, |best| Score(best.0.max(score.0))));
            }
            let Some(best) = best else { return Ok(None) };
            least = Some(least.map_or(best, |least| Score(least.0.min(best.0))));
        }
        Ok(least)
    }

    /// The templates, one of each view.
    #[must_use]
    pub fn finish(self) -> Vec<Template> {
        self.templates
    }

    /// Takes a view that matches one of those before; a face of somebody else would open for both.
    fn take(&mut self, view: View, threshold: &Threshold) -> Result<Option<RetryReason>, PipelineError> {
        let (template, quality) = match view {
            Ok(view) => view,
            Err(reason) => return Ok(Some(reason)),
        };
        if self.templates.len() >= MAX_TEMPLATES_PER_SUBJECT {
            return Err(PipelineError::TooManyViews);
        }
        let mut is_known = self.templates.is_empty();
        for earlier in &self.templates {
            is_known |= threshold.admits(earlier.score(&template)?);
        }
        if !is_known {
            return Ok(Some(RetryReason::SomebodyElse));
        }
        self.templates.push(template);
        self.qualities.push(quality);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::{CalibrationId, Fmr, ModelId};

    const MODEL: ModelId = ModelId::new([3; 16]);

    const GOOD: Quality = Quality { sharpness: 90, pose: 80, illumination: 70, size: 95, occlusion: 100 };

    fn threshold() -> Threshold {
        Threshold {
            value: Score(0.5),
            target: Fmr::new(1e-3).unwrap(),
            model_id: MODEL,
            calibration_id: CalibrationId::new([0; 16]),
            basis: arcdoor_core::Basis::Counted,
        }
    }

    fn at(degrees: f32) -> View {
        let angle = degrees.to_radians();
        Ok((Template::new(MODEL, &[angle.cos(), angle.sin()]).unwrap(), GOOD))
    }

    #[test]
    fn views_of_one_person_are_taken_and_another_person_is_not() {
        let mut enrolment = Enrolment::new();
        assert_eq!(enrolment.consistency().unwrap(), None);
        let mut offer = |view| enrolment.take(view, &threshold()).unwrap();
        assert_eq!(offer(Err(RetryReason::TooDark)), Some(RetryReason::TooDark));
        assert_eq!(offer(at(0.0)), None);
        assert_eq!(offer(at(50.0)), None);
        assert_eq!(offer(at(95.0)), None, "near to the second view");
        assert_eq!(offer(at(-80.0)), Some(RetryReason::SomebodyElse));
        assert_eq!(enrolment.qualities(), [GOOD; 3]);
        // The first and the second are 50 degrees apart, the second and the third 45.
        let least = enrolment.consistency().unwrap().unwrap();
        assert!((least.0 - 50.0_f32.to_radians().cos()).abs() < 1e-6, "{least:?}");
        assert_eq!(enrolment.finish().len(), 3);
    }

    #[test]
    fn a_subject_has_bounded_templates_and_one_embedder() {
        let mut enrolment = Enrolment::new();
        for _ in 0..MAX_TEMPLATES_PER_SUBJECT {
            assert_eq!(enrolment.take(at(1.0), &threshold()).unwrap(), None);
        }
        assert!(matches!(enrolment.take(at(1.0), &threshold()), Err(PipelineError::TooManyViews)));
        let mut enrolment = Enrolment::new();
        enrolment.take(at(1.0), &threshold()).unwrap();
        let other = Template::new(ModelId::new([4; 16]), &[1.0, 0.0]).unwrap();
        assert!(matches!(enrolment.take(Ok((other, GOOD)), &threshold()), Err(PipelineError::Template(_))));
    }
}
