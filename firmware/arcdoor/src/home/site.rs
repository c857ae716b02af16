//! The site's own calibration: `site.toml` in the home folder, made by `arcdoor-lab calibrate --site` from what
//! `arcdoor site export` wrote. It can only make thresholds stricter, so nobody need sign it: whoever could
//! install one can also change the settings.

use crate::error::Error;
use crate::home::log::Entry;
use crate::home::settings::{Settings, read_text};
use crate::message::Response;
use crate::request::{Answer, Outcome, Service};
pub use arcdoor_calib::SiteTable;
use arcdoor_calib::gallery_threshold;
use arcdoor_core::{Calibration, CalibrationId};
use arcdoor_models::{Pack, sha256_hex};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// A site's calibration and its id.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    table: SiteTable,
    /// Of the file's text.
    id: CalibrationId,
}

impl Site {
    /// Reads a file; none where there is none.
    ///
    /// # Errors
    /// When it cannot be read, is larger than 64 KiB, or is no such table.
    pub fn read(path: &Path) -> Result<Option<Self>, Error> {
        read_text(path)?.map(|text| Self::parse(&text, path)).transpose()
    }

    fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let table = toml::from_str(text)
            .map_err(|source| Error::SiteFile { path: path.to_owned(), source: Box::new(source) })?;
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(sha256_hex(text.as_bytes()).as_bytes().chunks(2)) {
            let digits = str::from_utf8(pair).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
        }
        Ok(Self { table, id: CalibrationId::new(id) })
    }

    /// The day it was made.
    #[must_use]
    pub fn made(&self) -> &str {
        &self.table.made
    }

    /// The pack's calibration, raised.
    ///
    /// # Errors
    /// When this is another embedder's, or out of range.
    pub fn raise(&self, pack: &Calibration, allow_tail_fit: bool) -> Result<Calibration, Error> {
        Ok(self.table.raise(pack, self.id, allow_tail_fit)?)
    }

    /// What it does at a gallery of `templates`, what that costs, and why; for the operator.
    ///
    /// # Errors
    /// As [`Site::raise`].
    pub fn effect(&self, settings: &Settings, pack: &Pack, templates: usize) -> Result<String, Error> {
        let plain = Settings { site: None, ..settings.clone() }.calibration(pack)?;
        let raised = Settings { site: Some(self.clone()), ..settings.clone() }.calibration(pack)?;
        let many = |table: &Calibration| gallery_threshold(table, settings.target_fpir, templates);
        let one = |table: &Calibration| table.threshold(settings.target_fmr);
        let (before, after) = (many(&plain)?, many(&raised)?);
        let (single_before, single_after) = (one(&plain)?.value.0, one(&raised)?.value.0);
        let because = match &self.table.floor {
            Some(floor) => format!("{}; {}", floor.because, self.table.data),
            None => self.table.data.clone(),
        };
        let (from, to) = (before.threshold.value.0, after.threshold.value.0);
        if from >= to && single_before >= single_after {
            return Ok(format!("it raises no threshold here; {because}"));
        }
        // The pack's table ends there: what lies above was not counted.
        let last = pack.calibration().rows().last().map_or(1.0, |row| row.threshold);
        let more = if to > last || single_after > last { " or more" } else { "" };
        Ok(format!(
            "1:N {from:.3} -> {to:.3}, 1:1 {single_before:.3} -> {single_after:.3}; of the enrolled, {:.1} % -> \
             {:.1} %{more} are not recognised at once, by the pack's table; why: {because}",
            100.0 * before.fnir,
            100.0 * after.fnir,
        ))
    }
}

impl Service {
    pub(crate) fn site_install(&self, file: &Path, answer: Answer<'_>) -> Result<Outcome, Error> {
        let missing = || Error::File { path: file.to_owned(), source: ErrorKind::NotFound.into() };
        let text = read_text(file)?.ok_or_else(missing)?;
        let site = Site::parse(&text, file)?;
        let pack = self.settings.open_pack(&self.pack_dir()?)?;
        let templates = self.enrolled()?.map_or(0, |opened| opened.gallery.templates());
        let effect = site.effect(&self.settings, &pack, templates.max(1))?;
        self.home.replace(&self.home.site(), text.as_bytes())?;
        let made = site.made().to_owned();
        self.journal.log.append(&Entry::SiteInstalled { made: made.clone() })?;
        answer(&Response::SiteInstalled { made, text: effect })?;
        Ok(Outcome::Done)
    }

    /// Also one that does not read.
    pub(crate) fn site_remove(&self, answer: Answer<'_>) -> Result<Outcome, Error> {
        let path = self.home.site();
        match fs::remove_file(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(Error::File { path, source }),
            Ok(()) => {
                self.journal.log.append(&Entry::SiteRemoved)?;
            }
        }
        answer(&Response::SiteRemoved)?;
        Ok(Outcome::Done)
    }
}
