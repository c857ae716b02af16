//! `arcdoor-lab gate`: a pack's embedder against the limits of LFR's light track, line by line.

use std::path::PathBuf;

use anyhow::{Context, Result};
use arcdoor_infer::{Cost, NetSpec, rewrite};
use arcdoor_models::{Pack, Role};
use serde::{Deserialize, Serialize};

use crate::face_finder::open_pack;
use crate::say::say;
use crate::trouble::Trouble;

/// The one place of the limits; the trainer's `export.budget` reads the same file.
const LIMITS: &str = include_str!("../../trainer/src/arcdoor_train/light_track.toml");

/// The large tracks' limit, by the organisers (ArcFace, arXiv 1801.07698 v4).
const LARGE_FLOPS: u64 = 30_000_000_000;

/// Arguments of `gate`.
#[derive(clap::Args)]
pub(crate) struct GateArgs {
    /// The pack
    #[arg(value_name = "DIR")]
    pack: PathBuf,
    /// The large track's limits: 30 GFLOPs, and none for the file
    #[arg(long)]
    large: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// The file with the limits.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    flops: Flops,
    file: File,
    dimension: Dimension,
    float_type: FloatType,
    training: Training,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flops {
    at_most: u64,
    source: Source,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    below_bytes: u64,
    source: Source,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Dimension {
    values: usize,
    source: Source,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FloatType {
    name: String,
    source: Source,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Training {
    sets: Vec<String>,
    source: Source,
}

/// Who says that there is such a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    Organisers,
    /// A sponsor's account.
    Report,
}

/// How an embedder's weights lie in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weights {
    Float32,
    Int8,
    /// Fewer bytes than its parameters have as f32, such as 16-bit floats.
    Narrow,
}

impl Weights {
    const fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Int8 => "int8",
            Self::Narrow => "narrower than float32",
        }
    }
}

/// What is known of an embedder.
#[derive(Clone, Copy)]
struct Facts<'a> {
    cost: Cost,
    /// Of the ONNX file.
    bytes: u64,
    dimension: usize,
    weights: Weights,
    /// As the manifest has it.
    training_data: &'a str,
}

/// One limit, and what the embedder has.
#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    limit: String,
    value: String,
    source: Source,
    passed: bool,
}

/// One form of a network, judged by itself.
#[derive(Debug, Serialize)]
struct Form {
    /// `float32` or `int8`, ...: how its weights lie.
    name: &'static str,
    /// Whether the pack ships it; else it is what the pack's file would be with weights written out as float32.
    ships: bool,
    bytes: u64,
    lines: Vec<Line>,
    passed: bool,
}

/// What the command prints.
#[derive(Debug, Serialize)]
struct Report {
    pack: String,
    model_id: String,
    file: String,
    bytes: u64,
    macs: u64,
    /// At most; see [`flops`].
    flops: u64,
    parameters: u64,
    dimension: usize,
    /// Of the form that ships.
    lines: Vec<Line>,
    passed: bool,
    /// The form that ships, and its weights as float32 where they are not.
    forms: Vec<Form>,
}

/// Runs the command; a limit that is not met ends it with 1, a pack that cannot be judged with 4.
pub(crate) fn run(args: &GateArgs) -> Result<()> {
    let refused = |cause: anyhow::Error| Trouble::Pack(format!("{cause:#}"));
    let pack = open_pack(&args.pack).map_err(refused)?;
    let limits: Limits = toml::from_str(LIMITS).context("light_track.toml")?;
    let report = judge(&pack, &limits, args.large).map_err(refused)?;
    if args.json {
        say!("{}", serde_json::to_string(&report)?)?;
    } else {
        print(&report, args.large)?;
    }
    if report.passed {
        return Ok(());
    }
    let failed: Vec<&str> = report.lines.iter().filter(|line| !line.passed).map(|line| line.name).collect();
    let text = format!(
        "{} does not keep the {} track's limits: {}",
        report.pack,
        track(args.large),
        failed.join(", ")
    );
    Err(Trouble::Failed(text).into())
}

/// Counts on the file itself: what a manifest says of MACs is its maker's word.
fn judge(pack: &Pack, limits: &Limits, large: bool) -> Result<Report> {
    let net = pack.net(Role::Embedder).context("the pack has no embedder")?;
    let outputs: Vec<&str> = net.outputs.iter().map(String::as_str).collect();
    let spec = NetSpec { input: net.preprocess.shape(), outputs: &outputs };
    let cost = arcdoor_infer::cost(net.onnx, &spec)?;
    let facts = Facts {
        cost,
        bytes: net.onnx.len() as u64,
        dimension: pack.dimension(),
        weights: weights(net.onnx, cost)?,
        training_data: &net.training_data,
    };
    let mut forms = vec![form(&facts, limits, large, true)];
    if facts.weights != Weights::Float32 {
        // The same network with every weight written out: another file, and another form.
        let plain = rewrite::simplify(net.onnx)?.onnx;
        let bytes = (plain.len() as u64).max(as_f32(cost));
        forms.push(form(&Facts { bytes, weights: Weights::Float32, ..facts }, limits, large, false));
    }
    let lines = lines_of(&facts, limits, large);
    Ok(Report {
        pack: pack.name().to_owned(),
        model_id: pack.model_id().to_string(),
        file: net.file.clone(),
        bytes: facts.bytes,
        macs: facts.cost.macs,
        flops: flops(facts.cost),
        parameters: facts.cost.parameters,
        dimension: facts.dimension,
        passed: lines.iter().all(|line| line.passed),
        lines,
        forms,
    })
}

