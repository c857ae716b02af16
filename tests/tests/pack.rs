//! A pack that is not what its maker wrote is refused whole, and nobody is recognised with it.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::fs;
use std::path::{Path, PathBuf};

use arcdoor::Device;
use arcdoor_api::{Feed, Request};
use arcdoor_models::sha256_hex;
use arcdoor_tests::{Real, ask, device};

const PACK: u8 = 4;

fn copy_of(real: &Real, to: PathBuf) -> PathBuf {
    fs::create_dir(&to).unwrap();
    for entry in fs::read_dir(&real.pack).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
    to
}

/// What it says, its exit code, and how often it answered.
fn refusal(device: &mut Device, request: &Request) -> (String, u8, usize) {
    let (outcome, answers) = ask(device, request);
    let error = outcome.unwrap_err();
    (error.to_string(), error.code(), answers.len())
}

#[test]
fn a_changed_byte_in_any_file_is_refused_by_name() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    for file in ["yunet.onnx", "sface.onnx", "yunet.graph", "sface.graph"] {
        let pack = copy_of(&real, folder.path().join(format!("{file}.pack")));
        let mut bytes = fs::read(pack.join(file)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(pack.join(file), bytes).unwrap();
        let from = Feed::Photos(vec![real.photo("obama.jpg")]);
        let mut device = device(&folder.path().join("home"), &pack);
        let (said, code, answers) = refusal(&mut device, &Request::Identify { from, annotate: None });
        assert!(said.contains(file), "{said}");
        assert_eq!((code, answers), (PACK, 0));
    }
}

/// Whoever signs a pack vouches for both files; a device that checks or installs it compares them.
#[test]
fn a_graph_that_is_not_the_networks_is_refused_and_what_was_installed_stays() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let install = |dir: &Path| Request::PackInstall { dir: dir.to_owned(), older: false, sure: false };
    ask(&mut device(&home, &real.pack), &install(&real.pack)).0.unwrap();

    let pack = copy_of(&real, folder.path().join("pack"));
    let graph = fs::read(pack.join("sface.graph")).unwrap();
    let manifest = fs::read_to_string(pack.join("pack.toml")).unwrap();
    // Some float of a bias or a slope, which no check of the graph by itself can know.
    let mut other = graph.clone();
    let middle = other.len() / 2;
    other[middle] ^= 1;
    fs::write(pack.join("sface.graph"), &other).unwrap();
    let told = manifest.replace(&sha256_hex(&graph), &sha256_hex(&other));
    assert_ne!(told, manifest);
    fs::write(pack.join("pack.toml"), told).unwrap();

    let check = Request::PackCheck { dir: Some(pack.clone()), explain: false };
    for request in [check, install(&pack)] {
        let (said, code, answers) = refusal(&mut device(&home, &pack), &request);
        assert!(said.contains("graph file is not what this arcdoor makes"), "{said}");
        assert_eq!((code, answers), (PACK, 0));
    }
    let installed = home.join("packs").join(real.pack.file_name().unwrap());
    assert_eq!(fs::read(installed.join("sface.graph")).unwrap(), graph);
}
