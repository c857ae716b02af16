//! Enrolled subjects: what is on the disk, and the same in memory, rotated by the gallery's key in both.

use crate::disk::Disk;
use crate::error::GalleryError;
use crate::file_disk::io_error;
use crate::folder::{FileFolder, Folder};
use crate::key::{Derived, GalleryKey};
use crate::matcher::{Matcher, Precision};
use crate::record::{Meta, SubjectRecord};
use crate::store::{self, Entry, Store};
use crate::transform::Transform;
use arcdoor_core::limits::{MAX_DIMENSION, MAX_TEMPLATES_PER_SUBJECT};
use arcdoor_core::{Candidates, ModelId, Score, SubjectId, SubjectName, Template};
use std::fmt;
use std::path::Path;

/// Subjects that one gallery holds.
pub const MAX_SUBJECTS: usize = 100_000;

/// Bytes of a hint.
pub const MAX_HINT_BYTES: usize = 64;

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
    transform: Transform,
    meta: Meta,
    /// By id.
    subjects: Vec<Subject>,
    matcher: Matcher,
}

impl Gallery {
    /// Opens the gallery at `path`, or makes an empty one (mode 0600 on Unix), for templates of
    /// `dimension` values (1 to 512) by the embedder `model_id`, sealed under `key`. A power cut while it is
    /// made leaves no file at `path`.
    ///
    /// # Errors
    /// When the file is in use, damaged, no gallery, or of another key, embedder or dimension, or the disk
    /// fails.
    pub fn open(
        path: &Path,
        key: &GalleryKey,
        model_id: ModelId,
        dimension: usize,
    ) -> Result<Self, GalleryError> {
        let (folder, name) = FileFolder::split(path)?;
        Self::open_in(&folder, name, key, model_id, dimension)
    }

    /// As [`Gallery::open`], the file `name` of `folder`.
    ///
    /// # Errors
    /// As [`Gallery::open`].
    pub fn open_in(
        folder: &impl Folder,
        name: &str,
        key: &GalleryKey,
        model_id: ModelId,
        dimension: usize,
    ) -> Result<Self, GalleryError> {
        if !folder.exists(name) {
            Self::create(folder, name, key, model_id, dimension)?;
        }
        let gallery = Self::open_on(whole(folder, name)?, key, model_id, dimension)?;
        finish_rewriting(folder, name)?;
        Ok(gallery)
    }

    /// As [`Gallery::open`], on any disk; an empty disk becomes an empty gallery.
    ///
    /// # Errors
    /// As [`Gallery::open`].
    pub fn open_on(
        disk: impl Disk,
        key: &GalleryKey,
        model_id: ModelId,
        dimension: usize,
    ) -> Result<Self, GalleryError> {
        Self::open_with(disk, key, &[], model_id, dimension)
    }

    /// Opens the gallery `name` of `folder` whatever its embedder is: to list, to revoke, to export. What it
    /// is asked to compare must still be of its embedder.
    ///
    /// # Errors
    /// As [`Gallery::open`]; also when there is no such file.
    pub fn open_existing(folder: &impl Folder, name: &str, key: &GalleryKey) -> Result<Self, GalleryError> {
        let (store, derived) = Store::open(whole(folder, name)?, None, key, &[])?;
        let gallery = Self::load(store, &derived)?;
        finish_rewriting(folder, name)?;
        Ok(gallery)
    }

    fn open_with(
        disk: impl Disk,
        key: &GalleryKey,
        hint: &[u8],
        model_id: ModelId,
        dimension: usize,
    ) -> Result<Self, GalleryError> {
        if !(1..=MAX_DIMENSION).contains(&dimension) {
            return Err(GalleryError::Dimension(dimension));
        }
        let fresh = Meta { model_id, dimension: dimension as u32, next_id: 1, subjects: 0, templates: 0 };
        let (store, derived) = Store::open(disk, Some(&fresh), key, hint)?;
        let meta = store.meta()?;
        if meta.model_id != model_id {
            return Err(GalleryError::OtherModel { gallery: meta.model_id, asked: model_id });
        }
        if meta.dimension as usize != dimension {
            let gallery = meta.dimension as usize;
            return Err(GalleryError::OtherDimension { gallery, asked: dimension });
        }
        Self::load(store, &derived)
    }

    fn load(store: Store, derived: &Derived) -> Result<Self, GalleryError> {
        let meta = store.meta()?;
        let dimension = meta.dimension as usize;
        if !(1..=MAX_DIMENSION).contains(&dimension) {
            return Err(GalleryError::Damaged("its dimension".to_owned()));
        }
        let subjects = load_subjects(&store, &meta)?;
        let matcher = load_matcher(&store, &meta, &subjects, Precision::F32)?;
        let transform = Transform::new(&derived.transform, dimension);
        Ok(Self { store, transform, meta, subjects, matcher })
    }

