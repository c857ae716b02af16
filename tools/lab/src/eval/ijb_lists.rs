//! The lists of IJB-B and IJB-C, as insightface and others hand them on: words on lines, or CSV with a head.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::eval::counted::sha256;
use crate::input_file::read_text;
use crate::limits::MAX_PAIR_LIST_BYTES;
use crate::trouble::Trouble;

const PROBES: &str = "1N_probe_mixed.csv";

/// Which of the two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Target {
    Ijbb,
    Ijbc,
}

impl Target {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ijbb => "ijbb",
            Self::Ijbc => "ijbc",
        }
    }

    /// What people call it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Ijbb => "IJB-B",
            Self::Ijbc => "IJB-C",
        }
    }

    /// The two galleries' names.
    const fn galleries(self) -> [&'static str; 2] {
        match self {
            Self::Ijbb => ["S1", "S2"],
            Self::Ijbc => ["G1", "G2"],
        }
    }
}

/// Whose face an image is: template and medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Medium {
    pub(crate) template: u32,
    pub(crate) medium: u32,
}

/// Two templates, and whether they are of one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TemplatePair {
    pub(crate) one: u32,
    pub(crate) two: u32,
    pub(crate) same: bool,
}

/// A folder of lists.
pub(crate) struct Lists<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) target: Target,
}

impl Lists<'_> {
    pub(crate) fn file(&self, what: &str) -> PathBuf {
        self.dir.join(format!("{}_{what}", self.target.name()))
    }

    /// The sha256 of each of these lists, by its name without the set's.
    pub(crate) fn hashes(&self, lists: &[&str]) -> Result<BTreeMap<String, String>> {
        let hash = |list: &&str| Ok(((*list).to_owned(), sha256(&self.file(list))?));
        lists.iter().map(hash).collect()
    }

    /// The lists of galleries and probes.
    pub(crate) fn searched(&self) -> [String; 3] {
        let [one, two] = self.target.galleries().map(|gallery| format!("1N_gallery_{gallery}.csv"));
        [one, two, PROBES.to_owned()]
    }

    /// `face_tid_mid.txt`: an image on each line, in the order of the features.
    pub(crate) fn media(&self) -> Result<Vec<Medium>> {
        rows(&self.file("face_tid_mid.txt"), false, |words| match words {
            [_, template, medium] => {
                Some(Medium { template: template.parse().ok()?, medium: medium.parse().ok()? })
            }
            _ => None,
        })
    }

    /// `template_pair_label.txt`.
    pub(crate) fn pairs(&self) -> Result<Vec<TemplatePair>> {
        rows(&self.file("template_pair_label.txt"), false, |words| match words {
            [one, two, label @ ("0" | "1")] => {
                Some(TemplatePair { one: one.parse().ok()?, two: two.parse().ok()?, same: *label == "1" })
            }
            _ => None,
        })
    }

    /// The detector's score of each image: the last of the twelve words of `name_5pts_score.txt`.
    pub(crate) fn detector_scores(&self) -> Result<Vec<f32>> {
        rows(&self.file("name_5pts_score.txt"), false, |words| {
            let score: f32 = words.last()?.parse().ok()?;
            (words.len() == 12 && score.is_finite()).then_some(score)
        })
    }

    /// The templates of the two galleries with their subjects.
    pub(crate) fn galleries(&self) -> Result<[(&'static str, HashMap<u32, u32>); 2]> {
        let ([one, two], [list_one, list_two, _]) = (self.target.galleries(), self.searched());
        Ok([(one, self.subjects(&list_one)?), (two, self.subjects(&list_two)?)])
    }

    /// The mixed probes with their subjects.
    pub(crate) fn probes(&self) -> Result<HashMap<u32, u32>> {
        self.subjects(PROBES)
    }

    /// Each template's subject; lists have a line an image.
    fn subjects(&self, what: &str) -> Result<HashMap<u32, u32>> {
        let path = self.file(what);
        let pairs = rows(&path, true, |words| match words {
            [template, subject, ..] => Some((template.parse().ok()?, subject.parse().ok()?)),
            _ => None,
        })?;
        let mut out = HashMap::new();
        for (at, (template, subject)) in pairs.into_iter().enumerate() {
            let before: u32 = *out.entry(template).or_insert(subject);
            if before != subject {
                let text = format!(
                    "{}: line {}: template {template} is of subject {subject} and of {before}",
                    path.display(),
                    at + 2
                );
                return Err(Trouble::BadInput(text).into());
            }
        }
        Ok(out)
    }
}

/// What `of` makes of the words of each line; a CSV file has a head, and commas between its words.
fn rows<T>(path: &Path, csv: bool, of: impl Fn(&[&str]) -> Option<T>) -> Result<Vec<T>> {
    let bad = |text: String| Trouble::BadInput(text);
    let text = read_text(path, MAX_PAIR_LIST_BYTES).map_err(|cause| bad(format!("{cause:#}")))?;
    let mut out = Vec::new();
    let mut words = Vec::new();
    for (index, line) in text.lines().enumerate().skip(usize::from(csv)) {
        words.clear();
        if csv {
            words.extend(line.split(',').map(str::trim));
        } else {
            words.extend(line.split_ascii_whitespace());
        }
        let row = of(&words).ok_or_else(|| {
            bad(format!("{}: line {}: {line:?} is not what this list holds", path.display(), index + 1))
        })?;
        out.push(row);
    }
    if out.is_empty() {
        return Err(bad(format!("{} is empty", path.display())).into());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_a_wrong_line_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let lists = Lists { dir: dir.path(), target: Target::Ijbc };
        std::fs::write(lists.file("face_tid_mid.txt"), "1.jpg 7 3\n2.jpg 7 4\n").unwrap();
        assert_eq!(lists.media().unwrap()[1], Medium { template: 7, medium: 4 });
        std::fs::write(lists.file("template_pair_label.txt"), "1 2 1\n1 3 2\n").unwrap();
        let text = format!("{:#}", lists.pairs().unwrap_err());
        assert!(text.contains("template_pair_label.txt: line 2"), "{text}");
        std::fs::write(lists.file("1N_probe_mixed.csv"), "TEMPLATE_ID,SUBJECT_ID\n5,1\n5,1,x.jpg\n").unwrap();
        assert_eq!(lists.probes().unwrap(), HashMap::from([(5, 1)]));
        std::fs::write(lists.file("1N_probe_mixed.csv"), "TEMPLATE_ID,SUBJECT_ID\n5,1\n5,2\n").unwrap();
        assert!(format!("{:#}", lists.probes().unwrap_err()).contains("line 3"));
        std::fs::write(lists.file("name_5pts_score.txt"), "1.jpg 1 2 3 4 5 6 7 8 9 10 nan\n").unwrap();
        assert!(lists.detector_scores().is_err());
    }
}
