//! A subject: what is known of an enrolled person beside the templates.

use crate::record::SubjectRecord;
use arcdoor_core::{SubjectId, SubjectName, Template};

/// An enrolled person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Never used again after the subject was revoked.
    pub id: SubjectId,
    /// Unique in the gallery.
    pub name: SubjectName,
    /// Templates stored, 1 to 16.
    pub templates: usize,
    /// Templates of others who were taken for this subject, 0 to 16; they deny.
    pub impostors: usize,
    /// When it was enrolled, in seconds since 1970 (UTC), as the caller said.
    pub enrolled_unix_s: u64,
}

/// A subject on its way between galleries, its templates as the embedder made them.
pub(crate) struct Taken {
    pub(crate) subject: Subject,
    pub(crate) own: Vec<Template>,
    pub(crate) impostors: Vec<Template>,
}

impl Subject {
    /// The subject of a record in the store.
    pub(crate) fn new(id: SubjectId, record: SubjectRecord) -> Self {
        let SubjectRecord { name, enrolled_unix_s, templates, impostors } = record;
        let (templates, impostors) = (usize::from(templates), usize::from(impostors));
        Self { id, name, templates, impostors, enrolled_unix_s }
    }

    /// The record that the store keeps of it.
    pub(crate) fn record(&self) -> SubjectRecord {
        SubjectRecord {
            name: self.name.clone(),
            enrolled_unix_s: self.enrolled_unix_s,
            // Both are 16 at most.
            templates: self.templates as u16,
            impostors: self.impostors as u16,
        }
    }
}