fn form(facts: &Facts<'_>, limits: &Limits, large: bool, ships: bool) -> Form {
    let lines = lines_of(facts, limits, large);
    let passed = lines.iter().all(|line| line.passed);
    Form { name: facts.weights.name(), ships, bytes: facts.bytes, lines, passed }
}

const fn track(large: bool) -> &'static str {
    if large { "large" } else { "light" }
}

/// One line on whether a pack's embedder keeps a track's limits.
///
/// # Errors
/// When the pack cannot be judged.
pub(crate) fn summary(pack: &Pack, large: bool) -> Result<String> {
    let limits: Limits = toml::from_str(LIMITS).context("light_track.toml")?;
    let report = judge(pack, &limits, large)?;
    let broken: Vec<&str> = report.lines.iter().filter(|line| !line.passed).map(|line| line.name).collect();
    let track = track(large);
    Ok(if broken.is_empty() {
        format!("{} keeps the {track} track's limits", report.pack)
    } else {
        format!("{} does not keep the {track} track's limits: {}", report.pack, broken.join(", "))
    })
}

fn weights(onnx: &[u8], cost: Cost) -> Result<Weights> {
    let found = rewrite::simplify(onnx)?.report;
    Ok(if found.int8 > 0 || found.dequantised > 0 {
        Weights::Int8
    } else if (onnx.len() as u64) < as_f32(cost) {
        Weights::Narrow
    } else {
        Weights::Float32
    })
}

/// The bytes of its parameters as f32.
const fn as_f32(cost: Cost) -> u64 {
    cost.parameters.saturating_mul(4)
}

/// By the organisers' counting, as if each output had a bias: a folded normalisation leaves one, and where there is
/// none they count one less. What keeps the limit by this number keeps it by theirs.
const fn flops(cost: Cost) -> u64 {
    cost.macs.saturating_mul(2)
}

/// Every limit of a track. The large one has more FLOPs, and no limit of a file's size.
fn lines_of(facts: &Facts<'_>, limits: &Limits, large: bool) -> Vec<Line> {
    let all = lines(facts, limits).into_iter();
    if !large {
        return all.collect();
    }
    all.filter(|line| !["file", "parameters as float32"].contains(&line.name))
        .map(|line| match line.name {
            "FLOPs" => Line {
                limit: format!("at most {}", millions(LARGE_FLOPS)),
                passed: flops(facts.cost) <= LARGE_FLOPS,
                ..line
            },
            _ => line,
        })
        .collect()
}

/// Every limit, in the order of the file, whether it is met or not.
fn lines(facts: &Facts<'_>, limits: &Limits) -> Vec<Line> {
    let Limits { flops: most, file, dimension, float_type, training } = limits;
    let (cost, below) = (facts.cost, format!("below {}", megabytes(file.below_bytes)));
    let line = |name, limit, value, source, passed| Line { name, limit, value, source, passed };
    let is_known = is_allowed(facts.training_data, &training.sets);
    vec![
        line(
            "FLOPs",
            format!("at most {}", millions(most.at_most)),
            format!("{} ({:.1} MMAC)", millions(flops(cost)), cost.macs as f64 / 1e6),
            most.source,
            flops(cost) <= most.at_most,
        ),
        line("file", below.clone(), megabytes(facts.bytes), file.source, facts.bytes < file.below_bytes),
        line(
            "parameters as float32",
            below,
            format!("{} ({} parameters)", megabytes(as_f32(cost)), cost.parameters),
            file.source,
            as_f32(cost) < file.below_bytes,
        ),
        line(
            "dimension",
            dimension.values.to_string(),
            facts.dimension.to_string(),
            dimension.source,
            facts.dimension == dimension.values,
        ),
        line(
            "weights",
            float_type.name.clone(),
            facts.weights.name().to_owned(),
            float_type.source,
            facts.weights.name() == float_type.name,
        ),
        // Plan and tract know no other arithmetic, whatever the weights are stored as.
        line(
            "computed in",
            float_type.name.clone(),
            Weights::Float32.name().to_owned(),
            float_type.source,
            Weights::Float32.name() == float_type.name,
        ),
        line(
            "training data",
            format!("{} alone", training.sets.first().map_or("", String::as_str)),
            if is_known {
                format!("{}, as its manifest says", facts.training_data)
            } else {
                format!("not shown: its manifest says {:?}", facts.training_data)
            },
            training.source,
            is_known,
        ),
    ]
}

/// Whether a manifest names one of these sets and nothing else. Nobody can tell what more words mean: further sets, a
/// teacher with its own, or that the set was not used.
fn is_allowed(training_data: &str, sets: &[String]) -> bool {
    let plain = |text: &str| text.replace(['-', '_', ' '], "").to_lowercase();
    sets.iter().any(|set| plain(set) == plain(training_data.trim()))
}

