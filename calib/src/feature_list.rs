//! Lists that go with feature files: whose row is whose. `filelist.txt` of LFR names a photo or a video's folder on
//! each line; a list of labels names a subject on each line, or `-` for a distractor.

use std::collections::HashMap;
use std::path::{Component, Path};

use crate::feature_file::MAX_ROWS;

/// Longest line, in bytes.
pub const MAX_NAME_BYTES: usize = 1024;
/// The label of a row that is nobody's: a distractor.
const NOBODY: &str = "-";

/// Why a list is refused; lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureListError {
    /// Nothing in it.
    #[error("the list is empty")]
    Empty,
    /// More lines than a feature file has rows.
    #[error("line {line}: more than {MAX_ROWS} lines")]
    Long {
        /// The first that is too many.
        line: usize,
    },
    /// A line without a name, between others.
    #[error("line {line} is empty: every row needs its line")]
    Blank {
        /// Which.
        line: usize,
    },
    /// A name that is too long.
    #[error("line {line} has more than {MAX_NAME_BYTES} bytes")]
    Name {
        /// Which.
        line: usize,
    },
    /// A path that leads out of its folder.
    #[error("line {line} leads out of the folder ({name:?}): paths stay below it")]
    Outside {
        /// Which.
        line: usize,
        /// What it says.
        name: String,
    },
    /// The same name twice.
    #[error("line {line} names what line {first} names ({name:?}): a row counts once")]
    Twice {
        /// The later.
        line: usize,
        /// The earlier.
        first: usize,
        /// What both say.
        name: String,
    },
    /// Another number of lines than rows.
    #[error("{lines} lines to {rows} rows: list and features are not of one run")]
    Count {
        /// Of the list.
        lines: usize,
        /// Of the features.
        rows: usize,
    },
    /// No label but distractors.
    #[error("no subject has a row: every line says \"-\"")]
    NoSubject,
}

/// Names in the order of a feature file's rows, each below one folder, none twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureList(Vec<String>);

impl FeatureList {
    /// Reads `filelist.txt`: a name each line. Of a line with several words, as lists of videos have, the first counts
    /// where `first_word`.
    ///
    /// # Errors
    /// When a line has no name, or one that is too long, leads outside or was there before.
    pub fn parse(text: &str, first_word: bool) -> Result<Self, FeatureListError> {
        let mut seen = HashMap::new();
        let names = lines(text, |line, text| {
            let name = if first_word { text.split_whitespace().next().unwrap_or(text) } else { text };
            // "./a/1.jpg", as find(1) writes it, is "a/1.jpg".
            let plain: Vec<&str> = name.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
            if !is_below(name) || plain.is_empty() {
                return Err(FeatureListError::Outside { line, name: name.to_owned() });
            }
            let name = plain.join("/");
            match seen.insert(name.clone(), line) {
                Some(first) => Err(FeatureListError::Twice { line, first, name }),
                None => Ok(name),
            }
        })?;
        Ok(Self(names))
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether there is a line for each of `rows`.
    ///
    /// # Errors
    /// When there is not.
    pub const fn check(&self, rows: usize) -> Result<(), FeatureListError> {
        if self.0.len() == rows { Ok(()) } else { Err(FeatureListError::Count { lines: self.0.len(), rows }) }
    }
}

/// Whose each row is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelList {
    subjects: usize,
    labels: Vec<Option<u32>>,
}

impl LabelList {
    /// Reads a list of labels: a subject's name each line, `-` for a distractor.
    ///
    /// # Errors
    /// When a line has no name, one is too long, or no line names a subject.
    pub fn parse(text: &str) -> Result<Self, FeatureListError> {
        let names = lines(text, |_, text| Ok((text != NOBODY).then(|| text.to_owned())))?;
        Self::of(names.iter().map(Option::as_deref))
    }

