//! Whole galleries: who is in it, revoke, export, import, key.

use super::find::find;
use super::logged;
use super::pin::unpin;
use crate::device::{Device, Now, Outcome, Reply};
use crate::error::Error;
use crate::home::file::{is_part, part_name};
use crate::home::passphrase::{Kdf, Passphrase};
use arcdoor_api::{Act, Entry, KeySource, Remain, Response, UtcTime};
use arcdoor_core::{SubjectId, SubjectName};
use arcdoor_gallery::{FileFolder, Gallery, Subject};
use std::path::{Path, PathBuf};

/// Everybody enrolled.
pub(super) fn list(device: &mut Device, reply: &mut dyn Reply) -> Result<Outcome, Error> {
    if let Some(opened) = device.enrolled()? {
        opened.gallery.iter().try_for_each(|subject| reply.answer(&line(subject)))?;
    }
    Ok(Outcome::Done)
}

/// One subject.
pub(super) fn show(device: &mut Device, name: &SubjectName, reply: &mut dyn Reply) -> Result<Outcome, Error> {
    let unknown = || Error::UnknownName(name.clone());
    reply.answer(&line(find(&device.enrolled()?.ok_or_else(unknown)?.gallery, name)?))?;
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
    let id = find(&device.enrolled()?.ok_or_else(unknown)?.gallery, name)?.id;
    let subject = device.act(Act::Revoke, Some(id), now.utc, |device| {
        Ok(device.enrolled()?.ok_or_else(unknown)?.gallery.revoke(id)?)
    })?;
    let done = format!("{} is revoked", subject.name);
    let remains = forget(device, id, erase, now).map_err(|error| error.after(done.clone()))?;
    let Subject { name, templates, impostors, .. } = subject;
    reply
        .answer(&Response::Revoked { name, subject: id, templates, impostors, erased: erase, remains })
        .map_err(|error| error.after(done))?;
    Ok(Outcome::Done)
}

/// Removes what is kept of a revoked subject beside the gallery; returns what remains all the same.
fn forget(device: &mut Device, id: SubjectId, erase: bool, now: Now) -> Result<Vec<Remain>, Error> {
    device.note(&Entry::Revoked { subject: id }, now.utc)?;
    // What frames are still held would bring the number back with the next decision.
    device.forget_frames(now.at);
    let probes = device.journal().probes.forget_subject(id);
    let observations = device.journal().observations.forget_subject(id);
    probes.and(observations).and(unpin(device, &[id]))?;
    let mut remains = vec![Remain::LogEntries];
    if erase {
        let source = device.enrolled()?.ok_or(Error::NobodyEnrolled)?.source();
        renew(device, now)?;
        device.journal().probes.forget_all()?;
        device.note(&Entry::KeyChanged { source }, now.utc)?;
        remains.push(Remain::FlashBlocks);
        remains.extend(match source {
            KeySource::Credential => Some(Remain::SameCredential),
            KeySource::Passphrase => Some(Remain::SamePassphrase),
            KeySource::File => None,
        });
    } else {
        remains.push(Remain::FreePages);
    }
    remains.extend(device.left().map(|why| Remain::NotOverwritten { why }));
    remains.extend(exports(device, id)?);
    Ok(remains)
}

/// Where the log says that everybody was written since the subject was enrolled, or was about to be: by the order of its
/// records, for a clock may have been wrong at either.
fn exports(device: &mut Device, subject: SubjectId) -> Result<Vec<Remain>, Error> {
    let log = device.journal().folder()?;
    let mut files = Vec::new();
    for export in logged::exports(&log, Some(subject))? {
        let paths = match export.part {
            None => vec![export.file],
            // The export was killed: its file may be there, or the part that was to become it.
            Some(part) => [export.file, part].into_iter().filter(|path| path.exists()).collect(),
        };
        let remain =
            |file: PathBuf| Remain::Export { at: export.at, is_there: file.exists(), file: file.into() };
        files.extend(paths.into_iter().map(remain));
    }
    files.reverse();
    if files.is_empty() {
        files.push(Remain::NoExport);
    }
    Ok(files)
}

/// Removes the parts of exports that were killed, and notes that these wrote no file.
fn sweep_exports(device: &mut Device, now: Now) -> Result<(), Error> {
    let log = device.journal().folder()?;
    for export in logged::exports(&log, None)? {
        // The log's newest records are no better guarded than the card: nothing else is removed on their word.
        let Some(part) = export.part.filter(|part| is_part(part)) else { continue };
        if part.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
            std::fs::remove_file(&part).map_err(|source| Error::File { path: part, source })?;
            device.note(&Entry::ExportFailed { file: export.file }, now.utc)?;
        }
    }
    Ok(())
}

