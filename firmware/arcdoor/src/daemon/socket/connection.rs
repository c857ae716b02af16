//! One call: a request comes in, what is said to it goes out.

use super::at_door;
use super::pace::Pace;
use super::refusal::{MAX_PHOTOS_BESIDE, MAX_WAITING, Refusal};
use crate::daemon::clock::{Clock, SystemClock};
use crate::daemon::door::Link;
use crate::daemon::inbox::{Asked, Caller};
use crate::device::{Outcome, Reply};
use crate::error::Error;
use crate::home::passphrase::Passphrase;
use crate::request::Secrets;
use arcdoor_api::{
    CALL_VERSION, Call, CallSecrets, Feed, MAX_CALL_BYTES, Progress, Request, Response, Role, Said,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Time in which a request must have come, and each line of an answer must have been taken.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How long the loop waits for whoever does not take them, in all of one request.
const LOOP_PATIENCE: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(2);
/// How long somebody who is turned away may take to read why, and what of theirs is read meanwhile.
const LINGER: Duration = Duration::from_secs(1);
const MAX_REST_BYTES: u64 = 1024 * 1024;
/// How soon it is seen that whoever asked is gone.
const LOOK: Duration = Duration::from_millis(200);

/// One call.
pub(super) struct Connection<'a> {
    pub(super) stream: &'a UnixStream,
    pub(super) role: Role,
    pub(super) uid: u32,
    pub(super) door: &'a SyncSender<Asked>,
    pub(super) closing: &'a AtomicBool,
    pub(super) link: Option<&'a Arc<Link>>,
}

/// What became of a call.
enum Begun {
    /// The loop has it.
    Passed(Receiver<Said>, Arc<AtomicBool>),
    /// It is answered.
    Answered(Vec<Said>),
}

impl Connection<'_> {
    /// Takes the call, passes it on, and says what is said to it.
    pub(super) fn serve(&self, pace: &Mutex<Pace>) {
        match self.begin(pace) {
            Ok(Begun::Passed(said, gone)) => {
                if self.pass_on(&said, &gone).is_err() {
                    gone.store(true, Ordering::Relaxed);
                }
            }
            // Who does not listen is not told.
            Ok(Begun::Answered(said)) => {
                let _ = said.iter().try_for_each(|said| write(self.stream, said));
            }
            Err(refusal) => turn_away(self.stream, &refusal),
        }
    }

    fn begin(&self, pace: &Mutex<Pace>) -> Result<Begun, Refusal> {
        let Call { request, secrets, .. } = self.read()?;
        let wants = request.role();
        if self.role < wants {
            return Err(Refusal::Role { wants, is: self.role });
        }
        admit(&request)?;
        let wait = pace.lock().unwrap_or_else(PoisonError::into_inner).wait(self.uid, Instant::now());
        sleep(wait.min(PATIENCE));
        if at_door::is_for_it(&request) {
            let at = SystemClock::start().now().utc;
            return at_door::ask(self.link.map(|link| &**link), &request, self.uid, at).map(Begun::Answered);
        }
        let (sender, said) = sync_channel(MAX_WAITING);
        let gone = Arc::new(AtomicBool::new(false));
        let (link, patience) = (self.link.cloned(), LOOP_PATIENCE);
        let caller = Box::new(Teller { said: sender, gone: gone.clone(), patience, link });
        let asked = Asked { request, secrets: taken(secrets), caller };
        match self.door.try_send(asked) {
            Ok(()) => Ok(Begun::Passed(said, gone)),
            Err(TrySendError::Full(_)) => Err(Refusal::Busy),
            Err(TrySendError::Disconnected(_)) => Err(Refusal::Closing),
        }
    }

    /// One line, whole within its time.
    fn read(&self) -> Result<Call, Refusal> {
        let slow = || Refusal::Slow(PATIENCE.as_secs());
        let end = Instant::now() + PATIENCE;
        // As long as it may become, and read into it alone: secrets are left nowhere else.
        let mut line = Zeroizing::new(vec![0; MAX_CALL_BYTES + 1]);
        let (mut came, mut reader) = (0, Timed { stream: self.stream, end });
        let end = loop {
            if let Some(end) = line[..came].iter().position(|byte| *byte == b'\n') {
                break end;
            }
            if came > MAX_CALL_BYTES {
                return Err(Refusal::TooLong);
            }
            match reader.read(&mut line[came..]) {
                Ok(0) => break came,
                Ok(more) => came += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(slow()),
            }
        };
        let call: Call = serde_json::from_slice(&line[..end])?;
        if call.arcdoor_call == CALL_VERSION { Ok(call) } else { Err(Refusal::Version(call.arcdoor_call)) }
    }

    /// # Errors
    /// When whoever asked is gone, or does not read.
    fn pass_on(&self, said: &Receiver<Said>, gone: &AtomicBool) -> io::Result<()> {
        loop {
            match said.recv_timeout(LOOK) {
                Ok(said) => {
                    let is_last = matches!(said, Said::Ended { .. } | Said::Failed { .. });
                    write(self.stream, &said)?;
                    if is_last {
                        return Ok(());
                    }
                }
                Err(RecvTimeoutError::Timeout) if self.closing.load(Ordering::Relaxed) => {
                    return write(self.stream, &Refusal::Closing.said());
                }
                Err(RecvTimeoutError::Timeout) if has_hung_up(self.stream) => {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) if gone.load(Ordering::Relaxed) => {
                    return write(self.stream, &failed(&Error::NotRead));
                }
                Err(RecvTimeoutError::Disconnected) => return write(self.stream, &failed(&Error::LoopEnded)),
            }
        }
    }
}

