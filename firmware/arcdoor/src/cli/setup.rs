//! First set-up: what opens the door, and what it is wired to. Nothing that matters is chosen in silence.

use super::lines::Lines;
use crate::daemon::door::Calendar;
use crate::error::{DoorError, Error};
use crate::home::Home;
use crate::home::file::{read_text, replace};
use crate::home::lock::HomeLock;
use crate::home::settings::{MAX_BYTES, Settings};
use arcdoor_api::Access;
use arcdoor_board::{BOARDS, Board, Camera, Drive, FailMode};
use arcdoor_door::Method;
use clap::Args;
use std::io::{self, BufRead, IsTerminal, Write};

/// What a face alone is worth, said before it is chosen.
const FACE_ALONE: &str = "A photo of somebody, held before the camera or shown on a telephone, can open this door: nothing here \
    tells a face from its picture yet. Choose it for a door that may as well stand open, or where somebody watches.";

/// Answers that need not be asked for.
#[derive(Debug, Args, PartialEq, Eq)]
pub(super) struct SetupArgs {
    /// What opens the door: face+pin, card+face or face
    #[arg(long, value_name = "METHOD")]
    opens: Option<String>,
    /// The board: a name that comes with arcdoor, or the path of a file
    #[arg(long, value_name = "NAME|FILE")]
    board: Option<String>,
    /// The zone of its hours, such as Asia/Seoul [default: the system's]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
}

/// Asks for what is missing, and writes it into settings.toml.
pub(super) fn setup(home: &Home, args: SetupArgs) -> Result<(), Error> {
    let _hold = HomeLock::take(home, Access::Write)?;
    let path = home.settings();
    let (settings, _) = Settings::read(&path)?;
    if settings.door.is_some() {
        return Err(DoorError::SetUp(path).into());
    }
    let method = method(args.opens)?;
    let (name, board) = board(args.board)?;
    Calendar::of(args.time_zone.as_deref())?;
    let can_type = board.keypad().is_some() || board.panel().is_some_and(|panel| panel.touch.is_some());
    if method == Method::FacePin && board.drive() == Drive::Gpio && !can_type {
        return Err(DoorError::NoKeys(name).into());
    }
    let fail_mode = match board.relay().fail_mode {
        FailMode::Locked => "secure",
        FailMode::Unlocked => "safe",
    };
    let zone_said = args.time_zone.clone().unwrap_or_else(|| "the system's time zone".to_owned());
    let zone = args.time_zone.map_or_else(String::new, |zone| format!("time_zone = {}\n", quoted(&zone)));
    let section = format!(
        "\n[door]\nboard = {}\n{zone}\n[door.policy]\nfail_mode = \"{fail_mode}\"\nmethods = \"{}\"\n",
        quoted(&name),
        method.text()
    );
    let before = read_text(&path, MAX_BYTES)?.map_or_else(String::new, |text| text.to_string());
    // Whoever chose a camera keeps it. What belongs to no section stands before them all.
    let has_camera = toml::from_str::<toml::Table>(&before).is_ok_and(|table| table.contains_key("camera"));
    let camera = board.camera().filter(|_| !has_camera).map(Camera::words);
    let first = camera.as_ref().map_or_else(String::new, |camera| format!("camera = {}\n", quoted(camera)));
    let text = format!("{first}{before}{section}");
    toml::from_str::<Settings>(&text)
        .map_err(|source| Error::Settings { path: path.clone(), source: Box::new(source) })?;
    replace(&path, text.as_bytes())?;
    told(&format!(
        "{} is written: {} opens this door, and its lock is {} without power; its camera is {} (`camera`), its hours are those of {}, \
         and its panel speaks English (`language`). REX and fire release belong into the lock's own \
         circuit, first of all (docs/door.md). Then: `arcdoor enrol NAME --camera`{}, and `arcdoor run`.",
        path.display(),
        method.text(),
        board.relay().fail_mode,
        camera.unwrap_or(settings.camera),
        zone_said,
        if method == Method::FacePin { ", `arcdoor pin set NAME`" } else { "" },
    ))
}

fn method(given: Option<String>) -> Result<Method, Error> {
    let text = match given {
        Some(text) => text,
        None => {
            told(
                "What opens this door?\n  1  face and PIN: a photo alone opens nothing\n  2  card and face: needs a card reader, which this version does not have\n  3  face alone",
            )?;
            told(FACE_ALONE)?;
            ask("1, 2 or 3", "--opens face+pin")?
        }
    };
    match text.trim() {
        "1" | "face+pin" => Ok(Method::FacePin),
        "2" | "card+face" => Err(DoorError::NoReader.into()),
        "3" | "face" => told(FACE_ALONE).map(|()| Method::Face),
        other => Err(DoorError::NoMethod(other.to_owned()).into()),
    }
}

fn board(given: Option<String>) -> Result<(String, Board), Error> {
    let name = match given {
        Some(name) => name,
        None => {
            let names: Vec<_> = BOARDS.iter().map(|(name, _)| *name).collect();
            told(&format!("Which board is this? {}; or the path of a file of your own", names.join(", ")))?;
            ask("Board", "--board NAME")?
        }
    };
    let name = name.trim();
    let board = Board::find(name).map_err(DoorError::from)?;
    if BOARDS.iter().any(|(known, _)| *known == name) {
        return Ok((name.to_owned(), board));
    }
    // The service stands in another folder.
    let file = std::path::absolute(name).map_err(|source| Error::File { path: name.into(), source })?;
    Ok((file.to_string_lossy().into_owned(), board))
}

fn ask(what: &'static str, flag: &'static str) -> Result<String, Error> {
    if !io::stdin().is_terminal() {
        return Err(DoorError::Unanswered { what, flag }.into());
    }
    write!(io::stderr(), "{what}: ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer)
}

fn told(text: &str) -> Result<(), Error> {
    text.lines()
        .try_for_each(|line| Lines(&mut io::stdout().lock()).paragraph("", line))
        .map_err(Error::Output)
}

/// As TOML writes it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
