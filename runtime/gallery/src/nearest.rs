//! A subject's own templates against those of people who were taken for it.

use arcdoor_core::{Score, Template, TemplateError};

/// The best score of `probe` against some templates; `None` of none.
fn nearest<'a>(
    probe: &Template,
    others: impl Iterator<Item = &'a Template>,
) -> Result<Option<Score>, TemplateError> {
    let mut best: Option<Score> = None;
    for other in others {
        let score = probe.score(other)?;
        best = Some(best.map_or(score, |best| if score > best { score } else { best }));
    }
    Ok(best)
}

/// How many of a subject's `own` templates are as near to one of the `impostors` as to another of its own, and of
/// how many; 0 of 0 where there is nothing to compare.
pub(crate) fn denied_views(
    own: &[Template],
    impostors: &[Template],
) -> Result<(usize, usize), TemplateError> {
    let (mut denied, mut views) = (0, 0);
    for (index, view) in own.iter().enumerate() {
        let others = own.iter().enumerate().filter(|(other, _)| *other != index);
        let best = nearest(view, others.map(|(_, other)| other))?;
        let impostor = nearest(view, impostors.iter())?;
        if let (Some(best), Some(impostor)) = (best, impostor) {
            views += 1;
            denied += usize::from(impostor >= best);
        }
    }
    Ok((denied, views))
}