fn millions(count: u64) -> String {
    format!("{:.3} M", count as f64 / 1e6)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.3} MB", bytes as f64 / 1e6)
}

fn print(report: &Report, large: bool) -> Result<()> {
    say!("{}: {} against LFR's {} track (ICCV 2019)", report.pack, report.file, track(large))?;
    let limit = |line: &Line| {
        let mark = if line.source == Source::Report { "*" } else { "" };
        format!("{}{mark}", line.limit)
    };
    let widest = |widths: &mut dyn Iterator<Item = usize>| widths.max().unwrap_or(0);
    let names = widest(&mut report.lines.iter().map(|line| line.name.len()));
    let limits = widest(&mut report.lines.iter().map(|line| limit(line).len()));
    for line in &report.lines {
        let word = if line.passed { "pass" } else { "FAIL" };
        say!("  {word}  {:names$}  {:limits$}  {}", line.name, limit(line), line.value)?;
    }
    for form in report.forms.iter().filter(|form| !form.ships) {
        let broken: Vec<&str> = form.lines.iter().filter(|line| !line.passed).map(|line| line.name).collect();
        let verdict = if broken.is_empty() {
            "keeps every limit".to_owned()
        } else {
            format!("breaks {}", broken.join(", "))
        };
        say!("its weights as {}, {}: {verdict}; nobody ships that form", form.name, megabytes(form.bytes))?;
    }
    say!("* by a sponsor's report alone: what the organisers wrote of it could not be read")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        toml::from_str(LIMITS).unwrap()
    }

    /// What meets every limit, and no limit with much to spare.
    fn light() -> Facts<'static> {
        Facts {
            cost: Cost { macs: 500_000_000, parameters: 4_999_999 },
            bytes: 19_999_999,
            dimension: 512,
            weights: Weights::Float32,
            training_data: "ms1m-retinaface",
        }
    }

    fn failed(facts: &Facts<'_>) -> Vec<&'static str> {
        lines(facts, &limits()).iter().filter(|line| !line.passed).map(|line| line.name).collect()
    }

    #[test]
    fn the_large_track_has_more_flops_and_no_limit_of_a_file() {
        let facts = Facts {
            cost: Cost { macs: 15_000_000_000, parameters: 70_000_000 },
            bytes: 280_000_000,
            ..light()
        };
        let broken = |facts: &Facts<'_>| -> Vec<&str> {
            lines_of(facts, &limits(), true)
                .iter()
                .filter(|line| !line.passed)
                .map(|line| line.name)
                .collect()
        };
        assert_eq!(broken(&facts), [""; 0]);
        let more = Facts { cost: Cost { macs: 15_000_000_001, ..facts.cost }, ..facts };
        assert_eq!(broken(&more), ["FLOPs"]);
        assert_eq!(broken(&Facts { weights: Weights::Int8, ..light() }), ["weights"]);
    }

    #[test]
    fn the_limits_are_the_tracks() {
        let limits = limits();
        assert_eq!(limits.flops.at_most, 1_000_000_000);
        assert_eq!(limits.file.below_bytes, 20_000_000);
        assert_eq!((limits.dimension.values, limits.float_type.name.as_str()), (512, "float32"));
    }

    #[test]
    fn a_limit_that_is_just_broken_is_not_let_through_and_one_just_kept_is() {
        assert_eq!(failed(&light()), [""; 0]);
        let cost = light().cost;
        let broken = [
            (Facts { cost: Cost { macs: cost.macs + 1, ..cost }, ..light() }, "FLOPs"),
            (Facts { bytes: 20_000_000, ..light() }, "file"),
            (Facts { cost: Cost { parameters: 5_000_000, ..cost }, ..light() }, "parameters as float32"),
            (Facts { dimension: 511, ..light() }, "dimension"),
            (Facts { weights: Weights::Int8, ..light() }, "weights"),
            (Facts { weights: Weights::Narrow, ..light() }, "weights"),
            (Facts { training_data: "MS1MV2", ..light() }, "training data"),
        ];
        for (facts, name) in broken {
            assert_eq!(failed(&facts), [name]);
        }
    }

    #[test]
    fn a_small_file_of_int8_weights_does_not_hide_the_size_of_its_network() {
        let cost = Cost { macs: 1, parameters: 9_629_632 };
        let facts = Facts { cost, bytes: 9_700_000, weights: Weights::Int8, ..light() };
        assert_eq!(failed(&facts), ["parameters as float32", "weights"]);
    }

    #[test]
    fn training_data_that_nobody_can_check_by_its_name_are_not_taken_for_the_tracks() {
        let sets = limits().training.sets;
        for text in ["MS1MV3", "ms1mv3", "MS1M-RetinaFace", "ms1m retinaface"] {
            assert!(is_allowed(text, &sets), "{text}");
        }
        for text in
            ["", "not said", "MS1MV3 and Glint360K", "anything but MS1MV3", "answers of a teacher, on MS1MV3"]
        {
            assert!(!is_allowed(text, &sets), "{text}");
        }
    }
}