    /// Makes an empty gallery under another name and moves it to its own, whole.
    fn create(
        folder: &impl Folder,
        name: &str,
        key: &GalleryKey,
        model_id: ModelId,
        dimension: usize,
    ) -> Result<(), GalleryError> {
        let disk = folder.open(&unfinished(name), true)?;
        // Another process may have finished between our look and our lock; its file is then the one
        // that we hold, and must not be emptied.
        if folder.exists(name) {
            return Ok(());
        }
        disk.set_len(0).map_err(io_error("writing"))?;
        let gallery = Self::open_on(disk, key, model_id, dimension)?;
        folder.publish(&unfinished(name), name)?;
        drop(gallery);
        Ok(())
    }

    /// Writes the whole gallery anew under `key` (the same or another) and puts it in the place of the file
    /// that it was opened from, `name` of `folder`; then overwrites what the old file held, freed pages too.
    /// Until the new file has the name, a power cut leaves the old gallery; from then on, the new one, and
    /// the next opening overwrites the old file.
    ///
    /// Flash memory may keep copies that no program reaches: `key` should be a new one, and the old one
    /// forgotten.
    ///
    /// # Errors
    /// When the disk fails or is full; the old gallery is then still there.
    pub fn rewrite(
        self,
        folder: &impl Folder,
        name: &str,
        key: &GalleryKey,
        hint: &[u8],
    ) -> Result<Self, GalleryError> {
        let disk = folder.open(&unfinished(name), true)?;
        disk.set_len(0).map_err(io_error("writing"))?;
        let new = self.copy_to(disk, key, hint)?;
        // So that the old file is found again, whenever the power goes.
        folder.link(name, &replaced(name)).and_then(|()| folder.sync()).map_err(io_error("naming"))?;
        folder.publish(&unfinished(name), name)?;
        drop(self);
        folder.wipe(&replaced(name))?;
        Ok(new)
    }

    /// Copies every subject to a new file; see [`Gallery::copy_to`]. A power cut leaves no file at `path`.
    ///
    /// # Errors
    /// When there is such a file, or the disk fails or is full.
    pub fn export(&self, path: &Path, key: &GalleryKey, hint: &[u8]) -> Result<(), GalleryError> {
        let (folder, name) = FileFolder::split(path)?;
        let disk = folder.open(&unfinished(name), true)?;
        disk.set_len(0).map_err(io_error("writing"))?;
        let copy = self.copy_to(disk, key, hint)?;
        if folder.exists(name) {
            return Err(io_error("naming")(std::io::ErrorKind::AlreadyExists.into()));
        }
        folder.publish(&unfinished(name), name)?;
        drop(copy);
        Ok(())
    }

    /// Copies every subject, ids included, to an empty disk under `key`: an export, when the key is made
    /// from a passphrase. `hint` (at most 64 bytes) lies open in the copy and says how to come by its key.
    ///
    /// # Errors
    /// When the disk is not empty or fails, or the hint is too long.
    pub fn copy_to(&self, disk: impl Disk, key: &GalleryKey, hint: &[u8]) -> Result<Self, GalleryError> {
        if hint.len() > MAX_HINT_BYTES {
            return Err(GalleryError::Hint(hint.len()));
        }
        let mut copy = Self::open_with(disk, key, hint, self.meta.model_id, self.dimension())?;
        if copy.meta.next_id != 1 {
            return Err(GalleryError::NotAGallery);
        }
        let taken = self.take_out(&self.subjects)?;
        copy.put(&taken, self.meta.next_id)?;
        Ok(copy)
    }

    /// Enrols the subjects of another gallery under new ids, all in one change; whose name is taken is left
    /// out, and listed.
    ///
    /// # Errors
    /// When the other gallery is of another embedder, this one would be too full, or the disk fails.
    pub fn import(&mut self, other: &Self) -> Result<Vec<SubjectName>, GalleryError> {
        if (other.model_id(), other.dimension()) != (self.model_id(), self.dimension()) {
            return Err(GalleryError::OtherModel { gallery: other.model_id(), asked: self.model_id() });
        }
        let (known, new): (Vec<Subject>, Vec<Subject>) =
            other.subjects.iter().cloned().partition(|subject| self.find(&subject.name).is_some());
        if self.len() + new.len() > MAX_SUBJECTS {
            return Err(GalleryError::Full);
        }
        let mut taken = other.take_out(&new)?;
        let next_id = self.meta.next_id.checked_add(taken.len() as u32).ok_or(GalleryError::Full)?;
        for ((subject, _), id) in taken.iter_mut().zip(self.meta.next_id..) {
            subject.id = SubjectId(id);
        }
        self.put(&taken, next_id)?;
        Ok(known.into_iter().map(|subject| subject.name).collect())
    }

