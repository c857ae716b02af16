//! Enrolled subjects: what is on the disk, and the same in memory.

use crate::disk::Disk;
use crate::error::GalleryError;
use crate::file_disk::{FileDisk, publish};
use crate::matcher::{Matcher, Precision};
use crate::record::{Meta, SubjectRecord};
use crate::store::Store;
use arcdoor_core::limits::{MAX_DIMENSION, MAX_TEMPLATES_PER_SUBJECT};
use arcdoor_core::{ModelId, SubjectId, SubjectName, Template};
use std::fmt;
use std::path::Path;

/// Subjects that one gallery holds.
pub const MAX_SUBJECTS: usize = 100_000;

/// An enrolled person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Never used again after the subject was revoked.
    pub id: SubjectId,
    /// Unique in the gallery.
    pub name: SubjectName,
    /// Templates stored, 1 to 16.
    pub templates: usize,
    /// When, in seconds since 1970 (UTC), as the caller said.
    pub enrolled_unix_s: u64,
}

/// The enrolled subjects of one embedder. Open, it holds its file's lock.
pub struct Gallery {
    store: Store,
    meta: Meta,
    /// By id.
    subjects: Vec<Subject>,
    matcher: Matcher,
}

impl Gallery {
    /// Opens the gallery at `path`, or makes an empty one (mode 0600 on Unix), for templates of
    /// `dimension` values (1 to 512) by the embedder `model_id`. A power cut while it is made leaves no
    /// file at `path`.
    ///
    /// # Errors
    /// When the file is in use, damaged, no gallery, or of another embedder or dimension, or the disk
    /// fails.
    pub fn open(path: &Path, model_id: ModelId, dimension: usize) -> Result<Self, GalleryError> {
        if !path.exists() {
            Self::create(path, model_id, dimension)?;
        }
        let disk = FileDisk::open(path)?;
        // Only a file that something else made or cut is empty: ours appear whole.
        if disk.len().map_err(|source| GalleryError::Io { doing: "reading", source })? == 0 {
            return Err(GalleryError::NotAGallery);
        }
        Self::open_on(disk, model_id, dimension)
    }

    /// As [`Gallery::open`], on any disk; an empty disk becomes an empty gallery.
    ///
    /// # Errors
    /// As [`Gallery::open`].
    pub fn open_on(disk: impl Disk, model_id: ModelId, dimension: usize) -> Result<Self, GalleryError> {
        if !(1..=MAX_DIMENSION).contains(&dimension) {
            return Err(GalleryError::Dimension(dimension));
        }
        let fresh = Meta { model_id, dimension: dimension as u32, next_id: 1, subjects: 0, templates: 0 };
        let store = Store::open(disk, &fresh)?;
        let meta = store.meta()?;
        if meta.model_id != model_id {
            return Err(GalleryError::OtherModel { gallery: meta.model_id, asked: model_id });
        }
        if meta.dimension as usize != dimension {
            let gallery = meta.dimension as usize;
            return Err(GalleryError::OtherDimension { gallery, asked: dimension });
        }
        let subjects = load_subjects(&store, &meta)?;
        let matcher = load_matcher(&store, &meta, &subjects, Precision::F32)?;
        Ok(Self { store, meta, subjects, matcher })
    }

