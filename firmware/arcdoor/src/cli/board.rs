//! `board`: what is wired to this board, and whether it works, line by line.

use super::lines::Lines;
use super::prompt;
use crate::error::{self, DoorError, Error};
use crate::home::Home;
use crate::home::settings::Settings;
use arcdoor_board::{
    BOARDS, Board, Drive, Edges, Finding, Gpio, Input, LineDriver as _, Proof, RelayTest, ResetHold,
    Standing, check,
};
use arcdoor_core::Millis;
use clap::Subcommand;
use std::io;
use std::time::{Duration, Instant};

/// Between two looks at the lines.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Debug, PartialEq, Eq, Subcommand)]
pub(super) enum BoardCommand {
    /// Prove the wiring line by line, as far as software can; ends with 5 where a line does not work
    ///
    /// Stop `arcdoor run` first: it holds the lines.
    Check {
        /// The board: a name that comes with arcdoor, or the path of a file [default: as in settings.toml]
        #[arg(value_name = "NAME|FILE")]
        board: Option<String>,
        /// Also move the relay once, there and back: the door is released, or locked, for that moment
        #[arg(long)]
        move_relay: bool,
    },
    /// The boards that come with arcdoor
    List,
    /// Whether somebody asks for a factory reset: the housing open, and the exit button held; ends with 0 if so, else with 1
    ///
    /// For the start of a board, before anything is read. The lock is in its fail mode meanwhile.
    Held {
        /// The board: a name that comes with arcdoor, or the path of a file
        #[arg(value_name = "NAME|FILE")]
        board: String,
        /// How long both must be held
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(3..=60))]
        seconds: u8,
    },
}

/// Prints what was found; the exit code.
pub(super) fn board(home: &Home, command: BoardCommand, json: bool) -> Result<u8, Error> {
    let mut stdout = io::stdout().lock();
    let mut out = Lines(&mut stdout);
    match command {
        BoardCommand::List => {
            for (name, _) in BOARDS {
                let board = Board::find(name).map_err(DoorError::from)?;
                let standing = match board.standing() {
                    Standing::Booted(note) => note.as_deref().unwrap_or("booted, its lines checked"),
                    Standing::Unbooted(note) => note,
                };
                out.paragraph(&format!("{name}: "), &format!("{}; {standing}", board.title()))
                    .map_err(Error::Output)?;
            }
            Ok(error::DONE)
        }
        BoardCommand::Held { board, seconds } => {
            let board = Board::find(&board).map_err(DoorError::from)?;
            Ok(if is_held(&board, seconds)? { error::DONE } else { error::REFUSED })
        }
        BoardCommand::Check { board, move_relay } => {
            let named = match board {
                Some(name) => name,
                None => chosen(home)?,
            };
            let board = Board::find(&named).map_err(DoorError::from)?;
            if move_relay {
                prompt::confirm_relay()?;
            }
            let findings = check(&board, if move_relay { RelayTest::Move } else { RelayTest::Rest });
            findings.iter().try_for_each(|finding| print(&mut out, finding, json)).map_err(Error::Output)?;
            let is_broken = findings.iter().any(|finding| matches!(finding.proof, Proof::Failed(_)));
            Ok(if is_broken { error::DEVICE } else { error::DONE })
        }
    }
}

/// Watches the lines of the housing and the exit button. A board that lacks one of them is never asked.
fn is_held(board: &Board, seconds: u8) -> Result<bool, Error> {
    let is_wired = [Input::Tamper, Input::Rex].iter().all(|input| board.input(*input).is_some());
    if board.drive() == Drive::Simulated || !is_wired {
        return Ok(false);
    }
    let began = Instant::now();
    let now = || Millis(u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX));
    let mut gpio = Gpio::open(board, now()).map_err(DoorError::from)?;
    let (mut hold, mut edges) = (ResetHold::new(u64::from(seconds) * 1000, now()), Edges::new());
    loop {
        gpio.poll(now(), &mut edges).map_err(DoorError::from)?;
        if let Some(is_asked) = hold.step(&edges, now()) {
            return Ok(is_asked);
        }
        std::thread::sleep(LOOK);
    }
}

fn chosen(home: &Home) -> Result<String, Error> {
    let (settings, _) = Settings::read(&home.settings())?;
    settings.door.map(|door| door.board).ok_or(DoorError::NoBoard.into())
}

fn print(out: &mut Lines<'_>, Finding { role, proof }: &Finding, json: bool) -> io::Result<()> {
    let health = match proof {
        Proof::Proved(_) => "ok",
        Proof::Look(_) => "warn",
        Proof::Failed(_) => "fail",
    };
    if json {
        let line = serde_json::json!({
            "kind": "line", "role": role.to_string(), "health": health, "text": proof.to_string()
        });
        return writeln!(out, "{line}");
    }
    let mark = match health {
        "ok" => "ok    ",
        "warn" => "look  ",
        _ => "FAIL  ",
    };
    out.paragraph(&format!("{mark}{role}: "), &proof.to_string())
}
