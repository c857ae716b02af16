//! The bytes of each record, little-endian, each ending with a checksum over its key and contents.
//!
//! | record | bytes |
//! |---|---|
//! | meta | format u32, embedder id 16, dimension u32, next id u32, subjects u32, templates u32 |
//! | subject | enrolled (Unix seconds) u64, templates u16, name in UTF-8 |
//! | template | dimension x f32 |
//!
//! The checksum (FNV-1a, 64 bits, <http://www.isthe.com/chongo/tech/comp/fnv/>) finds decay, not malice.

use crate::error::GalleryError;
use arcdoor_core::{ModelId, SubjectId, SubjectName};

pub(crate) const FORMAT: u32 = 1;
const CHECKSUM_BYTES: usize = 8;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) model_id: ModelId,
    pub(crate) dimension: u32,
    pub(crate) next_id: u32,
    pub(crate) subjects: u32,
    pub(crate) templates: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubjectRecord {
    pub(crate) name: SubjectName,
    pub(crate) enrolled_unix_s: u64,
    pub(crate) templates: u16,
}

fn damaged(what: &str) -> GalleryError {
    GalleryError::Damaged(what.to_owned())
}

fn checksum(key: &[u8], contents: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    key.iter().chain(contents).fold(0xcbf2_9ce4_8422_2325, fnv).to_le_bytes()
}

fn seal(key: &[u8], mut contents: Vec<u8>) -> Vec<u8> {
    let sum = checksum(key, &contents);
    contents.extend(sum);
    contents
}

fn unseal<'a>(key: &[u8], bytes: &'a [u8], what: &str) -> Result<&'a [u8], GalleryError> {
    match bytes.split_last_chunk::<CHECKSUM_BYTES>() {
        Some((contents, sum)) if *sum == checksum(key, contents) => Ok(contents),
        _ => Err(damaged(what)),
    }
}

fn template_key(id: SubjectId, index: u16) -> [u8; 6] {
    let ([a, b, c, d], [e, f]) = (id.0.to_le_bytes(), index.to_le_bytes());
    [a, b, c, d, e, f]
}

impl Meta {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = FORMAT.to_le_bytes().to_vec();
        bytes.extend(self.model_id.bytes());
        for number in [self.dimension, self.next_id, self.subjects, self.templates] {
            bytes.extend(number.to_le_bytes());
        }
        seal(b"meta", bytes)
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, GalleryError> {
        let contents = unseal(b"meta", bytes, "its first record")?;
        let (format, rest) = contents.split_first_chunk::<4>().ok_or_else(|| damaged("its format"))?;
        let found = u32::from_le_bytes(*format);
        if found > FORMAT {
            return Err(GalleryError::NewerFormat { found, known: FORMAT });
        }
        let (model_id, rest) = rest.split_first_chunk::<16>().ok_or_else(|| damaged("its embedder"))?;
        let (numbers, rest) = rest.as_chunks::<4>();
        let [dimension, next_id, subjects, templates] = *numbers else {
            return Err(damaged("its first record's length"));
        };
        if !rest.is_empty() {
            return Err(damaged("its first record's length"));
        }
        Ok(Self {
            model_id: ModelId::new(*model_id),
            dimension: u32::from_le_bytes(dimension),
            next_id: u32::from_le_bytes(next_id),
            subjects: u32::from_le_bytes(subjects),
            templates: u32::from_le_bytes(templates),
        })
    }
}

impl SubjectRecord {
    pub(crate) fn to_bytes(&self, id: SubjectId) -> Vec<u8> {
        let mut bytes = self.enrolled_unix_s.to_le_bytes().to_vec();
        bytes.extend(self.templates.to_le_bytes());
        bytes.extend(self.name.as_str().as_bytes());
        seal(&id.0.to_le_bytes(), bytes)
    }

    pub(crate) fn parse(id: SubjectId, bytes: &[u8]) -> Result<Self, GalleryError> {
        let what = "a subject's record";
        let contents = unseal(&id.0.to_le_bytes(), bytes, what)?;
        let (enrolled, rest) = contents.split_first_chunk::<8>().ok_or_else(|| damaged(what))?;
        let (templates, name) = rest.split_first_chunk::<2>().ok_or_else(|| damaged(what))?;
        let name = str::from_utf8(name).map_err(|_| damaged("a subject's name"))?;
        Ok(Self {
            name: SubjectName::new(name).map_err(|_| damaged("a subject's name"))?,
            enrolled_unix_s: u64::from_le_bytes(*enrolled),
            templates: u16::from_le_bytes(*templates),
        })
    }
}

pub(crate) fn template_bytes(id: SubjectId, index: u16, values: &[f32]) -> Vec<u8> {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    seal(&template_key(id, index), bytes)
}

/// Reads a template into `values`, whose length is the gallery's dimension.
pub(crate) fn parse_template(
    id: SubjectId,
    index: u16,
    bytes: &[u8],
    values: &mut [f32],
) -> Result<(), GalleryError> {
    let contents = unseal(&template_key(id, index), bytes, "a template")?;
    let (floats, rest) = contents.as_chunks::<4>();
    if floats.len() != values.len() || !rest.is_empty() {
        return Err(damaged("a template's length"));
    }
    values.iter_mut().zip(floats).for_each(|(value, bytes)| *value = f32::from_le_bytes(*bytes));
    let length: f64 = values.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    // A NaN fails this comparison, too.
    if (length - 1.0).abs() < 1e-3 { Ok(()) } else { Err(damaged("a template's values")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_or_a_foreign_key_is_found() {
        let meta =
            Meta { model_id: ModelId::new([7; 16]), dimension: 2, next_id: 3, subjects: 1, templates: 1 };
        let subject =
            SubjectRecord { name: SubjectName::new("Ada").unwrap(), enrolled_unix_s: 9, templates: 1 };
        assert_eq!(Meta::parse(&meta.to_bytes()).unwrap(), meta);
        assert_eq!(SubjectRecord::parse(SubjectId(1), &subject.to_bytes(SubjectId(1))).unwrap(), subject);
        assert!(SubjectRecord::parse(SubjectId(2), &subject.to_bytes(SubjectId(1))).is_err());
        for at in 0..meta.to_bytes().len() {
            let mut bytes = meta.to_bytes();
            bytes[at] ^= 1;
            assert!(Meta::parse(&bytes).is_err(), "byte {at}");
        }
        let mut values = [0.0; 2];
        let bytes = template_bytes(SubjectId(1), 0, &[0.6, 0.8]);
        assert!(parse_template(SubjectId(1), 0, &bytes, &mut values).is_ok());
        assert_eq!(values, [0.6, 0.8]);
        assert!(parse_template(SubjectId(1), 1, &bytes, &mut values).is_err());
        assert!(parse_template(SubjectId(1), 0, &bytes, &mut [0.0; 3]).is_err());
        let long = template_bytes(SubjectId(1), 0, &[3.0, 4.0]);
        assert!(parse_template(SubjectId(1), 0, &long, &mut values).is_err());
    }
}
