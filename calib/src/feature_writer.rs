//! Writes feature files row by row.

use std::io::Write;

use crate::feature_file::{FeatureFileError, MAX_COLUMNS, MAX_ROWS, header};
use crate::npy;

/// Where the rows of a written npy file begin, in bytes: NumPy pads to a multiple of 64.
const NPY_START: usize = 128;

/// A feature file that is being written; [`finish`](Self::finish) says whether it is whole.
#[derive(Debug)]
pub struct FeatureWriter<W> {
    file: W,
    columns: usize,
    announced: usize,
    written: usize,
    /// Where the rows began.
    start: u64,
}

impl<W: Write> FeatureWriter<W> {
    /// As LFR has it.
    ///
    /// # Errors
    /// When the size is out of range, or the system cannot write.
    pub fn lfr(file: W, rows: usize, columns: usize) -> Result<Self, FeatureFileError> {
        check(rows, columns)?;
        Self::begin(file, rows, columns, &header(rows, columns))
    }

    /// As `numpy.save` has it, f32.
    ///
    /// # Errors
    /// As [`lfr`](Self::lfr).
    pub fn npy(file: W, rows: usize, columns: usize) -> Result<Self, FeatureFileError> {
        check(rows, columns)?;
        let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
        let mut head = npy::MAGIC.to_vec();
        head.extend([1, 0]);
        head.extend(((NPY_START - 10) as u16).to_le_bytes());
        head.extend(text.as_bytes());
        head.resize(NPY_START - 1, b' ');
        head.push(b'\n');
        Self::begin(file, rows, columns, &head)
    }

    fn begin(mut file: W, announced: usize, columns: usize, head: &[u8]) -> Result<Self, FeatureFileError> {
        file.write_all(head)?;
        Ok(Self { file, columns, announced, written: 0, start: head.len() as u64 })
    }

    /// Writes the next row.
    ///
    /// # Errors
    /// When it has another number of values, one that is not finite, or is one too many.
    pub fn push(&mut self, row: &[f32]) -> Result<(), FeatureFileError> {
        let Self { written, announced, columns, .. } = *self;
        if row.len() != columns {
            return Err(FeatureFileError::Mixed { row: written, found: row.len(), expected: columns });
        }
        if written == announced {
            return Err(FeatureFileError::Rows { written: written + 1, announced });
        }
        if let Some(column) = row.iter().position(|value| !value.is_finite()) {
            let at = written * columns + column;
            return Err(FeatureFileError::not_finite(at, columns, self.start, size_of::<f32>()));
        }
        for value in row {
            self.file.write_all(&value.to_le_bytes())?;
        }
        self.written += 1;
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// When rows are missing, or the system cannot write.
    pub fn finish(mut self) -> Result<W, FeatureFileError> {
        if self.written < self.announced {
            return Err(FeatureFileError::Rows { written: self.written, announced: self.announced });
        }
        self.file.flush()?;
        Ok(self.file)
    }
}

fn check(rows: usize, columns: usize) -> Result<(), FeatureFileError> {
    if (1..=MAX_ROWS).contains(&rows) && (1..=MAX_COLUMNS).contains(&columns) {
        return Ok(());
    }
    Err(FeatureFileError::Size { rows: rows as i64, columns: columns as i64 })
}

/// One feature as MegaFace's tools keep it.
///
/// # Errors
/// When it is empty or too long, holds a value that is not finite, or the system cannot write.
pub fn write_megaface(file: impl Write, feature: &[f32]) -> Result<(), FeatureFileError> {
    check(1, feature.len())?;
    let mut writer = FeatureWriter::lfr(file, feature.len(), 1)?;
    feature.iter().try_for_each(|value| writer.push(std::slice::from_ref(value)))?;
    writer.finish().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_another_model_broken_ones_and_a_wrong_count_are_refused() {
        let mut writer = FeatureWriter::lfr(Vec::new(), 2, 2).unwrap();
        writer.push(&[1.0, 2.0]).unwrap();
        assert!(matches!(
            writer.push(&[1.0; 3]),
            Err(FeatureFileError::Mixed { row: 1, found: 3, expected: 2 })
        ));
        assert!(matches!(
            writer.push(&[1.0, f32::NAN]),
            Err(FeatureFileError::NotFinite { row: 1, column: 1, offset: 28 })
        ));
        writer.push(&[3.0, 4.0]).unwrap();
        assert!(matches!(writer.push(&[1.0; 2]), Err(FeatureFileError::Rows { written: 3, announced: 2 })));
        assert_eq!(writer.finish().unwrap().len(), 16 + 16);
        let short = FeatureWriter::npy(Vec::new(), 2, 2).unwrap();
        assert!(matches!(short.finish(), Err(FeatureFileError::Rows { written: 0, announced: 2 })));
        assert!(
            FeatureWriter::npy(Vec::new(), 0, 2).is_err() && FeatureWriter::lfr(Vec::new(), 1, 0).is_err()
        );
    }
}
