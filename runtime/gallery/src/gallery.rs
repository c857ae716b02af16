//! Enrolled subjects: what is on the disk, and the same in memory, rotated by the gallery's key in both.

use crate::disk::Disk;
use crate::error::GalleryError;
use crate::file_disk::io_error;
use crate::folder::{FileFolder, Folder};
use crate::key::{Derived, GalleryKey};
use crate::load;
use crate::matcher::{Matcher, Precision};
use crate::naming::{finish_rewriting, unfinished, whole, whole_to_read};
use crate::record::{Kind, Meta};
use crate::store::{Entry, Part, Store};
use crate::subject::{Subject, Taken};
use crate::transform::Transform;
use arcdoor_core::limits::{MAX_DIMENSION, MAX_TEMPLATES_PER_SUBJECT};
use arcdoor_core::{Candidates, GalleryId, ModelId, Score, SubjectId, SubjectName, Template};
use std::fmt;
use std::path::Path;

/// Most subjects that one gallery holds.
pub const MAX_SUBJECTS: usize = 100_000;

/// Most bytes of a hint, which says how to come by a gallery's key; see [`Gallery::copy_to`].
pub const MAX_HINT_BYTES: usize = 64;

/// The enrolled subjects of one embedder. Open, it holds its file's lock.
pub struct Gallery {
    pub(crate) store: Store,
    pub(crate) transform: Transform,
    pub(crate) meta: Meta,
    /// In the order of their ids.
    pub(crate) subjects: Vec<Subject>,
    pub(crate) matcher: Matcher,
    /// Who was wrongly taken for a subject; see `impostors`.
    pub(crate) impostors: Matcher,
    /// Why bytes of an earlier file may be left on the disk.
    pub(crate) left: Option<GalleryError>,
}

