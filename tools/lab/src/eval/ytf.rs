//! YouTube Faces: pairs of videos, each the sum of its frames' templates, over ten splits.

use anyhow::Result;

use crate::eval::pair_protocol;
use crate::eval::pair_task::{PairArgs, Pooled, given};
use crate::eval::set::ytf;
use crate::trouble::Trouble;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Frames of each video, evenly spread over it
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    frames: u16,
    #[command(flatten)]
    pairs: PairArgs,
}

pub(crate) fn run(args: Args) -> Result<()> {
    if args.pairs.bin.is_some() {
        return Err(Trouble::BadInput("videos are no .bin: give --images".to_owned()).into());
    }
    let mut pooled = None;
    let mut task = args.pairs.task("ytf", "YouTube Faces", Some("splits.txt"), |images, pairs| {
        let found = ytf::read(images, given(pairs)?, args.frames.into())?;
        let frames = if args.pairs.aligned { found.frames.aligned() } else { found.frames };
        pooled = Some(Pooled { frames, of: found.of });
        Ok((found.videos, found.list))
    })?;
    task.pooled = pooled;
    pair_protocol::run(&args.pairs, task)
}
