//! `board`: what is wired to this board, and whether it works, line by line.

use super::lines::Lines;
use super::prompt;
use crate::error::{self, DoorError, Error};
use crate::home::Home;
use crate::home::settings::Settings;
use arcdoor_board::{BOARDS, Board, Finding, Proof, RelayTest, Standing, check};
use clap::Subcommand;
use std::io;

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
