//! The bytes of each record, little-endian. All but the first lie under the gallery's key.
//!
//! | record | bytes |
//! |---|---|
//! | header (open) | format u32, salt 16, check 16 |
//! | meta | embedder id 16, dimension u32, next id u32, subjects u32, templates u32 |
//! | subject | enrolled (Unix seconds) u64, templates u16, impostor templates u16, name in UTF-8 |
//! | template, impostor template | dimension x f32, rotated by the gallery's key; its allowance f32, where it is known |
//!
//! What stays visible without the key: how many subjects, templates and impostor templates there are, their
//! numbers, the length of each name, the hint and the gallery's id.
//!
//! This is format 5. Format 3 knew no allowances: opening such a gallery makes it one of format 5, its records as they
//! are. Format 4 was written for a while; opening such a gallery writes it anew, see `format_4`.

use crate::error::GalleryError;
use crate::key::{CHECK_BYTES, SALT_BYTES};
use crate::sealer::Sealer;
use arcdoor_core::{ModelId, SubjectId, SubjectName};
use zeroize::Zeroizing;

pub(crate) const FORMAT: u32 = 5;
/// Without allowances.
pub(crate) const FORMAT_3: u32 = 3;
/// The format of some earlier versions of arcdoor; see `format_4`.
pub(crate) const FORMAT_4: u32 = 4;

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
    pub(crate) impostors: u16,
}

/// What a template is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To recognise the subject.
    Own,
    /// To deny whoever was wrongly taken for the subject.
    Impostor,
}

pub(crate) fn damaged(what: &str) -> GalleryError {
    GalleryError::Damaged(what.to_owned())
}

/// The first record, which says which key opens the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) format: u32,
    pub(crate) salt: [u8; SALT_BYTES],
    pub(crate) check: [u8; CHECK_BYTES],
}

impl Header {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        [&self.format.to_le_bytes()[..], &self.salt, &self.check].concat()
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, GalleryError> {
        let what = "its first record";
        let (format, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| damaged(what))?;
        let format = u32::from_le_bytes(*format);
        if ![FORMAT, FORMAT_3, FORMAT_4].contains(&format) {
            return Err(GalleryError::OtherFormat { found: format, known: FORMAT });
        }
        let (salt, check) = rest.split_first_chunk::<SALT_BYTES>().ok_or_else(|| damaged(what))?;
        let check = check.try_into().map_err(|_| damaged(what))?;
        Ok(Self { format, salt: *salt, check })
    }
}

/// Where a record lies; it is authenticated with the record.
pub(crate) enum Place {
    Meta,
    Subject(SubjectId),
    SubjectOfFormat4(SubjectId),
    Template(Kind, SubjectId, u16),
}

impl Place {
    fn bytes(&self) -> [u8; 7] {
        let (kind, id, index) = match self {
            Self::Meta => (0, 0, 0),
            Self::Subject(id) => (1, id.0, 0),
            Self::SubjectOfFormat4(id) => (5, id.0, 0),
            Self::Template(Kind::Own, id, index) => (2, id.0, *index),
            Self::Template(Kind::Impostor, id, index) => (3, id.0, *index),
        };
        let ([a, b, c, d], [e, f]) = (id.to_le_bytes(), index.to_le_bytes());
        [kind, a, b, c, d, e, f]
    }

    pub(crate) fn seal(&self, sealer: &Sealer, contents: &[u8]) -> Result<Vec<u8>, GalleryError> {
        sealer.seal(&self.bytes(), contents)
    }

    pub(crate) fn open(
        &self,
        sealer: &Sealer,
        bytes: &[u8],
        what: &str,
    ) -> Result<Zeroizing<Vec<u8>>, GalleryError> {
        sealer.open(&self.bytes(), bytes).ok_or_else(|| damaged(what))
    }
}

impl Meta {
    pub(crate) fn seal(&self, sealer: &Sealer) -> Result<Vec<u8>, GalleryError> {
        let mut bytes = self.model_id.bytes().to_vec();
        for number in [self.dimension, self.next_id, self.subjects, self.templates] {
            bytes.extend(number.to_le_bytes());
        }
        Place::Meta.seal(sealer, &bytes)
    }

