//! Scores in a file: one JSON object a line.
//!
//! `{"score": 0.31}`; with `"genuine": true` for one person's own; with `"people": ["a", "b"]` where it is
//! known who is compared, so that intervals can go over people. All comparisons belong in it, not the high
//! ones alone: a rate is a share of all.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use arcdoor_calib::{Comparison, Impostors};
use arcdoor_core::file::open_regular;
use serde::Deserialize;

const MAX_LINES: usize = 200_000_000;
const MAX_LINE_BYTES: u64 = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    score: f32,
    #[serde(default)]
    genuine: bool,
    people: Option<[String; 2]>,
}

/// Genuine and impostor scores.
pub(crate) struct Scores {
    /// Who, and the score; below every cosine where a photo gave no template.
    pub(crate) genuine: Vec<(u32, f32)>,
    pub(crate) impostors: Impostors,
    /// Who is compared, by number; nobody where nobody knows who.
    pub(crate) people: Vec<String>,
}

/// Reads a file; every line names its people, or none does.
pub(crate) fn read(path: &Path) -> Result<Scores> {
    let file = open_regular(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut file = BufReader::new(file);
    let (mut genuine, mut impostors) = (Vec::new(), Vec::new());
    let mut numbers: HashMap<String, u32> = HashMap::new();
    let (mut named, mut line) = (None, String::new());
    for number in 1..=MAX_LINES {
        let place = || format!("{}, line {number}", path.display());
        line.clear();
        if file.by_ref().take(MAX_LINE_BYTES).read_line(&mut line).with_context(place)? == 0 {
            let impostors = Impostors::new(impostors, numbers.len());
            let mut people = vec![String::new(); numbers.len()];
            numbers.into_iter().for_each(|(name, number)| people[number as usize] = name);
            return Ok(Scores { genuine, impostors, people });
        }
        if line.trim().is_empty() {
            continue;
        }
        let found: Line = serde_json::from_str(&line).with_context(place)?;
        ensure!((-1.0..=1.0).contains(&found.score), "{}: a score lies within -1 to 1", place());
        let has_names = *named.get_or_insert(found.people.is_some());
        ensure!(
            has_names == found.people.is_some(),
            "{}: name the people on every line, or on none",
            place()
        );
        let people = found.people.map_or([0; 2], |names| {
            names.map(|name| {
                let next = numbers.len() as u32;
                *numbers.entry(name).or_insert(next)
            })
        });
        if found.genuine {
            genuine.push((people[0], found.score));
        } else {
            ensure!(!has_names || people[0] != people[1], "{}: an impostor is somebody else", place());
            impostors.push(Comparison { score: found.score, people });
        }
    }
    bail!("{} has more than {MAX_LINES} lines", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Scores> {
        let name = format!("arcdoor-lab-scores-{}-{:?}", std::process::id(), std::thread::current().id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        let scores = read(&path);
        std::fs::remove_file(path).unwrap();
        scores
    }

    #[test]
    fn both_kinds_with_or_without_names() {
        let plain = read_text("{\"score\": 0.1}\n\n{\"score\": 0.9, \"genuine\": true}\n").unwrap();
        assert_eq!((plain.genuine.len(), plain.impostors.len(), plain.people.len()), (1, 1, 0));
        let named = read_text(
            "{\"score\":0.1,\"people\":[\"a\",\"b\"]}\n{\"score\":0.8,\"genuine\":true,\"people\":[\"b\",\"b\"]}",
        )
        .unwrap();
        assert_eq!((named.genuine, named.people), (vec![(1, 0.8)], vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, said) in [
            ("{\"score\": 0.1}\n{\"score\": 2}", "line 2"),
            ("{\"score\": 0.1}\n{\"score\": 0.1, \"people\": [\"a\", \"b\"]}", "on every line"),
            ("{\"score\": 0.1, \"people\": [\"a\", \"a\"]}", "somebody else"),
            ("{\"scores\": 0.1}", "line 1"),
            ("\u{0}", "line 1"),
        ] {
            let error = format!("{:#}", read_text(text).err().unwrap());
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
