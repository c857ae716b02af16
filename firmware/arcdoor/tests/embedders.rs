//! From one embedder to another and back: nobody is compared across them, nobody is lost, and whoever would have to be
//! enrolled again is named before anything is switched.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

mod common;

use common::{Device, real};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A device with the pack installed by its name, on which two people are enrolled, and the same pack with another
/// embedder: other numbers are subtracted from its input, which makes other templates.
struct Door {
    device: Device,
    pack: PathBuf,
    photos: PathBuf,
}

impl Door {
    fn new() -> Option<Self> {
        let door = Self::empty()?;
        for (name, photo) in [("Barack", "obama.jpg"), ("Joe", "biden.jpg")] {
            let (code, _, error) = door.device.run(&["enrol", name, "--image", &door.photo(photo)]);
            assert_eq!(code, 0, "{error}");
        }
        Some(door)
    }

    fn empty() -> Option<Self> {
        let (pack, photos) = real()?;
        let door = Self { device: Device::new(), pack, photos };
        assert_eq!(door.device.run(&["pack", "install", text(&door.pack)]).0, 0);
        Some(door)
    }

    fn photo(&self, name: &str) -> String {
        text(&self.photos.join(name)).to_owned()
    }

    fn state(&self, name: &str) -> PathBuf {
        self.device.home.path().join("state").join(name)
    }

    /// A folder with the pack under this name, with another embedder.
    fn other(&self, name: &str) -> String {
        self.with_mean(name, 100.0)
    }

