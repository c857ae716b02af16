//! `arcdoor-lab pack build`: a recipe and the files that it names become a pack.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use arcdoor_infer::{Net, NetSpec, onnx};
use arcdoor_models::{Built, MANIFEST_FILE, Pack, Preprocess, Recipe, RecipeNet, sha256_hex};

/// Arguments of `pack build`.
#[derive(clap::Args)]
pub(crate) struct PackBuildArgs {
    /// The recipe: models/recipes/NAME.toml
    #[arg(long, value_name = "FILE")]
    recipe: PathBuf,
    /// The folder with the files that the recipe names
    #[arg(long, value_name = "DIR")]
    source: PathBuf,
    /// Where to write the pack; a pack that is there is replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Builds the pack beside its place, opens it as a device would, and only then moves it there.
pub(crate) fn run(args: PackBuildArgs) -> Result<()> {
    let text =
        fs::read_to_string(&args.recipe).with_context(|| format!("cannot read {}", args.recipe.display()))?;
    let recipe = Recipe::parse(&text).with_context(|| format!("cannot use {}", args.recipe.display()))?;
    let is_pack = args.out.join(MANIFEST_FILE).is_file();
    ensure!(
        is_pack || !args.out.exists(),
        "{} is there and is no pack; name another --out",
        args.out.display()
    );
    let part = args.out.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part).with_context(|| format!("cannot empty {}", part.display()))?;
    }
    fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
    let net = |net: &RecipeNet| build_net(net, &args.source, &part);
    let detector = net(&recipe.detector)?;
    let landmarks = recipe.landmarks.as_ref().map(net).transpose()?;
    let embedder = net(&recipe.embedder)?;
    let manifest = recipe.manifest(detector, landmarks, embedder).to_toml()?;
    write(&part.join(MANIFEST_FILE), manifest.as_bytes())?;
    let pack = Pack::open(&part)?;
    if is_pack {
        fs::remove_dir_all(&args.out).with_context(|| format!("cannot replace {}", args.out.display()))?;
    }
    fs::rename(&part, &args.out).with_context(|| format!("cannot write {}", args.out.display()))?;
    println!("{}: model {}", args.out.display(), pack.model_id());
    Ok(())
}

/// Rewrites one network, runs it once, and writes it.
fn build_net(net: &RecipeNet, source: &Path, out: &Path) -> Result<Built> {
    let path = source.join(&net.source_file);
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let found = sha256_hex(&bytes);
    if found != net.source_sha256 {
        bail!(
            "{} is not the file of the recipe: its sha256 is {found}, not {}",
            path.display(),
            net.source_sha256
        );
    }
    let simple = onnx::simplify(&bytes).with_context(|| format!("cannot rewrite {}", path.display()))?;
    let input = &net.preprocess;
    let outputs: Vec<&str> = net.outputs.iter().map(String::as_str).collect();
    let spec = NetSpec { input: [1, 3, input.height as usize, input.width as usize], outputs: &outputs };
    let cost = arcdoor_infer::cost(&simple.onnx, &spec)?;
    try_out(&simple.onnx, &spec, net.dimension)
        .with_context(|| format!("{} is not usable", path.display()))?;
    write(&out.join(&net.file), &simple.onnx)?;
    println!(
        "{}: {:.1} MMAC, {} parameters, {:?}",
        net.file,
        cost.macs as f64 / 1e6,
        cost.parameters,
        simple.report
    );
    Ok(Built {
        sha256: sha256_hex(&simple.onnx),
        macs: cost.macs,
        parameters: cost.parameters,
        preprocess: with_norm(input, simple.input_norm),
    })
}

/// Each output must answer with finite numbers, an embedder with as many as its recipe says.
fn try_out(bytes: &[u8], spec: &NetSpec<'_>, dimension: Option<usize>) -> Result<()> {
    let mut session = Net::load(bytes, spec)?.session()?;
    session
        .input_mut()
        .iter_mut()
        .zip((0..=255_u8).cycle())
        .for_each(|(value, x)| *value = f32::from(x) / 255.0);
    session.run()?;
    for (index, name) in spec.outputs.iter().enumerate() {
        let output = session.output(index);
        ensure!(
            !output.is_empty() && output.iter().all(|v| v.is_finite()),
            "output {name} is empty or not finite"
        );
        let expected = dimension.unwrap_or(output.len());
        ensure!(output.len() == expected, "output {name} has {} values, not {expected}", output.len());
    }
    Ok(())
}

/// First the recipe's normalisation, then what was taken off the graph: one mean and one scale do both.
fn with_norm(input: &Preprocess, norm: Option<onnx::InputNorm>) -> Preprocess {
    let mut input = input.clone();
    if let Some(norm) = norm {
        for c in 0..3 {
            input.mean[c] += norm.mean[c] / input.scale[c];
            input.scale[c] *= norm.scale[c];
        }
    }
    input
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
