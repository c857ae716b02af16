//! Two faces in one photo: which is decided about, and what is said of both.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

use std::path::{Path, PathBuf};

use arcdoor::Outcome;
use arcdoor_api::{Feed, Request};
use arcdoor_core::SubjectName;
use arcdoor_frame::{RgbImage, write_png};
use arcdoor_tests::{Real, ask, device, paste};
use serde_json::Value;

/// Portraits of these sides, side by side, as a file.
fn scene(real: &Real, folder: &Path, name: &str, portraits: [(&str, u32); 2]) -> PathBuf {
    let mut photo = RgbImage::with_size(720, 400);
    for (index, (portrait, side)) in portraits.into_iter().enumerate() {
        paste(&mut photo, real.frame(portrait, 10).view(), index as i32 * 360, 0, side);
    }
    let path = folder.join(name);
    write_png(&path, photo.view()).unwrap();
    path
}

fn asked(home: &Path, real: &Real, request: &Request) -> Value {
    let (_, answers) = ask(&mut device(home, &real.pack), request);
    serde_json::to_value(&answers[0]).unwrap()
}

fn identify(photo: &Path) -> Request {
    Request::Identify { from: Feed::Photos(vec![photo.to_owned()]), annotate: None }
}

#[test]
fn nobody_guesses_which_of_two_is_meant_and_an_enrolment_takes_neither() {
    let Some(real) = Real::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let name = SubjectName::new("Barack").unwrap();
    let enrol = |photo: PathBuf| Request::Enrol {
        name: name.clone(),
        from: Feed::Photos(vec![photo]),
        duplicate: false,
    };
    let (outcome, _) = ask(&mut device(&home, &real.pack), &enrol(real.photo("obama.jpg")));
    assert_eq!(outcome.unwrap(), Outcome::Done);
    let beside = scene(&real, folder.path(), "beside.png", [("obama2.jpg", 250), ("biden.jpg", 350)]);
    let behind = scene(&real, folder.path(), "behind.png", [("biden.jpg", 160), ("obama2.jpg", 350)]);

    let said = asked(&home, &real, &identify(&beside));
    assert_eq!((&said["reason"], &said["chosen"]), (&"several_faces".into(), &Value::Null), "{said}");
    assert_eq!((said["candidate"].is_null(), said["score"].is_null()), (true, true));
    let faces = said["each_face"].as_array().unwrap();
    let confirmed: Vec<_> = faces.iter().filter(|face| face["is_confirmed"] == true).collect();
    assert!(confirmed.len() >= 2 && confirmed.iter().all(|face| face["quality"]["size"].is_u64()), "{said}");

    let said = asked(&home, &real, &identify(&behind));
    assert_eq!(said["decision"], "granted", "who stands behind changes nothing: {said}");
    let chosen = usize::try_from(said["chosen"].as_u64().unwrap()).unwrap();
    let width = |face: &Value| face["box"]["w"].as_f64().unwrap();
    let faces = said["each_face"].as_array().unwrap();
    assert!(faces.len() >= 2 && faces.iter().all(|face| width(face) <= width(&faces[chosen])), "{said}");

    // What the threshold means: one template, and the setting it was made for.
    let point = &said["operating_point"];
    assert_eq!(
        (&point["templates"], &point["target_fpir"], &point["is_met"]),
        (&1.into(), &0.01.into(), &true.into())
    );
    let rate = |key: &str| point[key].as_f64().unwrap();
    assert!((rate("fmr") - rate("fpir")).abs() < 1e-9, "at one template they are the same: {point}");
    let interval = point["fmr_interval"].as_array().unwrap();
    assert!(interval[0].as_f64().unwrap() <= rate("fmr") && rate("fmr") <= interval[1].as_f64().unwrap());

    let other = SubjectName::new("Two").unwrap();
    let two = Request::Enrol { name: other, from: Feed::Photos(vec![behind.clone()]), duplicate: true };
    let (outcome, _) = ask(&mut device(&home, &real.pack), &two);
    assert!(!matches!(outcome, Ok(Outcome::Done)), "an enrolment takes a face that is alone");

    std::fs::write(home.join("settings.toml"), "faces = \"refuse\"\n").unwrap();
    let said = asked(&home, &real, &identify(&behind));
    assert_eq!(said["reason"], "several_faces", "{said}");
}
