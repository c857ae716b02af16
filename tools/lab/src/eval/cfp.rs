//! Celebrities in Frontal-Profile, pairs of a frontal photo and one from the side.

use anyhow::Result;

use crate::eval::pair_protocol;
pub(crate) use crate::eval::pair_task::PairArgs as Args;
use crate::eval::set::cfp;
use crate::eval::set::pair_list::{self, Naming};

/// Without a list, the folder is the set as its authors ship it.
pub(crate) fn run(args: Args) -> Result<()> {
    let task = args.task("cfp-fp", "CFP-FP", None, |images, pairs| match pairs {
        Some(pairs) => pair_list::read(images, pairs, Naming::Folder),
        None => cfp::read(images),
    })?;
    pair_protocol::run(&args, task)
}
