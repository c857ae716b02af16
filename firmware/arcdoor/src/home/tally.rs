//! What was counted since the rate of wrong grants was promised: attempts, and grants that were reported as wrong. It is
//! counted from the log; what the log no longer holds was added up before.

use super::Home;
use super::file::{read_text, replace};
use super::settings::Settings;
use crate::error::Error;
use arcdoor_api::{By, Content, Entry, Link, Promised, Record};
use arcdoor_calib::{Promise, Standing, Tally as Counted};
use arcdoor_core::DenyReason;
use arcdoor_log::{FileFolder, Records};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Largest file, in bytes.
pub const MAX_BYTES: u64 = 4096;
/// After so many records the sum is written to the file: a small part of what the log holds.
const KEEP_AFTER: u64 = 4096;

/// The sum so far, and the file that keeps it.
#[derive(Debug)]
pub struct Tally {
    path: PathBuf,
    sum: Sum,
    /// The number of the newest record that the file's sum counts.
    kept_upto: u64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sum {
    /// The promised rate.
    target_fpir: f64,
    attempts: u64,
    reports: u64,
    /// The number of the newest record that is counted.
    upto: u64,
}

impl Tally {
    /// The tally of this home, with every record of the log counted. Where the promised rate was changed, counting
    /// begins anew after the newest record.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn count(home: &Home, settings: &Settings, log: &FileFolder) -> Result<Self, Error> {
        let path = home.tally();
        let text = read_text(&path, MAX_BYTES).ok().flatten();
        let kept: Option<Sum> = text.and_then(|text| serde_json::from_str(&text).ok());
        let target_fpir = settings.target_fpir;
        let newest = || Records::newest_first(log)?.next().transpose();
        let sum = match kept {
            Some(sum) if sum.target_fpir.to_bits() == target_fpir.to_bits() => sum,
            None => Sum { target_fpir, attempts: 0, reports: 0, upto: 0 },
            Some(_) => {
                let upto = newest()?.map_or(0, |record| record.n);
                Sum { target_fpir, attempts: 0, reports: 0, upto }
            }
        };
        let is_same = |kept: &Sum| kept.target_fpir.to_bits() == target_fpir.to_bits();
        let kept_upto = kept.filter(is_same).map_or(0, |kept| kept.upto);
        let mut tally = Self { path, sum, kept_upto };
        let next = tally.sum.upto.saturating_add(1);
        // Nothing was ever noted in a home that nobody used yet.
        if kept.is_none() && !home.log().exists() {
            return Ok(tally);
        }
        // A line that is no record is a matter of `log verify`.
        Records::range(log, next..=u64::MAX)?.flatten().for_each(|record| tally.add(&record));
        Ok(tally)
    }

    fn add(&mut self, record: &Record) {
        self.sum.upto = record.n;
        match &record.content {
            Content::Entry(Entry::Decision { by: By::Identify | By::Run, reason, .. }) => {
                // Whoever meets a lockout, or an empty gallery, is compared with nobody.
                let is_compared = !matches!(
                    reason,
                    Some(arcdoor_api::Reason::Retry(_))
                        | Some(arcdoor_api::Reason::Deny(DenyReason::LockedOut | DenyReason::NobodyEnrolled))
                );
                self.sum.attempts += u64::from(is_compared);
            }
            Content::Entry(Entry::NotThisPerson { wrong: Some(_), .. }) => self.sum.reports += 1,
            Content::Link(Link::Denials { count, .. }) => self.sum.attempts += count,
            _ => {}
        }
    }

    /// How the promise stands.
    ///
    /// # Errors
    /// Never where the settings were read: their rate is one that can be promised.
    pub fn promised(&self) -> Result<Promised, Error> {
        let Sum { target_fpir, attempts, reports, .. } = self.sum;
        // A report outlives the attempts that a flood or a lost record took away.
        let counted = Counted::new(attempts.max(reports), reports)?;
        let at_least = match Promise::new(target_fpir)?.standing(&counted) {
            Standing::Stands => None,
            Standing::Broken { at_least } => Some(at_least),
        };
        Ok(Promised { target_fpir, attempts, reports, at_least })
    }

    /// Keeps the sum, before the log has forgotten what it was counted from.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep(&mut self) -> Result<(), Error> {
        if self.sum.upto.saturating_sub(self.kept_upto) < KEEP_AFTER && self.kept_upto > 0 {
            return Ok(());
        }
        let text = serde_json::to_vec(&self.sum)
            .map_err(|error| Error::File { path: self.path.clone(), source: error.into() })?;
        replace(&self.path, &text)?;
        self.kept_upto = self.sum.upto;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arcdoor_api::{Reason, UtcTime, Verdict};
    use arcdoor_core::SubjectId;
    use arcdoor_log::Log;

    const NOW: UtcTime = UtcTime::from_unix_ns(1_795_843_884_250_000_000);

    fn decision(by: By, reason: Option<DenyReason>) -> Entry {
        let decision = if reason.is_none() { Verdict::Granted } else { Verdict::Denied };
        let reason = reason.map(Reason::Deny);
        Entry::Decision {
            by,
            decision,
            reason,
            subject: Some(SubjectId(1)),
            score: Some(0.5),
            threshold: 0.4,
            why: None,
        }
    }

    #[test]
    fn reported_wrong_grants_break_a_promise_and_another_promise_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::resolve(Some(dir.path().to_owned())).unwrap();
        let folder = FileFolder::make(&home.log()).unwrap();
        let (mut log, _) = Log::create(folder.clone(), NOW).unwrap();
        let mut note = |entry: &Entry| log.append(entry, NOW, None).map(drop);
        for _ in 0..300 {
            note(&decision(By::Run, None)).unwrap();
            note(&decision(By::Verify, None)).unwrap();
        }
        for entry in 1..=12 {
            let wrong = Entry::NotThisPerson { subject: SubjectId(1), wrong: Some(entry), impostors: 1 };
            note(&wrong).unwrap();
        }
        for reason in [DenyReason::LockedOut, DenyReason::NobodyEnrolled] {
            note(&decision(By::Run, Some(reason))).unwrap();
        }
        log.close(NOW).unwrap();
        let mut settings = Settings::default();
        let mut tally = Tally::count(&home, &settings, &folder).unwrap();
        let promised = tally.promised().unwrap();
        assert_eq!((promised.attempts, promised.reports), (300, 12), "1:N alone, and who was compared");
        assert!(promised.at_least.is_some_and(|rate| rate > settings.target_fpir), "{promised:?}");
        tally.keep().unwrap();
        assert_eq!(
            Tally::count(&home, &settings, &folder).unwrap().promised().unwrap(),
            promised,
            "counted once"
        );
        settings.target_fpir = 0.1;
        let other = Tally::count(&home, &settings, &folder).unwrap().promised().unwrap();
        assert_eq!((other.attempts, other.reports, other.at_least), (0, 0, None));
    }
}