    /// What the gallery `name` of `folder` says of how to come by its key; empty where it says nothing.
    ///
    /// # Errors
    /// When the file is in use, damaged or no gallery.
    pub fn hint(folder: &impl Folder, name: &str) -> Result<Vec<u8>, GalleryError> {
        store::hint(folder.open(name, false)?)
    }

    /// Subjects with their templates as the embedder made them.
    fn take_out(&self, subjects: &[Subject]) -> Result<Vec<(Subject, Vec<Template>)>, GalleryError> {
        let mut taken: Vec<_> = subjects.iter().map(|subject| (subject.clone(), Vec::new())).collect();
        self.store.templates(self.dimension(), |id, _, values| {
            if let Ok(at) = taken.binary_search_by_key(&id, |(subject, _)| subject.id) {
                let template = Template::new(self.meta.model_id, values)?;
                taken[at].1.push(self.transform.undo(&template)?);
            }
            Ok(())
        })?;
        Ok(taken)
    }

    /// Adds subjects whose ids lie above all that are here.
    fn put(&mut self, taken: &[(Subject, Vec<Template>)], next_id: u32) -> Result<(), GalleryError> {
        let mut rotated = Vec::with_capacity(taken.len());
        for (_, templates) in taken {
            rotated.push(self.rotated(templates)?);
        }
        let entries: Vec<Entry<'_>> = taken
            .iter()
            .zip(&rotated)
            .map(|((subject, _), templates)| Entry {
                id: subject.id,
                record: SubjectRecord {
                    name: subject.name.clone(),
                    enrolled_unix_s: subject.enrolled_unix_s,
                    templates: templates.len() as u16,
                },
                first: 0,
                templates,
            })
            .collect();
        let added: usize = rotated.iter().map(Vec::len).sum();
        let meta = Meta {
            next_id,
            subjects: self.meta.subjects + taken.len() as u32,
            templates: self.meta.templates + added as u32,
            ..self.meta
        };
        self.store.put(&meta, &entries)?;
        self.meta = meta;
        for (entry, (subject, _)) in entries.iter().zip(taken) {
            self.subjects.push(subject.clone());
            entry.templates.iter().for_each(|t| self.matcher.push_values(entry.id, t.values()));
        }
        Ok(())
    }

    fn rotated(&self, templates: &[Template]) -> Result<Vec<Template>, GalleryError> {
        templates.iter().map(|template| Ok(self.transform.apply(template)?)).collect()
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
        let next_id = self.meta.next_id.checked_add(1).ok_or(GalleryError::Full)?;
        let templates = templates.to_vec();
        let subject =
            Subject { id, name: name.clone(), templates: templates.len(), enrolled_unix_s: now_unix_s };
        self.put(&[(subject, templates)], next_id)?;
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
        let templates = self.rotated(templates)?;
        self.store.put(&meta, &[Entry { id, record, first: held as u16, templates: &templates }])?;
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

    /// The subjects nearest to `probe`, best first, each once (1:N). Allocates nothing.
    ///
    /// # Errors
    /// When another embedder made the probe.
    pub fn identify(&self, probe: &Template, out: &mut Candidates) -> Result<(), GalleryError> {
        self.matcher.admit(probe)?;
        self.matcher.identify(&self.transform.apply(probe)?, out)
    }

    /// The best score of `probe` against one subject's templates (1:1); `None` where nobody has that id.
    ///
    /// # Errors
    /// When another embedder made the probe.
    pub fn verify(&self, id: SubjectId, probe: &Template) -> Result<Option<Score>, GalleryError> {
        self.matcher.admit(probe)?;
        self.matcher.verify(id, &self.transform.apply(probe)?)
    }

    /// Templates held.
    #[must_use]
    pub fn templates(&self) -> usize {
        self.matcher.len()
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

/// Where a file is made before it gets its name.
fn unfinished(name: &str) -> String {
    format!("{name}.new")
}

/// The second name of a file that is being replaced.
fn replaced(name: &str) -> String {
    format!("{name}.old")
}

/// Does what a power cut left undone when the gallery was rewritten; the caller holds it open.
fn finish_rewriting(folder: &impl Folder, name: &str) -> Result<(), GalleryError> {
    let old = replaced(name);
    if !folder.exists(&old) {
        return Ok(());
    }
    if folder.same(name, &old).map_err(io_error("reading"))? {
        return folder.remove(&old).and_then(|()| folder.sync()).map_err(io_error("naming"));
    }
    folder.wipe(&old)
}

/// A gallery's disk; only one that something else made or cut is empty, since ours appear whole.
fn whole<F: Folder>(folder: &F, name: &str) -> Result<F::Disk, GalleryError> {
    let disk = folder.open(name, false)?;
    if disk.len().map_err(io_error("reading"))? == 0 { Err(GalleryError::NotAGallery) } else { Ok(disk) }
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
