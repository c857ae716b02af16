//! To whom a request answers, when it happens, and how it ends.

use crate::error::{self, Error};
use arcdoor_api::{Progress, Response, UtcTime, Verdict};
use arcdoor_core::Millis;

/// Takes the answers of a request, one by one.
pub trait Reply {
    /// Takes an answer.
    ///
    /// # Errors
    /// When it cannot be passed on; that ends the request.
    fn answer(&mut self, response: &Response) -> Result<(), Error>;

    /// Takes a word about how far long work is; most have no use for it.
    fn progress(&mut self, _: Progress) {}
}

impl<F: FnMut(&Response) -> Result<(), Error>> Reply for F {
    fn answer(&mut self, response: &Response) -> Result<(), Error> {
        self(response)
    }
}

/// The time, by two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since some start, on a clock that never jumps.
    pub at: Millis,
    /// The time of day in UTC; it may jump, for somebody may set the clock.
    pub utc: UtcTime,
}

/// How a request ended that did not fail as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done, or every image granted.
    Done,
    /// An image was denied, or the person is to try again.
    Refused,
    /// Some photo failed, with this exit code; the others were answered.
    Failed(u8),
}

impl Outcome {
    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => error::DONE,
            Self::Refused => error::REFUSED,
            Self::Failed(code) => code,
        }
    }

    /// The outcome of such an exit code.
    #[must_use]
    pub const fn of_code(code: u8) -> Self {
        match code {
            error::DONE => Self::Done,
            error::REFUSED => Self::Refused,
            code => Self::Failed(code),
        }
    }

    /// The worse of both; the first failure stays.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Failed(code), _) | (_, Self::Failed(code)) => Self::Failed(code),
            (Self::Refused, _) | (_, Self::Refused) => Self::Refused,
            (Self::Done, Self::Done) => Self::Done,
        }
    }
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Granted => Self::Done,
            Verdict::Denied | Verdict::Retry => Self::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_photo_outweighs_all_good_ones() {
        let (done, refused, failed) = (Outcome::Done, Outcome::Refused, Outcome::Failed(3));
        assert_eq!(done.and(done), done);
        assert_eq!(done.and(refused).and(done), refused);
        assert_eq!(done.and(failed).and(refused).and(Outcome::Failed(5)), failed);
    }
}