    /// From each row's subject, `None` for a distractor.
    ///
    /// # Errors
    /// When no row has a subject.
    pub fn of<'a>(names: impl IntoIterator<Item = Option<&'a str>>) -> Result<Self, FeatureListError> {
        let mut known = HashMap::new();
        let mut number = |name: &'a str| {
            let next = known.len() as u32;
            *known.entry(name).or_insert(next)
        };
        let labels: Vec<Option<u32>> = names.into_iter().map(|name| name.map(&mut number)).collect();
        let subjects = known.len();
        if subjects == 0 { Err(FeatureListError::NoSubject) } else { Ok(Self { subjects, labels }) }
    }

    /// How many subjects.
    #[must_use]
    pub const fn subjects(&self) -> usize {
        self.subjects
    }

    /// Each row's subject, numbered from 0 in the order of their first rows; `None` for a distractor.
    #[must_use]
    pub fn labels(&self) -> &[Option<u32>] {
        &self.labels
    }

    /// Whether there is a line for each of `rows`.
    ///
    /// # Errors
    /// When there is not.
    pub const fn check(&self, rows: usize) -> Result<(), FeatureListError> {
        let lines = self.labels.len();
        if lines == rows { Ok(()) } else { Err(FeatureListError::Count { lines, rows }) }
    }
}

/// What `of` makes of each line; what follows the last is let be where it is blank.
fn lines<T>(
    text: &str,
    mut of: impl FnMut(usize, &str) -> Result<T, FeatureListError>,
) -> Result<Vec<T>, FeatureListError> {
    let mut out = Vec::new();
    for (index, text) in text.trim_end().lines().enumerate() {
        let (line, text) = (index + 1, text.trim());
        match text.len() {
            _ if line > MAX_ROWS => return Err(FeatureListError::Long { line }),
            0 => return Err(FeatureListError::Blank { line }),
            length if length > MAX_NAME_BYTES => return Err(FeatureListError::Name { line }),
            _ => out.push(of(line, text)?),
        }
    }
    if out.is_empty() { Err(FeatureListError::Empty) } else { Ok(out) }
}

/// Whether a path has only plain names in it.
fn is_below(name: &str) -> bool {
    let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    !name.contains(['\0', '\\']) && Path::new(name).components().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_of_photos_and_of_videos_are_read_as_the_organisers_read_them() {
        let photos = FeatureList::parse("a/1 b.jpg\na/2.jpg\n", false).unwrap();
        assert_eq!(photos.names(), ["a/1 b.jpg", "a/2.jpg"]);
        assert_eq!(photos.check(3), Err(FeatureListError::Count { lines: 2, rows: 3 }));
        let videos = FeatureList::parse("v1 12\r\nv2 7\r\n", true).unwrap();
        assert_eq!(videos.names(), ["v1", "v2"]);
    }

    #[test]
    fn what_leads_outside_comes_twice_or_says_nothing_is_named_by_its_line() {
        for outside in [".", "../x", "/etc/passwd", "a/../../b", "..", "a\\..\\b", "a\0b"] {
            let found = FeatureList::parse(&format!("a\n{outside}\n"), false).unwrap_err();
            assert!(matches!(found, FeatureListError::Outside { line: 2, .. }), "{outside:?}: {found}");
        }
        for same in ["a/1", "./a/1", "a/./1", "a//1"] {
            let twice = FeatureList::parse(&format!("a/1\nb\n{same}"), false).unwrap_err();
            assert!(matches!(twice, FeatureListError::Twice { line: 3, first: 1, .. }), "{same}");
        }
        assert_eq!(FeatureList::parse("a\n\nb", false), Err(FeatureListError::Blank { line: 2 }));
        assert_eq!(FeatureList::parse(" \n", false), Err(FeatureListError::Empty));
        let long = format!("a\n{}", "b".repeat(MAX_NAME_BYTES + 1));
        assert_eq!(FeatureList::parse(&long, false), Err(FeatureListError::Name { line: 2 }));
    }

    #[test]
    fn a_distractor_is_nobody() {
        let found = LabelList::parse("Ann\n-\nBob\nAnn\n").unwrap();
        assert_eq!((found.subjects(), found.labels()), (2, &[Some(0), None, Some(1), Some(0)][..]));
        assert_eq!(LabelList::parse("-\n-\n"), Err(FeatureListError::NoSubject));
        assert_eq!(found.check(3), Err(FeatureListError::Count { lines: 4, rows: 3 }));
    }

    proptest! {
        #[test]
        fn no_list_leads_outside(text in ".{0,40}(\n.{0,20}){0,4}") {
            for first_word in [false, true] {
                if let Ok(list) = FeatureList::parse(&text, first_word) {
                    for name in list.names() {
                        let joined = Path::new("/set").join(name);
                        prop_assert!(joined.starts_with("/set"), "{name}");
                        prop_assert!(!joined.components().any(|part| part == Component::ParentDir));
                    }
                }
            }
        }
    }
}
