//! What `arcdoor site export` wrote: one [`SiteLine`] a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use arcdoor_calib::{Comparison, Impostors, ReportedGrant, Reports, SiteLine};
use arcdoor_core::ModelId;

const MAX_LINES: usize = 2_000_000;
const MAX_LINE_BYTES: u64 = 4096;
/// People of a gallery.
const MAX_PEOPLE: u32 = 100_000;

/// A site.
pub(crate) struct Site {
    pub(crate) model_id: ModelId,
    /// By the pack alone.
    pub(crate) threshold: f32,
    pub(crate) promised_fpir: f64,
    pub(crate) people: u32,
    /// When attempts were, in seconds since 1970 (UTC).
    pub(crate) span: (u64, u64),
    pub(crate) impostors: Impostors,
    pub(crate) reports: Reports,
}

/// Reads a file; damaged ones are refused with the line.
pub(crate) fn read(path: &Path) -> Result<Site> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(file.metadata()?.is_file(), "{} is no regular file", path.display());
    let mut file = BufReader::new(file);
    let mut line = String::new();
    let mut next = |number: usize| -> Result<Option<SiteLine>> {
        let place = || format!("{}, line {number}", path.display());
        line.clear();
        if file.by_ref().take(MAX_LINE_BYTES).read_line(&mut line).with_context(place)? == 0 {
            return Ok(None);
        }
        Ok(Some(serde_json::from_str(&line).with_context(place)?))
    };
    let Some(SiteLine::Site {
        model_id,
        threshold,
        promised_fpir,
        people,
        comparisons,
        from_unix_s,
        to_unix_s,
        ..
    }) = next(1)?
    else {
        bail!("{}: the first line is none of kind site: make it with `arcdoor site export`", path.display())
    };
    ensure!(people <= MAX_PEOPLE, "{}: more than {MAX_PEOPLE} people", path.display());
    let (mut templates, mut listed) = (vec![0; people as usize], Vec::new());
    let mut reports = Reports::default();
    let is_score = |score: f32| (-1.0..=1.0).contains(&score);
    ensure!(
        is_score(threshold) && (0.0..=1.0).contains(&promised_fpir),
        "{}, line 1: out of range",
        path.display()
    );
    for number in 2..=MAX_LINES {
        let Some(line) = next(number)? else {
            let everybody = templates.iter().all(|count| *count > 0).then_some(templates);
            let impostors = everybody.and_then(|templates| Impostors::of_gallery(listed, templates));
            let whole = impostors.filter(|impostors| impostors.len() as u64 == comparisons);
            let impostors =
                whole.with_context(|| format!("{}: comparisons and people disagree", path.display()))?;
            let span = (from_unix_s, to_unix_s);
            return Ok(Site { model_id, threshold, promised_fpir, people, span, impostors, reports });
        };
        let is_sound = match line {
            SiteLine::Site { .. } => false,
            SiteLine::Person { person, templates: count } => match templates.get_mut(person as usize) {
                Some(held) if *held == 0 && (1..=1000).contains(&count) => {
                    *held = count;
                    true
                }
                _ => false,
            },
            SiteLine::Impostor { score, people: pair } => {
                listed.push(Comparison { score, people: pair });
                is_score(score) && pair[0] != pair[1] && pair.iter().all(|person| *person < people)
            }
            SiteLine::Attempts { threshold, attempts } => {
                reports.attempts.push((threshold, attempts));
                is_score(threshold) && attempts < 1 << 32
            }
            SiteLine::ReportedGrant { stranger, score, threshold } => {
                reports.grants.push(ReportedGrant { stranger, score, threshold });
                is_score(score) && is_score(threshold)
            }
        };
        ensure!(is_sound, "{}, line {number}: out of range, or said twice", path.display());
    }
    bail!("{} has more than {MAX_LINES} lines", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"kind":"site","model_id":"01010101010101010101010101010101","calibration_id":"02020202020202020202020202020202","threshold":0.42,"promised_fpir":0.01,"people":2,"comparisons":2,"from_unix_s":1,"to_unix_s":9}
{"kind":"person","person":0,"templates":1}
{"kind":"person","person":1,"templates":2}
{"kind":"attempts","threshold":0.42,"attempts":7}
{"kind":"reported_grant","stranger":0,"score":0.5,"threshold":0.42}
{"kind":"impostor","score":0.3,"people":[0,1]}
"#;

    fn read_text(text: &str) -> Result<Site> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("site.jsonl");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_site_is_read_whole() {
        let site = read_text(GOOD).unwrap();
        assert_eq!(
            (site.people, site.impostors.len(), site.reports.attempts(), site.span),
            (2, 2, 7, (1, 9))
        );
        assert_eq!(site.reports.at(0.42).strangers, 1);
    }

    #[test]
    fn what_is_damaged_is_refused_with_its_line() {
        for (from, to, said) in [
            ("\"people\":2", "\"people\":3", "disagree"),
            ("\"comparisons\":2", "\"comparisons\":3", "disagree"),
            ("\"templates\":2", "\"templates\":0", "line 3"),
            ("\"person\":1", "\"person\":0", "line 3"),
            ("[0,1]", "[1,1]", "line 6"),
            ("[0,1]", "[0,2]", "line 6"),
            ("\"score\":0.3", "\"score\":3", "line 6"),
            ("\"attempts\":7", "\"attempts\":-7", "line 4"),
            ("\"kind\":\"site\"", "\"kind\":\"person\"", "line 1"),
            ("\"kind\":\"attempts\"", "\"kind\":\"wrong\"", "line 4"),
        ] {
            let error = format!("{:#}", read_text(&GOOD.replace(from, to)).err().unwrap());
            assert!(error.contains(said), "{to}: {error}");
        }
        assert!(read_text("").is_err());
    }
}
