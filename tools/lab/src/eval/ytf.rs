//! YouTube Faces: pairs of videos, each the sum of its frames' templates, over ten splits.

use anyhow::Result;

use crate::eval::pair_protocol::{self, PairArgs, Pooled};
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
    let mut pooled = None;
    let mut task = args.pairs.task("ytf", "YouTube Faces", |images, pairs| {
        let default = images.join("splits.txt");
        let found = ytf::read(images, pairs.unwrap_or(&default), args.frames.into())?;
        let frames = if args.pairs.aligned { found.frames.aligned() } else { found.frames };
        pooled = Some(Pooled { frames, of: found.of });
        Ok((found.videos, found.list))
    })?;
    if pooled.is_none() {
        return Err(Trouble::BadInput("videos are no .bin: give --images".to_owned()).into());
    }
    task.pooled = pooled;
    pair_protocol::run(&args.pairs, task)
}
