//! Good packs open; anything else is refused whole, and the refusal names the culprit.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use std::fs;
use std::path::Path;

use arcdoor_core::{Basis, Fmr};
use arcdoor_models::{
    Built, Doubt, EmbedderCard, GraphFile, MANIFEST_FILE, MAX_MANIFEST_BYTES, Manifest, Pack, PackFile,
    Preprocess, Problem, Recipe, Role, SIGNATURE_FILE, SharedDirections, TrustedKey, bundle, sha256_hex,
};
use tempfile::TempDir;

const DETECTOR: &[u8] = b"detector's bytes";
const EMBEDDER: &[u8] = b"embedder's bytes";
const GRAPH: &[u8] = b"detector's graph";

fn recipe() -> Recipe {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/yunet-sface.toml");
    Recipe::parse(&fs::read_to_string(path).unwrap()).unwrap()
}

fn manifest() -> Manifest {
    let recipe = recipe();
    let built = |bytes: &[u8], net: &arcdoor_models::RecipeNet| Built {
        sha256: sha256_hex(bytes),
        macs: 1,
        parameters: 1,
        preprocess: net.preprocess.clone(),
        graph: None,
    };
    recipe.manifest(built(DETECTOR, &recipe.detector), built(EMBEDDER, &recipe.embedder))
}

/// A good pack, its manifest's text changed by `edit`.
fn pack_with(edit: impl Fn(String) -> String) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let text = manifest().to_toml().unwrap();
    fs::write(dir.path().join(MANIFEST_FILE), edit(text)).unwrap();
    fs::write(dir.path().join("yunet.onnx"), DETECTOR).unwrap();
    fs::write(dir.path().join("sface.onnx"), EMBEDDER).unwrap();
    dir
}

fn replaced(from: &'static str, to: &'static str) -> impl Fn(String) -> String {
    move |text| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replacen(from, to, 1)
    }
}

fn refusal(dir: &TempDir) -> String {
    Pack::open(dir.path()).map(|_| ()).unwrap_err().to_string()
}

/// A good pack whose detector has a graph file of this name.
fn pack_with_graph(name: &str) -> TempDir {
    let dir = pack_with(|text| text);
    let mut manifest = manifest();
    manifest.detector.graph = Some(GraphFile { file: name.to_owned(), sha256: sha256_hex(GRAPH) });
    // `to_toml` refuses what `open` refuses.
    fs::write(dir.path().join(MANIFEST_FILE), toml::to_string(&manifest).unwrap()).unwrap();
    fs::write(dir.path().join("yunet.graph"), GRAPH).unwrap();
    dir
}

#[test]
fn a_graph_file_is_verified_like_its_network() {
    let dir = pack_with_graph("yunet.graph");
    let pack = Pack::open(dir.path()).unwrap();
    assert_eq!(pack.net(Role::Detector).unwrap().graphs, Some(GRAPH));
    assert_eq!(pack.net(Role::Embedder).unwrap().graphs, None);
    assert_eq!(pack.files(), ["pack.toml", "yunet.onnx", "yunet.graph", "sface.onnx"]);
    fs::write(dir.path().join("yunet.graph"), b"another graph").unwrap();
    assert!(refusal(&dir).contains("yunet.graph: changed"), "{}", refusal(&dir));
    fs::remove_file(dir.path().join("yunet.graph")).unwrap();
    assert!(refusal(&dir).contains("yunet.graph: cannot be read"), "{}", refusal(&dir));
    let refused = refusal(&pack_with_graph("../yunet.graph"));
    assert!(refused.contains("no plain file name"), "{refused}");
}

