//! `pin`: what somebody enters beside their face or card.

use super::find::find;
use crate::device::{Device, Now, Outcome, Reply};
use crate::error::{DoorError, Error};
use crate::home::passphrase::Passphrase;
use crate::home::pin_book::PinBook;
use arcdoor_api::{Entry, Response, UtcTime};
use arcdoor_core::{SubjectId, SubjectName};

pub(super) fn set(
    device: &mut Device,
    name: &SubjectName,
    is_duress: bool,
    digits: Option<&Passphrase>,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let subject = whose(device, name)?;
    let digits = digits.cloned().ok_or(DoorError::NoPin)?.into_inner();
    PinBook::read(device.home())?.set(subject, &digits, is_duress)?;
    answer(device, name, &Entry::PinSet { subject }, now.utc, reply, true)
}

pub(super) fn remove(
    device: &mut Device,
    name: &SubjectName,
    now: Now,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let subject = whose(device, name)?;
    PinBook::read(device.home())?.remove(subject)?;
    answer(device, name, &Entry::PinRemoved { subject }, now.utc, reply, false)
}

/// Takes these people's PINs away, where they have any.
pub(super) fn unpin(device: &Device, subjects: &[SubjectId]) -> Result<(), Error> {
    let mut book = PinBook::read(device.home())?;
    subjects.iter().try_for_each(|subject| book.remove(*subject).map(drop))
}

fn whose(device: &mut Device, name: &SubjectName) -> Result<SubjectId, Error> {
    let unknown = || Error::UnknownName(name.clone());
    Ok(find(&device.enrolled()?.ok_or_else(unknown)?.gallery, name)?.id)
}

fn answer(
    device: &mut Device,
    name: &SubjectName,
    entry: &Entry,
    at: UtcTime,
    reply: &mut dyn Reply,
    is_set: bool,
) -> Result<Outcome, Error> {
    let done = format!("the PIN of {name} is changed");
    device.note(entry, at).map_err(|error| error.after(done.clone()))?;
    let answer = Response::Pin { name: name.clone(), is_set };
    reply.answer(&answer).map_err(|error| error.after(done))?;
    Ok(Outcome::Done)
}
