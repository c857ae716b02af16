//! What is kept of a decision: an entry of the log and, of a grant, its probe for a while.

use crate::error::Error;
use crate::home::log::{By, Entry, Log};
use crate::home::probes::{Moment, Probes};
use crate::message::{Sight, Verdict};
use arcdoor_core::Template;
use arcdoor_gallery::Gallery;

/// The log's line for a decision.
#[must_use]
pub fn entry(by: By, sight: &Sight) -> Entry {
    Entry::Decision {
        by,
        decision: sight.decision,
        reason: sight.reason,
        subject: sight.subject,
        score: sight.score,
        threshold: sight.threshold,
    }
}

/// Log and probes.
#[derive(Debug, Clone)]
pub struct Journal {
    /// The log.
    pub log: Log,
    /// The probes of the newest grants.
    pub probes: Probes,
}

impl Journal {
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
    ) -> Result<(), Error> {
        let record = self.log.append(&entry(by, sight))?;
        let granted = sight.subject.filter(|_| sight.decision == Verdict::Granted && self.probes.is_on());
        if let (Some(subject), Some(probe)) = (granted, probe) {
            let moment = Moment { number: record.n, unix_s: record.unix_s(), subject };
            self.probes.sweep(moment.unix_s)?;
            self.probes.keep(moment, gallery.seal_probe(moment.number, subject, probe)?)?;
        }
        Ok(())
    }
}
