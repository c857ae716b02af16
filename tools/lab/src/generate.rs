//! `arcdoor-lab generate`: features of nobody in LFR's form, with list and labels, to try the machinery on.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use arcdoor_calib::{FeatureWriter, MAX_ROWS};

use crate::say::say;
use crate::verify::generated::Generated;
use crate::verify::rows::Rows;

/// Rows that are drawn at a time.
const BATCH: usize = 1024;

/// Arguments of `generate`.
#[derive(clap::Args)]
pub(crate) struct GenerateArgs {
    /// How many subjects
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    subjects: u32,
    /// Rows of each
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    per_subject: u32,
    /// Rows of nobody
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(0..=4_000_000))]
    distractors: u32,
    /// Values of a row
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u16).range(16..=1024))]
    dimension: u16,
    /// What they are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where features.bin, filelist.txt and labels.txt go
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(args: &GenerateArgs) -> Result<()> {
    let rows = Generated {
        seed: args.seed,
        dimension: usize::from(args.dimension),
        subjects: args.subjects as usize,
        per_subject: args.per_subject as usize,
        distractors: args.distractors as usize,
    };
    ensure!(rows.count() <= MAX_ROWS, "{} rows; at most {MAX_ROWS} are written", rows.count());
    let place = || format!("cannot write into {}", args.out.display());
    fs::create_dir_all(&args.out).with_context(place)?;
    let create = |name: &str| File::create(args.out.join(name)).map(BufWriter::new).with_context(place);
    let mut features = FeatureWriter::lfr(create("features.bin")?, rows.count(), rows.dimension)?;
    let (mut list, mut labels) = (create("filelist.txt")?, create("labels.txt")?);
    let mut values = Vec::new();
    for start in (0..rows.count()).step_by(BATCH) {
        let end = rows.count().min(start + BATCH);
        values.resize((end - start) * rows.dimension, 0.0);
        rows.read(start..end, &mut values)?;
        for (row, values) in (start..end).zip(values.chunks_exact_mut(rows.dimension)) {
            let length = values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
            values.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
            features.push(values)?;
            match rows.subject(row) {
                Some(subject) => {
                    writeln!(list, "s{subject}/{row}.jpg")?;
                    writeln!(labels, "s{subject}")?;
                }
                None => {
                    writeln!(list, "{row}.jpg")?;
                    writeln!(labels, "-")?;
                }
            }
        }
    }
    features.finish().context("cannot end features.bin")?;
    list.flush().and_then(|()| labels.flush()).with_context(place)?;
    say!("{} generated rows of {} values in {}", rows.count(), rows.dimension, args.out.display())?;
    Ok(())
}
