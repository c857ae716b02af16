//! `arcdoor-lab parity`: the device's engine against reference features, crop by crop.

use std::collections::HashSet;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use arcdoor_calib::Features;
use arcdoor_core::file::open_regular;
use arcdoor_frame::{RgbImage, RgbView};
use arcdoor_infer::{EngineChoice, Files, Net, NetSpec, Session};
use arcdoor_models::{Alignment, ChannelOrder, Layout, Preprocess, Role};
use arcdoor_vision::Channels;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::bench::race::cpu_ms;
use crate::crops::Crops;
use crate::face_finder::open_pack;
use crate::input_file::{read, read_text};
use crate::limits::{MAX_LIST_BYTES, MAX_ONNX_BYTES, MAX_REFERENCE_BYTES};
use crate::say::say;
use crate::stats::median;
use crate::trouble::Trouble;

/// Arguments of `parity`.
#[derive(clap::Args)]
pub(crate) struct ParityArgs {
    /// The embedder to check
    #[arg(long, value_name = "FILE", required_unless_present = "pack", conflicts_with = "pack")]
    onnx: Option<PathBuf>,
    /// A pack whose embedder is checked, with its own input size, mean and scale
    #[arg(long, value_name = "DIR")]
    pack: Option<PathBuf>,
    /// Aligned crops: a folder or a .zip. Use PNG: JPEG decoders differ by a grey level, which shows as 1e-2
    #[arg(long, value_name = "PATH")]
    crops: PathBuf,
    /// The reference's features, in the LFR form: four i32 (rows, columns, columns * 4, 5), then rows of f32
    #[arg(long, value_name = "FILE", required_unless_present = "against", conflicts_with = "against")]
    reference: Option<PathBuf>,
    /// In place of features: another pack, whose embedder's own templates are the reference, as for int8 weights and
    /// the network that they were made of
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// The crops' names in the order of the reference's rows, one a line [default: all, by name]
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Compare the first N crops
    #[arg(long, value_name = "N", default_value_t = 500)]
    count: usize,
    /// Side of the network's input, pixels; with --onnx
    #[arg(long, default_value_t = 112)]
    side: u32,
    /// Subtracted from each value 0..=255; with --onnx
    #[arg(long, default_value_t = 127.5)]
    mean: f32,
    /// Multiplied afterwards; with --onnx
    #[arg(long, default_value_t = 0.007_812_5)]
    scale: f32,
    /// The network takes blue first; with --onnx
    #[arg(long)]
    bgr: bool,
    /// Name of the output; with --onnx
    #[arg(long, default_value = "embedding")]
    output: String,
    /// The largest difference of two values of unit-length features that passes
    #[arg(long, default_value_t = 1e-5)]
    max_difference: f64,
    /// The least cosine between the two features of a crop that passes
    #[arg(long, default_value_t = 0.99999)]
    least_cosine: f64,
    /// Who runs it: auto (as the device would), plan or tract
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    engine: EngineChoice,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What the command prints. Differences and cosines are of unit-length features.
#[derive(Debug, Serialize)]
struct Report {
    engine: &'static str,
    crops: usize,
    dimension: usize,
    max_difference: f64,
    /// The crop where it was found.
    worst: String,
    mean_difference: f64,
    least_cosine: f64,
    median_ms: f64,
    least_ms: f64,
    passed: bool,
}

/// Runs the command; a difference out of tolerance ends it with 1, input that cannot be used with 3.
pub(crate) fn run(args: &ParityArgs) -> Result<()> {
    let mut crops = Crops::open(&args.crops)?;
    let (names, reference) = match (&args.reference, &args.against) {
        (Some(file), _) => {
            let reference = reference(file)?;
            (names(args, &crops, Some((file, reference.rows())))?, reference)
        }
        (None, Some(dir)) => {
            let names = names(args, &crops, None)?;
            let mut other = Candidate::of_pack(dir, args.engine)?;
            let templates = templates(&mut other, &mut crops, &names)?;
            (names, templates)
        }
        (None, None) => return Err(Trouble::BadInput("neither --reference nor --against".to_owned()).into()),
    };
    let mut embedder = Candidate::open(args)?;
    let report = compare(args, &mut embedder, &mut crops, &names, &reference)?;
    if args.json {
        say!("{}", serde_json::to_string(&report)?)?;
    } else {
        say!(
            "{}: {} crops, {} values; largest difference {:.2e} ({}), mean {:.2e}, least cosine {:.7}; \
             {:.2} ms of CPU time an embedding (median; least {:.2}), one thread",
            report.engine,
            report.crops,
            report.dimension,
            report.max_difference,
            report.worst,
            report.mean_difference,
            report.least_cosine,
            report.median_ms,
            report.least_ms
        )?;
    }
    if report.passed {
        return Ok(());
    }
    let text = format!(
        "out of tolerance: difference {:.2e} (at most {:.2e}), cosine {:.7} (at least {:.7})",
        report.max_difference, args.max_difference, report.least_cosine, args.least_cosine
    );
    Err(Trouble::Failed(text).into())
}

/// Reads the reference's features and gives them unit length.
fn reference(path: &Path) -> Result<Features> {
    let bad = |cause: &dyn std::fmt::Display| Trouble::BadInput(format!("{}: {cause}", path.display()));
    let file = open_regular(path).map_err(|cause| bad(&cause))?;
    let mut features =
        Features::read(BufReader::new(file), MAX_REFERENCE_BYTES).map_err(|cause| bad(&cause))?;
    features.normalise().map_err(|cause| bad(&cause))?;
    Ok(features)
}

/// The unit-length templates of an embedder.
fn templates(embedder: &mut Candidate, crops: &mut Crops, names: &[String]) -> Result<Features> {
    let (mut image, mut values, mut columns) = (RgbImage::new(), Vec::new(), 0);
    for name in names {
        let (template, _) = embedder.template(crops, name, &mut image)?;
        columns = template.len();
        values.extend(template.into_iter().map(|value| value as f32));
    }
    Features::new(columns, values).map_err(|cause| Trouble::BadInput(cause.to_string()).into())
}

/// The names of the crops to compare, in the order of the rows of a reference where there is one.
fn names(args: &ParityArgs, crops: &Crops, reference: Option<(&Path, usize)>) -> Result<Vec<String>> {
    let bad = |text: String| Trouble::BadInput(text).into();
    if args.count == 0 {
        return Err(bad("--count is at least 1".to_owned()));
    }
    let mut names = match &args.list {
        None => crops.names().to_vec(),
        Some(list) => {
            let text = read_text(list, MAX_LIST_BYTES).map_err(|cause| bad(format!("{cause:#}")))?;
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
        }
    };
    if let Some((file, rows)) = reference.filter(|&(_, rows)| names.len() != rows) {
        let source = args.list.as_ref().unwrap_or(&args.crops).display();
        return Err(bad(format!(
            "{} names in {source}, {rows} rows in {}: row n must be the feature of crop n",
            names.len(),
            file.display()
        )));
    }
    // A source of crops without any was refused when it was opened.
    if let Some(list) = args.list.as_ref().filter(|_| names.is_empty()) {
        return Err(bad(format!("{} names no crop", list.display())));
    }
    let known: HashSet<&String> = crops.names().iter().collect();
    if let Some(missing) = names.iter().find(|name| !known.contains(name)) {
        return Err(bad(format!("no crop {missing} in {}", args.crops.display())));
    }
    names.truncate(args.count);
    Ok(names)
}

/// The embedder under test.
struct Candidate {
    /// What runs it.
    engine: &'static str,
    session: Session,
    channels: Channels,
    side: u32,
}

impl Candidate {
    fn open(args: &ParityArgs) -> Result<Self> {
        if let Some(dir) = &args.pack {
            return Self::of_pack(dir, args.engine);
        }
        let path = args.onnx.as_deref().context("neither --onnx nor --pack")?;
        let bytes = read(path, MAX_ONNX_BYTES).map_err(|cause| Trouble::BadInput(format!("{cause:#}")))?;
        let preprocess = Preprocess {
            width: args.side,
            height: args.side,
            layout: Layout::Nchw,
            channel_order: if args.bgr { ChannelOrder::Bgr } else { ChannelOrder::Rgb },
            mean: vec![args.mean; 3],
            scale: vec![args.scale; 3],
            alignment: Alignment::default(),
        };
        Self::load(Files::from(&bytes), &preprocess, &args.output, args.engine)
            .with_context(|| path.display().to_string())
    }

