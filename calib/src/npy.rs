//! The header of NumPy's `.npy` (format 1.0 to 3.0, NEP 1): magic, version, length, a Python dictionary. The
//! dictionary is read as three fixed keys and never as Python.

use crate::feature_file::{FeatureFileError, MAX_COLUMNS, MAX_ROWS};
use crate::npy_fault::{MAX_HEADER_BYTES, NpyFault};

/// The first bytes of every npy file.
pub(crate) const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// What an npy header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Where the rows begin, in bytes.
    pub(crate) start: usize,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Of a value: 4 or 8.
    pub(crate) value_bytes: usize,
}

/// Reads the header that `bytes` begin with; they hold the first [`MAX_HEADER_BYTES`] of the file, or all of it.
pub(crate) fn header(bytes: &[u8]) -> Result<Header, FeatureFileError> {
    let fault = |offset: usize, cause: NpyFault| FeatureFileError::Npy { offset, cause };
    let (length_at, text_at) = match bytes.get(MAGIC.len()..MAGIC.len() + 2) {
        Some([1, 0]) => (8, 10),
        Some([2 | 3, 0]) => (8, 12),
        _ => return Err(fault(MAGIC.len(), NpyFault::Version)),
    };
    let length = bytes.get(length_at..text_at).ok_or_else(|| fault(length_at, NpyFault::Dictionary))?;
    let length = length.iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    let start = text_at + length;
    if start > MAX_HEADER_BYTES {
        return Err(fault(length_at, NpyFault::Long));
    }
    let text = bytes.get(text_at..start).ok_or_else(|| fault(bytes.len(), NpyFault::Dictionary))?;
    let mut words = Words { text, at: 0 };
    let wrong = |words: &Words<'_>, cause| fault(text_at + words.at, cause);
    let (mut value_bytes, mut in_rows, mut shape) = (None, None, None);
    if !words.take(b"{") {
        return Err(wrong(&words, NpyFault::Dictionary));
    }
    while !words.take(b"}") {
        if words.take(b"'descr':") && value_bytes.is_none() {
            value_bytes = Some(match () {
                () if words.take(b"'<f4'") => 4,
                () if words.take(b"'<f8'") => 8,
                () => return Err(wrong(&words, NpyFault::Type)),
            });
        } else if words.take(b"'fortran_order':") && in_rows.is_none() {
            if !words.take(b"False") {
                return Err(wrong(&words, NpyFault::Fortran));
            }
            in_rows = Some(());
        } else if words.take(b"'shape':") && shape.is_none() {
            shape = Some(words.pair().ok_or_else(|| wrong(&words, NpyFault::Shape))?);
        } else {
            return Err(wrong(&words, NpyFault::Dictionary));
        }
        if !words.take(b",") && !words.is_at(b"}") {
            return Err(wrong(&words, NpyFault::Dictionary));
        }
    }
    let (Some(value_bytes), Some(()), Some((rows, columns))) = (value_bytes, in_rows, shape) else {
        return Err(wrong(&words, NpyFault::Dictionary));
    };
    if !(1..=MAX_ROWS).contains(&rows) || !(1..=MAX_COLUMNS).contains(&columns) {
        return Err(FeatureFileError::Size { rows: rows as i64, columns: columns as i64 });
    }
    Ok(Header { start, rows, columns, value_bytes })
}

/// The dictionary's text, and how far it is read.
struct Words<'a> {
    text: &'a [u8],
    at: usize,
}

impl Words<'_> {
    fn skip_spaces(&mut self) {
        while self.text.get(self.at).is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn is_at(&mut self, word: &[u8]) -> bool {
        self.skip_spaces();
        self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word))
    }

    fn take(&mut self, word: &[u8]) -> bool {
        let is_at = self.is_at(word);
        self.at += if is_at { word.len() } else { 0 };
        is_at
    }

    /// `(rows, columns)`.
    fn pair(&mut self) -> Option<(usize, usize)> {
        self.take(b"(").then_some(())?;
        let rows = self.number()?;
        self.take(b",").then_some(())?;
        let columns = self.number()?;
        // NumPy ends no pair with a comma, and takes one.
        self.take(b",");
        self.take(b")").then_some((rows, columns))
    }

    fn number(&mut self) -> Option<usize> {
        self.skip_spaces();
        let digits = self.text.get(self.at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let text = std::str::from_utf8(self.text.get(self.at..self.at + digits)?).ok()?;
        self.at += digits;
        text.parse().ok().filter(|number: &usize| i64::try_from(*number).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(version: u8, dictionary: &str) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend([version, 0]);
        let length = dictionary.len() as u32;
        out.extend(&length.to_le_bytes()[..if version == 1 { 2 } else { 4 }]);
        out.extend(dictionary.as_bytes());
        out
    }

    fn fault(dictionary: &str) -> NpyFault {
        match header(&file(1, dictionary)) {
            Err(FeatureFileError::Npy { cause, .. }) => cause,
            other => panic!("{dictionary}: {other:?}"),
        }
    }

    #[test]
    fn what_numpy_writes_is_read() {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 512), }      \n";
        let found = header(&file(1, text)).unwrap();
        assert_eq!(found, Header { start: 10 + text.len(), rows: 3, columns: 512, value_bytes: 4 });
        let text = "{'shape': (1, 2), 'fortran_order': False, 'descr': '<f8'}";
        let found = header(&file(2, text)).unwrap();
        assert_eq!(found, Header { start: 12 + text.len(), rows: 1, columns: 2, value_bytes: 8 });
    }

    #[test]
    fn another_type_order_or_shape_is_refused_by_name() {
        let with = |kind: &str, order: &str, shape: &str| {
            fault(&format!("{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}"))
        };
        assert_eq!(with("'>f4'", "False", "(1, 1)"), NpyFault::Type);
        assert_eq!(with("'|O'", "False", "(1, 1)"), NpyFault::Type);
        assert_eq!(with("'<f4'", "True", "(1, 1)"), NpyFault::Fortran);
        for shape in ["(1,)", "(1, 1, 1)", "1", "(-1, 2)", "(99999999999999999999, 1)"] {
            assert_eq!(with("'<f4'", "False", shape), NpyFault::Shape, "{shape}");
        }
        for text in ["", "{", "{'descr': '<f4'}", "{'x': 1}", "{'descr': '<f4' 'shape': (1, 1)}"] {
            assert_eq!(fault(text), NpyFault::Dictionary, "{text}");
        }
        let huge = header(&file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 9999)}"));
        assert!(matches!(huge, Err(FeatureFileError::Size { rows: 1, columns: 9999 })));
    }

    #[test]
    fn a_cut_header_and_a_long_one_are_no_header() {
        let whole = file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 512), }\n");
        for cut in 0..whole.len() {
            assert!(header(&whole[..cut]).is_err(), "{cut}");
        }
        let mut long = whole;
        long[8..10].copy_from_slice(&u16::MAX.to_le_bytes());
        assert!(matches!(header(&long), Err(FeatureFileError::Npy { offset: 8, cause: NpyFault::Long })));
    }
}
