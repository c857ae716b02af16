//! "Not this person": templates of others who were taken for a subject. They deny, and do nothing else.
//!
//! A probe that is as near to one of them as to the subject's own templates is not let in as that subject,
//! and nobody else is let in its stead. So a template more here can never open for anybody.

use crate::error::GalleryError;
use crate::gallery::Gallery;
use crate::nearest::denied_views;
use crate::record::{from_bytes, to_bytes};
use crate::store::{Entry, Part};
use arcdoor_core::limits::{MAX_DIMENSION, MAX_IMPOSTORS_PER_SUBJECT};
use arcdoor_core::{Score, SubjectId, Template};
use zeroize::Zeroizing;

/// Where a sealed probe belongs: its kind (1 byte, always 4), its number (8) and the subject (4), little-endian.
type ProbePlace = [u8; 13];

fn probe_place(number: u64, subject: SubjectId) -> ProbePlace {
    let mut place = [4; 13];
    place[1..9].copy_from_slice(&number.to_le_bytes());
    place[9..].copy_from_slice(&subject.0.to_le_bytes());
    place
}

impl Gallery {
    /// Stores templates of somebody who is not this subject; durable as [`Gallery::enrol`].
    ///
    /// # Errors
    /// When the subject is unknown, would hold more than 16 of them, a template is of another embedder, or
    /// the disk fails.
    pub fn deny(&mut self, id: SubjectId, templates: &[Template]) -> Result<(), GalleryError> {
        let held = self.subjects[self.position(id)?].impostors;
        if templates.is_empty() {
            return Err(GalleryError::NoTemplates);
        }
        if held + templates.len() > MAX_IMPOSTORS_PER_SUBJECT {
            return Err(GalleryError::TooManyImpostors(held + templates.len()));
        }
        templates.iter().try_for_each(|template| self.matcher.admit(template))?;
        self.write_impostors(id, held, templates)
    }

    /// Removes what [`Gallery::deny`] stored for this subject, durably; returns how many there were.
    ///
    /// # Errors
    /// When the subject is unknown or the disk fails.
    pub fn forget_impostors(&mut self, id: SubjectId) -> Result<usize, GalleryError> {
        let held = self.subjects[self.position(id)?].impostors;
        if held > 0 {
            self.write_impostors(id, 0, &[])?;
        }
        Ok(held)
    }

    fn write_impostors(
        &mut self,
        id: SubjectId,
        first: usize,
        templates: &[Template],
    ) -> Result<(), GalleryError> {
        let at = self.position(id)?;
        let mut subject = self.subjects[at].clone();
        subject.impostors = first + templates.len();
        let rotated = self.rotated(templates)?;
        let impostors = Part { first: first as u16, templates: &rotated };
        let record = subject.record();
        self.store.put(&self.meta, &[Entry { id, record, own: Part::default(), impostors }])?;
        self.subjects[at] = subject;
        if first == 0 {
            self.impostors.remove(id);
        }
        rotated.iter().for_each(|template| self.impostors.push_checked(id, template));
        Ok(())
    }

    /// The best cosine similarity of `probe` with those who were taken for this subject; `None` where there are none.
    /// What degraded faces share is not taken off: it must not help to pass as another. Allocates nothing.
    ///
    /// # Errors
    /// When another embedder made the probe.
    pub fn impostor(&self, id: SubjectId, probe: &Template) -> Result<Option<Score>, GalleryError> {
        self.matcher.admit(probe)?;
        if self.subject(id).is_none_or(|subject| subject.impostors == 0) {
            return Ok(None);
        }
        self.impostors.verify(id, &self.transform.apply(&Template::new(probe.model_id(), probe.values())?)?)
    }

    /// How many of the subject's own templates are as near to somebody who was taken for it as to its other
    /// templates, and of how many; such a view is denied at the door. 0 of 0 where there is nothing to compare.
    ///
    /// # Errors
    /// When the subject is unknown, or the store cannot be read.
    pub fn denied_views(&self, id: SubjectId) -> Result<(usize, usize), GalleryError> {
        let subject = self.subjects[self.position(id)?].clone();
        let taken = self.take_out(&[subject])?;
        Ok(match taken.first() {
            Some(taken) => denied_views(&taken.own, &taken.impostors)?,
            None => (0, 0),
        })
    }

    /// Seals a probe under the gallery's key, to be kept elsewhere for a while. Only the same number and
    /// subject open it again.
    ///
    /// # Errors
    /// When another embedder made it, or the system has no random numbers.
    pub fn seal_probe(
        &self,
        number: u64,
        subject: SubjectId,
        probe: &Template,
    ) -> Result<Vec<u8>, GalleryError> {
        self.matcher.admit(probe)?;
        let rotated = self.transform.apply(probe)?;
        self.store.sealer().seal(&probe_place(number, subject), &to_bytes(rotated.values()))
    }

    /// A probe that [`Gallery::seal_probe`] sealed; `None` for anything else, such as one of an earlier key.
    #[must_use]
    pub fn open_probe(&self, number: u64, subject: SubjectId, sealed: &[u8]) -> Option<Template> {
        let bytes = self.store.sealer().open(&probe_place(number, subject), sealed)?;
        let mut buffer = Zeroizing::new([0.0; MAX_DIMENSION]);
        let values = &mut buffer[..self.dimension()];
        from_bytes(&bytes, values).ok()?;
        self.transform.undo(&Template::new(self.meta.model_id, values).ok()?).ok()
    }
}