/// A subject's own and impostor templates, under the gallery's rotation.
type Rotated = (Vec<Template>, Vec<Template>);

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
        let mut gallery = Self::open_on(whole(folder, name)?, key, model_id, dimension)?;
        gallery.left = finish_rewriting(folder, name);
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
        let mut gallery = Self::load(store, &derived)?;
        gallery.left = finish_rewriting(folder, name);
        Ok(gallery)
    }

    /// Opens the gallery `name` of `folder` only to read it, whatever its embedder is, also on read-only media: the
    /// file is never written, and what is changed in this gallery is gone with it.
    ///
    /// # Errors
    /// As [`Gallery::open_existing`].
    pub fn view(folder: &impl Folder, name: &str, key: &GalleryKey) -> Result<Self, GalleryError> {
        let (store, derived) = Store::open(whole_to_read(folder, name)?, None, key, &[])?;
        Self::load(store, &derived)
    }

    pub(crate) fn open_with(
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
        let mut meta = store.meta()?;
        if meta.subjects == 0 && (meta.model_id, meta.dimension) != (model_id, fresh.dimension) {
            // Nobody is held whom another embedder could not compare. Ids go on.
            meta = Meta { next_id: meta.next_id, ..fresh };
            store.put(&meta, &[])?;
        }
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
        let subjects = load::subjects(&store, &meta)?;
        let matcher = load::matcher(&store, &meta, &subjects, Kind::Own, Precision::F32)?;
        let impostors = load::matcher(&store, &meta, &subjects, Kind::Impostor, Precision::F32)?;
        let transform = Transform::new(&derived.transform, dimension);
        Ok(Self { store, transform, meta, subjects, matcher, impostors, left: None })
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

    /// Adds subjects whose ids lie above all that are here.
    pub(crate) fn put(&mut self, taken: &[Taken], next_id: u32) -> Result<(), GalleryError> {
        let added: usize = taken.iter().map(|taken| taken.own.len()).sum();
        let meta = Meta {
            next_id,
            subjects: self.meta.subjects + taken.len() as u32,
            templates: self.meta.templates + added as u32,
            ..self.meta
        };
        let rotated = self.write(&meta, taken)?;
        self.meta = meta;
        for (Taken { subject, .. }, (own, impostors)) in taken.iter().zip(&rotated) {
            self.subjects.push(subject.clone());
            own.iter().for_each(|template| self.matcher.push_checked(subject.id, template));
            impostors.iter().for_each(|template| self.impostors.push_checked(subject.id, template));
        }
        Ok(())
    }

    /// Writes whole subjects, and returns their templates as they are held in memory.
    fn write(&self, meta: &Meta, taken: &[Taken]) -> Result<Vec<Rotated>, GalleryError> {
        let mut rotated = Vec::with_capacity(taken.len());
        for Taken { own, impostors, .. } in taken {
            rotated.push((self.rotated(own)?, self.rotated(impostors)?));
        }
        let entries: Vec<Entry<'_>> = taken
            .iter()
            .zip(&rotated)
            .map(|(taken, (own, impostors))| Entry {
                id: taken.subject.id,
                record: taken.subject.record(),
                own: Part { first: 0, templates: own },
                impostors: Part { first: 0, templates: impostors },
            })
            .collect();
        self.store.put(meta, &entries)?;
        Ok(rotated)
    }

    pub(crate) fn rotated(&self, templates: &[Template]) -> Result<Vec<Template>, GalleryError> {
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
        let subject = Subject {
            id,
            name: name.clone(),
            templates: templates.len(),
            impostors: 0,
            enrolled_unix_s: now_unix_s,
        };
        self.put(&[Taken { subject, own: templates.to_vec(), impostors: Vec::new() }], next_id)?;
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
        self.write_own(at, held, templates)
    }

    /// Puts these templates in the place of all that a subject had, in one change; durable as
    /// [`Gallery::enrol`]. The subject keeps its id, and whoever was taken for it is denied as before.
    ///
    /// # Errors
    /// As [`Gallery::add_templates`].
    pub fn replace_templates(&mut self, id: SubjectId, templates: &[Template]) -> Result<(), GalleryError> {
        let at = self.position(id)?;
        self.check(templates, 0)?;
        self.write_own(at, 0, templates)
    }

    /// Writes a subject's templates from the index `first` on; none stays after them.
    fn write_own(&mut self, at: usize, first: usize, templates: &[Template]) -> Result<(), GalleryError> {
        let mut subject = self.subjects[at].clone();
        let others = self.meta.templates - subject.templates as u32;
        subject.templates = first + templates.len();
        let meta = Meta { templates: others + subject.templates as u32, ..self.meta };
        let rotated = self.rotated(templates)?;
        let own = Part { first: first as u16, templates: &rotated };
        let (id, record) = (subject.id, subject.record());
        self.store.put(&meta, &[Entry { id, record, own, impostors: Part::default() }])?;
        self.meta = meta;
        self.subjects[at] = subject;
        if first == 0 {
            self.matcher.remove(id);
        }
        rotated.iter().for_each(|template| self.matcher.push_checked(id, template));
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
        self.impostors.remove(id);
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

    /// How many subjects are enrolled.
    #[must_use]
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Whether nobody is enrolled.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    /// Why bytes of an earlier file of this gallery may be left on the disk: it was removed when this one was opened or
    /// written, and could not be overwritten.
    #[must_use]
    pub const fn left(&self) -> Option<&GalleryError> {
        self.left.as_ref()
    }

    /// Which gallery it is, also after it was written anew under another key; none before anybody was enrolled.
    #[must_use]
    pub fn id(&self) -> Option<GalleryId> {
        self.store.id()
    }

    /// The embedder whose templates it holds.
    #[must_use]
    pub const fn model_id(&self) -> ModelId {
        self.meta.model_id
    }

    /// How many values a template has.
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

    /// Templates of all subjects; those of impostors are not counted.
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
            self.matcher = load::matcher(&self.store, &self.meta, &self.subjects, Kind::Own, precision)?;
        }
        Ok(())
    }

    pub(crate) fn position(&self, id: SubjectId) -> Result<usize, GalleryError> {
        self.subjects
            .binary_search_by_key(&id, |subject| subject.id)
            .map_err(|_| GalleryError::UnknownSubject(id))
    }

    pub(crate) fn check(&self, templates: &[Template], held: usize) -> Result<(), GalleryError> {
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
