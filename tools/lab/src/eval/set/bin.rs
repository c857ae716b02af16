//! insightface's `.bin` files of pairs: aligned crops and flags.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use arcdoor_calib::read_bin;
use arcdoor_models::sha256_hex;

use crate::eval::set::pair_list::{PairList, kinds, linked, tenths};
use crate::eval::set::set::{Medium, Pair, Sample, Set};
use crate::input_file;
use crate::limits::MAX_BIN_BYTES;
use crate::trouble::Trouble;

/// What a file holds.
pub(crate) struct BinSet {
    pub(crate) set: Set,
    pub(crate) list: PairList,
    /// The sample that each image of the file is.
    pub(crate) of: Vec<usize>,
}

/// Reads a file. Equal images are one sample; whose it is, the pairs tell. Folds are tenths by place, as insightface
/// cuts them.
pub(crate) fn read(path: &Path) -> Result<BinSet> {
    let file = input_file::read(path, MAX_BIN_BYTES)?;
    let refuse = |what: String| Trouble::BadInput(format!("{}: {what}", path.display()));
    let found = read_bin(&file).map_err(|error| refuse(error.to_string()))?;
    let (mut places, mut numbers, mut samples) = (HashMap::new(), HashMap::new(), Vec::new());
    let mut of = Vec::with_capacity(found.images.len());
    for (image, range) in found.images.into_iter().enumerate() {
        // A pickle may name one place a million times: it is hashed once.
        let number = *places.entry(range).or_insert_with_key(|range| {
            let bytes = &file[range.clone()];
            let hash = sha256_hex(bytes);
            // Two files have an image 0 each.
            let name = format!("image {image}, {}", &hash[..16]);
            *numbers.entry(hash).or_insert_with(|| {
                samples.push(Sample {
                    name,
                    medium: Medium::Crop(bytes.to_vec()),
                    subject: None,
                    face: None,
                });
                samples.len() - 1
            })
        });
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
    Ok(BinSet { set, list: PairList { pairs, folds }, of })
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
        let BinSet { set, list, of } = read(&path).unwrap();
        assert_eq!(of, [0, 1, 0, 2]);
        assert_eq!(list.pairs, [Pair { a: 0, b: 1, same: true }, Pair { a: 0, b: 2, same: false }]);
        assert_eq!((set.same(0, 1), set.same(0, 2)), (Some(0), None));
        assert!(set.samples[2].name.starts_with("image 3, "), "{}", set.samples[2].name);
        // The same places, other bytes: whose features are kept under one name must not be the other's.
        std::fs::write(&path, b"\x80\x03](C\x01xC\x01bC\x01aC\x01ye](\x88\x89e\x86.").unwrap();
        let other = read(&path).unwrap().set;
        let is_shared = |at: usize| set.samples.iter().any(|sample| sample.name == other.samples[at].name);
        assert_eq!([0, 1, 3].map(is_shared), [false, true, false]);
        std::fs::write(&path, b"\x80\x02cos\nsystem\n.").unwrap();
        let refused = read(&path).err().unwrap().to_string();
        assert!(refused.contains("lfw.bin: the opcode GLOBAL at byte 2"), "{refused}");
    }
}
