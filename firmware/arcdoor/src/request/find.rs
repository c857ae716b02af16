//! A subject by a name that somebody typed.

use crate::error::Error;
use arcdoor_api::composed;
use arcdoor_core::SubjectName;
use arcdoor_gallery::{Gallery, Subject};

/// The subject of this name, as it was typed or in its composed form: names that were stored before names were composed
/// are found as they are.
///
/// # Errors
/// When nobody has it.
pub(super) fn find<'a>(gallery: &'a Gallery, name: &SubjectName) -> Result<&'a Subject, Error> {
    let composed = || composed(name).ok().and_then(|name| gallery.find(&name));
    gallery.find(name).or_else(composed).ok_or_else(|| Error::UnknownName(name.clone()))
}
