//! IJB-C 1:1.

use anyhow::Result;

pub(crate) use crate::eval::ijb::Args;
use crate::eval::ijb::run as run_target;
use crate::eval::ijb_lists::Target;

pub(crate) fn run(args: Args) -> Result<()> {
    run_target(Target::Ijbc, &args)
}
