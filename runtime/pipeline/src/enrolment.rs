//! Enrolment, frame by frame: which views are taken, and whether they may be enrolled.

use arcdoor_core::limits::MAX_TEMPLATES_PER_SUBJECT;
use arcdoor_core::{
    Candidate, Candidates, HeadTurn, Millis, Quality, RetryReason, Score, SubjectId, Template, TemplateError,
};
use arcdoor_frame::RgbView;
use arcdoor_gallery::{Gallery, GalleryError};

use crate::error::PipelineError;
use crate::plan::{Plan, Purpose};
use crate::recognizer::{GoodView, Recognizer, View};
use crate::thresholds::Thresholds;

/// From this angle on, in degrees, a view counts as turned that way, in advice alone: a choice, not a measurement. The
/// gate of enrolment takes views up to some 27 to the side.
const TURNED_DEG: f32 = 8.0;

/// What became of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnrolmentStep {
    /// Its view is one more of the enrolment's.
    Taken {
        /// The view's quality.
        quality: Quality,
    },
    /// It has no good view, for this reason; another frame may.
    NotTaken(RetryReason),
    /// The frame was not looked at: the enrolment was over, see [`Enrolment::is_over`].
    Over,
}

/// Views that may be enrolled.
#[derive(Debug, Clone)]
pub struct Finished {
    /// One of each view, in the order in which they were taken; at least one.
    pub templates: Vec<Template>,
    /// The quality of each view.
    pub qualities: Vec<Quality>,
    /// Where no view is turned to, also where there is one view only.
    pub unseen: Vec<HeadTurn>,
    /// How well the views agree: of each the best score against the others, and of those the least. None with
    /// fewer than two views.
    pub consistency: Option<Score>,
    /// The subject, other than the enrolment's own, that one of the views is nearest to, and how near. None
    /// where nobody else is enrolled.
    pub nearest: Option<Candidate>,
}

/// Why the views must not be enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentRefused {
    /// There is no view.
    #[error("no view was good enough{}", .last.map(|last| format!(": {last}")).unwrap_or_default())]
    NoView {
        /// What was wrong with the last frame; none where no frame came.
        last: Option<RetryReason>,
    },
    /// A view is of a person who is enrolled as another subject.
    #[error("this person is enrolled already, as subject {0}")]
    Duplicate(SubjectId),
    /// No view matches the subject whose views were to be added to or replaced.
    #[error("the views show another person than the one who is enrolled")]
    AnotherPerson,
}

/// An enrolment under way. It is offered frames until it is over, and then asked for what came of it; it
/// changes no gallery.
#[derive(Debug, Clone)]
pub struct Enrolment {
    plan: Plan,
    thresholds: Thresholds,
    /// When the first frame was offered.
    begun: Option<Millis>,
    /// Why the last frame was not taken.
    last: Option<RetryReason>,
    templates: Vec<Template>,
    qualities: Vec<Quality>,
    /// Turn of each view to the side and its nod, see [`GoodView`].
    angles_deg: Vec<[f32; 2]>,
}

impl Enrolment {
    /// An enrolment without a view yet.
    ///
    /// # Errors
    /// When the plan asks for more than 16 views.
    pub fn new(plan: Plan, thresholds: Thresholds) -> Result<Self, PipelineError> {
        if plan.views > MAX_TEMPLATES_PER_SUBJECT {
            return Err(PipelineError::TooManyViews(plan.views));
        }
        let (templates, qualities) = (Vec::with_capacity(plan.views), Vec::with_capacity(plan.views));
        let angles_deg = Vec::with_capacity(plan.views);
        Ok(Self { plan, thresholds, begun: None, last: None, templates, qualities, angles_deg })
    }

    /// Offers the next frame.
    ///
    /// # Errors
    /// When a threshold is of another embedder than the recognizer's, or a network fails.
    pub fn step(
        &mut self,
        recognizer: &mut Recognizer,
        frame: RgbView<'_>,
        now: Millis,
    ) -> Result<EnrolmentStep, PipelineError> {
        if self.is_over(now) {
            return Ok(EnrolmentStep::Over);
        }
        self.thresholds.check(recognizer.model_id())?;
        let view = recognizer.view(frame)?;
        self.take(view, now)
    }

    /// Offers a view that a recognizer made. Every view but the first must match one of those before: with a
    /// face of somebody else among them, the door would open for both. And it must differ from each of them, by the
    /// cosine: the same view twice lets the person in no oftener than once. The first view always counts.
    ///
    /// # Errors
    /// When it is of another embedder than those before.
    pub fn take(&mut self, view: View, now: Millis) -> Result<EnrolmentStep, PipelineError> {
        if self.is_over(now) {
            return Ok(EnrolmentStep::Over);
        }
        // A clock that was set back does not make the time longer.
        self.begun = Some(self.begun.map_or(now, |begun| begun.min(now)));
        let taken = match view {
            Ok(view) if !self.is_known(&view.template)? => Err(RetryReason::SomebodyElse),
            Ok(view) if self.is_repeated(&view.template)? => Err(self.plan.medium.reason()),
            taken => taken,
        };
        Ok(match taken {
            Ok(GoodView { template, quality, yaw_deg, pitch_deg }) => {
                self.templates.push(template);
                self.qualities.push(quality);
                self.angles_deg.push([yaw_deg, pitch_deg]);
                EnrolmentStep::Taken { quality }
            }
            Err(reason) => {
                self.last = Some(reason);
                EnrolmentStep::NotTaken(reason)
            }
        })
    }

