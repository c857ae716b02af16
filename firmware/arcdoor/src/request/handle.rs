//! From a request to the function that carries it out.

use super::find::find;
use super::frames::Begun;
use super::secrets::Secrets;
use super::{doctor, enrol, gallery, identify, log, pack, pin, replay, tune, why};
use crate::device::{Device, Now, Reply};
use crate::error::{DoorError, Error};
use arcdoor_api::{Feed, MAX_PHOTOS, Request};
use arcdoor_pipeline::Question;

/// Carries a request out, up to where it needs frames.
///
/// # Errors
/// When it cannot be carried out, or an answer cannot be given.
pub fn begin(
    device: &mut Device,
    request: &Request,
    secrets: &Secrets,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Begun, Error> {
    if let Some(Feed::Photos(files)) = request.feed()
        && files.len() > MAX_PHOTOS
    {
        return Err(Error::TooManyPhotos(files.len()));
    }
    let outcome = match request {
        Request::Enrol { name, from, duplicate } => {
            return enrol::enrol(device, name, from, *duplicate, now, reply);
        }
        Request::ReEnrol { name, from, add } => {
            return enrol::re_enrol(device, name, from, *add, now, reply);
        }
        Request::NotThisPerson { name, from } => {
            return enrol::not_this_person(device, name, from, now, reply);
        }
        Request::Identify { from, annotate } => {
            return identify::ask(device, Question::Identify, from, annotate.as_deref(), now, reply);
        }
        Request::Verify { name, from } => {
            let subject = find(device.gallery()?, name)?.id;
            return identify::ask(device, Question::Verify(subject), from, None, now, reply);
        }
        Request::ForgetImpostors { name } => enrol::forget_impostors(device, name, now, reply),
        Request::Log { count, of, names } => log::show(device, *count, of.as_ref(), *names, reply),
        Request::LogWrong { entry } => log::wrong(device, *entry, now, reply),
        Request::LogWhy { entry, capsule } => why::why(device, *entry, capsule.as_deref(), reply),
        Request::LogVerify { note } => log::check(device, secrets, note.as_deref(), reply),
        Request::LogNote => log::note(device, now, reply),
        Request::List => gallery::list(device, reply),
        Request::Show { name } => gallery::show(device, name, reply),
        Request::Revoke { name, erase } => gallery::revoke(device, name, *erase, now, reply),
        Request::Export { file } => gallery::export(device, file, secrets.new.as_ref(), now, reply),
        Request::Import { file } => gallery::import(device, file, secrets.file.as_ref(), now, reply),
        Request::KeyRenew => gallery::renew_key(device, now, reply),
        Request::KeyChange { to } => gallery::change_key(device, *to, secrets.new.as_ref(), now, reply),
        Request::PackCheck { dir, explain } => pack::check(device, dir.as_deref(), *explain, reply),
        Request::PackInstall { dir, older, sure } => pack::install(device, dir, *older, *sure, reply),
        Request::PackUse { name, sure } => pack::choose(device, name, *sure, reply),
        Request::Replay { file } => replay::replay(file, reply),
        Request::Tune { frame, winograd, dry_run } => tune::tune(device, *frame, *winograd, *dry_run, reply),
        Request::PinSet { name, duress } => pin::set(device, name, *duress, secrets.new.as_ref(), now, reply),
        Request::PinRemove { name } => pin::remove(device, name, now, reply),
        // The door answers these itself, over its socket.
        Request::DoorState | Request::Door(_) => return Err(DoorError::NoDoor.into()),
        Request::Doctor => doctor::doctor(device, &doctor::Trouble::default(), reply),
    };
    outcome.map(Begun::Over)
}
