//! Tables of numbers as CSV (RFC 4180).

use std::fmt::Write as _;

use anyhow::{Context, Result, bail};

use crate::eval::report::curves::Curves;

/// A file that is being filled.
pub(crate) struct Csv(String);

impl Csv {
    pub(crate) fn with(head: &[&str]) -> Self {
        let mut csv = Self(String::new());
        csv.row(head);
        csv
    }

    pub(crate) fn row(&mut self, fields: &[impl AsRef<str>]) {
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.0.push(',');
            }
            let field = field.as_ref();
            if field.contains(['"', ',', '\n', '\r']) {
                let _ = write!(self.0, "\"{}\"", field.replace('"', "\"\""));
            } else {
                self.0.push_str(field);
            }
        }
        self.0.push('\n');
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

/// Most fields of a row: no file of a report has as many.
const MAX_FIELDS: usize = 16;
/// What is said of a text that is no rows.
const BROKEN: &str = "too many fields in a row, or an open quote";

/// What `of` makes of each row, whose number from 1 and fields it is given, quotes taken off. A row is read when the
/// ones before it have been judged: what is no report's file ends there and fills no memory.
///
/// # Errors
/// Those of `of`, and when a quote is not closed or stands where none may, or a row has more than 16 fields.
pub(crate) fn rows<T>(text: &str, mut of: impl FnMut(usize, Vec<String>) -> Result<T>) -> Result<Vec<T>> {
    let (mut rows, mut row, mut rest) = (Vec::new(), Vec::new(), text);
    while !rest.is_empty() {
        let mut field = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            loop {
                let (part, after) = rest.split_once('"').context(BROKEN)?;
                field.push_str(part);
                rest = after;
                let Some(after) = rest.strip_prefix('"') else { break };
                field.push('"');
                rest = after;
            }
        } else {
            let end = rest.find([',', '\n']).unwrap_or(rest.len());
            field.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        if row.len() == MAX_FIELDS {
            bail!(BROKEN);
        }
        row.push(field);
        if let Some(after) = rest.strip_prefix(',') {
            rest = after;
            // A last field that is empty.
            if rest.is_empty() {
                row.push(String::new());
            }
        } else {
            rest = rest.strip_prefix('\n').or_else(|| rest.is_empty().then_some(rest)).context(BROKEN)?;
            rows.push(of(rows.len() + 1, std::mem::take(&mut row))?);
        }
    }
    if !row.is_empty() {
        rows.push(of(rows.len() + 1, row)?);
    }
    Ok(rows)
}

/// What is drawn, as files: `roc.csv`, `histogram.csv`, `cmc.csv`, those that hold anything.
pub(crate) fn files(curves: &Curves) -> Vec<(String, Vec<u8>)> {
    let mut roc = Csv::with(&["curve", "far", "tar", "threshold"]);
    for curve in &curves.operating {
        for point in &curve.points {
            let numbers = [point.far, point.tar, point.threshold].map(|number| number.to_string());
            roc.row(&[&curve.name, &numbers[0], &numbers[1], &numbers[2]]);
        }
    }
    let mut histogram = Csv::with(&["histogram", "from", "to", "genuine", "impostors"]);
    for scores in &curves.histograms {
        let width = (scores.high - scores.low) / scores.genuine.len().max(1) as f64;
        for (bin, (genuine, impostors)) in scores.genuine.iter().zip(&scores.impostors).enumerate() {
            let from = scores.low + bin as f64 * width;
            let ends = [from, from + width].map(|end| format!("{end:.4}"));
            histogram.row(&[&scores.name, &ends[0], &ends[1], &genuine.to_string(), &impostors.to_string()]);
        }
    }
    let mut cmc = Csv::with(&["search", "rank", "share"]);
    for curve in &curves.cmc {
        for (rank, share) in (1..).zip(&curve.shares) {
            cmc.row(&[&curve.name, &i32::to_string(&rank), &share.to_string()]);
        }
    }
    let files = [
        ("roc.csv", roc, curves.operating.is_empty()),
        ("histogram.csv", histogram, curves.histograms.is_empty()),
        ("cmc.csv", cmc, curves.cmc.is_empty()),
    ];
    let named = files.into_iter().filter(|(_, _, is_empty)| !is_empty);
    named.map(|(name, csv, _)| (name.to_owned(), csv.into_bytes())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(table in prop::collection::vec(prop::collection::vec("[a\",\n é]{0,4}", 2..4), 1..5)) {
            let mut csv = Csv(String::new());
            table.iter().for_each(|row| csv.row(row));
            prop_assert_eq!(rows(&csv.0, |_, row| Ok(row)).unwrap(), table);
        }

        #[test]
        fn any_text_is_rows_or_nothing(text in "[a\",\n]{0,12}") {
            let _ = rows(&text, |_, row| Ok(row));
        }
    }

    #[test]
    fn the_first_row_that_is_refused_is_the_last_that_is_read() {
        let mut seen = 0;
        let refused = rows("a\nb\nc\n", |number, _| {
            seen += 1;
            if number == 2 { bail!("the second") } else { Ok(()) }
        });
        assert_eq!((seen, refused.unwrap_err().to_string()), (2, "the second".to_owned()));
    }
}
