//! Who is enrolled, and with which embedder: a pack of another one knows none of them.

use crate::home::{Home, packs};
use arcdoor_api::{MAX_NAMED, ReEnrolment};
use arcdoor_core::{ModelId, SubjectName};
use arcdoor_gallery::Gallery;

/// The people of a gallery, as far as it can be read.
#[derive(Debug)]
pub enum People {
    /// Nobody is enrolled.
    Nobody,
    /// Some are.
    Enrolled(Enrolled),
    /// The gallery cannot be read now, and why. Its embedder is sealed as well as its people.
    Sealed(String),
}

/// People, and the embedder that made their templates.
#[derive(Debug)]
pub struct Enrolled {
    model_id: ModelId,
    count: usize,
    /// The first of them, at most [`MAX_NAMED`].
    names: Vec<SubjectName>,
}

impl Enrolled {
    /// Those of a gallery, in which there may be nobody.
    #[must_use]
    pub fn of(gallery: &Gallery) -> Self {
        let names = gallery.iter().take(MAX_NAMED).map(|subject| subject.name.clone()).collect();
        Self { model_id: gallery.model_id(), count: gallery.len(), names }
    }

    /// What the embedder `asked` means for them.
    #[must_use]
    pub fn again(&self, home: &Home, asked: ModelId) -> ReEnrolment {
        ReEnrolment {
            embedder: asked.to_string(),
            enrolled_with: Some(self.model_id.to_string()),
            people: Some(self.count),
            names: self.names.clone(),
            unread: None,
            back: packs::of_embedder(home, self.model_id),
        }
    }
}

impl People {
    /// Those of a gallery.
    #[must_use]
    pub fn of(gallery: &Gallery) -> Self {
        if gallery.is_empty() { Self::Nobody } else { Self::Enrolled(Enrolled::of(gallery)) }
    }

    /// Who would have to be enrolled again under a pack with the embedder `asked`; none: nobody. `now`: the embedder in
    /// use, where there is one; it is all that there is to go by while the gallery is sealed.
    #[must_use]
    pub fn again(&self, home: &Home, now: Option<ModelId>, asked: ModelId) -> Option<ReEnrolment> {
        match self {
            Self::Enrolled(enrolled) if enrolled.model_id != asked => Some(enrolled.again(home, asked)),
            Self::Sealed(why) if now != Some(asked) => Some(ReEnrolment {
                embedder: asked.to_string(),
                enrolled_with: None,
                people: None,
                names: Vec::new(),
                unread: Some(why.clone()),
                back: None,
            }),
            Self::Nobody | Self::Enrolled(_) | Self::Sealed(_) => None,
        }
    }

    /// Whether a pack with this embedder is all that knows them; none: that cannot be told.
    #[must_use]
    pub fn need(&self, model_id: ModelId) -> Option<bool> {
        match self {
            Self::Nobody => Some(false),
            Self::Enrolled(enrolled) => Some(enrolled.model_id == model_id),
            Self::Sealed(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_core::Template;
    use arcdoor_gallery::{GalleryKey, MemoryDisk};

    const MODEL: ModelId = ModelId::new([1; 16]);
    const OTHER: ModelId = ModelId::new([2; 16]);

    #[test]
    fn a_gallery_of_thousands_is_no_answer_of_thousands_and_none_of_them_goes_uncounted() {
        let mut gallery = Gallery::open_on(MemoryDisk::new(), &GalleryKey::new(&[1; 32]), MODEL, 2).unwrap();
        assert!(matches!(People::of(&gallery), People::Nobody));
        let view = [Template::new(MODEL, &[0.6, 0.8]).unwrap()];
        for n in 0..MAX_NAMED + 3 {
            gallery.enrol(&SubjectName::new(&format!("Ada {n}")).unwrap(), &view, 1).unwrap();
        }
        let dir = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(dir.path().to_owned())).unwrap();
        let people = People::of(&gallery);
        assert_eq!(people.again(&home, Some(OTHER), MODEL), None, "whatever is in use now");
        let again = people.again(&home, None, OTHER).unwrap();
        assert_eq!((again.names.len(), again.people), (MAX_NAMED, Some(MAX_NAMED + 3)));
        assert_eq!((again.names[0].as_str(), again.back), ("Ada 0", None));
        assert_eq!((people.need(MODEL), people.need(OTHER)), (Some(true), Some(false)));
    }
}
