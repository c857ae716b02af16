//! `arcdoor-lab pack build`: a recipe and the files that it names become a pack.

use std::fs;
use std::path::{Path, PathBuf};

use super::source::read_source;
use crate::input_file::read_text;
use crate::limits::MAX_RECIPE_BYTES;
use crate::part_file::part_of;
use crate::say::say;
use anyhow::{Context, Result, ensure};
use arcdoor_calib::Random;
use arcdoor_infer::rewrite::Simplified;
use arcdoor_infer::{InferError, Net, NetSpec, RunOptions, Session, rewrite};
use arcdoor_models::{
    Built, EmbedderCard, GraphFile, MANIFEST_FILE, Pack, Preprocess, Recipe, RecipeNet, Role, sha256_hex,
};
use arcdoor_vision::graph_file;

/// Arguments of `pack build`.
#[derive(clap::Args)]
pub(crate) struct PackBuildArgs {
    /// The recipe: models/recipes/NAME.toml
    #[arg(long, value_name = "FILE")]
    recipe: PathBuf,
    /// The folder with the files that the recipe names
    #[arg(long, value_name = "DIR")]
    source: PathBuf,
    /// A card (MODEL.toml, as `arcdoor-train export` writes it beside MODEL.onnx): its embedder takes the
    /// place of the recipe's
    #[arg(long, value_name = "FILE")]
    embedder: Option<PathBuf>,
    /// Write the embedder's weights as int8, as `int8_weights = true` in its section of the recipe does: a quarter of
    /// the size, computed in f32 all the same; another network, to be calibrated anew
    #[arg(long)]
    int8_weights: bool,
    /// Where to write the pack; a pack that is there is replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Builds the pack beside its place, opens it as a device would, and only then moves it there.
pub(crate) fn run(args: PackBuildArgs) -> Result<()> {
    let text = read_text(&args.recipe, MAX_RECIPE_BYTES)?;
    let recipe = Recipe::parse(&text).with_context(|| format!("cannot use {}", args.recipe.display()))?;
    let (mut recipe, beside) = with_card(recipe, &args)?;
    recipe.embedder.int8_weights |= args.int8_weights;
    if let Some(note) = int8_note(&recipe) {
        eprintln!("{note}");
    }
    let is_pack = args.out.join(MANIFEST_FILE).is_file();
    ensure!(
        is_pack || !args.out.exists(),
        "{} is there and is no pack; name another --out",
        args.out.display()
    );
    let part = part_of(&args.out);
    if part.exists() {
        fs::remove_dir_all(&part).with_context(|| format!("cannot empty {}", part.display()))?;
    }
    fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
    let detector = build_net(&recipe.detector, Role::Detector, &args.source, &part)?;
    let embedder = build_net(&recipe.embedder, Role::Embedder, &beside, &part)?;
    let manifest = recipe.manifest(detector, embedder).to_toml()?;
    write(&part.join(MANIFEST_FILE), manifest.as_bytes())?;
    let pack = Pack::open(&part)?;
    if is_pack {
        fs::remove_dir_all(&args.out).with_context(|| format!("cannot replace {}", args.out.display()))?;
    }
    fs::rename(&part, &args.out).with_context(|| format!("cannot write {}", args.out.display()))?;
    say!("{}: model {}", args.out.display(), pack.model_id())?;
    Ok(())
}

/// What an embedder with int8 weights asks for, whoever asked for them: nothing tells whether its tables are its own.
fn int8_note(recipe: &Recipe) -> Option<&'static str> {
    recipe.embedder.int8_weights.then_some(
        "note: calibration and recognisability must be those of the network with int8 weights; make both anew, \
         unless they were: `arcdoor-lab calibrate`, `arcdoor-lab recognisability`",
    )
}

/// The recipe with the card's embedder where one was given, and the folder of the embedder's source file.
fn with_card(recipe: Recipe, args: &PackBuildArgs) -> Result<(Recipe, PathBuf)> {
    let Some(file) = &args.embedder else {
        return Ok((recipe, args.source.clone()));
    };
    let text = read_text(file, MAX_RECIPE_BYTES)?;
    let card = EmbedderCard::parse(&text).with_context(|| format!("cannot use {}", file.display()))?;
    if card.calibration.is_none() {
        eprintln!("{} has no calibration: the pack will grant nobody", file.display());
    }
    Ok((card.into_recipe(recipe)?, file.parent().map(Path::to_path_buf).unwrap_or_default()))
}

