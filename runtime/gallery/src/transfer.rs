//! Whole galleries: written anew, copied to a file, taken in from one.

use crate::disk::Disk;
use crate::error::GalleryError;
use crate::file_disk::io_error;
use crate::folder::{FileFolder, Folder};
use crate::gallery::{Gallery, MAX_HINT_BYTES, MAX_SUBJECTS};
use crate::key::GalleryKey;
use crate::naming::{clear, replaced, undo_rewriting, unfinished, whole_to_read};
use crate::record::Kind;
use crate::store;
use crate::subject::{Subject, Taken};
use arcdoor_core::{SubjectId, SubjectName, Template};
use std::path::Path;

impl Gallery {
    /// Writes the whole gallery anew under `key` (the same or another) and a new rotation, and puts it in the
    /// place of the file that it was opened from, `name` of `folder`; then overwrites what the old file held,
    /// freed pages too. Until the new file has the name, a power cut leaves the old gallery; from then on, the new one.
    /// The next opening overwrites whichever of the two is left over.
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
        match self.write_beside(folder, name, key, hint) {
            Ok(mut new) => {
                drop(self);
                new.left = clear(folder, &replaced(name));
                Ok(new)
            }
            Err(error) => {
                // The first error is the one to report. The next opening clears away what this leaves.
                let _ = undo_rewriting(folder, name);
                Err(error)
            }
        }
    }

    /// Writes the gallery anew and gives the new file its name; the old one has the name `replaced`.
    fn write_beside(
        &self,
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
        Ok(new)
    }

    /// Copies every subject to a new file; see [`Gallery::copy_to`]. A power cut leaves no file at `path`, and a failure
    /// none at all. Until it is whole, the copy has the name `part` beside `path`, which should be one that nobody can
    /// have foreseen.
    ///
    /// # Errors
    /// When something is at `path` or has the name `part`, or the disk fails or is full.
    pub fn export(&self, path: &Path, part: &str, key: &GalleryKey, hint: &[u8]) -> Result<(), GalleryError> {
        let (folder, name) = FileFolder::split(path)?;
        let copied = folder.make(part).and_then(|disk| self.copy_to(disk, key, hint));
        let exported = copied.and_then(|copy| {
            folder.publish_new(part, name).map_err(io_error("naming"))?;
            drop(copy);
            Ok(())
        });
        if exported.is_err() {
            // The first error is the one to report.
            let _ = clear(&folder, part);
        }
        exported
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
        if let Some(id) = self.id() {
            copy.store.become_copy_of(id);
        }
        let taken = self.take_out(&self.subjects)?;
        copy.put(&taken, self.meta.next_id)?;
        Ok(copy)
    }

    /// Enrols the subjects of another gallery under new ids, all in one change. Subjects whose name is taken
    /// here are left out, and their names returned.
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
        for (taken, id) in taken.iter_mut().zip(self.meta.next_id..) {
            taken.subject.id = SubjectId(id);
        }
        self.put(&taken, next_id)?;
        Ok(known.into_iter().map(|subject| subject.name).collect())
    }

    /// The hint of the gallery `name` of `folder`: how to come by its key. Empty where it has none.
    ///
    /// # Errors
    /// When the file is in use, damaged or no gallery.
    pub fn hint(folder: &impl Folder, name: &str) -> Result<Vec<u8>, GalleryError> {
        store::hint(whole_to_read(folder, name)?)
    }

    /// Subjects with their templates as the embedder made them.
    pub(crate) fn take_out(&self, subjects: &[Subject]) -> Result<Vec<Taken>, GalleryError> {
        let take =
            |subject: &Subject| Taken { subject: subject.clone(), own: Vec::new(), impostors: Vec::new() };
        let mut taken: Vec<_> = subjects.iter().map(take).collect();
        let only = if let [one] = subjects { Some(one.id) } else { None };
        for kind in [Kind::Own, Kind::Impostor] {
            self.store.templates(kind, only, self.dimension(), |id, _, values, allowance| {
                if let Ok(at) = taken.binary_search_by_key(&id, |taken| taken.subject.id) {
                    let mut template = self.transform.undo(&Template::new(self.meta.model_id, values)?)?;
                    if let Some(allowance) = allowance {
                        template = template.with_allowance(allowance)?;
                    }
                    let Taken { own, impostors, .. } = &mut taken[at];
                    if kind == Kind::Own { own.push(template) } else { impostors.push(template) }
                }
                Ok(())
            })?;
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_folder::MemoryFolder;
    use arcdoor_core::ModelId;

    /// What leaks of one issue, rotated as it is, is nobody's template in the next one, though the key be the
    /// same and every score too.
    #[test]
    fn a_template_of_an_earlier_issue_does_not_match_the_next_one() {
        let (folder, key, model) = (MemoryFolder::new(), GalleryKey::new(&[1; 32]), ModelId::new([1; 16]));
        let template = Template::new(model, &[1.0; 128]).unwrap();
        let mut gallery = Gallery::open_in(&folder, "gallery", &key, model, 128).unwrap();
        let ada =
            gallery.enrol(&SubjectName::new("Ada").unwrap(), std::slice::from_ref(&template), 1).unwrap();
        let leaked = gallery.rotated(std::slice::from_ref(&template)).unwrap().remove(0);
        let own = |gallery: &Gallery, probe| gallery.matcher.verify(ada, probe).unwrap().unwrap().0;
        assert!(own(&gallery, &leaked) > 0.999);
        let gallery = gallery.rewrite(&folder, "gallery", &key, &[]).unwrap();
        // Of random unit vectors of 128 values, the cosine's deviation is 0.09.
        assert!(own(&gallery, &leaked).abs() < 0.45);
        assert!(gallery.verify(ada, &template).unwrap().unwrap().0 > 0.999);
    }
}
