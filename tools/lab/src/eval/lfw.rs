//! Labelled Faces in the Wild: View 1, whose threshold another list chooses, and View 2, over ten folds.

use std::path::PathBuf;

use anyhow::Result;

use crate::eval::pair_protocol;
use crate::eval::pair_task::{PairArgs, given};
use crate::eval::set::{lfw, people};
use crate::trouble::Trouble;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The pairs to choose the threshold on where the list has no folds [default: pairsDevTrain.txt beside --pairs]
    #[arg(long, value_name = "FILE")]
    choose: Option<PathBuf>,
    /// Suspected mislabels among the impostor pairs; the figures are printed without them, too
    #[arg(long, value_name = "FILE", conflicts_with_all = ["no_all_pairs", "bin"])]
    suspects: Option<PathBuf>,
    /// The suspects' score from which on they are left out
    #[arg(long, default_value_t = 0.6)]
    suspects_above: f32,
    #[command(flatten)]
    pairs: PairArgs,
}

pub(crate) fn run(args: Args) -> Result<()> {
    let mut task = args.pairs.task("lfw", "LFW View 2", Some("pairs.txt"), |images, pairs| {
        let set = people::read(images)?;
        let list = lfw::list(&set, given(pairs)?)?;
        Ok((set, list))
    })?;
    if args.choose.is_some() && !task.list.folds.is_empty() {
        let text = "the list has folds: they choose the threshold; leave --choose out";
        return Err(Trouble::BadInput(text.to_owned()).into());
    }
    if let (Some((_, pairs)), true) = (task.lists.first(), task.list.folds.is_empty()) {
        task.name = "LFW View 1".to_owned();
        let choose = args.choose.clone().unwrap_or_else(|| pairs.with_file_name("pairsDevTrain.txt"));
        task.choose = lfw::pairs(&task.set, &choose)?;
        task.lists.push(("choose", choose));
    }
    let suspects = |list: &PathBuf| lfw::suspects(&task.set, list, args.suspects_above);
    task.suspects = args.suspects.as_ref().map(suspects).transpose()?;
    task.lists.extend(args.suspects.clone().map(|list| ("suspects", list)));
    pair_protocol::run(&args.pairs, task)
}
