//! LFR2019's image track: every photo is a template, the features of it and of its mirror image summed.

use anyhow::Result;

pub(crate) use crate::eval::lfr::Args;
use crate::eval::lfr::run as run_track;
use crate::eval::lfr_track::Track;

pub(crate) fn run(args: Args) -> Result<()> {
    run_track(Track::Image, &args)
}