#[test]
fn a_good_pack_opens_with_the_bytes_it_verified() {
    let dir = pack_with(|text| text);
    let pack = Pack::open(dir.path()).unwrap();
    assert_eq!(pack.net(Role::Detector).unwrap().onnx, DETECTOR);
    assert_eq!(pack.net(Role::Embedder).unwrap().onnx, EMBEDDER);
    assert_eq!(pack.nets().map(|net| net.role).collect::<Vec<_>>(), [Role::Detector, Role::Embedder]);
    let missing = pack.net(Role::Landmarks).map(|net| net.role).unwrap_err();
    assert!(missing.to_string().contains("[landmarks]"), "{missing}");
    assert_eq!(pack.dimension(), 128);
    assert_eq!(pack.manifest(), &manifest());
    let threshold = pack.threshold(Fmr::new(1e-5).unwrap()).unwrap();
    assert_eq!((threshold.value.0, threshold.model_id), (0.467_73, pack.model_id()));
    assert_eq!(threshold.basis, Basis::Counted);
    let fitted = pack.threshold(Fmr::new(1.5e-6).unwrap()).unwrap();
    assert_eq!(fitted.basis, Basis::TailFit);
    assert!(pack.threshold(Fmr::new(1e-8).unwrap()).is_err());
    assert!(Pack::check(dir.path(), None).is_empty());
}

/// The pack of `files` as compiled in, and what refuses it.
fn refusal_of_files(files: &[PackFile]) -> String {
    Pack::from_files("(compiled in)", files).map(drop).unwrap_err().to_string()
}

#[test]
fn a_pack_of_bytes_meets_the_rules_of_one_in_a_folder() {
    let text: &'static str = manifest().to_toml().unwrap().leak();
    let good: [PackFile; 3] =
        [(MANIFEST_FILE, text.as_bytes()), ("yunet.onnx", DETECTOR), ("sface.onnx", EMBEDDER)];
    let pack = Pack::from_files("(compiled in)", &good).unwrap();
    let folder = Pack::open(pack_with(|text| text).path()).unwrap();
    assert_eq!((pack.manifest(), pack.model_id()), (folder.manifest(), folder.model_id()));
    assert_eq!(pack.calibration(), folder.calibration());
    assert_eq!(pack.net(Role::Embedder).unwrap().onnx.as_ptr(), EMBEDDER.as_ptr(), "held once");
    assert_eq!((pack.folder(), pack.dir()), (None, Path::new("(compiled in)")));
    assert_eq!(folder.folder(), Some(folder.dir()));

    let with = |at: usize, bytes: &'static [u8]| {
        let mut files = good;
        files[at].1 = bytes;
        refusal_of_files(&files)
    };
    let changed = with(2, b"another");
    assert!(changed.contains("(compiled in)") && changed.contains("sface.onnx: changed"), "{changed}");
    assert!(refusal_of_files(&good[..2]).contains("sface.onnx: cannot be read"));
    assert!(refusal_of_files(&good[1..]).contains("pack.toml: cannot be read"));
    let large = vec![b' '; usize::try_from(MAX_MANIFEST_BYTES).unwrap() + 1].leak();
    assert!(with(0, large).contains("pack.toml: larger than"), "{}", with(0, large));
    let escaping = replaced("file = \"sface.onnx\"", "file = \"../sface.onnx\"")(text.to_owned()).leak();
    assert!(with(0, escaping.as_bytes()).contains("no plain file name"));
}

#[test]
fn any_changed_byte_of_a_network_refuses_the_pack_by_file_name() {
    for at in 0..EMBEDDER.len() {
        let dir = pack_with(|text| text);
        let mut bytes = EMBEDDER.to_vec();
        bytes[at] ^= 1;
        fs::write(dir.path().join("sface.onnx"), bytes).unwrap();
        let text = refusal(&dir);
        assert!(text.contains("sface.onnx: changed"), "{text}");
    }
}

#[test]
fn a_missing_file_or_manifest_is_named() {
    let dir = pack_with(|text| text);
    fs::remove_file(dir.path().join("yunet.onnx")).unwrap();
    assert!(refusal(&dir).contains("yunet.onnx: cannot be read"));
    fs::remove_file(dir.path().join(MANIFEST_FILE)).unwrap();
    assert!(refusal(&dir).contains("pack.toml: cannot be read"));
}