    fn with_mean(&self, name: &str, mean: f64) -> String {
        let into = self.device.home.path().join(format!("{name}-{mean}"));
        fs::create_dir(&into).unwrap();
        for entry in fs::read_dir(&self.pack).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, into.join(path.file_name().unwrap())).unwrap();
        }
        let mut manifest: toml::Table = fs::read_to_string(into.join("pack.toml")).unwrap().parse().unwrap();
        manifest["name"] = name.into();
        manifest["embedder"]["preprocess"]["mean"] = vec![mean; 3].into();
        fs::write(into.join("pack.toml"), toml::to_string(&manifest).unwrap()).unwrap();
        text(&into).to_owned()
    }

    /// The score by which the photo is Barack's, and the exit code.
    fn identify(&self) -> (i32, Option<f64>) {
        let (code, lines) = self.device.lines(&["identify", "--image", &self.photo("obama.jpg")]);
        (code, lines.first().and_then(|line| line["score"].as_f64()))
    }

    fn gallery(&self) -> Vec<u8> {
        fs::read(self.state("gallery.redb")).unwrap()
    }

    fn model(&self) -> Value {
        self.device.lines(&["pack", "check"]).1[0]["model_id"].clone()
    }

    /// Seals the gallery with a passphrase, which is then nowhere.
    fn seal_and_forget(&self) {
        fs::write(self.device.home.path().join("new-passphrase"), "a long passphrase").unwrap();
        let (code, _, error) = self.device.run(&["key", "change", "--to", "passphrase"]);
        assert_eq!(code, 0, "{error}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn names(line: &Value) -> Vec<&str> {
    line["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

#[test]
fn a_gallery_of_another_embedder_is_refused_with_whom_to_enrol_again_and_what_to_do() {
    let Some(door) = Door::new() else { return };
    let before = door.identify();
    assert_eq!(
        door.device.run(&["pack", "install", &door.other("other")]).0,
        0,
        "it is beside the chosen one"
    );
    assert_eq!(door.identify(), before);
    let photo = door.photo("obama.jpg");
    let under_other = ["--image", &photo, "--pack", "other"];
    for words in [&["identify"][..], &["verify", "Barack"], &["enrol", "Ada"], &["enrol", "Joe", "--add"]] {
        let (code, out, error) = door.device.run(&[words, &under_other].concat());
        assert_eq!(code, 4, "{words:?}: {error}");
        assert!(out.contains("Barack") && out.contains("Joe"), "{out}");
        let said = error.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("2 people"), "{said}");
        assert!(said.contains("`arcdoor pack use yunet-sface` goes back"), "{said}");
        assert!(said.contains("gallery.redb away, keep it") && said.contains("enrol them again"), "{said}");
    }
    let (code, lines) = door.device.lines(&[&["identify"][..], &under_other].concat());
    assert_eq!((code, lines.len()), (4, 1));
    assert_eq!(lines[0]["kind"], "other_embedder");
    assert_eq!((names(&lines[0]), &lines[0]["people"]), (vec!["Barack", "Joe"], &Value::from(2)));
    assert_eq!(lines[0]["back"], "yunet-sface");
    assert_eq!(lines[0]["enrolled_with"], door.model());
    assert_eq!(door.identify(), before);
    assert_eq!(
        door.device.lines(&["list", "--pack", "other"]).1.len(),
        2,
        "whoever left can still be revoked"
    );
}

#[test]
fn what_a_service_or_the_doctor_says_of_it_names_nobody() {
    let Some(door) = Door::new() else { return };
    assert_eq!(door.device.run(&["pack", "install", &door.other("other")]).0, 0);
    let replay = text(&door.photos).to_owned();
    for words in [&["run", "--replay", &replay, "--frames", "1"][..], &["doctor"]] {
        let (code, out, error) = door.device.run(&[words, &["--pack", "other"]].concat());
        assert_eq!(code, 4, "{error}");
        let said = out + &error;
        assert!(said.contains("2 people"), "{said}");
        assert!(!said.contains("Barack") && !said.contains("Joe"), "{said}");
    }
}

#[test]
fn a_pack_that_knows_nobody_any_more_is_not_installed_without_a_yes() {
    let Some(door) = Door::new() else { return };
    let (before, model, other) = (door.identify(), door.model(), door.other("yunet-sface"));
    let gallery = door.gallery();
    let (code, out, error) = door.device.run(&["pack", "install", &other]);
    assert_eq!(code, 2, "{error}");
    assert!(out.contains("Barack") && out.contains("Joe"), "{out}");
    assert!(error.contains("2 people") && error.contains("--yes"), "{error}");
    let (code, lines) = door.device.lines(&["pack", "install", &other]);
    assert_eq!((code, lines.len(), names(&lines[0])), (2, 1, vec!["Barack", "Joe"]));
    assert!(door.gallery() == gallery, "not a byte of it");
    assert_eq!((door.identify(), door.model()), (before, model));
    let packs = fs::read_dir(door.state("packs")).unwrap();
    assert_eq!(packs.count(), 1, "nothing half-done is left");
}

#[test]
fn the_pack_before_is_one_command_away_and_knows_everybody_again() {
    let Some(door) = Door::new() else { return };
    let (before, model, other) = (door.identify(), door.model(), door.other("yunet-sface"));
    fs::write(door.state("settings.toml"), "# Door 3\nkeep_log_days = 30\n").unwrap();
    let gallery = door.gallery();
    let (code, lines) = door.device.lines(&["pack", "install", &other, "--yes"]);
    assert_eq!((code, lines.len()), (0, 3));
    assert_eq!(names(&lines[0]), ["Barack", "Joe"], "a yes is told as well");
    assert_eq!((&lines[2]["kind"], &lines[2]["name"]), (&"pack_before".into(), &"yunet-sface@before".into()));
    assert!(door.gallery() == gallery, "not a byte of it");
    assert_ne!(door.model(), model);
    assert_eq!(door.identify().0, 4);
    // Once more, with yet another: what is kept is what knows the people, not what came last.
    let third = door.with_mean("yunet-sface", 90.0);
    let (code, _, error) = door.device.run(&["pack", "install", &third, "--yes"]);
    assert_eq!(code, 0, "{error}");
    let (code, lines) = door.device.lines(&["pack", "use", "yunet-sface@before"]);
    assert_eq!((code, lines.len()), (0, 2), "nobody is asked anything on the way back");
    assert_eq!((lines[1]["name"].as_str(), door.model()), (Some("yunet-sface"), model));
    assert_eq!(door.identify(), before);
    let settings = fs::read_to_string(door.state("settings.toml")).unwrap();
    assert_eq!(settings, "pack = \"yunet-sface@before\"\n# Door 3\nkeep_log_days = 30\n");
    // And there again.
    let gallery = door.gallery();
    let (code, out, _) = door.device.run(&["pack", "use", "yunet-sface"]);
    assert!(code == 2 && out.contains("Barack"), "{out}");
    assert_eq!(door.device.run(&["pack", "use", "yunet-sface", "--yes"]).0, 0);
    assert!(door.gallery() == gallery, "not a byte of it");
    assert_eq!(door.identify().0, 4);
    let names = ["../packs/yunet-sface", ".", "nobody", ""];
    names.iter().for_each(|name| assert_eq!(door.device.run(&["pack", "use", name]).0, 4, "{name}"));
}

#[test]
fn nobody_is_asked_where_nothing_is_at_stake() {
    let Some(door) = Door::empty() else { return };
    let (pack, other) = (text(&door.pack).to_owned(), door.other("yunet-sface"));
    assert_eq!(door.device.run(&["pack", "install", &other]).0, 0, "nobody was ever enrolled");
    assert_eq!(door.device.run(&["pack", "install", &pack]).0, 0);
    assert_eq!(fs::read_dir(door.state("packs")).unwrap().count(), 1, "nor is anything kept for nobody");
    assert_eq!(door.device.run(&["enrol", "Ada", "--image", &door.photo("obama.jpg")]).0, 0);
    assert_eq!(door.device.run(&["pack", "install", &pack]).0, 0, "the same embedder");
    assert_eq!(door.device.run(&["pack", "use", "yunet-sface"]).0, 0, "the same pack");
    assert_eq!(door.device.run(&["revoke", "Ada", "--yes"]).0, 0);
    assert_eq!(door.device.run(&["pack", "install", &other]).0, 0, "nobody is left");
    assert_eq!(door.device.run(&["enrol", "Ada", "--image", &door.photo("obama.jpg")]).0, 0);
}

#[test]
fn people_who_cannot_be_read_are_not_taken_for_nobody() {
    let Some(door) = Door::new() else { return };
    door.seal_and_forget();
    let other = door.other("yunet-sface");
    let (code, out, error) = door.device.run(&["pack", "install", &other]);
    assert_eq!(code, 2, "{error}");
    let said = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("who is enrolled cannot be told, for the gallery is sealed"), "{said}");
    assert!(error.contains("--yes") && !error.contains("0 people"), "{error}");
    let (_, lines) = door.device.lines(&["pack", "install", &other]);
    assert_eq!((&lines[0]["people"], names(&lines[0]).len()), (&Value::Null, 0));
    let same = door.device.run(&["pack", "install", text(&door.pack)]);
    assert_eq!(same.0, 0, "the same embedder as before needs no key: {}", same.2);
    let (code, lines) = door.device.lines(&["pack", "install", &other, "--yes"]);
    assert_eq!((code, &lines[2]["name"]), (0, &"yunet-sface@before".into()), "it may be all that knows them");
    fs::write(door.device.home.path().join("passphrase"), "a long passphrase").unwrap();
    assert_eq!(door.device.run(&["pack", "use", "yunet-sface@before"]).0, 0);
    assert_eq!(door.identify().0, 0);
    let (code, lines) = door.device.lines(&["pack", "use", "yunet-sface"]);
    assert_eq!((code, names(&lines[0])), (2, vec!["Barack", "Joe"]), "with the key, they have names");
}

#[test]
fn a_pack_in_use_is_not_lost_to_what_an_installation_keeps() {
    let Some(door) = Door::new() else { return };
    let (model, other) = (door.model(), door.other("yunet-sface"));
    assert_eq!(door.device.run(&["pack", "install", &other, "--yes"]).0, 0);
    assert_eq!(door.device.run(&["pack", "use", "yunet-sface@before"]).0, 0);
    door.seal_and_forget();
    let third = door.with_mean("yunet-sface", 90.0);
    let (code, _, error) = door.device.run(&["pack", "install", &third]);
    assert_eq!(code, 0, "it takes the place of a pack that is not in use: {error}");
    assert_eq!(door.model(), model);
}

#[test]
fn a_gallery_that_was_moved_away_for_a_new_one_knows_its_people_when_it_is_back() {
    let Some(door) = Door::new() else { return };
    let (before, other) = (door.identify(), door.other("yunet-sface"));
    assert_eq!(door.device.run(&["pack", "install", &other, "--yes"]).0, 0);
    fs::rename(door.state("gallery.redb"), door.state("gallery-old.redb")).unwrap();
    assert_eq!(door.device.run(&["enrol", "Barack", "--image", &door.photo("obama.jpg")]).0, 0);
    assert_eq!(door.identify().0, 0, "enrolled again, under the other embedder");
    fs::rename(door.state("gallery.redb"), door.state("gallery-new.redb")).unwrap();
    fs::rename(door.state("gallery-old.redb"), door.state("gallery.redb")).unwrap();
    assert_eq!(door.device.run(&["pack", "use", "yunet-sface@before"]).0, 0);
    assert_eq!(door.identify(), before);
}
