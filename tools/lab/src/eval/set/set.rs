//! A set: the faces that an evaluation runs on, and whose they are.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use arcdoor_core::Rect;
use arcdoor_frame::ImageLimits;

use crate::input_file;

/// What a template is made of.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Medium {
    /// A photo's file.
    Photo(PathBuf),
    /// A crop that is aligned already, as JPEG or PNG.
    Crop(Vec<u8>),
    /// The same in a file.
    CropFile(PathBuf),
}

/// One face of a set, and the file that shows it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// What reports call its medium; feature files name its content besides.
    pub(crate) name: String,
    pub(crate) medium: Medium,
    /// Whose face it is, as an index into [`Set::subjects`]; none where the set does not say.
    pub(crate) subject: Option<usize>,
    /// Where it is, in pixels of the photo; none where the set does not say: it is then the one nearest the centre.
    pub(crate) face: Option<Rect>,
}

impl Sample {
    /// The bytes of its photo or crop.
    pub(crate) fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        match &self.medium {
            Medium::Photo(path) | Medium::CropFile(path) => {
                Ok(Cow::Owned(input_file::read(path, ImageLimits::default().max_bytes as u64)?))
            }
            Medium::Crop(bytes) => Ok(Cow::Borrowed(bytes)),
        }
    }

    /// The file of its photo; none of a crop.
    pub(crate) fn photo(&self) -> Option<&Path> {
        match &self.medium {
            Medium::Photo(path) => Some(path),
            Medium::Crop(_) | Medium::CropFile(_) => None,
        }
    }
}

/// Samples in the order in which they were read, and the subjects' names.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Set {
    pub(crate) samples: Vec<Sample>,
    pub(crate) subjects: Vec<String>,
}

/// Two samples that a protocol compares: indices into [`Set::samples`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) a: usize,
    pub(crate) b: usize,
    /// Whether the protocol says that both are of one subject.
    pub(crate) same: bool,
}

impl Set {
    /// Says that every photo is a crop that is aligned already.
    pub(crate) fn aligned(mut self) -> Self {
        for sample in &mut self.samples {
            if let Medium::Photo(path) = &mut sample.medium {
                sample.medium = Medium::CropFile(std::mem::take(path));
            }
        }
        self
    }

    /// The subject that both samples are of; none where they are of two, or nobody knows.
    pub(crate) fn same(&self, a: usize, b: usize) -> Option<usize> {
        self.samples[a].subject.filter(|subject| self.samples[b].subject == Some(*subject))
    }

    /// Everybody who comes in these pairs.
    pub(crate) fn subjects_of(&self, pairs: &[Pair]) -> BTreeSet<usize> {
        pairs.iter().flat_map(|pair| [pair.a, pair.b]).filter_map(|at| self.samples[at].subject).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_samples_of_nobody_known_are_not_of_one_subject() {
        let of =
            |subject| Sample { name: String::new(), medium: Medium::Crop(Vec::new()), subject, face: None };
        let subjects = vec!["Ann".to_owned(), "Bob".to_owned()];
        let set = Set { samples: [Some(1), Some(1), Some(0), None, None].map(of).to_vec(), subjects };
        assert_eq!((set.same(0, 1), set.same(0, 2), set.same(3, 4)), (Some(1), None, None));
        let pairs = [Pair { a: 0, b: 3, same: false }, Pair { a: 1, b: 0, same: true }];
        assert_eq!(set.subjects_of(&pairs), BTreeSet::from([1]));
    }
}