#[test]
fn names_that_leave_the_folder_are_refused_and_never_opened() {
    for name in ["../sface.onnx", "/etc/passwd", "a/b.onnx", "a\\\\b", "..", "", ".hidden"] {
        let dir = pack_with(|text| text.replacen("\"sface.onnx\"", &format!("\"{name}\""), 1));
        assert!(
            matches!(&*Pack::check(dir.path(), None), [Problem::FileName { field: "embedder", .. }]),
            "{name}: {:?}",
            Pack::check(dir.path(), None)
        );
    }
}

#[test]
fn values_out_of_range_are_refused() {
    for (from, to, named) in [
        ("dimension = 128", "dimension = 4096", "embedder.dimension"),
        ("dimension = 128", "", "embedder.dimension"),
        ("width = 320", "width = 100000", "detector.preprocess"),
        ("scale = [1.0, 1.0, 1.0]", "scale = [1.0, 0.0, 1.0]", "detector.preprocess"),
        ("mean = [0.0, 0.0, 0.0]", "mean = [nan, 0.0, 0.0]", "detector.preprocess"),
        ("mean = [0.0, 0.0, 0.0]", "mean = [0.0]", "each plane: 3"),
        ("channel_order = \"rgb\"", "channel_order = \"grey\"", "embedder.preprocess: mean and scale"),
        ("channel_order = \"rgb\"", "channel_order = \"yuv\"", "yuv"),
        ("layout = \"nchw\"", "layout = \"nchw\"\nalignment = \"eyes\"", "eyes"),
        ("format = 1", "format = 2", "format"),
        ("threshold = 0.4", "threshold = 1.4", "calibration"),
        ("tail_fit = \"", "# \"", "calibration.tail_fit"),
        ("threshold = 0.4", "basis = \"tail_fit\"\nthreshold = 0.4", "first row"),
        ("threshold = 0.4", "basis = \"guess\"\nthreshold = 0.4", "guess"),
        ("layout = \"nchw\"", "layout = \"nhwc\"", "nhwc"),
        ("format = 1", "format = 1\nsecret = 1", "secret"),
        ("macs = 1", "macs = -1", "macs"),
    ] {
        let dir = pack_with(replaced(from, to));
        let text = refusal(&dir);
        assert!(text.contains(named), "{to}: {text}");
    }
}

#[test]
fn folders_and_huge_manifests_are_not_read() {
    let dir = pack_with(|text| text);
    fs::remove_file(dir.path().join("sface.onnx")).unwrap();
    fs::create_dir(dir.path().join("sface.onnx")).unwrap();
    assert!(refusal(&dir).contains("sface.onnx: is no regular file"));
    let dir = pack_with(|text| format!("{text}\n#{}", " ".repeat(1 << 20)));
    assert!(refusal(&dir).contains("pack.toml: larger"));
}

#[test]
fn a_manifest_that_no_device_would_read_is_not_written() {
    let mut long = manifest();
    long.description = "x".repeat(usize::try_from(MAX_MANIFEST_BYTES).unwrap());
    let refused = long.to_toml();
    assert!(matches!(refused, Err(Problem::TooLarge { limit: MAX_MANIFEST_BYTES, .. })), "{refused:?}");
    let spare = usize::try_from(MAX_MANIFEST_BYTES).unwrap() - manifest().to_toml().unwrap().len();
    long.description = format!("{}{}", manifest().description, "x".repeat(spare));
    let text = long.to_toml().unwrap();
    assert_eq!(text.len() as u64, MAX_MANIFEST_BYTES);
    assert_eq!(Pack::open(pack_with(|_| text.clone()).path()).unwrap().manifest(), &long);
}

/// What a head advises is what a person can do about a face that shows badly, and not that nobody stands there.
#[test]
fn a_head_advises_what_a_person_can_do_about_it() {
    for advice in ["hold_still", "covered", "not_clear", "too_far"] {
        let dir = pack_with(|text| text.replacen("\"hold_upright\"", &format!("\"{advice}\""), 1));
        assert!(Pack::check(dir.path(), None).is_empty(), "{advice}");
    }
    for advice in ["no_face", "looking", "somebody_else", "too_dark"] {
        let dir = pack_with(|text| text.replacen("\"hold_upright\"", &format!("\"{advice}\""), 1));
        let text = refusal(&dir);
        assert!(text.contains("recognisability.heads: advice must be"), "{advice}: {text}");
    }
}

