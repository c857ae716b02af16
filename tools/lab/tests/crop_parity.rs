//! `arcdoor-lab crop` and `parity` as people run them, on the demo's photos.
//!
//! The photos are not in this repository: `ARCDOOR_DEMO_PHOTOS` names a folder that holds them. The pack is
//! that of `ARCDOOR_PACK`, else `models/packs/yunet-sface`. What is missing is printed and skipped.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use arcdoor_calib::Features;
use arcdoor_frame::{ImageLimits, RgbImage, read_image};
use arcdoor_infer::{Net, NetSpec, RunOptions};
use arcdoor_models::{Pack, Role};

struct Place {
    photos: PathBuf,
    pack: PathBuf,
}

fn place() -> Option<Place> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/packs/yunet-sface");
    let pack = env::var_os("ARCDOOR_PACK").map_or_else(default, PathBuf::from);
    let photos = env::var_os("ARCDOOR_DEMO_PHOTOS").map(PathBuf::from);
    if !pack.join("pack.toml").is_file() || photos.is_none() {
        let allowed = env::var_os("ARCDOOR_SKIP_PHOTOS").is_some_and(|skip| skip == "1");
        let why = format!("no pack in {} (ARCDOOR_PACK), or ARCDOOR_DEMO_PHOTOS is not set", pack.display());
        assert!(allowed, "{why}: run `cargo xtask test`, or set ARCDOOR_SKIP_PHOTOS=1 to skip");
        println!("skipped: {why}");
        return None;
    }
    Some(Place { photos: photos?, pack })
}

/// Exit code, standard output, standard error.
fn lab(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_arcdoor-lab")).args(args).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// Two people with a photo each, a grey one without a face, and a torn one.
fn photos(from: &Path, to: &Path) {
    for (photo, name) in [("obama.jpg", "obama/1.jpg"), ("biden.jpg", "biden/1.jpg")] {
        fs::create_dir_all(to.join(name).parent().unwrap()).unwrap();
        fs::copy(from.join(photo), to.join(name)).unwrap();
    }
    let mut grey = RgbImage::with_size(200, 200);
    grey.data_mut().fill(90);
    arcdoor_frame::write_png(&to.join("obama/2.png"), grey.view()).unwrap();
    let whole = fs::read(to.join("obama/1.jpg")).unwrap();
    fs::write(to.join("biden/2.jpg"), &whole[..100]).unwrap();
}

/// The features of the pack's embedder, one crop after the other.
fn features(pack: &Pack, crops: &[PathBuf]) -> Features {
    let file = pack.net(Role::Embedder).unwrap();
    let outputs = [file.outputs[0].as_str()];
    let spec = NetSpec { input: [1, 3, 112, 112], outputs: &outputs };
    let mut session = Net::load(file.onnx, &spec, &RunOptions::default()).unwrap().session().unwrap();
    let (mut image, mut values) = (RgbImage::new(), Vec::new());
    for crop in crops {
        read_image(crop, &ImageLimits::default(), &mut image).unwrap();
        for (index, value) in session.input_mut().iter_mut().enumerate() {
            let (plane, at) = (index / (112 * 112), index % (112 * 112));
            let pixel = image.view().pixel((at % 112) as u32, (at / 112) as u32);
            *value = (f32::from(pixel[plane]) - file.preprocess.mean[plane]) * file.preprocess.scale[plane];
        }
        session.run().unwrap();
        values.extend_from_slice(session.output(0));
    }
    Features::new(pack.dimension(), values).unwrap()
}

#[test]
fn crops_are_made_counted_and_compared() {
    let Some(place) = place() else { return };
    let dir = tempfile::tempdir().unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (images, out) = (dir.path().join("photos"), dir.path().join("crops"));
    photos(&place.photos, &images);
    let (images, set, pack) = (text(&images), text(&out), text(&place.pack));
    let crop = ["crop", "--images", &images, "--out", &set, "--pack", &pack, "--threads", "1"];

    let (code, said, errors) = lab(&crop);
    assert_eq!(code, 0, "{errors}");
    assert!(said.contains("2 crops") && said.contains("1 no face: obama/2.png"), "{said}");
    assert!(said.contains("1 unreadable: biden/2.jpg"), "{said}");
    assert!(fs::read_to_string(out.join("dataset.toml")).unwrap().contains("alignment = \"arcface-112\""));

    // Nothing is done twice, and other options are refused.
    let journal = fs::read(out.join("crops.tsv")).unwrap();
    assert_eq!(lab(&crop).0, 0);
    assert_eq!(fs::read(out.join("crops.tsv")).unwrap(), journal);
    let (code, _, errors) = lab(&[&crop[..], &["--several", "skip"]].concat());
    assert!(code == 3 && errors.contains("another way"), "{code} {errors}");

    let names = ["biden/1.png", "obama/1.png"];
    let paths: Vec<PathBuf> = names.iter().map(|name| out.join(name)).collect();
    let opened = Pack::open(&place.pack).unwrap();
    let reference = dir.path().join("reference.bin");
    features(&opened, &paths).write(File::create(&reference).unwrap()).unwrap();
    let reference = text(&reference);
    let parity = ["parity", "--json", "--pack", &pack, "--crops", &set, "--reference", &reference];
    let (code, said, errors) = lab(&parity);
    assert_eq!(code, 0, "{errors}");
    assert!(said.contains("\"crops\":2") && said.contains("\"passed\":true"), "{said}");

    // Rows that belong to other crops are out of tolerance; a list that does not fit is bad input.
    let list = dir.path().join("list.txt");
    fs::write(&list, "obama/1.png\nbiden/1.png\n").unwrap();
    let list_text = text(&list);
    let listed = [&parity[..], &["--list", &list_text]].concat();
    assert_eq!(lab(&listed).0, 1);
    fs::write(&list, "obama/1.png\n").unwrap();
    let (code, _, errors) = lab(&listed);
    assert!(code == 3 && errors.contains("1 names"), "{code} {errors}");
}

#[test]
fn a_pack_that_is_none_and_folders_without_photos_have_their_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (empty, out) = (dir.path().join("empty"), text(&dir.path().join("out")));
    fs::create_dir(&empty).unwrap();
    let empty = text(&empty);
    assert_eq!(lab(&["crop", "--images", &empty, "--out", &out]).0, 3);
    assert_eq!(lab(&["crop", "--images", &empty]).0, 2);
    let mut one = RgbImage::with_size(1, 1);
    one.data_mut().fill(1);
    arcdoor_frame::write_png(&dir.path().join("empty/1.png"), one.view()).unwrap();
    assert_eq!(lab(&["crop", "--images", &empty, "--out", &out, "--pack", &empty]).0, 4);
}
