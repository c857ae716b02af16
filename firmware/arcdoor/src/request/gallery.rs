//! Requests about whole galleries: revoke, export, import, key.

use crate::error::Error;
use crate::home::keys::{KeySource, Keys};
use crate::home::log::Entry;
use crate::home::passphrase::{self, Kdf};
use crate::message::Response;
use crate::request::{Answer, Outcome, Service};
use arcdoor_core::SubjectName;
use arcdoor_gallery::{FileFolder, Folder, Gallery, Subject};
use std::path::Path;

impl Service {
    pub(crate) fn revoke(
        &self,
        name: &SubjectName,
        erase: bool,
        answer: Answer<'_>,
    ) -> Result<Outcome, Error> {
        let unknown = || Error::UnknownName(name.clone());
        let mut opened = self.enrolled()?.ok_or_else(unknown)?;
        let source = opened.source();
        let id = opened.gallery.find(name).ok_or_else(unknown)?.id;
        let Subject { id, name, templates, impostors, enrolled_unix_s, .. } = opened.gallery.revoke(id)?;
        self.journal.log.append(&Entry::Revoked { subject: id })?;
        self.journal.probes.forget_subject(id)?;
        let mut remains = vec![format!("the log keeps what subject {id} did, without the name")];
        if erase {
            Keys::of(&self.home).renew(opened)?;
            self.journal.probes.forget_all()?;
            remains.push(
                "flash memory may keep overwritten blocks for a while, sealed under a key that is gone"
                    .to_owned(),
            );
            match source {
                KeySource::File => {}
                KeySource::Credential => {
                    remains.push("the credential is as before: give arcdoor a new one, too".to_owned());
                }
                KeySource::Passphrase => remains.push(
                    "the passphrase is as before, and opens such blocks: `arcdoor key change --to passphrase`"
                        .to_owned(),
                ),
            }
        } else {
            remains.push("the gallery's free pages keep sealed templates until --erase".to_owned());
        }
        remains.extend(self.exports(enrolled_unix_s)?);
        answer(&Response::Revoked { name, subject: id, templates, impostors, erased: erase, remains })?;
        Ok(Outcome::Done)
    }

    /// Where the log says that everybody was written since then.
    fn exports(&self, since_unix_s: u64) -> Result<Vec<String>, Error> {
        let mut files = Vec::new();
        for record in self.journal.log.read()? {
            if let Entry::Exported { file, .. } = &record.entry
                && record.unix_s() >= since_unix_s
            {
                let now =
                    if file.exists() { "still there: delete it" } else { "not there any more, or moved" };
                files.push(format!("exported on {} to {} ({now})", record.at.strftime("%F"), file.display()));
            }
        }
        if files.is_empty() {
            files.push("the log knows of no exported file that holds the subject".to_owned());
        }
        Ok(files)
    }

    pub(crate) fn export(&self, file: &Path, answer: Answer<'_>) -> Result<Outcome, Error> {
        let gallery = self.enrolled()?.ok_or(Error::NobodyEnrolled)?.gallery;
        if file.exists() {
            return Err(Error::Exists(file.to_owned()));
        }
        let kdf = Kdf::fresh()?;
        let key = kdf.key(&passphrase::ask_new()?)?;
        gallery.export(file, &key, &kdf.to_hint())?;
        let place = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        self.journal.log.append(&Entry::Exported { subjects: gallery.len(), file: place })?;
        answer(&Response::Exported { file: file.to_owned(), subjects: gallery.len() })?;
        Ok(Outcome::Done)
    }

    pub(crate) fn import(&self, file: &Path, answer: Answer<'_>) -> Result<Outcome, Error> {
        let pack = self.settings.open_pack(&self.pack_dir()?)?;
        let (folder, name) = FileFolder::split(file)?;
        let kdf = Kdf::from_hint(&Gallery::hint(&folder, name)?)?;
        let key = kdf.key(&passphrase::ask("Passphrase of the exported file")?)?;
        // Not as this home's own gallery: whatever lies beside the file is somebody else's.
        let other = Gallery::open_on(folder.open(name, false)?, &key, pack.model_id(), pack.dimension())?;
        let mut gallery = self.gallery(&pack)?;
        let before = gallery.len();
        let skipped = gallery.import(&other)?;
        let subjects = gallery.len() - before;
        self.journal.log.append(&Entry::Imported { subjects })?;
        answer(&Response::Imported { subjects, skipped })?;
        Ok(Outcome::Done)
    }

    pub(crate) fn change_key(&self, to: KeySource, answer: Answer<'_>) -> Result<Outcome, Error> {
        let gallery = self.enrolled()?.ok_or(Error::NobodyEnrolled)?.gallery;
        Keys::of(&self.home).change(gallery, to)?;
        // They lie under the old key, which nobody has any more.
        self.journal.probes.forget_all()?;
        self.journal.log.append(&Entry::KeyChanged { source: to })?;
        answer(&Response::KeyChanged { source: to, text: to.text().to_owned() })?;
        Ok(Outcome::Done)
    }

    pub(crate) fn re_issue(&self, name: &SubjectName, answer: Answer<'_>) -> Result<Outcome, Error> {
        let unknown = || Error::UnknownName(name.clone());
        let mut gallery = self.enrolled()?.ok_or_else(unknown)?.gallery;
        let subject = gallery.find(name).ok_or_else(unknown)?.id;
        let generation = gallery.reissue(subject)?;
        // They lie under the rotation alone, as they did before.
        self.journal.probes.forget_subject(subject)?;
        self.journal.log.append(&Entry::ReIssued { subject, generation })?;
        answer(&Response::ReIssued { name: name.clone(), subject, generation })?;
        Ok(Outcome::Done)
    }

    pub(crate) fn renew_key(&self, answer: Answer<'_>) -> Result<Outcome, Error> {
        let opened = self.enrolled()?.ok_or(Error::NobodyEnrolled)?;
        let source = opened.source();
        Keys::of(&self.home).renew(opened)?;
        self.journal.probes.forget_all()?;
        self.journal.log.append(&Entry::KeyChanged { source })?;
        answer(&Response::KeyChanged { source, text: source.text().to_owned() })?;
        Ok(Outcome::Done)
    }
}