/// Directions that are longer than 1, or not at right angles, would take more off a score than the two faces share.
#[test]
fn shared_directions_that_make_no_projection_are_refused() {
    let axis = |index: usize| -> Vec<f32> { (0..128).map(|at| f32::from(u8::from(at == index))).collect() };
    let refused = |allowance: f32, directions: Vec<Vec<f32>>| {
        let mut manifest = manifest();
        let table = manifest.recognisability.as_mut().unwrap();
        table.shared = Some(SharedDirections { allowance, doubt: None, directions });
        let problem = manifest.to_toml().err()?;
        Some(problem.to_string())
    };
    assert_eq!(refused(0.1, vec![axis(0), axis(127)]), None);
    let mut long = axis(0);
    long[1] = 1.0;
    for (allowance, directions, named) in [
        (0.1, vec![], "1..=64 directions"),
        (0.1, vec![axis(0); 65], "1..=64 directions"),
        (-0.1, vec![axis(0)], "allowance"),
        (1.1, vec![axis(0)], "allowance"),
        (0.1, vec![vec![1.0]], "128 values"),
        (0.1, vec![long], "right angles"),
        (0.1, vec![axis(0), axis(0)], "right angles"),
        (0.1, vec![vec![0.0; 128]], "length 1"),
    ] {
        let text = refused(allowance, directions).unwrap_or_default();
        assert!(text.contains("recognisability.shared") && text.contains(named), "{named}: {text}");
    }
}

/// A doubt that begins at the gate would divide by 0, and one that allows more than clear faces have rewards damage.
#[test]
fn a_doubt_that_is_none_is_refused() {
    let refused = |below: f32, allowance: f32| {
        let mut manifest = manifest();
        let table = manifest.recognisability.as_mut().unwrap();
        let directions = vec![(0..128).map(|at| f32::from(u8::from(at == 0))).collect()];
        let doubt = Some(Doubt { below, allowance });
        table.shared = Some(SharedDirections { allowance: 0.8, doubt, directions });
        manifest.to_toml().err().map(|problem| problem.to_string())
    };
    assert_eq!(refused(60.0, -0.3), None);
    assert_eq!(refused(100.0, 0.8), None);
    for (below, allowance, named) in [
        (20.0, 0.0, "doubt.below"),
        (100.5, 0.0, "doubt.below"),
        (f32::NAN, 0.0, "doubt.below"),
        (60.0, 0.81, "doubt.allowance"),
        (60.0, -1.01, "doubt.allowance"),
        (60.0, f32::NAN, "doubt.allowance"),
    ] {
        let text = refused(below, allowance).unwrap_or_default();
        assert!(text.contains("recognisability.shared") && text.contains(named), "{named}: {text}");
    }
}

#[test]
fn check_lists_everything_that_is_wrong() {
    let dir = pack_with(replaced("dimension = 128", "dimension = 0"));
    fs::write(dir.path().join("sface.onnx"), b"other").unwrap();
    fs::remove_file(dir.path().join("yunet.onnx")).unwrap();
    assert_eq!(Pack::check(dir.path(), None).len(), 3);
}

/// The embedder takes one plane.
fn grey(text: String) -> String {
    let (detector, embedder) = text.split_at(text.find("[embedder]").unwrap());
    let embedder = embedder.replacen("\"rgb\"", "\"grey\"", 1);
    let embedder = embedder.replacen("[0.0, 0.0, 0.0]", "[0.0]", 1).replacen("[1.0, 1.0, 1.0]", "[1.0]", 1);
    format!("{detector}{embedder}")
}

#[test]
fn the_model_id_follows_whatever_changes_a_template_and_nothing_else() {
    let id = |edit: fn(String) -> String| Pack::open(pack_with(edit).path()).unwrap().model_id();
    let plain = id(|text| text);
    assert_ne!(plain, id(|text| text.replace("channel_order = \"rgb\"", "channel_order = \"bgr\"")));
    assert_ne!(plain, id(|text| text.replace("width = 112", "width = 96")));
    assert_ne!(plain, id(grey));
    assert_eq!(plain, id(|text| text.replace("Apache-2.0", "MIT")));
    assert_eq!(plain, id(|text| text.replace("width = 320", "width = 640")));
}