    fn of_pack(dir: &Path, engine: EngineChoice) -> Result<Self> {
        let pack = open_pack(dir).map_err(|error| Trouble::Pack(format!("{error:#}")))?;
        let file = pack.net(Role::Embedder)?;
        let output = file.outputs.first().map_or("", String::as_str);
        // From the graph file, as a device.
        let files = Files { onnx: file.onnx, graphs: file.graphs };
        Self::load(files, &file.preprocess, output, engine)
    }

    fn load(files: Files<'_>, preprocess: &Preprocess, output: &str, engine: EngineChoice) -> Result<Self> {
        let outputs = [output];
        let spec = NetSpec { input: preprocess.shape(), outputs: &outputs };
        let refused = |cause| Trouble::BadInput(format!("the device cannot run this network: {cause}"));
        let net = Net::load(files, &spec, &engine.into()).map_err(refused)?;
        let session = net.session().map_err(refused)?;
        Ok(Self {
            session,
            engine: net.engine().name(),
            channels: Channels::new(preprocess),
            side: preprocess.width,
        })
    }

    /// The unit-length template of one crop, and the time that the network took, in milliseconds. `image` is where the
    /// crop is decoded.
    fn template(&mut self, crops: &mut Crops, name: &str, image: &mut RgbImage) -> Result<(Vec<f64>, f64)> {
        crops.read(name, image).map_err(|cause| Trouble::BadInput(format!("{name}: {cause:#}")))?;
        self.feed(image.view()).with_context(|| name.to_owned())?;
        // CPU time: what else the machine does must not look like the network's cost.
        let start = cpu_ms();
        self.session.run()?;
        let took_ms = cpu_ms() - start;
        Ok((unit(self.session.output(0)).with_context(|| name.to_owned())?, took_ms))
    }