/// Rewrites one network, compares it with the original, and writes it.
fn build_net(net: &RecipeNet, role: Role, source: &Path, out: &Path) -> Result<Built> {
    let path = source.join(&net.source_file);
    let bytes = read_source(net, source)?;
    let mut simple =
        rewrite::simplify(&bytes).with_context(|| format!("cannot rewrite {}", path.display()))?;
    let input = &net.preprocess;
    let outputs: Vec<&str> = net.outputs.iter().map(String::as_str).collect();
    let spec = NetSpec { input: input.shape(), outputs: &outputs };
    let cost = arcdoor_infer::cost(&simple.onnx, &spec)?;
    let unusable = || format!("{} is not usable", path.display());
    let mut original = Original::open(&bytes, &spec).with_context(unusable)?;
    if !original.as_it_came {
        eprintln!(
            "{}: neither plan nor tract runs it as it came, so that it is compared respelled",
            net.file
        );
    }
    let same = Expected { cosine: LEAST_COSINE, because: "with the rewriting" };
    compare(&mut original.session, &simple, &spec, net, &same).with_context(unusable)?;
    if net.int8_weights {
        let before = simple.onnx.len();
        to_int8(&mut simple).with_context(unusable)?;
        let near = Expected { cosine: LEAST_INT8_COSINE, because: "with int8 weights" };
        let cosine = compare(&mut original.session, &simple, &spec, net, &near).with_context(unusable)?;
        say!(
            "{}: int8 weights: {:.2} MB before, {:.2} MB after; least cosine to the outputs before {cosine:.6}, noise \
             for images",
            net.file,
            before as f64 / 1e6,
            simple.onnx.len() as f64 / 1e6
        )?;
    }
    write(&out.join(&net.file), &simple.onnx)?;
    say!(
        "{}: {:.1} MMAC, {} parameters, {:?}",
        net.file,
        cost.macs as f64 / 1e6,
        cost.parameters,
        simple.report
    )?;
    let graph = build_graph(net, role, &simple.onnx, &outputs, out)?;
    Ok(Built {
        sha256: sha256_hex(&simple.onnx),
        macs: cost.macs,
        parameters: cost.parameters,
        preprocess: with_norm(input, simple.input_norm),
        graph,
    })
}

/// Weights become int8, beside those that came so.
fn to_int8(simple: &mut Simplified) -> Result<()> {
    let (onnx, count) = rewrite::with_int8_weights(&simple.onnx)?;
    simple.onnx = onnx;
    simple.report.int8 += count;
    Ok(())
}

/// Writes the graph file from which devices start the rewritten network.
fn build_graph(
    net: &RecipeNet,
    role: Role,
    onnx: &[u8],
    outputs: &[&str],
    out: &Path,
) -> Result<Option<GraphFile>> {
    let Some(bytes) = graph_file(onnx, role, outputs, &net.preprocess)? else {
        eprintln!("{}: the plan does not run it, so that devices start it by tract", net.file);
        return Ok(None);
    };
    let file = Path::new(&net.file).with_extension("graph").to_string_lossy().into_owned();
    ensure!(file != net.file, "{}: give it another extension than .graph", net.file);
    write(&out.join(&file), &bytes)?;
    say!("{file}: {:.1} kB", bytes.len() as f64 / 1e3)?;
    Ok(Some(GraphFile { sha256: sha256_hex(&bytes), file }))
}

/// How alike the outputs of the rewritten network must be to those of the original, as a cosine.
const LEAST_COSINE: f64 = 0.9999;
/// The same for weights that were rounded to int8. Noise is no face: how far templates of faces move, `parity
/// --against` tells.
const LEAST_INT8_COSINE: f64 = 0.98;
/// Inputs that both are run on.
const TRIALS: u64 = 8;

/// How alike outputs must be, and what else made them differ.
struct Expected {
    cosine: f64,
    because: &'static str,
}

/// The network before it was rewritten, ready to run.
struct Original {
    session: Session,
    as_it_came: bool,
}

impl Original {
    /// Takes the file as it came, where that runs: what a pass gets wrong, it would get wrong in a respelled original
    /// as well, and nothing would show. Only what neither plan nor tract runs is respelled first, such as networks of
    /// 16-bit floats or with quantised constants in blocks: for these, the passes over constants and operator sets
    /// rest on their own tests.
    fn open(onnx: &[u8], spec: &NetSpec<'_>) -> Result<Self, InferError> {
        let run = |onnx: &[u8]| -> Result<Session, InferError> {
            let mut session = Net::load(onnx, spec, &RunOptions::default())?.session()?;
            session.run()?;
            Ok(session)
        };
        match run(onnx) {
            Ok(session) => Ok(Self { session, as_it_came: true }),
            Err(_) => Ok(Self { session: run(&rewrite::dequantise(onnx)?)?, as_it_came: false }),
        }
    }
}

