//! Photos on their side or on their head, and photos that are given twice.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

mod common;

use arcdoor_frame::{ImageLimits, Orientation, RgbImage, Turn, read_image, write_png};
use arcdoor_vision::Channels;
use arcdoor_vision::align::{Similarity, warp};
use common::{Device, real};
use serde_json::Value;
use std::path::PathBuf;

/// A device, and photos that can be turned.
struct Desk {
    device: Device,
    pack: String,
    photos: PathBuf,
}

impl Desk {
    fn new() -> Option<Self> {
        let (pack, photos) = real()?;
        Some(Self { device: Device::new(), pack: pack.to_str().unwrap().to_owned(), photos })
    }

    fn photo(&self, name: &str) -> String {
        self.photos.join(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> RgbImage {
        let mut image = RgbImage::new();
        read_image(&self.photos.join(name), &ImageLimits::default(), &mut image).unwrap();
        image
    }

    fn write(&self, name: &str, image: &RgbImage) -> String {
        let file = self.device.home.path().join(name);
        write_png(&file, image.view()).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// A photo turned clockwise.
    fn turned(&self, name: &str, degrees: u16) -> String {
        let mut image = self.read(name);
        let turn = Turn::from_degrees(degrees).unwrap();
        Orientation { mirror: false, turn }.apply(&mut image, &mut RgbImage::new());
        self.write(&format!("{name}-{degrees}.png"), &image)
    }

    /// A photo turned by 45 degrees, on black.
    fn aslant(&self, name: &str) -> String {
        let image = self.read(name);
        let (width, height) = (f64::from(image.width()), f64::from(image.height()));
        let side = (width + height) as u32;
        let (half, a) = (f64::from(side) / 2.0, std::f64::consts::FRAC_1_SQRT_2);
        let tx = half - a * width / 2.0 + a * height / 2.0;
        let along = Similarity { a, b: a, tx, ty: half - a * width / 2.0 - a * height / 2.0 };
        let plane = (side * side) as usize;
        let mut planes = vec![0.0; 3 * plane];
        warp(image.view(), &along, &Channels::RGB, side, &mut planes);
        let mut out = RgbImage::with_size(side, side);
        for (index, value) in out.data_mut().iter_mut().enumerate() {
            *value = planes[index % 3 * plane + index / 3].round() as u8;
        }
        self.write(&format!("{name}-45.png"), &out)
    }

    fn call(&self, words: &[&str]) -> (i32, Vec<Value>) {
        self.device.lines(&[words, &["--pack", &self.pack]].concat())
    }
}

#[test]
fn a_photo_on_its_side_or_head_is_turned_and_the_answer_says_so() {
    let Some(desk) = Desk::new() else { return };
    assert_eq!(desk.call(&["enrol", "Barack", "--image", &desk.photo("obama.jpg")]).0, 0);
    for degrees in [90, 180, 270] {
        let photo = desk.turned("obama2.jpg", degrees);
        for question in [&["identify"][..], &["verify", "Barack"]] {
            let (code, lines) = desk.call(&[question, &["--image", &photo]].concat());
            assert_eq!((code, lines[0]["turned"].as_u64()), (0, Some(360 - u64::from(degrees))), "{lines:?}");
            assert_eq!(lines[0]["candidate"], "Barack");
        }
        let (_, text, _) = desk.device.run(&["identify", "--image", &photo, "--pack", &desk.pack]);
        assert!(text.contains(&format!("photo turned by {} degrees", 360 - degrees)), "{text}");
    }
    let (code, lines) = desk.call(&["identify", "--image", &desk.photo("obama2.jpg")]);
    assert!(code == 0 && lines[0].get("turned").is_none(), "{lines:?}");
    // Nobody in any turn: as it is.
    let wall = desk.write("wall.png", &RgbImage::with_size(300, 200));
    let (code, lines) = desk.call(&["identify", "--image", &wall]);
    assert_eq!((code, lines[0]["reason"].as_str(), lines[0].get("turned")), (1, Some("no_face"), None));
}

#[test]
fn a_photo_held_aslant_is_granted_or_answered_with_advice_and_never_denied() {
    let Some(desk) = Desk::new() else { return };
    assert_eq!(desk.call(&["enrol", "Barack", "--image", &desk.photo("obama.jpg")]).0, 0);
    for name in ["obama.jpg", "obama2.jpg", "obama3.jpg"] {
        let (_, lines) = desk.call(&["identify", "--image", &desk.aslant(name)]);
        let (decision, reason) = (lines[0]["decision"].as_str().unwrap(), lines[0]["reason"].as_str());
        assert!(decision == "granted" || decision == "retry", "{name}: {decision}, {reason:?}");
    }
}

#[test]
fn who_is_enrolled_from_photos_on_their_head_is_known_and_no_stranger_on_his_head_is() {
    let Some(desk) = Desk::new() else { return };
    let (one, two) = (desk.turned("obama.jpg", 180), desk.turned("obama2.jpg", 180));
    let (code, lines) = desk.call(&["enrol", "Barack", "--image", &one, &two]);
    assert_eq!((code, &lines[0]["templates"]), (0, &Value::from(2)), "{lines:?}");
    let turned: Vec<_> = lines[0]["views"].as_array().unwrap().iter().map(|view| &view["turned"]).collect();
    assert_eq!(turned, [180, 180]);
    assert_eq!(
        desk.call(&["identify", "--image", &desk.photo("obama3.jpg")]).0,
        0,
        "upright, as at the door"
    );
    assert_eq!(desk.call(&["identify", "--image", &desk.turned("obama3.jpg", 180)]).0, 0);
    for degrees in [0, 90, 180, 270] {
        for stranger in ["biden.jpg", "astronaut.png"] {
            let (code, lines) = desk.call(&["identify", "--image", &desk.turned(stranger, degrees)]);
            assert_eq!(code, 1, "{stranger} at {degrees}: {lines:?}");
        }
    }
}

#[test]
fn the_same_photo_again_is_no_further_view_and_is_named() {
    let Some(desk) = Desk::new() else { return };
    let (photo, copy) = (desk.photo("obama.jpg"), desk.turned("obama.jpg", 0));
    let other = desk.photo("obama2.jpg");
    let (code, lines) = desk.call(&["enrol", "Barack", "--image", &photo, &photo, &copy, &other]);
    assert_eq!((code, &lines[0]["templates"]), (0, &Value::from(2)), "{lines:?}");
    let reasons: Vec<_> = lines[0]["views"].as_array().unwrap().iter().map(|view| &view["reason"]).collect();
    let same = Value::from("same_photo");
    assert_eq!(reasons, [&Value::Null, &same, &same, &Value::Null]);
    let again = ["enrol", "Barack", "--replace", "--image", &other, &desk.photo("32bit.png")];
    assert_eq!(desk.call(&again).1[0]["templates"], 1, "smaller, and of another format");
    // On his head, the same photo is the same.
    let on_its_head = desk.turned("obama.jpg", 180);
    let (_, lines) = desk.call(&["enrol", "Barack", "--replace", "--image", &photo, &on_its_head]);
    assert_eq!(lines[0]["templates"], 1, "{lines:?}");
    let (_, text, _) =
        desk.device.run(&["enrol", "B", "--duplicate", "--image", &photo, &photo, "--pack", &desk.pack]);
    assert!(text.contains("not taken: the same as an earlier photo, give another"), "{text}");
}