    /// Writes one crop into the network's input.
    fn feed(&mut self, crop: RgbView<'_>) -> Result<()> {
        let side = self.side;
        if (crop.width(), crop.height()) != (side, side) {
            let found = format!("{}x{}", crop.width(), crop.height());
            return Err(
                Trouble::BadInput(format!("a crop of {found}; the network takes {side}x{side}")).into()
            );
        }
        let plane = (side * side) as usize;
        let input = self.session.input_mut();
        for y in 0..side {
            for (x, pixel) in crop.row(y).chunks_exact(3).enumerate() {
                for c in 0..self.channels.planes() {
                    input[c * plane + y as usize * side as usize + x] =
                        self.channels.value(c, [0, 1, 2].map(|i| f32::from(pixel[i])));
                }
            }
        }
        Ok(())
    }
}

fn compare(
    args: &ParityArgs,
    candidate: &mut Candidate,
    crops: &mut Crops,
    names: &[String],
    reference: &Features,
) -> Result<Report> {
    let bar = ProgressBar::new(names.len() as u64);
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} crops, {per_sec}, {eta} left")?);
    let (mut image, mut times, mut sum) = (RgbImage::new(), Vec::with_capacity(names.len()), 0.0);
    let (mut worst, mut least_cosine) = ((0.0, 0), 1.0_f64);
    for (index, name) in names.iter().enumerate() {
        let (found, took_ms) = candidate.template(crops, name, &mut image)?;
        times.push(took_ms);
        let expected = reference.row(index);
        if found.len() != expected.len() {
            let text = format!(
                "the network answers with {} values, the reference has {}",
                found.len(),
                expected.len()
            );
            return Err(Trouble::BadInput(text).into());
        }
        let (difference, mean, cosine) = distance(&found, expected);
        // Not `max`: a NaN must not pass for no difference; `unit` has refused it already.
        if difference > worst.0 {
            worst = (difference, index);
        }
        sum += mean;
        least_cosine = least_cosine.min(cosine);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let passed = worst.0 <= args.max_difference && least_cosine >= args.least_cosine;
    Ok(Report {
        engine: candidate.engine,
        crops: names.len(),
        dimension: reference.columns(),
        max_difference: worst.0,
        worst: names[worst.1].clone(),
        mean_difference: sum / names.len() as f64,
        least_cosine,
        median_ms: median(&times).unwrap_or(f64::NAN),
        least_ms: times.iter().copied().fold(f64::INFINITY, f64::min),
        passed,
    })
}

/// Largest and mean absolute difference, and the cosine, of two unit vectors.
fn distance(a: &[f64], b: &[f32]) -> (f64, f64, f64) {
    let (mut largest, mut sum, mut dot, mut square) = (0.0_f64, 0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b.iter().map(|b| f64::from(*b))) {
        let difference = (a - b).abs();
        largest = largest.max(difference);
        sum += difference;
        dot += a * b;
        square += b * b;
    }
    (largest, sum / a.len() as f64, dot / square.sqrt())
}

fn unit(values: &[f32]) -> Result<Vec<f64>> {
    let length = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    if !length.is_finite() || length == 0.0 {
        return Err(Trouble::Failed("the embedding holds NaN, infinity or only zeros".to_owned()).into());
    }
    Ok(values.iter().map(|v| f64::from(*v) / length).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turned_feature_is_seen() {
        let (largest, mean, cosine) = distance(&[1.0, 0.0], &[0.6, 0.8]);
        assert!((largest - 0.8).abs() < 1e-7 && (mean - 0.6).abs() < 1e-7 && (cosine - 0.6).abs() < 1e-7);
        let (largest, _, cosine) = distance(&[0.6, 0.8], &[0.6, 0.8]);
        assert!(largest < 1e-7 && (cosine - 1.0).abs() < 1e-7);
    }

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: ParityArgs,
    }

    #[test]
    fn a_list_without_names_is_named_and_not_the_crops() {
        let dir = tempfile::tempdir().unwrap();
        let (crops, list) = (dir.path().join("crops"), dir.path().join("list.txt"));
        std::fs::create_dir(&crops).unwrap();
        std::fs::write(crops.join("a.png"), "its name is all that is read").unwrap();
        std::fs::write(&list, "\n \n").unwrap();
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let line =
            ["parity", "--pack", "p", "--against", "q", "--crops", &path(&crops), "--list", &path(&list)];
        let Line { args } = clap::Parser::parse_from(line);
        let refused = names(&args, &Crops::open(&crops).unwrap(), None).unwrap_err().to_string();
        assert!(refused.contains("list.txt") && !refused.contains("crops"), "{refused}");
    }

    #[test]
    fn an_embedding_that_is_no_number_fails() {
        for broken in [[f32::NAN, 1.0], [f32::INFINITY, 0.0], [0.0, 0.0]] {
            assert_eq!(Trouble::code_of(&unit(&broken).unwrap_err()), 1);
        }
    }
}