    /// Whether all views are taken or the time is over: ask it before waiting for another frame.
    #[must_use]
    pub fn is_over(&self, now: Millis) -> bool {
        let late = |within_ms| self.begun.is_some_and(|begun| now.since(begun) > within_ms);
        self.len() >= self.plan.views || self.plan.within_ms.is_some_and(late)
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

    /// The templates so far, one of each view.
    #[must_use]
    pub fn templates(&self) -> &[Template] {
        &self.templates
    }

    /// The quality of each view that was taken.
    #[must_use]
    pub fn qualities(&self) -> &[Quality] {
        &self.qualities
    }

    /// Where no view is turned to yet.
    pub fn unseen(&self) -> impl Iterator<Item = HeadTurn> {
        HeadTurn::ALL.into_iter().filter(|turn| {
            let towards = |[yaw_deg, pitch_deg]: &[f32; 2]| match turn {
                HeadTurn::Left => *yaw_deg >= TURNED_DEG,
                HeadTurn::Right => *yaw_deg <= -TURNED_DEG,
                HeadTurn::Up => *pitch_deg <= -TURNED_DEG,
                HeadTurn::Down => *pitch_deg >= TURNED_DEG,
            };
            !self.angles_deg.iter().any(towards)
        })
    }

    /// Holds the views against the gallery as it is now. For somebody new and for a re-enrolment, no view may
    /// match another subject (`thresholds.duplicate`); for a re-enrolment, one must match the subject itself
    /// (`thresholds.verify`). An enrolment may be finished before it is over.
    ///
    /// # Errors
    /// When the views are of another embedder than the gallery's. The inner result says whether they may be
    /// enrolled.
    pub fn finish(self, gallery: &Gallery) -> Result<Result<Finished, EnrolmentRefused>, PipelineError> {
        if self.is_empty() {
            return Ok(Err(EnrolmentRefused::NoView { last: self.last }));
        }
        let purpose = self.plan.purpose;
        if purpose.keeps_person() && !self.is_same_person(gallery, purpose)? {
            return Ok(Err(EnrolmentRefused::AnotherPerson));
        }
        let nearest = nearest(gallery, &self.templates, purpose.subject())?;
        let is_duplicate = |other: &Candidate| self.thresholds.duplicate.admits(other.score);
        if let Some(other) = nearest.filter(|other| purpose.refuses_duplicates() && is_duplicate(other)) {
            return Ok(Err(EnrolmentRefused::Duplicate(other.subject)));
        }
        let consistency = consistency(&self.templates)?;
        let unseen = self.unseen().collect();
        let Self { templates, qualities, .. } = self;
        Ok(Ok(Finished { templates, qualities, unseen, consistency, nearest }))
    }

    /// Whether a view is the first, or matches one before it.
    fn is_known(&self, view: &Template) -> Result<bool, TemplateError> {
        let best = best(self.templates.iter().map(|earlier| earlier.score(view)))?;
        Ok(best.is_none_or(|score| self.thresholds.verify.admits(score)))
    }

    /// Whether a view taken before shows the same.
    fn is_repeated(&self, view: &Template) -> Result<bool, TemplateError> {
        let best = best(self.templates.iter().map(|earlier| earlier.cosine(view)))?;
        Ok(best.is_some_and(|cosine| cosine >= self.plan.medium.same()))
    }

    /// Whether one of the views matches the subject that they are about.
    fn is_same_person(&self, gallery: &Gallery, purpose: Purpose) -> Result<bool, GalleryError> {
        let Some(subject) = purpose.subject() else { return Ok(false) };
        for view in &self.templates {
            let score = gallery.verify(subject, view)?;
            if score.is_some_and(|score| self.thresholds.verify.admits(score)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The subject, other than `own`, that one of these views is nearest to.
fn nearest(
    gallery: &Gallery,
    views: &[Template],
    own: Option<SubjectId>,
) -> Result<Option<Candidate>, GalleryError> {
    let (mut candidates, mut nearest) = (Candidates::new(), None::<Candidate>);
    for view in views {
        gallery.identify(view, &mut candidates)?;
        let other = candidates.iter().find(|candidate| Some(candidate.subject) != own).copied();
        if let Some(other) = other.filter(|other| nearest.is_none_or(|held| held.score < other.score)) {
            nearest = Some(other);
        }
    }
    Ok(nearest)
}

/// See [`Finished::consistency`].
fn consistency(views: &[Template]) -> Result<Option<Score>, TemplateError> {
    let mut least: Option<Score> = None;
    for (index, view) in views.iter().enumerate() {
        let others = views.iter().enumerate().filter(|(other, _)| *other != index);
        let Some(best) = best(others.map(|(_, other)| view.score(other)))? else { return Ok(None) };
        least = Some(least.map_or(best, |least| Score(least.0.min(best.0))));
    }
    Ok(least)
}

/// The best of these scores; `None` where there is none.
fn best(
    mut scores: impl Iterator<Item = Result<Score, TemplateError>>,
) -> Result<Option<Score>, TemplateError> {
    scores.try_fold(None, |best: Option<Score>, score| {
        let score = score?;
        Ok(Some(best.map_or(score, |best| Score(best.0.max(score.0)))))
    })
}
