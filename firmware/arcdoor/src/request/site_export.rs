//! `arcdoor site export`: what people here score against each other, and the wrong grants that were reported.
//!
//! The lines are [`SiteLine`]s. People and strangers are numbered anew: no names, no subjects' numbers, no
//! templates.
//!
//! | what | selected? | biased? |
//! |---|---|---|
//! | comparisons of people enrolled here | no: every template against every one of somebody else | downwards: a face that matched somebody was not enrolled, unless with `--duplicate` |
//! | reported grants | yes: noticed and reported | they only bound the rate from below; see `arcdoor_calib`'s `reports` |

use crate::error::Error;
use crate::home::log::{By, Entry, Record};
use crate::message::{Response, Verdict};
use crate::request::{Answer, Outcome, Service};
use arcdoor_calib::{ReportedGrant, Reports, SiteLine, gallery_threshold};
use arcdoor_core::{Score, SubjectId};
use arcdoor_gallery::{CrossScores, Gallery};
use std::collections::{BTreeMap, HashMap};
use std::fs::OpenOptions;
use std::io::{BufWriter, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Comparisons that are listed, the highest.
pub const MAX_SITE_SCORES: usize = 1_000_000;

impl Service {
    pub(crate) fn site_export(&self, file: &Path, answer: Answer<'_>) -> Result<Outcome, Error> {
        let pack = self.settings.open_pack(&self.pack_dir()?)?;
        if self.enrolled()?.is_none_or(|opened| opened.gallery.is_empty()) {
            return Err(Error::NobodyEnrolled);
        }
        let gallery = self.gallery(&pack)?;
        // The pack's own: a table that is made of this replaces the one in force.
        let calibration = self.settings.calibration(&pack)?;
        let promise = gallery_threshold(&calibration, self.settings.target_fpir, gallery.templates())?;
        let same = calibration.threshold(self.settings.target_fmr)?.value;
        let records = self.journal.log.read()?;
        let reports = reports(&records, &gallery, same)?;
        let times: Vec<u64> =
            records.iter().filter(|record| is_decision(record)).map(Record::unix_s).collect();
        let scores = gallery.cross_scores(MAX_SITE_SCORES)?;
        let head = SiteLine::Site {
            model_id: pack.model_id(),
            calibration_id: pack.calibration().id(),
            threshold: promise.threshold.value.0,
            // A small gallery's threshold promises more than was asked for; that is not held against it.
            promised_fpir: promise.fpir.max(self.settings.target_fpir),
            people: gallery.len() as u32,
            comparisons: scores.total,
            from_unix_s: times.iter().min().copied().unwrap_or(0),
            to_unix_s: times.iter().max().copied().unwrap_or(0),
        };
        write(file, &lines(head, &gallery, &scores, &reports)).map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => Error::Exists(file.to_owned()),
            _ => Error::File { path: file.to_owned(), source },
        })?;
        let mut strangers: Vec<u32> = reports.grants.iter().map(|grant| grant.stranger).collect();
        strangers.sort_unstable();
        strangers.dedup();
        answer(&Response::SiteExported {
            file: file.to_owned(),
            people: gallery.len(),
            comparisons: scores.total,
            attempts: reports.attempts(),
            reported: reports.grants.len(),
            strangers: strangers.len(),
        })?;
        Ok(Outcome::Done)
    }
}

fn lines(head: SiteLine, gallery: &Gallery, scores: &CrossScores, reports: &Reports) -> Vec<SiteLine> {
    let number = |id| gallery.list().binary_search_by_key(&id, |subject| subject.id).unwrap_or(0) as u32;
    let person = |(person, subject): (usize, &arcdoor_gallery::Subject)| SiteLine::Person {
        person: person as u32,
        templates: subject.templates as u32,
    };
    let mut lines = vec![head];
    lines.extend(gallery.iter().enumerate().map(person));
    lines.extend(
        reports.attempts.iter().map(|&(threshold, attempts)| SiteLine::Attempts { threshold, attempts }),
    );
    lines.extend(reports.grants.iter().map(|grant| {
        let ReportedGrant { stranger, score, threshold } = *grant;
        SiteLine::ReportedGrant { stranger, score, threshold }
    }));
    let pair = |(score, subjects): &(Score, [SubjectId; 2])| SiteLine::Impostor {
        score: score.0,
        people: subjects.map(number),
    };
    lines.extend(scores.highest.iter().map(pair));
    lines
}

fn write(file: &Path, lines: &[SiteLine]) -> std::io::Result<()> {
    let out = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    let mut writer = BufWriter::new(&out);
    for line in lines {
        serde_json::to_writer(&mut writer, line)?;
        writer.write_all(b"\n")?;
    }
    writer.flush()?;
    out.sync_all()
}

/// Whether a search in the gallery came to a decision; only such attempts can be wrong grants.
fn is_decision(record: &Record) -> bool {
    matches!(
        record.entry,
        Entry::Decision {
            by: By::Identify | By::Run,
            decision: Verdict::Granted | Verdict::Denied,
            score: Some(_),
            ..
        }
    )
}

/// Attempts by threshold, and the reported ones whose impostor template is still there: what was taken back does
/// not count, and of what was revoked nobody can say whether it was the same stranger.
fn reports(records: &[Record], gallery: &Gallery, same: Score) -> Result<Reports, Error> {
    let mut attempts: BTreeMap<u32, (f32, u64)> = BTreeMap::new();
    let mut wrong: HashMap<(SubjectId, usize), u64> = HashMap::new();
    for record in records {
        match record.entry {
            Entry::Decision { threshold, .. } if is_decision(record) => {
                attempts.entry(threshold.to_bits()).or_insert((threshold, 0)).1 += 1;
            }
            // One report stores one template, the last.
            Entry::NotThisPerson { subject, wrong: Some(entry), impostors: impostors @ 1.. } => {
                wrong.insert((subject, impostors - 1), entry);
            }
            Entry::ImpostorsForgotten { subject, .. } | Entry::Revoked { subject } => {
                wrong.retain(|(held, _), _| *held != subject);
            }
            _ => {}
        }
    }
    let mut places: Vec<(SubjectId, usize)> = wrong.keys().copied().collect();
    places.retain(|(id, place)| gallery.subject(*id).is_some_and(|subject| *place < subject.impostors));
    places.sort_unstable();
    let strangers = gallery.strangers(&places, same)?;
    let mut grants = Vec::new();
    for (place, stranger) in places.iter().zip(strangers) {
        let record = records.iter().find(|record| wrong.get(place) == Some(&record.n) && is_decision(record));
        if let (Some(stranger), Some(Entry::Decision { score: Some(score), threshold, .. })) =
            (stranger, record.map(|record| &record.entry))
        {
            grants.push(ReportedGrant { stranger, score: *score, threshold: *threshold });
        }
    }
    Ok(Reports { attempts: attempts.into_values().collect(), grants })
}
