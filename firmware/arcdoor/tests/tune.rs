//! Tiles that were measured on a device: written, read, left aside.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

mod common;

use common::{Device, real};
use serde_json::Value;
use std::fs;

/// The doctor's word on the tuning.
fn health(device: &Device, pack: &str) -> (String, Value) {
    let (_, lines) = device.lines(&["doctor", "--pack", pack]);
    let line = lines.iter().find(|line| line["check"] == "tuning").unwrap();
    (line["health"].as_str().unwrap().to_owned(), line.clone())
}

#[test]
fn tuning_is_kept_read_and_left_aside_where_it_does_not_fit() {
    let Some((pack, photos)) = real() else { return };
    let (device, pack) = (Device::new(), pack.to_str().unwrap());
    let file = device.home.path().join("state/tuning.toml");
    let photo = photos.join("obama.jpg").to_str().unwrap().to_owned();
    assert_eq!(device.lines(&["enrol", "Barack", "--image", &photo, "--pack", pack]).0, 0);
    let score = || {
        let (code, lines) = device.lines(&["identify", "--image", &photo, "--pack", pack]);
        assert_eq!((code, lines[0]["engine"].as_str()), (0, Some("plan")));
        lines[0]["score"].as_f64().unwrap()
    };
    let before = score();
    assert_eq!(health(&device, pack).0, "ok");

    // The smallest frames have the smallest networks.
    let (code, lines) = device.lines(&["tune", "--dry-run", "--frame", "160x120", "--pack", pack]);
    let end: &Value = lines.last().unwrap();
    assert_eq!((code, end["kind"].as_str(), end["path"].is_null()), (0, Some("tuning"), true));
    assert_eq!(end["keeps_values"], true);
    let networks: Vec<_> = lines.iter().filter(|line| line["kind"] == "tuned_network").collect();
    assert!(networks.len() >= 2 && networks.iter().all(|line| line["difference"] == 0.0), "{networks:?}");
    assert!(!file.exists(), "a dry run writes nothing");

    // What a file says is taken, whatever was measured: every layer with the smallest tile.
    assert_eq!(device.run(&["tune", "--frame", "160x120", "--pack", pack]).0, 0);
    let written = fs::read_to_string(&file).unwrap();
    // Where the defaults are as fast as anything, the list is empty.
    let head = written.split("[[layer]]").next().unwrap().replace("layer = []\n", "");
    let layers: String = lines
        .iter()
        .filter(|line| line["kind"] == "tuned_layer")
        .map(|line| {
            format!(
                "[[layer]]\nplanar = {}\ninput = {}\noutputs = {}\nkernel = {}\nstride = {}\npads = {}\nform = {}\n\
                 pixels = 1\nblocks = 1\nplanes = 1\nstrip = 1\n",
                line["planar"],
                line["input"],
                line["outputs"],
                line["kernel"],
                line["stride"],
                line["pads"],
                line["default"]["form"]
            )
        })
        .collect();
    fs::write(&file, format!("{head}{layers}")).unwrap();
    let (found, line) = health(&device, pack);
    assert_eq!((found.as_str(), line["found"].as_str()), ("ok", Some("measured_tiles")), "{line}");
    assert!(line["layers"].as_u64() > Some(0), "{line}");
    assert_eq!(score(), before, "tiles change no value");

    for (broken, why) in [
        (written.replace("version = 1", "version = 9"), "version 9"),
        (written.replacen("networks = [\"", "networks = [\"0", 1), "another pack"),
        (written.replacen("isa = \"", "isa = \"x", 1), "another CPU"),
        ("x = [".to_owned(), "TOML parse error"),
    ] {
        fs::write(&file, broken).unwrap();
        let (found, line) = health(&device, pack);
        assert_eq!((found.as_str(), line["found"].as_str()), ("warn", Some("tiles_left_aside")), "{line}");
        assert!(line["why"].as_str().unwrap().contains(why), "{line}");
        assert_eq!(score(), before);
    }
    assert_eq!(device.run(&["tune", "--frame", "9x9", "--pack", pack]).0, 2);
}
