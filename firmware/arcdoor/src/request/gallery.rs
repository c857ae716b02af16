//! Whole galleries: who is in it, revoke, export, import, key.

use crate::device::{Device, Now, Outcome, Reply};
use crate::error::Error;
use crate::home::passphrase::{Kdf, Passphrase};
use arcdoor_api::{Entry, KeySource, Remain, Response, UtcTime};
use arcdoor_core::SubjectName;
use arcdoor_gallery::{FileFolder, Folder, Gallery, Subject};
use std::path::Path;

/// Everybody enrolled.
pub(super) fn list(device: &mut Device, reply: &mut dyn Reply) -> Result<Outcome, Error> {
    if let Some(opened) = device.enrolled()? {
        opened.gallery.iter().try_for_each(|subject| reply.answer(&line(subject)))?;
    }
    Ok(Outcome::Done)
}

/// One subject.
pub(super) fn show(device: &mut Device, name: &SubjectName, reply: &mut dyn Reply) -> Result<Outcome, Error> {
    let opened = device.enrolled()?;
    let subject = opened.as_ref().and_then(|opened| opened.gallery.find(name));
    reply.answer(&line(subject.ok_or_else(|| Error::UnknownName(name.clone()))?))?;
    Ok(Outcome::Done)
}

fn line(subject: &Subject) -> Response {
    Response::Subject {
        name: subject.name.clone(),
        subject: subject.id,
        templates: subject.templates,
        impostors: subject.impostors,
        enrolled_unix_s: subject.enrolled_unix_s,
    }
}

/// Removes a subject; with `erase`, what the disk still holds of it as well.
pub(super) fn revoke(
    device: &mut Device,
    name: &SubjectName,
    erase: bool,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let unknown = || Error::UnknownName(name.clone());
    let opened = device.enrolled()?.ok_or_else(unknown)?;
    let source = opened.source();
    let subject = opened.gallery.find(name).ok_or_else(unknown)?.id;
    let Subject { id, name, templates, impostors, enrolled_unix_s, .. } = opened.gallery.revoke(subject)?;
    device.journal().note(&Entry::Revoked { subject: id }, now.utc)?;
    device.journal().probes.forget_subject(id)?;
    let mut remains = vec![Remain::LogEntries];
    if erase {
        device.reseal(|keys, opened| keys.renew(opened))?;
        device.journal().probes.forget_all()?;
        remains.push(Remain::FlashBlocks);
        remains.extend(match source {
            KeySource::File => None,
            KeySource::Credential => Some(Remain::SameCredential),
            KeySource::Passphrase => Some(Remain::SamePassphrase),
        });
    } else {
        remains.push(Remain::FreePages);
    }
    remains.extend(exports(device, enrolled_unix_s)?);
    reply.answer(&Response::Revoked { name, subject: id, templates, impostors, erased: erase, remains })?;
    Ok(Outcome::Done)
}

/// Where the log says that everybody was written since then.
fn exports(device: &Device, since_unix_s: u64) -> Result<Vec<Remain>, Error> {
    let mut files = Vec::new();
    for record in device.journal().log.read()? {
        if let arcdoor_api::Content::Entry(Entry::Exported { file, .. }) = record.content
            && record.at.unix_s() >= since_unix_s
        {
            files.push(Remain::Export { at: record.at, is_there: file.exists(), file });
        }
    }
    if files.is_empty() {
        files.push(Remain::NoExport);
    }
    Ok(files)
}

/// Writes everybody to a new file under a passphrase of its own.
pub(super) fn export(
    device: &mut Device,
    file: &Path,
    passphrase: Option<&Passphrase>,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let gallery = &device.enrolled()?.ok_or(Error::NobodyEnrolled)?.gallery;
    if file.exists() {
        return Err(Error::Exists(file.to_owned()));
    }
    let kdf = Kdf::fresh()?;
    let key = kdf.key(passphrase.ok_or(Error::NoPassphrase)?)?;
    gallery.export(file, &key, &kdf.to_hint())?;
    let subjects = gallery.len();
    let place = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    device.journal().note(&Entry::Exported { subjects, file: place }, now.utc)?;
    reply.answer(&Response::Exported { file: file.to_owned(), subjects })?;
    Ok(Outcome::Done)
}

/// Enrols everybody of an exported file whose name is free here.
pub(super) fn import(
    device: &mut Device,
    file: &Path,
    passphrase: Option<&Passphrase>,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let pack = device.pack()?;
    let (model_id, dimension) = (pack.model_id(), pack.dimension());
    let (folder, name) = FileFolder::split(file)?;
    let kdf = Kdf::from_hint(&Gallery::hint(&folder, name)?)?;
    let key = kdf.key(passphrase.ok_or(Error::NoPassphrase)?)?;
    // Not as this home's own gallery: whatever lies beside the file is somebody else's.
    let other = Gallery::open_on(folder.open(name, false)?, &key, model_id, dimension)?;
    let gallery = device.gallery()?;
    let before = gallery.len();
    let skipped = gallery.import(&other)?;
    let subjects = gallery.len() - before;
    device.journal().note(&Entry::Imported { subjects }, now.utc)?;
    reply.answer(&Response::Imported { subjects, skipped })?;
    Ok(Outcome::Done)
}

/// Seals the gallery under a new key from another source.
pub(super) fn change_key(
    device: &mut Device,
    to: KeySource,
    passphrase: Option<&Passphrase>,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    device.reseal(|keys, opened| keys.change(opened.gallery, to, passphrase))?;
    changed_key(device, to, now.utc, reply)
}

/// Issues every template anew under a new key from where the old one came from.
pub(super) fn renew_key(device: &mut Device, now: Now, reply: &mut dyn Reply) -> Result<Outcome, Error> {
    let source = device.enrolled()?.ok_or(Error::NobodyEnrolled)?.source();
    device.reseal(|keys, opened| keys.renew(opened))?;
    changed_key(device, source, now.utc, reply)
}

fn changed_key(
    device: &Device,
    source: KeySource,
    at: UtcTime,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    // They lie under the old key, which nobody has any more.
    device.journal().probes.forget_all()?;
    device.journal().note(&Entry::KeyChanged { source }, at)?;
    reply.answer(&Response::KeyChanged { source })?;
    Ok(Outcome::Done)
}