/// What a loop with its own frames can serve.
fn admit(request: &Request) -> Result<(), Refusal> {
    if let Request::Log { count, .. } = request
        && *count > MAX_WAITING
    {
        return Err(Refusal::ManyEntries(*count));
    }
    match request.feed() {
        Some(Feed::Camera(Some(_))) => Err(Refusal::OtherCamera),
        Some(Feed::Replay(_)) => Err(Refusal::OtherFrames),
        Some(Feed::Photos(files)) if files.len() > MAX_PHOTOS_BESIDE => Err(Refusal::ManyPhotos(files.len())),
        _ => Ok(()),
    }
}

fn taken(secrets: CallSecrets) -> Secrets {
    let CallSecrets { new, file } = secrets;
    Secrets { new: new.map(Passphrase::given), file: file.map(Passphrase::given), log_key: None }
}

/// Says why a call is not taken, and waits a moment for the other end to close: closed with bytes unread, the socket
/// would take the answer back.
pub(super) fn turn_away(stream: &UnixStream, refusal: &Refusal) {
    // Who does not listen is not told.
    let _ = write(stream, &refusal.said()).and_then(|()| stream.shutdown(Shutdown::Write));
    let rest = Timed { stream, end: Instant::now() + LINGER };
    let _ = io::copy(&mut rest.take(MAX_REST_BYTES), &mut io::sink());
}

fn write(mut stream: &UnixStream, said: &Said) -> io::Result<()> {
    let mut line = serde_json::to_vec(said).map_err(io::Error::from)?;
    line.push(b'\n');
    let (end, mut rest) = (Instant::now() + PATIENCE, &line[..]);
    while !rest.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?;
        match stream.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => rest = &rest[taken..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the other end is closed. Nothing more is expected from it, so what comes is not looked at.
fn has_hung_up(stream: &UnixStream) -> bool {
    let mut fds = [PollFd::new(stream, PollFlags::RDHUP)];
    let found = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    found.is_ok_and(|count| count > 0) && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

/// Reads until a point of time, however slowly bytes come.
struct Timed<'a> {
    stream: &'a UnixStream,
    end: Instant,
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        (&mut &*self.stream).read(buffer)
    }
}

/// Whoever asked, as the loop sees them.
struct Teller {
    said: SyncSender<Said>,
    gone: Arc<AtomicBool>,
    /// What is left of the time that the loop waits for them.
    patience: Duration,
    /// The door whose panel guides whoever is enrolled.
    link: Option<Arc<Link>>,
}

impl Teller {
    fn say(&mut self, mut said: Said) -> Result<(), Error> {
        loop {
            match self.said.try_send(said) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(back)) if !self.patience.is_zero() => {
                    self.patience = self.patience.saturating_sub(PAUSE);
                    sleep(PAUSE);
                    said = back;
                }
                Err(_) => {
                    self.gone.store(true, Ordering::Relaxed);
                    return Err(Error::Output(io::ErrorKind::BrokenPipe.into()));
                }
            }
        }
    }
}

impl Reply for Teller {
    fn answer(&mut self, response: &Response) -> Result<(), Error> {
        self.say(Said::Answer(Box::new(response.clone())))
    }

    fn progress(&mut self, progress: Progress) {
        if let Some(link) = &self.link {
            link.see(|seen| seen.progress(progress));
        }
        // Who is behind with reading misses one.
        let _ = self.said.try_send(Said::Progress(progress));
    }
}

impl Caller for Teller {
    fn ended(&mut self, result: Result<Outcome, Error>) {
        // Whatever came of it, some of it is lost to them.
        let result = if self.is_gone() { Err(Error::NotRead) } else { result };
        if let Some(answer) = result.as_ref().err().and_then(Error::answer) {
            let _ = self.answer(&answer);
        }
        if let Some(link) = &self.link {
            link.see(|seen| seen.enrolment = None);
        }
        let last = match result {
            Ok(outcome) => Said::Ended { code: outcome.code() },
            Err(error) => failed(&error),
        };
        // The request is over, whoever listens.
        let _ = self.say(last);
    }

    fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

fn failed(error: &Error) -> Said {
    let unsure = matches!(error, Error::ReEnrolUnconfirmed { .. });
    Said::Failed { code: error.code(), error: error.to_string(), unsure }
}
