//! What comes before everything else, whatever is asked: warnings, and a log that begins.

use super::lines::Lines;
use crate::daemon::{Clock, SystemClock};
use crate::device::Device;
use crate::error::Error;
use std::io;

pub(super) fn warn(text: &str) {
    // A closed stderr leaves nobody to tell.
    let _ = Lines(&mut io::stderr()).paragraph("arcdoor: ", text);
}

/// A new log's verification key is shown before anything is done, and never again.
pub(super) fn begin_log(device: &mut Device, clock: &SystemClock) -> Result<(), Error> {
    if !device.may_write() {
        return Ok(());
    }
    if is_kept_in_the_journal() && !device.home().log().exists() {
        return Err(Error::LogNotBegun);
    }
    if let Some(key) = device.journal().begin(clock.now().utc)? {
        warn(&format!(
            "a log begins; its verification key is shown this once:\n{key}\nwrite it down, and keep it with somebody \
             who does not hold this device:\nwith it, `arcdoor log verify` can tell whether the log was changed"
        ));
    }
    Ok(())
}

/// Whether systemd keeps what stderr says, on the card that a key must not lie on: `JOURNAL_STREAM` is then its device
/// and inode (systemd.exec(5)).
fn is_kept_in_the_journal() -> bool {
    let Ok(journal) = std::env::var("JOURNAL_STREAM") else { return false };
    rustix::fs::fstat(io::stderr())
        .is_ok_and(|stderr| journal == format!("{}:{}", stderr.st_dev, stderr.st_ino))
}

pub(super) fn tell_gone_keys(device: &Device) {
    for gone in device.gone_keys() {
        warn(&format!("{}: {}: {}", device.home().settings().display(), gone.key, gone.advice));
    }
}