/// What galleries in the field hold: the id of the pack that `cargo xtask pack yunet-sface` builds.
#[test]
fn the_model_id_of_a_pack_stays_what_it_was() {
    let built = |sha256: &str, net: &arcdoor_models::RecipeNet| Built {
        sha256: sha256.to_owned(),
        macs: 1,
        parameters: 1,
        preprocess: Preprocess {
            mean: vec![127.5; 3],
            scale: vec![0.007_812_5; 3],
            ..net.preprocess.clone()
        },
        graph: None,
    };
    let recipe = recipe();
    let sface = "997709188a398891b78a07288de3d6d419d27a1665f06e616fb05ff41fdec223";
    let manifest =
        recipe.manifest(built(&sha256_hex(DETECTOR), &recipe.detector), built(sface, &recipe.embedder));
    let said = format!("{}\n", manifest.to_toml().unwrap());
    assert!(!said.contains("alignment"), "{said}");
    let spelled = said.replace("layout = \"nchw\"", "layout = \"nchw\"\nalignment = \"arcface-112\"");
    assert_eq!(Manifest::parse(&spelled).unwrap(), manifest);
    assert_eq!(manifest.model_id().to_string(), "8eb9cf50e86d879c149999b1c73d1c92");
}

#[test]
fn a_network_that_nothing_runs_is_refused_by_name() {
    for role in ["landmarks", "pad"] {
        let dir = pack_with(|text| {
            let embedder = text.find("[embedder]").unwrap();
            let more = text[embedder..text.find("[calibration]").unwrap()].replace("embedder", role);
            format!("{text}\n{more}")
        });
        let text = refusal(&dir);
        assert!(text.contains(&format!("[{role}]")) && text.contains("remove the section"), "{text}");
        assert!(matches!(&*Pack::check(dir.path(), None), [Problem::Role(name)] if name == role));
    }
    let dir = pack_with(|text| text.replace("[detector", "[finder"));
    let problems = Pack::check(dir.path(), None);
    assert!(
        matches!(&*problems, [Problem::Role(name), Problem::NoNetwork(Role::Detector)] if name == "finder"),
        "{problems:?}"
    );
}

fn sign(dir: &Path, pair: &minisign::KeyPair) {
    let manifest = fs::read(dir.join(MANIFEST_FILE)).unwrap();
    let signature = minisign::sign(Some(&pair.pk), &pair.sk, &manifest[..], None, None).unwrap();
    fs::write(dir.join(SIGNATURE_FILE), signature.into_string()).unwrap();
}

fn trusted(pair: &minisign::KeyPair) -> TrustedKey {
    TrustedKey::new(&pair.pk.to_base64()).unwrap()
}

#[test]
fn only_a_pack_signed_by_a_trusted_key_opens_as_signed() {
    let [ours, theirs] = [0; 2].map(|_| minisign::KeyPair::generate_unencrypted_keypair().unwrap());
    let keys = [trusted(&theirs), trusted(&ours)];
    let dir = pack_with(|text| text);
    let problem = |keys: &[TrustedKey]| Pack::open_signed(dir.path(), keys).map(drop).unwrap_err().problem;
    assert!(matches!(problem(&keys), Problem::Unsigned));
    sign(dir.path(), &ours);
    Pack::open_signed(dir.path(), &keys).unwrap();
    assert!(Pack::check(dir.path(), Some(&keys)).is_empty());
    assert!(matches!(problem(&keys[..1]), Problem::UnknownSigner));
    assert!(matches!(problem(&[]), Problem::UnknownSigner), "nobody is trusted");

    // One byte of the manifest, which stays good TOML.
    let path = dir.path().join(MANIFEST_FILE);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}\n")).unwrap();
    assert!(matches!(problem(&keys), Problem::Signature));
    fs::write(&path, &text).unwrap();
    fs::write(dir.path().join("sface.onnx"), b"other").unwrap();
    assert!(matches!(problem(&keys), Problem::Changed { .. }), "the hashes are looked at, too");
    fs::write(dir.path().join("sface.onnx"), EMBEDDER).unwrap();

    let signature = fs::read(dir.path().join(SIGNATURE_FILE)).unwrap();
    for at in 0..signature.len() {
        let mut changed = signature.clone();
        changed[at] ^= 1;
        fs::write(dir.path().join(SIGNATURE_FILE), changed).unwrap();
        // The first line is a comment that nobody signs.
        let refused = Pack::open_signed(dir.path(), &keys).is_err();
        assert!(refused || at < 80, "byte {at}");
    }
    fs::write(dir.path().join(SIGNATURE_FILE), vec![b'x'; 1 << 20]).unwrap();
    assert!(matches!(problem(&keys), Problem::TooLarge { .. }));
}

