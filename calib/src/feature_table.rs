//! A table of features that stays in its file: any rows are read when they are asked for, so that memory is what
//! the caller sets aside. LFR's and MegaFace's matrices, and npy of f32 or f64.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::feature_file::{FeatureFileError, HEADER_BYTES, MAX_COLUMNS, shape};
use crate::npy;
use crate::npy_fault::MAX_HEADER_BYTES;

/// Bytes that can be read anywhere: a file, or memory.
pub trait Bytes {
    /// How many there are.
    ///
    /// # Errors
    /// When the system cannot tell.
    fn size(&self) -> io::Result<u64>;

    /// Fills `into` from `offset` on.
    ///
    /// # Errors
    /// When there are fewer, or the system cannot read them.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;
}

impl Bytes for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(into, offset)
    }
}

impl Bytes for &[u8] {
    fn size(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let from = self.get(start..).and_then(|rest| rest.get(..into.len()));
        into.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// A feature file whose header and length were checked.
#[derive(Debug)]
pub struct FeatureTable<B> {
    bytes: B,
    start: u64,
    rows: usize,
    columns: usize,
    value_bytes: usize,
}

impl<B: Bytes> FeatureTable<B> {
    /// Reads the header: npy where the file begins as one, else LFR's.
    ///
    /// # Errors
    /// When it is neither, or the file is shorter or longer than its header says.
    pub fn open(bytes: B) -> Result<Self, FeatureFileError> {
        let found = bytes.size()?;
        let mut head = vec![0; MAX_HEADER_BYTES.min(usize::try_from(found).unwrap_or(usize::MAX))];
        bytes.read_at(0, &mut head)?;
        let table = if head.starts_with(npy::MAGIC) {
            let npy::Header { start, rows, columns, value_bytes } = npy::header(&head)?;
            Self { bytes, start: start as u64, rows, columns, value_bytes }
        } else {
            let (rows, columns) = shape(head.get(..HEADER_BYTES).unwrap_or(&head))?;
            Self { bytes, start: HEADER_BYTES as u64, rows, columns, value_bytes: size_of::<f32>() }
        };
        let expected = table.start + table.rows as u64 * table.row_bytes() as u64;
        match found.cmp(&expected) {
            std::cmp::Ordering::Less => Err(FeatureFileError::TooShort { found, expected }),
            std::cmp::Ordering::Greater => Err(FeatureFileError::TooLong { expected }),
            std::cmp::Ordering::Equal => Ok(table),
        }
    }

    const fn row_bytes(&self) -> usize {
        self.columns * self.value_bytes
    }

    /// How many features.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// How many values a feature has.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// Reads the rows of `range`, one after the other, as f32.
    ///
    /// # Panics
    /// When `range` goes beyond the last row, or `out` does not hold exactly its values.
    ///
    /// # Errors
    /// When a value is not finite as f32, or the system cannot read.
    pub fn read(&self, range: Range<usize>, out: &mut [f32]) -> Result<(), FeatureFileError> {
        assert!(range.end <= self.rows, "rows {range:?} of {}", self.rows);
        assert_eq!(out.len(), range.len() * self.columns, "room for {} rows", range.len());
        let mut bytes = vec![0; self.row_bytes()];
        for (row, out) in range.zip(out.chunks_exact_mut(self.columns)) {
            self.bytes.read_at(self.start + row as u64 * bytes.len() as u64, &mut bytes)?;
            if self.value_bytes == size_of::<f32>() {
                let (values, _) = bytes.as_chunks();
                out.iter_mut().zip(values).for_each(|(out, value)| *out = f32::from_le_bytes(*value));
            } else {
                let (values, _) = bytes.as_chunks();
                out.iter_mut().zip(values).for_each(|(out, value)| *out = f64::from_le_bytes(*value) as f32);
            }
            if let Some(column) = out.iter().position(|value| !value.is_finite()) {
                let at = row * self.columns + column;
                return Err(FeatureFileError::not_finite(at, self.columns, self.start, self.value_bytes));
            }
        }
        Ok(())
    }
}

/// One feature as MegaFace's tools keep it: a matrix of one column.
///
/// # Errors
/// When it is another matrix, is cut or too long, or holds a value that is not finite.
pub fn read_megaface(bytes: impl Bytes) -> Result<Vec<f32>, FeatureFileError> {
    let table = FeatureTable::open(bytes)?;
    if table.columns() != 1 || table.rows() > MAX_COLUMNS {
        return Err(FeatureFileError::Size { rows: table.rows() as i64, columns: table.columns() as i64 });
    }
    let mut out = vec![0.0; table.rows()];
    table.read(0..table.rows(), &mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature_file::Features;
    use crate::feature_writer::{FeatureWriter, write_megaface};
    use proptest::prelude::*;

    /// A table in each of the forms.
    fn forms(columns: usize, values: &[f32]) -> [Vec<u8>; 3] {
        let rows = values.len() / columns;
        let mut lfr = Vec::new();
        Features::new(columns, values.to_vec()).unwrap().write(&mut lfr).unwrap();
        let mut npy = Vec::new();
        let mut writer = FeatureWriter::npy(&mut npy, rows, columns).unwrap();
        values.chunks_exact(columns).for_each(|row| writer.push(row).unwrap());
        writer.finish().unwrap();
        let head = String::from_utf8_lossy(&npy[10..128]).replace("<f4", "<f8");
        let mut f64s = npy[..10].to_vec();
        f64s.extend(head.as_bytes());
        f64s.extend(values.iter().flat_map(|value| f64::from(*value).to_le_bytes()));
        [lfr, npy, f64s]
    }

    fn all(table: &FeatureTable<&[u8]>) -> Result<Vec<f32>, FeatureFileError> {
        let mut out = vec![0.0; table.rows() * table.columns()];
        table.read(0..table.rows(), &mut out).map(|()| out)
    }

    proptest! {
        #[test]
        fn every_form_gives_the_rows_that_were_written_and_a_cut_one_none(
            (columns, values) in (1..20_usize, 1..20_usize).prop_flat_map(|(columns, rows)| {
                (Just(columns), prop::collection::vec(-1e3_f32..1e3, rows * columns))
            }),
            cut in 1..400_usize,
        ) {
            for file in forms(columns, &values) {
                let table = FeatureTable::open(&file[..]).unwrap();
                prop_assert_eq!((table.columns(), all(&table).unwrap()), (columns, values.clone()));
                let last = table.rows() - 1;
                let mut row = vec![0.0; columns];
                table.read(last..last + 1, &mut row).unwrap();
                prop_assert_eq!(&row[..], &values[last * columns..]);
                prop_assert!(FeatureTable::open(&file[..file.len() - cut.min(file.len())]).is_err());
                let mut longer = file.clone();
                longer.push(0);
                let long = matches!(FeatureTable::open(&longer[..]), Err(FeatureFileError::TooLong { .. }));
                prop_assert!(long);
            }
        }

        #[test]
        fn arbitrary_bytes_are_a_table_or_an_error(
            start in prop::sample::select(vec![&b""[..], &b"\x93NUMPY\x01\0\x40\0{'descr': '<f4', "[..]]),
            rest in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let file = [start, &rest].concat();
            if let Ok(table) = FeatureTable::open(&file[..]) {
                let _ = all(&table);
            }
            let _ = read_megaface(&file[..]);
        }
    }

    #[test]
    fn a_broken_value_is_named_by_row_and_byte() {
        for (mut file, bytes) in forms(2, &[1.0; 6]).into_iter().zip([4, 4, 8]) {
            let at = file.len() - 2 * bytes;
            file[at..at + bytes].fill(0xff);
            let error = all(&FeatureTable::open(&file[..]).unwrap()).unwrap_err();
            let FeatureFileError::NotFinite { row, column, offset } = error else { panic!("{error}") };
            assert_eq!((row, column, offset), (2, 0, at as u64));
        }
        // Finite as f64 alone.
        let [_, _, mut file] = forms(1, &[1.0]);
        let at = file.len() - 8;
        file[at..].copy_from_slice(&1e300_f64.to_le_bytes());
        assert!(matches!(
            all(&FeatureTable::open(&file[..]).unwrap()),
            Err(FeatureFileError::NotFinite { row: 0, .. })
        ));
    }

    #[test]
    fn a_feature_of_megaface_is_a_column_and_nothing_else() {
        let mut file = Vec::new();
        write_megaface(&mut file, &[0.5, -1.0, 2.0]).unwrap();
        assert_eq!(file[..16], [3, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0]);
        assert_eq!(read_megaface(&file[..]).unwrap(), [0.5, -1.0, 2.0]);
        assert!(matches!(read_megaface(&file[..27]), Err(FeatureFileError::TooShort { .. })));
        let [lfr, ..] = forms(3, &[0.5, -1.0, 2.0]);
        assert!(matches!(read_megaface(&lfr[..]), Err(FeatureFileError::Size { rows: 1, columns: 3 })));
        assert!(write_megaface(&mut Vec::new(), &[]).is_err());
    }
}
