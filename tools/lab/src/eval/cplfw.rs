//! Cross-Pose LFW: pairs of one person seen from different sides.

use anyhow::Result;

use crate::eval::pair_protocol;
pub(crate) use crate::eval::pair_task::PairArgs as Args;
use crate::eval::set::pair_list::Naming;

pub(crate) fn run(args: Args) -> Result<()> {
    let task = args.listed("cplfw", "CPLFW", Naming::Numbered)?;
    pair_protocol::run(&args, task)
}
