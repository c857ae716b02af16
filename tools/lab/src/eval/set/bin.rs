//! insightface's `.bin` files of pairs: aligned crops and flags.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use arcdoor_calib::read_bin;
use arcdoor_models::sha256_hex;

use crate::eval::set::pair_list::{PairList, kinds, linked, tenths};
use crate::eval::set::set::{Medium, Pair, Sample, Set};
use crate::input_file;
use crate::limits::MAX_JOURNAL_BYTES;
use crate::trouble::Trouble;

/// What a file holds.
pub(crate) struct BinSet {
    pub(crate) set: Set,
    pub(crate) list: PairList,
    /// The first image that is this sample, from 0.
    pub(crate) first: Vec<usize>,
    /// Images of the file, equal ones among them.
    pub(crate) images: usize,
}

/// Reads a file. Equal images are one sample; whose it is, the pairs tell. Folds are tenths by place, as insightface
/// cuts them.
pub(crate) fn read(path: &Path) -> Result<BinSet> {
    let file = input_file::read(path, MAX_JOURNAL_BYTES)?;
    let refuse = |what: String| Trouble::BadInput(format!("{}: {what}", path.display()));
    let found = read_bin(&file).map_err(|error| refuse(error.to_string()))?;
    let (mut numbers, mut samples, mut first) = (HashMap::new(), Vec::new(), Vec::new());
    let mut of = Vec::with_capacity(found.images.len());
    for (image, range) in found.images.into_iter().enumerate() {
        let bytes = &file[range];
        let number = *numbers.entry(sha256_hex(bytes)).or_insert(samples.len());
        if number == samples.len() {
            let medium = Medium::Crop(bytes.to_vec());
            first.push(image);
            samples.push(Sample { name: format!("image {image}"), medium, subject: None, face: None });
        }
        of.push(number);
    }
    let pair = |(images, same): (&[usize], &bool)| Pair { a: images[0], b: images[1], same: *same };
    let pairs: Vec<Pair> = of.chunks_exact(2).zip(&found.same).map(pair).collect();
    kinds(&pairs).map_err(|error| refuse(error.to_string()))?;
    let (subjects, count) = linked(samples.len(), &pairs);
    for (sample, subject) in samples.iter_mut().zip(subjects) {
        sample.subject = Some(subject);
    }
    let set = Set { samples, subjects: (0..count).map(|number| format!("person {number}")).collect() };
    let folds = tenths(&pairs);
    Ok(BinSet { set, list: PairList { pairs, folds }, first, images: of.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_images_are_one_sample_and_the_error_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lfw.bin");
        // ([b'a', b'b', b'a', b'c'], [True, False])
        std::fs::write(&path, b"\x80\x03](C\x01aC\x01bC\x01aC\x01ce](\x88\x89e\x86.").unwrap();
        let BinSet { set, list, first, images } = read(&path).unwrap();
        assert_eq!((&first[..], images), (&[0, 1, 3][..], 4));
        assert_eq!(list.pairs, [Pair { a: 0, b: 1, same: true }, Pair { a: 0, b: 2, same: false }]);
        assert_eq!(
            (set.samples[2].name.as_str(), set.same(0, 1), set.same(0, 2)),
            ("image 3", Some(0), None)
        );
        std::fs::write(&path, b"\x80\x02cos\nsystem\n.").unwrap();
        let refused = read(&path).err().unwrap().to_string();
        assert!(refused.contains("lfw.bin: the opcode GLOBAL at byte 2"), "{refused}");
    }
}
