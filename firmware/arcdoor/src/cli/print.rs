//! Prints answers: JSON, or text for people.

use super::lines::Lines;
use super::patient::Patient;
use super::text::Text;
use crate::device::Reply;
use crate::error::Error;
use crate::home::lock::PATIENCE;
use arcdoor_api::{Progress, Response};
use arcdoor_core::{HeadTurn, RetryReason};
use std::io::{self, BufWriter, IsTerminal, Write};

/// Prints answers on stdout, and how far the work is on stderr.
pub(super) struct Printer {
    out: Box<dyn Write>,
    /// Prints text; none: answers are printed as JSON.
    text: Option<Text>,
    /// Why nothing is printed any more. A request ends as it decided, whoever listens: who was denied must not be granted
    /// because nobody read the answer.
    silent: Option<io::Error>,
}

impl Printer {
    /// A printer for a request's answers: as JSON, or as tables of photos whose names have at most `longest` characters.
    /// Where they cannot be printed, the request goes on.
    pub(super) fn new(json: bool, longest: usize) -> Self {
        let text = (!json).then(|| Text::new(longest));
        Self { out: Box::new(io::stdout().lock()), text, silent: None }
    }

    /// Why answers are missing on stdout, if any are.
    pub(super) fn trouble(self) -> Option<io::Error> {
        self.silent
    }

    fn print(&mut self, response: &Response) -> io::Result<()> {
        match &mut self.text {
            Some(text) => text.print(&mut Lines(&mut *self.out), response)?,
            None => line(&mut *self.out, response)?,
        }
        self.out.flush()
    }
}

impl Reply for Printer {
    fn answer(&mut self, response: &Response) -> Result<(), Error> {
        if self.silent.is_none() {
            self.silent = self.print(response).err();
        }
        Ok(())
    }

    /// A line that overwrites itself, where a person watches.
    fn progress(&mut self, progress: Progress) {
        let text = match progress {
            Progress::Photo { of: 0..=1, .. } => return,
            Progress::Photo { number, of } => format!("{number}/{of}"),
            Progress::Views { taken, of, reason, unseen } => {
                format!("{taken} of {of} views: {}", views_text(reason, unseen))
            }
            Progress::Layer { number, of } => format!("layer {number} of {of}"),
            Progress::Network { number, of } => format!("network {number} of {of} as a whole"),
            Progress::Over => String::new(),
        };
        let mut stderr = io::stderr();
        if stderr.is_terminal() {
            // A closed stderr leaves nobody to tell.
            let _ = write!(stderr, "\r\x1b[K{text}\r");
        }
    }
}

/// What the person before the camera does next.
fn views_text(reason: Option<RetryReason>, unseen: Option<HeadTurn>) -> String {
    match (reason, unseen) {
        (None | Some(RetryReason::SameView), Some(turn)) => format!("turn the head a little {turn}"),
        (None, None) => "good".to_owned(),
        (Some(reason), _) => reason.to_string(),
    }
}

/// Prints the loop's answers, one JSON object a line; without a reader, the loop ends.
pub(super) struct LinePrinter {
    out: BufWriter<Patient<io::Stdout>>,
}

impl LinePrinter {
    pub(super) fn new() -> Self {
        Self { out: BufWriter::new(Patient::new(io::stdout())) }
    }
}

impl Reply for LinePrinter {
    fn answer(&mut self, response: &Response) -> Result<(), Error> {
        line(&mut self.out, response).and_then(|()| self.out.flush()).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => Error::OutputStalled(PATIENCE.as_secs()),
            _ => Error::Output(error),
        })
    }
}

fn line(out: &mut dyn Write, response: &Response) -> io::Result<()> {
    serde_json::to_writer(&mut *out, response).map_err(io::Error::from)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_enrolled_is_told_which_way_to_turn_as_long_as_that_is_all() {
        let (left, same) = (Some(HeadTurn::Left), Some(RetryReason::SameView));
        assert_eq!(views_text(None, left), "turn the head a little to the left");
        assert_eq!(views_text(same, Some(HeadTurn::Right)), "turn the head a little to the right");
        assert_eq!(views_text(Some(RetryReason::TooDark), left), "too dark");
        assert_eq!(views_text(same, None), "turn the head a little");
        assert_eq!(views_text(None, None), "good");
    }
}