/// Writes everybody to a new file under a passphrase of its own.
pub(super) fn export(
    device: &mut Device,
    file: &Path,
    passphrase: Option<&Passphrase>,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let opened = device.enrolled()?.ok_or(Error::NobodyEnrolled)?;
    let passphrase = passphrase.ok_or(Error::NoPassphrase)?;
    if opened.passphrase().is_some_and(|own| own == passphrase) {
        return Err(Error::SamePassphrase);
    }
    let subjects = opened.gallery.len();
    // The log must find it again, and JSON is text.
    let place = std::path::absolute(file).map_err(|source| Error::File { path: file.to_owned(), source })?;
    if place.to_str().is_none() {
        return Err(Error::NotText(place));
    }
    if file.symlink_metadata().is_ok() {
        return Err(Error::Exists(file.to_owned()));
    }
    sweep_exports(device, now)?;
    let part = part_name().map_err(|source| Error::File { path: place.clone(), source })?;
    let beginning = Entry::Exporting { subjects, file: place.clone(), part: place.with_file_name(&part) };
    device.note(&beginning, now.utc)?;
    if let Err(error) = write_export(device, file, &part, passphrase) {
        // The first error is the one to report.
        let _ = device.note(&Entry::ExportFailed { file: place }, now.utc);
        return Err(error);
    }
    let exported = format!("everybody is exported to {}", file.display());
    device
        .note(&Entry::Exported { subjects, file: place }, now.utc)
        .map_err(|error| error.after(exported))?;
    reply.answer(&Response::Exported { file: file.into(), subjects })?;
    Ok(Outcome::Done)
}

fn write_export(device: &mut Device, file: &Path, part: &str, passphrase: &Passphrase) -> Result<(), Error> {
    let kdf = Kdf::fresh()?;
    let key = kdf.key(passphrase)?;
    let gallery = &device.enrolled()?.ok_or(Error::NobodyEnrolled)?.gallery;
    Ok(gallery.export(file, part, &key, &kdf.to_hint())?)
}

/// Enrols everybody of an exported file whose name is free here.
pub(super) fn import(
    device: &mut Device,
    file: &Path,
    passphrase: Option<&Passphrase>,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let (folder, name) = FileFolder::split(file)?;
    let kdf = Kdf::from_hint(&Gallery::hint(&folder, name)?)?;
    let key = kdf.key(passphrase.ok_or(Error::NoPassphrase)?)?;
    let other = Gallery::view(&folder, name, &key)?;
    device.gallery()?;
    let (new, skipped) = device.act(Act::Import, None, now.utc, |device| {
        let gallery = device.gallery()?;
        let before: Vec<SubjectId> = gallery.iter().map(|subject| subject.id).collect();
        let skipped = gallery.import(&other)?;
        let is_new = |id: &SubjectId| !before.contains(id);
        Ok((gallery.iter().map(|subject| subject.id).filter(is_new).collect::<Vec<_>>(), skipped))
    })?;
    let subjects = new.len();
    let noted = device.note(&Entry::Imported { subjects }, now.utc);
    // As for whoever is enrolled: nobody inherits the PIN of a number.
    noted
        .and(unpin(device, &new))
        .map_err(|error| error.after(format!("{subjects} subject(s) are imported")))?;
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
    // Opened here by any key, since `reseal` would refuse one that is kept worse than it must be.
    device.enrolled_by_any_key()?.ok_or(Error::NobodyEnrolled)?;
    device.act(Act::ChangeKey, None, now.utc, |device| {
        device.reseal(|keys, opened| keys.change(opened.gallery, to, passphrase))
    })?;
    changed_key(device, to, now.utc, reply)
}

/// Issues every template anew under a new key from where the old one came from.
pub(super) fn renew_key(device: &mut Device, now: Now, reply: &mut dyn Reply) -> Result<Outcome, Error> {
    let source = device.enrolled()?.ok_or(Error::NobodyEnrolled)?.source();
    renew(device, now)?;
    changed_key(device, source, now.utc, reply)
}

fn renew(device: &mut Device, now: Now) -> Result<(), Error> {
    device.act(Act::ChangeKey, None, now.utc, |device| device.reseal(|keys, opened| keys.renew(opened)))
}

fn changed_key(
    device: &mut Device,
    source: KeySource,
    at: UtcTime,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    // Probes that are kept lie under the old key, which nobody has any more.
    let forgotten = device.journal().probes.forget_all();
    let noted = forgotten.and_then(|()| device.note(&Entry::KeyChanged { source }, at));
    noted.map_err(|error| error.after("the gallery is under a new key"))?;
    reply.answer(&Response::KeyChanged { source })?;
    Ok(Outcome::Done)
}
