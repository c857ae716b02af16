//! From the store into memory, with every number checked against the others.

use crate::error::GalleryError;
use crate::matcher::{Matcher, Precision};
use crate::record::{Kind, Meta, damaged};
use crate::store::Store;
use crate::subject::Subject;

pub(crate) fn subjects(store: &Store, meta: &Meta) -> Result<Vec<Subject>, GalleryError> {
    let records = store.subjects()?;
    let ids_are_old = records.last().is_none_or(|(id, _)| id.0 < meta.next_id);
    if records.len() != meta.subjects as usize || !ids_are_old {
        return Err(damaged("its list of subjects"));
    }
    let subjects: Vec<_> = records.into_iter().map(|(id, record)| Subject::new(id, record)).collect();
    if subjects.iter().map(|subject| subject.templates).sum::<usize>() != meta.templates as usize {
        return Err(damaged("its number of templates"));
    }
    Ok(subjects)
}

/// Loads every template of this kind, and makes sure that each subject has all of its own and nobody else
/// has any.
pub(crate) fn matcher(
    store: &Store,
    meta: &Meta,
    subjects: &[Subject],
    kind: Kind,
    precision: Precision,
) -> Result<Matcher, GalleryError> {
    let dimension = meta.dimension as usize;
    let mut matcher = Matcher::new(meta.model_id, dimension, precision)?;
    let count = |subject: &Subject| match kind {
        Kind::Own => subject.templates,
        Kind::Impostor => subject.impostors,
    };
    let expected = subjects.iter().map(count).sum();
    matcher.reserve(expected);
    let mut order = subjects.iter().flat_map(|subject| (0..count(subject)).map(|index| (subject.id, index)));
    store.templates(kind, None, dimension, |id, index, values, allowance| {
        if order.next() != Some((id, usize::from(index))) {
            return Err(damaged("whose a template is"));
        }
        matcher.push_values(id, values, allowance);
        Ok(())
    })?;
    if matcher.len() == expected { Ok(matcher) } else { Err(damaged("a missing template")) }
}
