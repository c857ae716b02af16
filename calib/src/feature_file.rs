//! Features on disk, in the form of the LFR challenge (and of the MegaFace tools before it): four
//! little-endian i32 (rows, columns, bytes of a row, 5 for f32), then the rows, f32, one after the other.

use std::io::{Read, Write};

use crate::npy_fault::NpyFault;

/// Bytes before the first row.
pub const HEADER_BYTES: usize = 16;
/// Most rows: the LFR image track has 1,862,120.
pub const MAX_ROWS: usize = 4_000_000;
/// Most values of a row.
pub const MAX_COLUMNS: usize = 4096;
/// The number that stands for f32 (OpenCV's `CV_32F`).
const F32: i32 = 5;

/// Why bytes are no feature file.
#[derive(Debug, thiserror::Error)]
pub enum FeatureFileError {
    /// Shorter than its header, or than the header promises.
    #[error("a feature file of {found} bytes; its header asks for {expected}: write it again")]
    TooShort {
        /// Bytes there are.
        found: u64,
        /// Bytes that the header, or the size of one, asks for.
        expected: u64,
    },
    /// Bytes after the last row.
    #[error("bytes after the last row: the file is longer than the {expected} that its header asks for")]
    TooLong {
        /// Bytes that the header asks for.
        expected: u64,
    },
    /// Rows or columns out of range.
    #[error("{rows} rows of {columns} values; 1..={MAX_ROWS} rows of 1..={MAX_COLUMNS} are read")]
    Size {
        /// As the header says.
        rows: i64,
        /// As the header says.
        columns: i64,
    },
    /// More than the caller is ready to hold.
    #[error("{bytes} bytes of features; at most {limit} are read here: give fewer rows")]
    OverLimit {
        /// Bytes of all rows.
        bytes: u64,
        /// Bytes that the caller allows.
        limit: u64,
    },
    /// Another type than f32, or gaps between rows.
    #[error("rows of {stride} bytes and type {kind}; {expected} bytes and type 5 (f32, no gaps) are read")]
    Form {
        /// Bytes of a row, as the header says.
        stride: i32,
        /// Type, as the header says.
        kind: i32,
        /// Bytes of a row without gaps.
        expected: usize,
    },
    /// A NaN or an infinity.
    #[error(
        "row {row}, value {column} (byte {offset}) is a NaN or an infinity: the model or its input is broken"
    )]
    NotFinite {
        /// Counted from 0.
        row: usize,
        /// Counted from 0.
        column: usize,
        /// Where the value begins in its file, in bytes.
        offset: u64,
    },
    /// A feature of length 0 has no direction.
    #[error("row {row} holds only zeros: the model or its input is broken")]
    Zero {
        /// Counted from 0.
        row: usize,
    },
    /// Not the form that its first bytes announce.
    #[error("byte {offset} of the npy header: {cause}")]
    Npy {
        /// Where, in bytes.
        offset: usize,
        /// What is wrong there.
        cause: NpyFault,
    },
    /// Another number of values than the rows before it.
    #[error("row {row} has {found} values, the others {expected}: they come from different models")]
    Mixed {
        /// Counted from 0.
        row: usize,
        /// Values of this row.
        found: usize,
        /// Values of the rows before it.
        expected: usize,
    },
    /// Fewer or more rows written than were announced.
    #[error("{written} rows written where the header says {announced}: the file is not whole")]
    Rows {
        /// Rows there are.
        written: usize,
        /// Rows that the header promises.
        announced: usize,
    },
    /// The system cannot read or write it.
    #[error("{0}")]
    File(#[from] std::io::Error),
}

impl FeatureFileError {
    /// Value `at`, counted from the first row's first, where a value takes `bytes` and the rows begin at `start`.
    pub(crate) const fn not_finite(at: usize, columns: usize, start: u64, bytes: usize) -> Self {
        let offset = start + (at as u64) * bytes as u64;
        Self::NotFinite { row: at / columns, column: at % columns, offset }
    }
}

/// A checked table of features: every value finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    columns: usize,
    values: Vec<f32>,
}

