//! Prints answers: JSON, or text for people.

use super::text::Text;
use crate::device::Reply;
use crate::error::Error;
use arcdoor_api::{Progress, Response};
use std::io::{self, IsTerminal, StdoutLock, Write};

/// Prints answers on stdout, and how far the work is on stderr.
pub(super) struct Printer {
    out: StdoutLock<'static>,
    /// None: JSON.
    text: Option<Text>,
}

impl Printer {
    /// For JSON, or for tables of photos whose names have at most `longest` characters.
    pub(super) fn new(json: bool, longest: usize) -> Self {
        Self { out: io::stdout().lock(), text: (!json).then(|| Text::new(longest)) }
    }
}

impl Reply for Printer {
    fn answer(&mut self, response: &Response) -> Result<(), Error> {
        match &mut self.text {
            Some(text) => text.print(&mut self.out, response)?,
            None => {
                serde_json::to_writer(&mut self.out, response).map_err(io::Error::from)?;
                writeln!(self.out)?;
            }
        }
        Ok(self.out.flush()?)
    }

    /// A line that overwrites itself, where a person watches.
    fn progress(&mut self, progress: Progress) {
        let text = match progress {
            Progress::Photo { of: 0..=1, .. } => return,
            Progress::Photo { number, of } => format!("{number}/{of}"),
            Progress::Views { taken, of, reason } => {
                format!("{taken}/{of} views: {}", reason.map_or("good", |reason| reason.text()))
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