const CARD: &str = r#"
name = "mine"
description = "an embedder of my own"

[embedder]
source_file = "model.onnx"
source_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
file = "mine.onnx"
outputs = ["embedding"]
dimension = 64
licence = "MIT"
source = "trained here"
training_data = "drawn"
preprocess = { width = 112, height = 112, layout = "nchw", channel_order = "rgb", mean = [127.5, 127.5, 127.5], scale = [0.0078125, 0.0078125, 0.0078125] }
"#;

#[test]
fn a_card_brings_an_embedder_that_grants_nobody_until_it_is_calibrated() {
    let recipe = EmbedderCard::parse(CARD).unwrap().into_recipe(recipe()).unwrap();
    assert_eq!((recipe.name.as_str(), recipe.embedder.dimension), ("mine", Some(64)));
    assert_eq!(recipe.detector.file, "yunet.onnx");
    let built = |bytes: &[u8], net: &arcdoor_models::RecipeNet| Built {
        sha256: sha256_hex(bytes),
        macs: 1,
        parameters: 1,
        preprocess: net.preprocess.clone(),
        graph: None,
    };
    let manifest = recipe.manifest(built(DETECTOR, &recipe.detector), built(EMBEDDER, &recipe.embedder));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(MANIFEST_FILE), manifest.to_toml().unwrap()).unwrap();
    fs::write(dir.path().join("yunet.onnx"), DETECTOR).unwrap();
    fs::write(dir.path().join("mine.onnx"), EMBEDDER).unwrap();
    let pack = Pack::open(dir.path()).unwrap();
    for target in [0.5, 1e-4, 1e-12] {
        assert_eq!(pack.threshold(Fmr::new(target).unwrap()).unwrap().value.0, 1.0);
    }
    let calibrated = format!(
        "{CARD}\n[calibration]\ndata = \"x\"\ngenuine = 1\nimpostor = 1\n[[calibration.rows]]\n\
         fmr = 1e-3\nthreshold = 0.3\nfmr_low = 1e-4\nfmr_high = 1e-2\ntmr = 0.5\n"
    );
    let recipe = EmbedderCard::parse(&calibrated).unwrap().into_recipe(recipe).unwrap();
    assert_eq!(recipe.calibration.rows[0].threshold, 0.3);
    assert!(EmbedderCard::parse(&CARD.replace("dimension", "dimensions")).is_err());
}

/// Opening a pack without asking who signed it does not read its signature; bundling it does.
#[test]
fn a_signature_that_is_too_large_or_no_file_is_not_bundled() {
    let dir = pack_with(|text| text);
    let bundled = || bundle(dir.path(), Vec::new()).map_err(|error| error.problem);
    bundled().unwrap();
    let signature = dir.path().join(SIGNATURE_FILE);
    fs::write(&signature, vec![b'x'; 5_000]).unwrap();
    assert!(matches!(bundled(), Err(Problem::TooLarge { limit: 4_096, .. })));
    fs::remove_file(&signature).unwrap();
    fs::create_dir(&signature).unwrap();
    assert!(matches!(bundled(), Err(Problem::NotAFile { .. })));
}