/// Runs the original beside the rewritten network: each output must be finite, of the recipe's dimension, and agree.
/// Returns the least cosine of any two.
fn compare(
    before: &mut Session,
    simple: &Simplified,
    spec: &NetSpec<'_>,
    net: &RecipeNet,
    expected: &Expected,
) -> Result<f64> {
    let mut least = 1.0_f64;
    let mut after = Net::load(&simple.onnx, spec, &RunOptions::default())?.session()?;
    let plane = spec.input[2] * spec.input[3];
    let planes = net.preprocess.channel_order.planes();
    let one = Preprocess { mean: vec![0.0; planes], scale: vec![1.0; planes], ..net.preprocess.clone() };
    let norm = with_norm(&one, simple.input_norm);
    for trial in 0..TRIALS {
        let mut random = Random(trial);
        let inputs = before.input_mut().iter_mut().zip(after.input_mut());
        for (index, (raw, normed)) in inputs.enumerate() {
            let pixel = 127.5 + 127.5 * random.signed();
            *raw = (pixel - net.preprocess.mean[index / plane]) * net.preprocess.scale[index / plane];
            *normed = (*raw - norm.mean[index / plane]) * norm.scale[index / plane];
        }
        before.run()?;
        after.run()?;
        for (index, name) in spec.outputs.iter().enumerate() {
            let (a, b) = (before.output(index), after.output(index));
            let length = net.dimension.unwrap_or(a.len());
            ensure!(b.len() == length, "output {name} has {} values, not {length}", b.len());
            ensure!(b.iter().all(|v| v.is_finite()), "output {name} is not finite");
            let cosine = cosine(a, b);
            let Expected { cosine: most, because } = *expected;
            ensure!(cosine >= most, "output {name} changed {because}: cosine {cosine:.6}");
            least = least.min(cosine);
        }
    }
    Ok(least)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot =
        |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    let norms = (dot(a, a) * dot(b, b)).sqrt();
    // Outputs that are all zero agree.
    if norms == 0.0 { f64::from(u8::from(dot(a, a) == dot(b, b))) } else { dot(a, b) / norms }
}

/// First the recipe's normalisation, then what was taken off the graph: one mean and one scale do both.
fn with_norm(input: &Preprocess, norm: Option<rewrite::InputNorm>) -> Preprocess {
    let mut input = input.clone();
    if let Some(norm) = norm {
        for c in 0..input.channel_order.planes() {
            input.mean[c] += norm.mean[c] / input.scale[c];
            input.scale[c] *= norm.scale[c];
        }
    }
    input
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A convolution of 1x1 from 3 to 4 channels, and a ReLU.
    const SMALL: &[u8] = include_bytes!("../../../../runtime/infer/tests/data/small.onnx");
    const SPEC: NetSpec<'static> = NetSpec { input: [1, 3, 2, 2], outputs: &["v4"] };

    /// The input declared as of 16-bit floats, which only rewriting takes.
    fn of_halves() -> Vec<u8> {
        let mut onnx = SMALL.to_vec();
        let input = onnx.windows(4).position(|bytes| bytes == b"\x0a\x01x\x12").unwrap();
        let kind = onnx[input..].windows(3).position(|bytes| bytes == [0x08, 1, 0x12]).unwrap();
        onnx[input + kind + 1] = 10;
        onnx
    }

    #[test]
    fn a_network_that_runs_as_it_came_is_compared_as_it_came() {
        assert!(Original::open(SMALL, &SPEC).unwrap().as_it_came);
        assert!(!Original::open(&of_halves(), &SPEC).unwrap().as_it_came);
        assert!(Original::open(&SMALL[1..], &SPEC).is_err());
    }

    #[test]
    fn weights_that_came_as_int8_stay_counted() {
        let mut simple = rewrite::simplify(SMALL).unwrap();
        simple.report.int8 = 3;
        to_int8(&mut simple).unwrap();
        assert_eq!(simple.report.int8, 3, "its own weights are too few to become int8");
    }

    #[test]
    fn whoever_asks_for_int8_weights_is_told_to_calibrate() {
        let text = include_str!("../../../../models/recipes/yunet-sface.toml");
        let mut recipe = Recipe::parse(text).unwrap();
        assert_eq!(int8_note(&recipe), None);
        recipe.embedder.int8_weights = true;
        let note = int8_note(&recipe).unwrap();
        assert!(note.contains("lab calibrate") && note.contains("lab recognisability"), "{note}");
    }
}