    pub(crate) fn open(sealer: &Sealer, bytes: &[u8]) -> Result<Self, GalleryError> {
        let contents = Place::Meta.open(sealer, bytes, "its second record")?;
        let (model_id, rest) = contents.split_first_chunk::<16>().ok_or_else(|| damaged("its embedder"))?;
        let (numbers, rest) = rest.as_chunks::<4>();
        let [dimension, next_id, subjects, templates] = *numbers else {
            return Err(damaged("its second record's length"));
        };
        if !rest.is_empty() {
            return Err(damaged("its second record's length"));
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
    pub(crate) fn seal(&self, sealer: &Sealer, id: SubjectId) -> Result<Vec<u8>, GalleryError> {
        let mut bytes = Zeroizing::new(self.enrolled_unix_s.to_le_bytes().to_vec());
        bytes.extend(self.templates.to_le_bytes());
        bytes.extend(self.impostors.to_le_bytes());
        bytes.extend(self.name.as_str().as_bytes());
        Place::Subject(id).seal(sealer, &bytes)
    }

    pub(crate) fn open(sealer: &Sealer, id: SubjectId, bytes: &[u8]) -> Result<Self, GalleryError> {
        Self::parse(&Place::Subject(id).open(sealer, bytes, "a subject's record")?)
    }

    /// Reads what was sealed.
    pub(crate) fn parse(contents: &[u8]) -> Result<Self, GalleryError> {
        let what = "a subject's record";
        let (enrolled, rest) = contents.split_first_chunk::<8>().ok_or_else(|| damaged(what))?;
        let (templates, rest) = rest.split_first_chunk::<2>().ok_or_else(|| damaged(what))?;
        let (impostors, name) = rest.split_first_chunk::<2>().ok_or_else(|| damaged(what))?;
        let name = str::from_utf8(name).map_err(|_| damaged("a subject's name"))?;
        Ok(Self {
            name: SubjectName::new(name).map_err(|_| damaged("a subject's name"))?,
            enrolled_unix_s: u64::from_le_bytes(*enrolled),
            templates: u16::from_le_bytes(*templates),
            impostors: u16::from_le_bytes(*impostors),
        })
    }
}

pub(crate) fn seal_template(
    sealer: &Sealer,
    kind: Kind,
    id: SubjectId,
    index: u16,
    values: &[f32],
    allowance: Option<f32>,
) -> Result<Vec<u8>, GalleryError> {
    let mut bytes = to_bytes(values);
    // It would leave a copy of the template behind where it grows; so it has room.
    bytes.extend_from_slice(allowance.map(f32::to_le_bytes).as_ref().map_or(&[], |four| &four[..]));
    Place::Template(kind, id, index).seal(sealer, &bytes)
}

/// Little-endian; made with room for one value more, since a growing vector leaves copies behind.
pub(crate) fn to_bytes(values: &[f32]) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(size_of_val(values) + size_of::<f32>()));
    values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    bytes
}

/// Reads a template into `values`, whose length is the gallery's dimension; its allowance comes back, where it is known.
pub(crate) fn open_template(
    sealer: &Sealer,
    kind: Kind,
    id: SubjectId,
    index: u16,
    bytes: &[u8],
    values: &mut [f32],
) -> Result<Option<f32>, GalleryError> {
    let contents = Place::Template(kind, id, index).open(sealer, bytes, "a template")?;
    let (template, rest) = contents.split_at(contents.len().min(size_of_val(values)));
    from_bytes(template, values)?;
    let allowance = match *rest {
        [] => None,
        [a, b, c, d] => Some(f32::from_le_bytes([a, b, c, d])),
        _ => return Err(damaged("a template's length")),
    };
    if allowance.is_none_or(f32::is_finite) { Ok(allowance) } else { Err(damaged("a template's allowance")) }
}

/// Reads the values of a template, which has length 1.
pub(crate) fn from_bytes(bytes: &[u8], values: &mut [f32]) -> Result<(), GalleryError> {
    let (floats, rest) = bytes.as_chunks::<4>();
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
    fn a_record_is_read_where_it_was_written_and_nowhere_else() {
        let sealer = Sealer::new(&[5; 32]);
        let meta =
            Meta { model_id: ModelId::new([7; 16]), dimension: 2, next_id: 3, subjects: 1, templates: 1 };
        let subject = SubjectRecord {
            name: SubjectName::new("Ada").unwrap(),
            enrolled_unix_s: 9,
            templates: 1,
            impostors: 2,
        };
        assert_eq!(Meta::open(&sealer, &meta.seal(&sealer).unwrap()).unwrap(), meta);
        let sealed = subject.seal(&sealer, SubjectId(1)).unwrap();
        assert_eq!(SubjectRecord::open(&sealer, SubjectId(1), &sealed).unwrap(), subject);
        assert!(SubjectRecord::open(&sealer, SubjectId(2), &sealed).is_err());
        let mut values = [0.0; 2];
        for allowance in [None, Some(-0.25)] {
            let sealed = seal_template(&sealer, Kind::Own, SubjectId(1), 0, &[0.6, 0.8], allowance).unwrap();
            let found = open_template(&sealer, Kind::Own, SubjectId(1), 0, &sealed, &mut values).unwrap();
            assert_eq!((found, values), (allowance, [0.6, 0.8]));
        }
        let sealed = seal_template(&sealer, Kind::Own, SubjectId(1), 0, &[0.6, 0.8], Some(f32::NAN)).unwrap();
        assert!(open_template(&sealer, Kind::Own, SubjectId(1), 0, &sealed, &mut values).is_err());
        let sealed = seal_template(&sealer, Kind::Own, SubjectId(1), 0, &[0.6, 0.8], None).unwrap();
        assert!(open_template(&sealer, Kind::Impostor, SubjectId(1), 0, &sealed, &mut values).is_err());
        assert!(open_template(&sealer, Kind::Own, SubjectId(1), 1, &sealed, &mut values).is_err());
        assert!(open_template(&sealer, Kind::Own, SubjectId(1), 0, &sealed, &mut [0.0; 3]).is_err());
        for wrong in [&[3.0, 4.0][..], &[0.6, 0.8, 0.0, 0.0], &[1.0]] {
            let sealed = seal_template(&sealer, Kind::Own, SubjectId(1), 0, wrong, None).unwrap();
            assert!(
                open_template(&sealer, Kind::Own, SubjectId(1), 0, &sealed, &mut values).is_err(),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn another_format_is_named() {
        let header = Header { format: FORMAT, salt: [1; SALT_BYTES], check: [2; CHECK_BYTES] };
        assert_eq!(Header::parse(&header.to_bytes()).unwrap(), header);
        let mut newer = header.to_bytes();
        newer[0] = 9;
        let refused = Header::parse(&newer).unwrap_err();
        assert!(matches!(refused, GalleryError::OtherFormat { found: 9, known: FORMAT }));
        assert!(Header::parse(&header.to_bytes()[..30]).is_err());
    }
}
