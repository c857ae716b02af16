//! AgeDB-30: pairs with thirty years between them.

use anyhow::Result;

use crate::eval::pair_protocol;
pub(crate) use crate::eval::pair_task::PairArgs as Args;
use crate::eval::set::pair_list::Naming;

pub(crate) fn run(args: Args) -> Result<()> {
    let task = args.listed("agedb-30", "AgeDB-30", Naming::Aged)?;
    pair_protocol::run(&args, task)
}
