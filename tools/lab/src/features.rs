//! Templates of earlier runs in a file, so that a protocol can be run again without the networks.
//!
//! One line of JSON ([`Head`]), then the values of every sample that has a template, f32, little-endian: the embedding as it
//! came from the network, whose length says something about its face.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use arcdoor_core::file::open_regular;
use arcdoor_core::limits::MAX_DIMENSION;
use arcdoor_core::{ModelId, Template};
use arcdoor_models::RecognisabilityTable;
use arcdoor_vision::live::live_template;
use serde::{Deserialize, Serialize};

use crate::part_file::part_of;

/// The format that is written.
const FORMAT: u32 = 2;
/// Longest first line: some 1,000,000 names.
const MAX_HEAD_BYTES: u64 = 64 << 20;

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: u32,
    /// What made the templates: networks and settings.
    made_by: String,
    dimension: usize,
    /// Names in the order of the rows, and whether there is a row: a photo without a face has none.
    photos: Vec<(String, bool)>,
}

/// The templates that a file holds, by their samples' names; no template for a sample without a face.
pub(crate) struct Features {
    path: PathBuf,
    made_by: String,
    known: HashMap<String, Option<Known>>,
}

/// A template, and the embedding that it was made of: what is read again gives the same bits as what was just made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Known {
    pub(crate) template: Template,
    pub(crate) embedding: Vec<f32>,
}

impl Features {
    /// Reads `path`; nothing is known where there is no such file. `made_by` must be the file's. The templates are live ones
    /// by the `table` of the pack, as those are that a device makes.
    pub(crate) fn open(
        path: &Path,
        made_by: String,
        model_id: ModelId,
        table: Option<&RecognisabilityTable>,
    ) -> Result<Self> {
        let place = || format!("{}", path.display());
        let mut features = Self { path: path.to_owned(), made_by, known: HashMap::new() };
        if !path.exists() {
            return Ok(features);
        }
        let mut file = BufReader::new(open_regular(path).with_context(place)?);
        let mut line = String::new();
        file.by_ref().take(MAX_HEAD_BYTES).read_line(&mut line).with_context(place)?;
        let head: Head =
            serde_json::from_str(&line).with_context(|| format!("{} is no feature file", place()))?;
        ensure!(
            head.format == FORMAT,
            "{} is of format {}, and this lab reads format {FORMAT}: name another --features file, or delete it to have it made \
             anew",
            place(),
            head.format
        );
        ensure!(
            head.made_by == features.made_by,
            "{} holds templates of another path ({}, not {}): name another --features file",
            place(),
            head.made_by,
            features.made_by
        );
        ensure!((1..=MAX_DIMENSION).contains(&head.dimension), "{}: dimension {}", place(), head.dimension);
        let (mut bytes, mut values) = (vec![0; 4 * head.dimension], vec![0.0; head.dimension]);
        for (name, has_template) in head.photos {
            let mut known = None;
            if has_template {
                file.read_exact(&mut bytes).with_context(|| format!("{} ends too early", place()))?;
                for (value, four) in values.iter_mut().zip(bytes.chunks_exact(4)) {
                    *value = f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                }
                let (template, _) = live_template(model_id, table, &values)
                    .with_context(|| format!("{}: {name}", place()))?;
                known = Some(Known { template, embedding: values.clone() });
            }
            features.known.insert(name, known);
        }
        Ok(features)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Option<Known>> {
        self.known.get(name)
    }

    pub(crate) fn insert(&mut self, name: String, known: Option<Known>) {
        self.known.insert(name, known);
    }

    /// Writes the file anew; it changes in one step and is its owner's alone: templates are personal data.
    pub(crate) fn write(&self) -> Result<()> {
        let mut known: Vec<(&String, &Option<Known>)> = self.known.iter().collect();
        known.sort_by_key(|(name, _)| *name);
        let dimension =
            known.iter().find_map(|(_, known)| known.as_ref()).map_or(1, |known| known.embedding.len());
        let photos = known.iter().map(|(name, known)| ((*name).clone(), known.is_some())).collect();
        let head = Head { format: FORMAT, made_by: self.made_by.clone(), dimension, photos };
        let part = part_of(&self.path);
        let written = || -> Result<()> {
            let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
            let mut file = BufWriter::new(open);
            serde_json::to_writer(&mut file, &head)?;
            file.write_all(b"\n")?;
            for Known { embedding, .. } in known.iter().filter_map(|(_, known)| known.as_ref()) {
                for value in embedding {
                    file.write_all(&value.to_le_bytes())?;
                }
            }
            file.into_inner().map_err(|error| error.into_error())?.sync_all()?;
            Ok(fs::rename(&part, &self.path)?)
        };
        written().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODEL: ModelId = ModelId::new([1; 16]);

    #[test]
    fn what_is_written_comes_back_and_another_path_is_refused() {
        let dir = std::env::temp_dir().join(format!("arcdoor-lab-features-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("features");
        let _ = fs::remove_file(&path);
        let mut features = Features::open(&path, "this".to_owned(), MODEL, None).unwrap();
        let embedding = vec![6.1, 8.3];
        let known = Known { template: Template::new(MODEL, &embedding).unwrap(), embedding };
        features.insert("a".to_owned(), None);
        features.insert("b".to_owned(), Some(known.clone()));
        features.write().unwrap();
        let back = Features::open(&path, "this".to_owned(), MODEL, None).unwrap();
        assert_eq!(back.get("a"), Some(&None));
        assert_eq!(back.get("b"), Some(&Some(known)), "bit for bit");
        assert!(back.get("c").is_none());
        let other = Features::open(&path, "that".to_owned(), MODEL, None).err().unwrap().to_string();
        assert!(other.contains("another path"), "{other}");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let cut = Features::open(&path, "this".to_owned(), MODEL, None).err().unwrap();
        assert!(format!("{cut:#}").contains("too early"), "{cut:#}");
        fs::write(&path, b"\x00").unwrap();
        assert!(Features::open(&path, "this".to_owned(), MODEL, None).is_err());
        fs::remove_dir_all(dir).unwrap();
    }
}
