//! What a protocol of LFW's shape is asked to do: a set, a list of pairs, and the flags that every such protocol has.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::eval::floor;
use crate::eval::set::pair_list::PairList;
use crate::eval::set::set::{Pair, Set};
use crate::eval::set::templates::PathArgs;
use crate::eval::set::{bin, pair_list};
use crate::trouble::Trouble;

/// The flags of every protocol of LFW's shape.
#[derive(clap::Args)]
pub(crate) struct PairArgs {
    /// The folder of photos
    #[arg(long, value_name = "DIR", required_unless_present = "bin")]
    pub(crate) images: Option<PathBuf>,
    /// The list of pairs
    #[arg(long, value_name = "FILE")]
    pub(crate) pairs: Option<PathBuf>,
    /// insightface's file of the set, in place of --images and --pairs: its images are aligned already
    #[arg(long, value_name = "FILE", conflicts_with_all = ["images", "pairs"])]
    pub(crate) bin: Option<PathBuf>,
    /// Features in place of the networks, in LFR's form: a row for each image of --bin, in its order
    #[arg(long, value_name = "FILE", requires = "bin")]
    pub(crate) rows: Option<PathBuf>,
    /// The features were generated, and the report says so
    #[arg(long, requires = "rows")]
    pub(crate) generated: bool,
    /// The photos are crops that are aligned to 112x112 already
    #[arg(long)]
    pub(crate) aligned: bool,
    /// What was before networks, in place of the embedder: on the same aligned crops
    #[arg(long, value_enum, conflicts_with_all = ["rows", "features"])]
    pub(crate) floor: Option<floor::Kind>,
    /// Leave out the rates of everybody against everybody
    #[arg(long)]
    pub(crate) no_all_pairs: bool,
    /// Whose group people are of, a name, a tab and the group in each line: everybody's rates by group, at the thresholds
    /// of all pairs
    #[arg(long, value_name = "FILE", conflicts_with_all = ["no_all_pairs", "bin"])]
    pub(crate) groups: Option<PathBuf>,
    /// Show the photos of so many pairs that were decided wrong, the worst first, in report.html
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u16).range(..=200))]
    pub(crate) thumbnails: u16,
    /// Where report.json, report.html and CSV files go
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) path: PathArgs,
}

/// A protocol's set, as its reader found it.
pub(crate) struct Task {
    /// The protocol's command.
    pub(crate) protocol: &'static str,
    /// What a reader calls it.
    pub(crate) name: String,
    pub(crate) set: Set,
    pub(crate) list: PairList,
    /// The files of lists that were read, by what they were read for.
    pub(crate) lists: Vec<(&'static str, PathBuf)>,
    /// Whether the set itself says who is who; where pairs alone do, two of its subjects may be one person.
    pub(crate) is_named: bool,
    /// Pairs to choose the threshold on, of a protocol without folds.
    pub(crate) choose: Vec<Pair>,
    /// Suspected mislabels, by sample, the lower first.
    pub(crate) suspects: Option<HashSet<(usize, usize)>>,
    /// The sample that each image of a `.bin` is; empty without one.
    pub(crate) bin: Vec<usize>,
    /// Of what each sample's template is pooled; none where a sample is one photo.
    pub(crate) pooled: Option<Pooled>,
}

/// Samples that are several frames each.
pub(crate) struct Pooled {
    pub(crate) frames: Set,
    /// The frames of each sample.
    pub(crate) of: Vec<Vec<usize>>,
}

impl Task {
    /// What templates are made of: photos or frames.
    pub(crate) fn media(&self) -> &Set {
        self.pooled.as_ref().map_or(&self.set, |pooled| &pooled.frames)
    }
}

impl PairArgs {
    /// Reads the set from a `.bin` file, or with `read` from the folder and the list, which is named `default` there where
    /// no other is given.
    pub(crate) fn task(
        &self,
        protocol: &'static str,
        name: &str,
        default: Option<&str>,
        read: impl FnOnce(&Path, Option<&Path>) -> Result<(Set, PairList)>,
    ) -> Result<Task> {
        let pairs = self.pairs.clone().or_else(|| Some(self.images.as_ref()?.join(default?)));
        let (set, list, bin) = match (&self.bin, &self.images) {
            (Some(path), _) => {
                let found = bin::read(path)?;
                (found.set, found.list, found.of)
            }
            (None, Some(images)) => {
                let missing = pairs.as_ref().filter(|pairs| self.pairs.is_none() && !pairs.exists());
                if let Some(pairs) = missing {
                    let text = format!("{} is not there: name the list as --pairs", pairs.display());
                    return Err(Trouble::BadInput(text).into());
                }
                let (set, list) = read(images, pairs.as_deref())?;
                (set, list, Vec::new())
            }
            (None, None) => return Err(Trouble::BadInput("give --images or --bin".to_owned()).into()),
        };
        Ok(Task {
            protocol,
            name: name.to_owned(),
            set: if self.aligned { set.aligned() } else { set },
            list,
            lists: pairs.map(|pairs| ("pairs", pairs)).into_iter().collect(),
            is_named: self.bin.is_none(),
            choose: Vec::new(),
            suspects: None,
            bin,
            pooled: None,
        })
    }

    /// The task of a folder with a list of photos by their paths.
    pub(crate) fn listed(
        &self,
        protocol: &'static str,
        name: &str,
        naming: pair_list::Naming,
    ) -> Result<Task> {
        self.task(protocol, name, None, |images, pairs| pair_list::read(images, given(pairs)?, naming))
    }
}

/// The list, of a protocol that has none without being told.
pub(crate) fn given(list: Option<&Path>) -> Result<&Path, Trouble> {
    list.ok_or_else(|| Trouble::BadInput("give the list of pairs as --pairs".to_owned()))
}
