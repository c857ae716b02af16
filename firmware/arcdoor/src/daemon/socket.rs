//! The Unix socket by which requests reach the device while the loop holds it. Who asks is known by the kernel's word
//! (`SO_PEERCRED`), and may do what their role allows; every call is bounded in size, time and number.

mod at_door;
mod connection;
mod guests;
mod pace;
mod refusal;

pub use connection::PATIENCE;
pub use guests::Guests;
pub use refusal::{MAX_PHOTOS_BESIDE, Refusal};

use super::door::Link;
use super::inbox::Asked;
use crate::error::Error;
use crate::home::Home;
use connection::{Connection, turn_away};
use pace::Pace;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::Permissions;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Calls at once; each has a thread.
pub const MAX_CALLS: usize = 8;
/// Calls at once of one user: nobody takes them all.
pub const MAX_CALLS_OF_ONE: usize = 4;
/// Calls that are turned away at once.
const MAX_AWAY: usize = 8;
/// How long until it is seen that the socket is to close, milliseconds.
const LISTEN_MS: i64 = 500;

/// Names the socket in place of the one in the home.
pub const SOCKET: &str = "ARCDOOR_SOCKET";

/// Where the socket of a device is: where `ARCDOOR_SOCKET` says, else in its home.
#[must_use]
pub fn path(home: &Home) -> PathBuf {
    std::env::var_os(SOCKET).filter(|path| !path.is_empty()).map_or_else(|| home.socket(), PathBuf::from)
}

/// The open socket; it is closed, and its file removed, when this is dropped.
pub struct Socket {
    path: PathBuf,
    closing: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

/// What all calls share.
struct Hall {
    guests: Guests,
    door: SyncSender<Asked>,
    link: Option<Arc<Link>>,
    pace: Mutex<Pace>,
    closing: Arc<AtomicBool>,
    /// The users whose calls go on.
    present: Mutex<Vec<u32>>,
    /// How many are told why they are not served.
    away: AtomicUsize,
}

impl Socket {
    /// Listens at `path` for calls of `guests`, whose requests go to `door`, the loop's, and what is for
    /// the lock to `link`. A socket there that nobody listens at is one that a killed process left.
    ///
    /// # Errors
    /// When it cannot be made: the folder is missing, or the path is longer than a socket's may be (107 bytes).
    pub fn open(
        path: &Path,
        guests: Guests,
        door: SyncSender<Asked>,
        link: Option<Arc<Link>>,
    ) -> Result<Self, Error> {
        let failed = |source| Error::Socket { path: path.to_owned(), source };
        give_way(path).map_err(failed)?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let closing = Arc::new(AtomicBool::new(false));
        let (pace, present) = (Mutex::new(Pace::default()), Mutex::new(Vec::new()));
        let hall = Arc::new(Hall {
            guests,
            door,
            link,
            pace,
            closing: closing.clone(),
            present,
            away: AtomicUsize::new(0),
        });
        let is_open = hall.is_open();
        permit(path, is_open).map_err(failed)?;
        let shown = path.to_owned();
        let listener = named("socket", move || hall.listen(&listener, &shown, is_open));
        Ok(Self { path: path.to_owned(), closing, listener: Some(listener.map_err(failed)?) })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Some(listener) = self.listener.take() {
            // It ends by itself, and a panic in it has been told already.
            let _ = listener.join();
        }
        // Somebody may have removed it before.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Hall {
    /// Whether whoever calls is the installer now.
    fn is_freed(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.is_installer_free())
    }

    /// Whether others than the daemon's own user and root come as far as to be told apart.
    fn is_open(&self) -> bool {
        self.guests.are_invited() || self.is_freed()
    }

    fn listen(self: &Arc<Self>, listener: &UnixListener, path: &Path, mut was_open: bool) {
        let patience = Timespec { tv_sec: 0, tv_nsec: LISTEN_MS * 1_000_000 };
        while !self.closing.load(Ordering::Relaxed) {
            let is_open = self.is_open();
            if is_open != was_open && permit(path, is_open).is_ok() {
                was_open = is_open;
            }
            // Interrupted, or nobody there: it is looked again.
            let _ = poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&patience));
            while !self.closing.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => self.welcome(stream),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break,
                    // No more files may be open, for example: looked again, but not at once.
                    Err(_) => {
                        std::thread::sleep(Duration::from_millis(LISTEN_MS.unsigned_abs() / 10));
                        break;
                    }
                }
            }
        }
    }

    fn welcome(self: &Arc<Self>, stream: UnixStream) {
        let Ok(peer) = rustix::net::sockopt::socket_peercred(&stream) else { return };
        let uid = peer.uid.as_raw();
        let role = self.guests.role(uid, self.is_freed()).ok_or(Refusal::Stranger { uid });
        let spawned = match role.and_then(|role| self.place(uid).map(|place| (role, place))) {
            Ok((role, place)) => named("call", move || {
                let hall = &place.hall;
                let (door, closing, link) = (&hall.door, &*hall.closing, hall.link.as_ref());
                Connection { stream: &stream, role, uid, door, closing, link }.serve(&hall.pace);
            }),
            Err(refusal) => {
                // Beyond that number, nobody is told why.
                let Some(away) = self.place_outside() else { return };
                named("call", move || {
                    let _away = away;
                    turn_away(&stream, &refusal);
                })
            }
        };
        // Without a thread, whoever called sees the socket close.
        drop(spawned);
    }

    fn place(self: &Arc<Self>, uid: u32) -> Result<Place, Refusal> {
        let mut present = held(&self.present);
        let own = present.iter().filter(|other| **other == uid).count();
        if present.len() >= MAX_CALLS || own >= MAX_CALLS_OF_ONE {
            return Err(Refusal::Full);
        }
        present.push(uid);
        Ok(Place { hall: self.clone(), uid: Some(uid) })
    }

    fn place_outside(self: &Arc<Self>) -> Option<Place> {
        let taken = self.away.fetch_add(1, Ordering::Relaxed);
        let place = Place { hall: self.clone(), uid: None };
        (taken < MAX_AWAY).then_some(place)
    }
}

/// Removes the socket that a killed process left; whatever else is there, or is listened at, stays.
fn give_way(path: &Path) -> std::io::Result<()> {
    let is_socket = match std::fs::symlink_metadata(path) {
        Ok(found) => found.file_type().is_socket(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let why = match (is_socket, UnixStream::connect(path)) {
        (true, Err(_)) => return std::fs::remove_file(path),
        (true, Ok(_)) => "another program listens there: stop it",
        (false, _) => "something else than a socket is there: remove it",
    };
    Err(std::io::Error::new(std::io::ErrorKind::AlreadyExists, why))
}

fn permit(path: &Path, is_open: bool) -> std::io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(if is_open { 0o666 } else { 0o600 }))
}

/// A call's place among those of its user, or among those who are turned away; free again when this is dropped, however
/// the call ends.
struct Place {
    hall: Arc<Hall>,
    uid: Option<u32>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(uid) = self.uid else {
            self.hall.away.fetch_sub(1, Ordering::Relaxed);
            return;
        };
        let mut present = held(&self.hall.present);
        if let Some(at) = present.iter().position(|other| *other == uid) {
            present.swap_remove(at);
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn named(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(work)
}

#[cfg(test)]
mod tests;
