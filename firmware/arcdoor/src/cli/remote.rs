//! A request to the door that runs: over its socket, for it holds the home.

use super::prompt;
use crate::daemon::socket;
use crate::device::{Outcome, Reply};
use crate::error::Error;
use crate::home::{Home, packs};
use crate::request::Secrets;
use arcdoor_api::{
    Access, CALL_VERSION, Call, CallSecrets, MAX_CALL_BYTES, MAX_SAID_BYTES, Progress, Request, Response,
    Said,
};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use zeroize::Zeroizing;

/// Where the service's unit puts the socket, and its home.
const SERVICE: &str = "/run/arcdoor/socket";
const SERVICE_HOME: &str = "/var/lib/arcdoor";

/// The door that runs on this home, for what needs more than the log, or a log that this user may not read; none where none
/// runs.
pub(super) fn door(home: &Home, request: &Request) -> Option<UnixStream> {
    let is_readable = || std::fs::read_dir(home.dir()).is_ok();
    if matches!(request, Request::Replay { .. }) || (request.access() == Access::Nothing && is_readable()) {
        return None;
    }
    // Whoever has no home of their own here asks the service's door.
    let service = Path::new(SERVICE);
    let is_the_services = home.dir() == Path::new(SERVICE_HOME) || !home.dir().exists();
    let connect = |path: &Path| UnixStream::connect(path).ok();
    connect(&socket::path(home)).or_else(|| connect(service).filter(|_| is_the_services))
}

/// Asks it, and asks whoever types where it wants to know that they are sure.
pub(super) fn ask(door: UnixStream, request: &Request, reply: &mut dyn Reply) -> Result<Outcome, Error> {
    let request = absolute(request.clone())?;
    // A door waits for a request for seconds, a person types a passphrase for longer: the call is opened after that.
    let address = door.peer_addr().map_err(Error::DoorGone)?;
    drop(door);
    let call = |request: &Request, reply: &mut dyn Reply| {
        let line = line_of(request)?;
        let door = UnixStream::connect_addr(&address).map_err(Error::DoorGone)?;
        say(&door, &line, reply)
    };
    match call(&request, reply)? {
        Last::Ended(outcome) => Ok(outcome),
        Last::Failed(error) => Err(error),
        Last::Unsure(error) => {
            prompt::confirm_pack(error)?;
            // Who must be enrolled again was said before the question.
            let mut once = |response: &Response| match response {
                Response::OtherEmbedder { .. } => Ok(()),
                _ => reply.answer(response),
            };
            match call(&request.sure(), &mut once)? {
                Last::Ended(outcome) => Ok(outcome),
                Last::Failed(error) | Last::Unsure(error) => Err(error),
            }
        }
    }
}

/// How the door ended.
enum Last {
    Ended(Outcome),
    Failed(Error),
    /// Done all the same for who is sure.
    Unsure(Error),
}

/// The line of a call, with the secrets that were asked for.
fn line_of(request: &Request) -> Result<Zeroizing<Vec<u8>>, Error> {
    let Secrets { new, file, .. } = prompt::secrets(request)?;
    let [new, file] = [new, file].map(|secret| secret.map(crate::home::passphrase::Passphrase::into_inner));
    let secrets = CallSecrets { new, file };
    let call = Call { arcdoor_call: CALL_VERSION, request: request.clone(), secrets };
    // As long as it may become, so that no secret is left behind where it grew.
    let mut line = Zeroizing::new(Vec::with_capacity(MAX_CALL_BYTES + 1));
    serde_json::to_writer(&mut *line, &call).map_err(|error| Error::DoorGone(error.into()))?;
    line.push(b'\n');
    Ok(line)
}

fn say(door: &UnixStream, line: &[u8], reply: &mut dyn Reply) -> Result<Last, Error> {
    // A door that turns it away says why, and may do so before it has come whole.
    let sent = (&mut &*door).write_all(line);
    let mut reader = BufReader::new(door);
    loop {
        match heard(&mut reader)
            .map_err(|error| Error::DoorGone(sent.as_ref().err().map_or(error, |sent| sent.kind().into())))?
        {
            Said::Answer(response) => reply.answer(&response)?,
            Said::Progress(progress) => reply.progress(progress),
            Said::Ended { code } => return Ok(Last::Ended(Outcome::of_code(code))),
            Said::Failed { code, error, unsure } => {
                reply.progress(Progress::Over);
                let error = Error::AtTheDoor { code, error };
                return Ok(if unsure { Last::Unsure(error) } else { Last::Failed(error) });
            }
        }
    }
}

fn heard(reader: &mut BufReader<&UnixStream>) -> io::Result<Said> {
    let mut line = Vec::new();
    reader.take(MAX_SAID_BYTES as u64).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    serde_json::from_slice(&line).map_err(io::Error::from)
}

/// The door stands in another folder.
fn absolute(mut request: Request) -> Result<Request, Error> {
    let whole = |path: &mut std::path::PathBuf| -> Result<(), Error> {
        *path = std::path::absolute(&*path).map_err(|source| Error::File { path: path.clone(), source })?;
        Ok(())
    };
    if let Request::PackCheck { dir: Some(dir), .. } = &mut request
        && packs::is_path(dir)
    {
        whole(dir)?;
    }
    request.paths_mut().into_iter().try_for_each(whole)?;
    Ok(request)
}