    /// Makes an empty gallery beside `path` and moves it there whole.
    fn create(path: &Path, model_id: ModelId, dimension: usize) -> Result<(), GalleryError> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".new");
        let disk = FileDisk::create(unfinished.as_ref())?;
        // Another process may have finished between our look and our lock; its file is then the one
        // that we hold, and must not be emptied.
        if path.exists() {
            return Ok(());
        }
        disk.set_len(0).map_err(|source| GalleryError::Io { doing: "writing", source })?;
        let gallery = Self::open_on(disk, model_id, dimension)?;
        publish(unfinished.as_ref(), path)?;
        drop(gallery);
        Ok(())
    }

    /// Enrols a subject under a new id. Once this returns `Ok`, a power cut does not undo it; after an
    /// error it is not matched here, and a later opening finds all of it or nothing.
    ///
    /// # Errors
    /// When the name is taken, there are no templates or more than 16, one is of another embedder, the
    /// gallery is full, or the disk fails.
    pub fn enrol(
        &mut self,
        name: &SubjectName,
        templates: &[Template],
        now_unix_s: u64,
    ) -> Result<SubjectId, GalleryError> {
        self.check(templates, 0)?;
        if self.find(name).is_some() {
            return Err(GalleryError::NameTaken(name.clone()));
        }
        if self.subjects.len() >= MAX_SUBJECTS {
            return Err(GalleryError::Full);
        }
        let id = SubjectId(self.meta.next_id);
        let meta = Meta {
            next_id: self.meta.next_id.checked_add(1).ok_or(GalleryError::Full)?,
            subjects: self.meta.subjects + 1,
            templates: self.meta.templates + templates.len() as u32,
            ..self.meta
        };
        let record = SubjectRecord {
            name: name.clone(),
            enrolled_unix_s: now_unix_s,
            templates: templates.len() as u16,
        };
        self.store.put(&meta, id, &record, 0, templates)?;
        self.meta = meta;
        self.subjects.push(subject(id, record));
        templates.iter().for_each(|template| self.matcher.push_values(id, template.values()));
        Ok(id)
    }

    /// Adds templates to a subject; durable as [`Gallery::enrol`].
    ///
    /// # Errors
    /// When the subject is unknown, would hold more than 16 templates, a template is of another embedder,
    /// or the disk fails.
    pub fn add_templates(&mut self, id: SubjectId, templates: &[Template]) -> Result<(), GalleryError> {
        let at = self.position(id)?;
        let held = self.subjects[at].templates;
        self.check(templates, held)?;
        let meta = Meta { templates: self.meta.templates + templates.len() as u32, ..self.meta };
        let record = SubjectRecord {
            name: self.subjects[at].name.clone(),
            enrolled_unix_s: self.subjects[at].enrolled_unix_s,
            templates: (held + templates.len()) as u16,
        };
        self.store.put(&meta, id, &record, held as u16, templates)?;
        self.meta = meta;
        self.subjects[at].templates += templates.len();
        templates.iter().for_each(|template| self.matcher.push_values(id, template.values()));
        Ok(())
    }

    /// Removes a subject and its templates, durably; its id is not used again. Pages that held them are
    /// freed, not overwritten: on the disk, old bytes stay until they are written anew.
    ///
    /// # Errors
    /// When the subject is unknown or the disk fails.
    pub fn revoke(&mut self, id: SubjectId) -> Result<Subject, GalleryError> {
        let at = self.position(id)?;
        let meta = Meta {
            subjects: self.meta.subjects - 1,
            templates: self.meta.templates - self.subjects[at].templates as u32,
            ..self.meta
        };
        self.store.remove(&meta, id)?;
        self.meta = meta;
        self.matcher.remove(id);
        Ok(self.subjects.remove(at))
    }

    /// The subjects, by id, which is the order of enrolment.
    #[must_use]
    pub fn list(&self) -> &[Subject] {
        &self.subjects
    }

    /// The subjects, by id.
    pub fn iter(&self) -> std::slice::Iter<'_, Subject> {
        self.subjects.iter()
    }

    /// The subject of this name.
    #[must_use]
    pub fn find(&self, name: &SubjectName) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name == *name)
    }

    /// The subject of this id.
    #[must_use]
    pub fn subject(&self, id: SubjectId) -> Option<&Subject> {
        self.position(id).ok().map(|at| &self.subjects[at])
    }

    /// Subjects enrolled.
    #[must_use]
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Whether nobody is enrolled.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    /// The embedder whose templates it holds.
    #[must_use]
    pub const fn model_id(&self) -> ModelId {
        self.meta.model_id
    }

    /// Values in a template.
    #[must_use]
    pub const fn dimension(&self) -> usize {
        self.meta.dimension as usize
    }

    /// The search over all templates.
    #[must_use]
    pub const fn matcher(&self) -> &Matcher {
        &self.matcher
    }

    /// Holds the templates in memory as `precision` from now on, read anew from the store, which always
    /// keeps f32. A gallery opens with [`Precision::F32`].
    ///
    /// # Errors
    /// When the store cannot be read; the matcher then stays as it was.
    pub fn set_precision(&mut self, precision: Precision) -> Result<(), GalleryError> {
        if precision != self.matcher.precision() {
            self.matcher = load_matcher(&self.store, &self.meta, &self.subjects, precision)?;
        }
        Ok(())
    }

    fn position(&self, id: SubjectId) -> Result<usize, GalleryError> {
        self.subjects
            .binary_search_by_key(&id, |subject| subject.id)
            .map_err(|_| GalleryError::UnknownSubject(id))
    }

    fn check(&self, templates: &[Template], held: usize) -> Result<(), GalleryError> {
        if templates.is_empty() {
            return Err(GalleryError::NoTemplates);
        }
        if held + templates.len() > MAX_TEMPLATES_PER_SUBJECT {
            return Err(GalleryError::TooManyTemplates(held + templates.len()));
        }
        templates.iter().try_for_each(|template| self.matcher.admit(template))
    }
}

/// Names and templates are personal data: they stay out of logs.
impl fmt::Debug for Gallery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gallery({} subjects of {})", self.len(), self.meta.model_id)
    }
}

impl<'a> IntoIterator for &'a Gallery {
    type Item = &'a Subject;
    type IntoIter = std::slice::Iter<'a, Subject>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

fn subject(id: SubjectId, record: SubjectRecord) -> Subject {
    let SubjectRecord { name, enrolled_unix_s, templates } = record;
    Subject { id, name, templates: usize::from(templates), enrolled_unix_s }
}

fn load_subjects(store: &Store, meta: &Meta) -> Result<Vec<Subject>, GalleryError> {
    let records = store.subjects()?;
    let ids_are_old = records.last().is_none_or(|(id, _)| id.0 < meta.next_id);
    if records.len() != meta.subjects as usize || !ids_are_old {
        return Err(GalleryError::Damaged("its list of subjects".to_owned()));
    }
    Ok(records.into_iter().map(|(id, record)| subject(id, record)).collect())
}

/// Loads every template, and makes sure that each subject has all of its own and nobody else has any.
fn load_matcher(
    store: &Store,
    meta: &Meta,
    subjects: &[Subject],
    precision: Precision,
) -> Result<Matcher, GalleryError> {
    let dimension = meta.dimension as usize;
    let mut matcher = Matcher::new(meta.model_id, dimension, precision)?;
    let expected: usize = subjects.iter().map(|subject| subject.templates).sum();
    if expected != meta.templates as usize {
        return Err(GalleryError::Damaged("its number of templates".to_owned()));
    }
    matcher.reserve(expected);
    let mut order =
        subjects.iter().flat_map(|subject| (0..subject.templates).map(|index| (subject.id, index)));
    store.templates(dimension, |id, index, values| {
        if order.next() != Some((id, usize::from(index))) {
            return Err(GalleryError::Damaged("whose a template is".to_owned()));
        }
        matcher.push_values(id, values);
        Ok(())
    })?;
    if matcher.len() == expected {
        Ok(matcher)
    } else {
        Err(GalleryError::Damaged("a missing template".to_owned()))
    }
}