impl Features {
    /// From rows of `columns` values, one after the other.
    ///
    /// # Errors
    /// When there are no rows, too many, a broken one, or a value that is not finite.
    pub fn new(columns: usize, values: Vec<f32>) -> Result<Self, FeatureFileError> {
        let rows = values.len().checked_div(columns).unwrap_or(0);
        if !(1..=MAX_ROWS).contains(&rows) || columns > MAX_COLUMNS || rows * columns != values.len() {
            return Err(FeatureFileError::Size { rows: rows as i64, columns: columns as i64 });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(at) => Err(FeatureFileError::not_finite(at, columns, HEADER_BYTES as u64, size_of::<f32>())),
            None => Ok(Self { columns, values }),
        }
    }

    /// Reads a whole file of at most `limit` bytes of rows; memory is set aside as the bytes arrive, never on
    /// the header's word alone.
    ///
    /// # Errors
    /// When it is no feature file, is cut or too long, or holds a value that is not finite.
    pub fn read(mut file: impl Read, limit: u64) -> Result<Self, FeatureFileError> {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        file.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut header)?;
        let (rows, columns) = shape(&header)?;
        let wanted = (rows * columns * size_of::<f32>()) as u64;
        if wanted > limit {
            return Err(FeatureFileError::OverLimit { bytes: wanted, limit });
        }
        let mut bytes = Vec::new();
        file.take(wanted + 1).read_to_end(&mut bytes)?;
        let (header, found) = (HEADER_BYTES as u64, bytes.len() as u64);
        if found < wanted {
            return Err(FeatureFileError::TooShort { found: header + found, expected: header + wanted });
        }
        if found > wanted {
            return Err(FeatureFileError::TooLong { expected: header + wanted });
        }
        let (values, _) = bytes.as_chunks();
        Self::new(columns, values.iter().map(|value| f32::from_le_bytes(*value)).collect())
    }

    /// Writes the file.
    ///
    /// # Errors
    /// When the system cannot.
    pub fn write(&self, mut file: impl Write) -> Result<(), FeatureFileError> {
        file.write_all(&header(self.rows(), self.columns))?;
        for value in &self.values {
            file.write_all(&value.to_le_bytes())?;
        }
        Ok(file.flush()?)
    }

    /// How many features.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// How many values a feature has.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Feature `row`; empty beyond the last.
    #[must_use]
    pub fn row(&self, row: usize) -> &[f32] {
        self.values.chunks_exact(self.columns).nth(row).unwrap_or_default()
    }

    /// Divides every row by its length.
    ///
    /// # Errors
    /// When a row's length is 0.
    pub fn normalise(&mut self) -> Result<(), FeatureFileError> {
        for (row, values) in self.values.chunks_exact_mut(self.columns).enumerate() {
            let length = values.iter().map(|v| f64::from(*v) * f64::from(*v)).sum::<f64>().sqrt();
            if length == 0.0 {
                return Err(FeatureFileError::Zero { row });
            }
            values.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
        }
        Ok(())
    }
}

/// The header of a table whose size was checked.
pub(crate) fn header(rows: usize, columns: usize) -> [u8; HEADER_BYTES] {
    let mut out = [0; HEADER_BYTES];
    // All are far below 2^31: `MAX_ROWS`, `MAX_COLUMNS`.
    let numbers = [rows as i32, columns as i32, (columns * size_of::<f32>()) as i32, F32];
    for (four, number) in out.as_chunks_mut().0.iter_mut().zip(numbers) {
        *four = number.to_le_bytes();
    }
    out
}

