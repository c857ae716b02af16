//! What is kept of what happens: entries of the log and, of a grant, its probe for a while.

use crate::error::Error;
use crate::home::Home;
use crate::home::log::Log;
use crate::home::probes::{Moment, Probes};
use crate::home::settings::Settings;
use arcdoor_api::{By, Entry, Record, Sight, UtcTime, Verdict};
use arcdoor_core::Template;
use arcdoor_gallery::Gallery;

/// Log and probes.
#[derive(Debug, Clone)]
pub struct Journal {
    /// The log.
    pub log: Log,
    /// The probes of the newest grants.
    pub probes: Probes,
}

impl Journal {
    /// Of this home; opens nothing yet.
    #[must_use]
    pub fn new(home: &Home, settings: &Settings) -> Self {
        let probes = Probes::new(home.probes(), settings.keep_probes, settings.keep_probes_h);
        Self { log: Log::new(home.log()), probes }
    }

    /// Notes what happened at `at`.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn note(&self, entry: &Entry, at: UtcTime) -> Result<Record, Error> {
        self.log.append(entry, at)
    }

    /// Notes a decision, and keeps the probe of a grant.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn decided(
        &self,
        by: By,
        sight: &Sight,
        gallery: &Gallery,
        probe: Option<&Template>,
        at: UtcTime,
    ) -> Result<(), Error> {
        let Sight { decision, reason, subject, score, threshold, .. } = *sight;
        let entry = Entry::Decision { by, decision, reason, subject, score, threshold };
        let record = self.note(&entry, at)?;
        let granted = subject.filter(|_| decision == Verdict::Granted && self.probes.is_on());
        if let (Some(subject), Some(probe)) = (granted, probe) {
            let moment = Moment { number: record.n, unix_s: record.at.unix_s(), subject };
            self.probes.sweep(moment.unix_s)?;
            self.probes.keep(moment, gallery.seal_probe(moment.number, subject, probe)?)?;
        }
        Ok(())
    }
}
