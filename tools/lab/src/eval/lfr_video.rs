//! LFR2019's video track: every video is a template, the features of its frames summed, none mirrored.

use anyhow::Result;

pub(crate) use crate::eval::lfr::Args;
use crate::eval::lfr::run as run_track;
use crate::eval::lfr_track::Track;

pub(crate) fn run(args: Args) -> Result<()> {
    run_track(Track::Video, &args)
}
