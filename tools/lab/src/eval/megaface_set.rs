//! MegaFace's files: a feature a file, lists of paths, lists of noise.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use arcdoor_calib::{FeatureList, LabelList, read_megaface};
use arcdoor_core::file::open_regular;
use serde::Deserialize;

use crate::input_file::read_text;
use crate::limits::MAX_LIST_BYTES;
use crate::trouble::Trouble;
use crate::verify::rows::Rows;

/// Features in files of their own: `DIR/PATH` and an ending such as `_r100.bin`.
pub(crate) struct FeatureFiles {
    paths: Vec<PathBuf>,
    dimension: usize,
}

/// The devkit's templatelists/*.json.
#[derive(Deserialize)]
struct TemplateList {
    path: Vec<String>,
}

/// A list without its noise.
pub(crate) struct Listed {
    pub(crate) names: Vec<String>,
    /// Names that the list of noise has.
    pub(crate) noise: u64,
}

impl Listed {
    /// Reads a list: a path each line, or the devkit's JSON. Names of the list of noise are left out: of probes the file's
    /// name counts, of distractors the last three parts of the path, as remove_noises.py takes them.
    pub(crate) fn read(list: &Path, noise: Option<&Path>, parts: usize) -> Result<Self> {
        let bad = |cause: String| Trouble::BadInput(format!("{}: {cause}", list.display()));
        let mut text =
            read_text(list, MAX_LIST_BYTES).map_err(|cause| Trouble::BadInput(format!("{cause:#}")))?;
        if text.trim_start().starts_with('{') {
            let found: TemplateList = serde_json::from_str(&text).map_err(|cause| bad(cause.to_string()))?;
            text = found.path.join("\n");
        }
        let names = FeatureList::parse(&text, false).map_err(|cause| bad(cause.to_string()))?;
        let noisy = noise.map(noisy).transpose()?.unwrap_or_default();
        let all = names.names().len();
        let is_noise = |name: &str| {
            let from = name.rmatch_indices('/').nth(parts - 1).map_or(0, |(at, _)| at + 1);
            noisy.contains(&name[from..])
        };
        let names: Vec<String> = names.names().iter().filter(|name| !is_noise(name)).cloned().collect();
        Ok(Self { noise: (all - names.len()) as u64, names })
    }

    /// Each name's last folder: FaceScrub's person.
    pub(crate) fn people(&self) -> Result<LabelList> {
        let person = |name: &String| {
            let (folders, _) = name.rsplit_once('/')?;
            Some(folders.rsplit_once('/').map_or(folders, |(_, last)| last).to_owned())
        };
        let people: Vec<Option<String>> = self.names.iter().map(person).collect();
        if let Some(at) = people.iter().position(Option::is_none) {
            let text = format!("{:?} has no folder that says who it is", self.names[at]);
            return Err(Trouble::BadInput(text).into());
        }
        LabelList::of(people.iter().map(Option::as_deref))
            .map_err(|cause| Trouble::BadInput(cause.to_string()).into())
    }
}

/// Lines of a list of noise; where a line has two columns, the second.
fn noisy(path: &Path) -> Result<HashSet<String>> {
    let text = read_text(path, MAX_LIST_BYTES).map_err(|cause| Trouble::BadInput(format!("{cause:#}")))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines.map(|line| line.split('\t').nth(1).unwrap_or(line).to_owned()).collect())
}

impl FeatureFiles {
    /// The features of `names` below `dir`; the first says how many values each has.
    pub(crate) fn open(dir: &Path, names: &[String], ending: &str) -> Result<Self> {
        let paths: Vec<PathBuf> = names.iter().map(|name| dir.join(format!("{name}{ending}"))).collect();
        let first = paths.first().context("no names")?;
        Ok(Self { dimension: read(first)?.len(), paths })
    }
}

fn read(path: &Path) -> Result<Vec<f32>> {
    let bad = |cause: &dyn std::fmt::Display| Trouble::BadInput(format!("{}: {cause}", path.display()));
    let file = open_regular(path).map_err(|cause| bad(&cause))?;
    Ok(read_megaface(file).map_err(|cause| bad(&cause))?)
}

impl Rows for FeatureFiles {
    fn count(&self) -> usize {
        self.paths.len()
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn read(&self, range: Range<usize>, out: &mut [f32]) -> Result<()> {
        for (path, out) in self.paths[range].iter().zip(out.chunks_exact_mut(self.dimension)) {
            let values = read(path)?;
            if values.len() != out.len() {
                let text = format!(
                    "{}: {} values, the first has {}: two models",
                    path.display(),
                    values.len(),
                    out.len()
                );
                return Err(Trouble::BadInput(text).into());
            }
            out.copy_from_slice(&values);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_calib::write_megaface;

    #[test]
    fn lists_lose_their_noise_and_features_are_read_by_path() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let list = file("list", "x/Ann/1.png\nx/Ann/2.png\nx/Bob/1.jpg\n");
        let noise = file("noise", "# comment\nmany\t2.png\n");
        let listed = Listed::read(&list, Some(&noise), 1).unwrap();
        assert_eq!((listed.names.len(), listed.noise), (2, 1));
        assert_eq!(listed.people().unwrap().labels(), [Some(0), Some(1)]);
        let json = file("list.json", r#"{"id": ["Ann"], "path": ["Ann/1.png"]}"#);
        assert_eq!(Listed::read(&json, None, 1).unwrap().names, ["Ann/1.png"]);
        let outside = file("outside", "a\n../b\n");
        assert!(format!("{:#}", Listed::read(&outside, None, 1).err().unwrap()).contains("line 2"));

        for (name, feature) in
            [("1.png_x.bin", &[1.0, 2.0][..]), ("2.png_x.bin", &[3.0, 4.0]), ("3.png_x.bin", &[5.0])]
        {
            write_megaface(std::fs::File::create(dir.path().join(name)).unwrap(), feature).unwrap();
        }
        let names = ["1.png", "2.png", "3.png"].map(str::to_owned);
        let files = FeatureFiles::open(dir.path(), &names, "_x.bin").unwrap();
        let mut out = [0.0; 4];
        files.read(0..2, &mut out).unwrap();
        assert_eq!(out, [1.0, 2.0, 3.0, 4.0]);
        let mixed = files.read(1..3, &mut out).unwrap_err().to_string();
        assert!(mixed.contains("3.png_x.bin") && mixed.contains("two models"), "{mixed}");
    }
}