/// Rows and columns of a checked header.
pub(crate) fn shape(header: &[u8]) -> Result<(usize, usize), FeatureFileError> {
    let (words, _) = header.as_chunks();
    let [rows, columns, stride, kind] = words.iter().map(|w| i32::from_le_bytes(*w)).collect::<Vec<_>>()[..]
    else {
        let (found, expected) = (header.len() as u64, HEADER_BYTES as u64);
        return Err(FeatureFileError::TooShort { found, expected });
    };
    let wrong = FeatureFileError::Size { rows: i64::from(rows), columns: i64::from(columns) };
    let (Ok(rows), Ok(columns)) = (usize::try_from(rows), usize::try_from(columns)) else {
        return Err(wrong);
    };
    if !(1..=MAX_ROWS).contains(&rows) || !(1..=MAX_COLUMNS).contains(&columns) {
        return Err(wrong);
    }
    let expected = columns * size_of::<f32>();
    if usize::try_from(stride) != Ok(expected) || kind != F32 {
        return Err(FeatureFileError::Form { stride, kind, expected });
    }
    Ok((rows, columns))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMIT: u64 = 1 << 20;

    fn bytes(features: &Features) -> Vec<u8> {
        let mut out = Vec::new();
        features.write(&mut out).unwrap();
        out
    }

    fn table() -> impl Strategy<Value = Features> {
        (1..20_usize, 1..20_usize).prop_flat_map(|(rows, columns)| {
            prop::collection::vec(-1e3_f32..1e3, rows * columns)
                .prop_map(move |values| Features::new(columns, values).unwrap())
        })
    }

    #[test]
    fn the_header_is_that_of_lfr() {
        let file = bytes(&Features::new(2, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap());
        assert_eq!(file[..16], [3, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0]);
        assert_eq!(file[16..20], 1.0_f32.to_le_bytes());
    }

    #[test]
    fn a_header_that_lies_asks_for_no_memory() {
        let mut file = bytes(&Features::new(4, vec![1.0; 4]).unwrap());
        file[..4].copy_from_slice(&4_000_000_i32.to_le_bytes());
        assert!(matches!(
            Features::read(&file[..], u64::MAX),
            Err(FeatureFileError::TooShort { found: 32, expected: 64_000_016 })
        ));
        assert!(matches!(Features::read(&file[..], LIMIT), Err(FeatureFileError::OverLimit { .. })));
        file[..4].copy_from_slice(&(-1_i32).to_le_bytes());
        assert!(matches!(
            Features::read(&file[..], LIMIT),
            Err(FeatureFileError::Size { rows: -1, columns: 4 })
        ));
    }

    #[test]
    fn other_forms_and_broken_values_are_refused() {
        let good = bytes(&Features::new(2, vec![1.0; 4]).unwrap());
        for (at, value) in [(8, 12_i32), (12, 6)] {
            let mut file = good.clone();
            file[at..at + 4].copy_from_slice(&value.to_le_bytes());
            assert!(matches!(Features::read(&file[..], LIMIT), Err(FeatureFileError::Form { .. })));
        }
        let mut file = good;
        file[24..28].copy_from_slice(&f32::NAN.to_le_bytes());
        assert!(matches!(
            Features::read(&file[..], LIMIT),
            Err(FeatureFileError::NotFinite { row: 1, column: 0, offset: 24 })
        ));
        let mut zero = Features::new(2, vec![3.0, 4.0, 0.0, 0.0]).unwrap();
        assert!(matches!(zero.normalise(), Err(FeatureFileError::Zero { row: 1 })));
        assert!(Features::new(0, vec![]).is_err() && Features::new(2, vec![1.0; 3]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(features in table()) {
            prop_assert_eq!(Features::read(&bytes(&features)[..], LIMIT).unwrap(), features);
        }

        #[test]
        fn one_byte_less_or_more_is_refused(features in table(), cut in 1..400_usize) {
            let mut file = bytes(&features);
            let shorter = &file[..file.len() - cut.min(file.len())];
            let short = matches!(Features::read(shorter, LIMIT), Err(FeatureFileError::TooShort { .. }));
            prop_assert!(short);
            file.push(0);
            let long = matches!(Features::read(&file[..], LIMIT), Err(FeatureFileError::TooLong { .. }));
            prop_assert!(long);
        }

        #[test]
        fn arbitrary_bytes_are_a_table_or_an_error(file in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(features) = Features::read(&file[..], LIMIT) {
                prop_assert_eq!(bytes(&features), file);
            }
        }

        #[test]
        fn rows_have_length_one(mut features in table()) {
            prop_assume!((0..features.rows()).all(|row| features.row(row).iter().any(|v| v.abs() > 1e-3)));
            features.normalise().unwrap();
            for row in 0..features.rows() {
                let length: f64 = features.row(row).iter().map(|v| f64::from(*v).powi(2)).sum();
                prop_assert!((length - 1.0).abs() < 1e-6);
            }
        }
    }
}
