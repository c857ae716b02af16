//! What goes over the daemon's socket: one line of JSON with a request, and lines of JSON with what is said to it.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::request::Request;
use crate::response::{Progress, Response};

/// The version of the lines.
pub const CALL_VERSION: u32 = 1;
/// Longest line of a call, in bytes.
pub const MAX_CALL_BYTES: usize = 64 * 1024;
/// Longest line of an answer, in bytes: an enrolment tells of every photo.
pub const MAX_SAID_BYTES: usize = 4 * 1024 * 1024;

/// A request, as it comes over the socket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// See [`CALL_VERSION`].
    pub arcdoor_call: u32,
    /// What is asked.
    pub request: Request,
    /// What comes with it and may be kept nowhere.
    #[serde(default)]
    pub secrets: CallSecrets,
}

/// Passphrases that a request needs.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallSecrets {
    /// What something is to be sealed with.
    pub new: Option<Zeroizing<String>>,
    /// What opens a file.
    pub file: Option<Zeroizing<String>>,
}

impl fmt::Debug for CallSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallSecrets(..)")
    }
}

/// One thing that is said to a call; [`Said::Ended`] or [`Said::Failed`] is the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// An answer.
    Answer(Box<Response>),
    /// How far it is.
    Progress(Progress),
    /// It ended, with this exit code: 0 or 1, or that of the first photo that failed.
    Ended {
        /// The exit code.
        code: u8,
    },
    /// It failed.
    Failed {
        /// The exit code.
        code: u8,
        /// Why, and what to do.
        error: String,
        /// Whether it is done all the same by who says that they are sure ([`Request::sure`]).
        unsure: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_says_which_version_it_is_and_shows_no_secret() {
        let secrets = CallSecrets { new: Some(Zeroizing::new("correct horse".to_owned())), file: None };
        let call = Call { arcdoor_call: CALL_VERSION, request: Request::List, secrets };
        assert!(!format!("{call:?}").contains("horse"));
        let text = serde_json::to_string(&call).unwrap();
        let read: Call = serde_json::from_str(&text).unwrap();
        assert_eq!((read.arcdoor_call, read.request), (1, Request::List));
        assert_eq!(read.secrets.new.unwrap().as_str(), "correct horse");
        for wrong in ["{}", "{\"arcdoor_call\":1}", "{\"arcdoor_call\":1,\"request\":\"list\",\"more\":1}"] {
            assert!(serde_json::from_str::<Call>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_said_is_read_back() {
        let said = [
            Said::Answer(Box::new(Response::ReplayEnded { frames: 3 })),
            Said::Progress(Progress::Over),
            Said::Ended { code: 1 },
            Said::Failed { code: 5, error: "no".to_owned(), unsure: false },
        ];
        for said in said {
            let text = serde_json::to_string(&said).unwrap();
            assert_eq!(serde_json::from_str::<Said>(&text).unwrap(), said, "{text}");
        }
    }
}
