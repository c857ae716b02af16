//! LFR2019's video track: every video is a template, the features of its frames summed, none mirrored.

use anyhow::Result;

pub(crate) use crate::eval::lfr::Args;
use crate::eval::lfr::{Track, run as run_track};

pub(crate) fn run(args: Args) -> Result<()> {
    run_track(Track::Video, &args)
}
