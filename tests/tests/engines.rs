//! The plan and tract see the same: on the demo's photos always, and on 500 faces where `ARCDOOR_DATA` names the
//! folder of development data.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::path::Path;

use arcdoor_core::{Faces, Landmarks5};
use arcdoor_frame::{ImageLimits, RgbImage, read_image};
use arcdoor_infer::{Net, NetSpec, Session};
use arcdoor_models::{Pack, Role};
use arcdoor_tests::{Real, people};
use arcdoor_vision::tuning::{Tuning, networks};
use arcdoor_vision::{DetectSettings, Detector, Embedder, Engine, EngineChoice, RunOptions, YuNet};

/// Width and height of the detector's input here, in pixels: LFW's photos of 250 fit into it.
const SIDE: usize = 256;
const FACES: usize = 500;

/// Both engines, side by side.
struct Pair {
    names: Vec<String>,
    detectors: [Session; 2],
    yunet: YuNet,
    embedders: [Embedder; 2],
    worst_value: f32,
    worst_cosine: f32,
    faces: usize,
}

const CHOICES: [EngineChoice; 2] = [EngineChoice::Plan, EngineChoice::Tract];

impl Pair {
    fn new(pack: &Pack) -> Self {
        let file = pack.net(Role::Detector).unwrap();
        let names = file.outputs.clone();
        let outputs: Vec<&str> = names.iter().map(String::as_str).collect();
        let spec = NetSpec { input: [1, 3, SIDE, SIDE], outputs: &outputs };
        let detectors =
            CHOICES.map(|choice| Net::load(file.onnx, &spec, &choice.into()).unwrap().session().unwrap());
        assert_eq!([&detectors[0], &detectors[1]].map(Session::engine), [Engine::Plan, Engine::Tract]);
        let embedders = CHOICES.map(|choice| Embedder::from_pack(pack, &choice.into()).unwrap());
        let yunet = YuNet::from_pack(pack, &RunOptions::default()).unwrap();
        Self { names, detectors, yunet, embedders, worst_value: 0.0, worst_cosine: 1.0, faces: 0 }
    }

    fn compare(&mut self, path: &Path) {
        let mut image = RgbImage::new();
        read_image(path, &ImageLimits::default(), &mut image).unwrap();
        self.detect(&image, path);
        let mut faces = Faces::new();
        self.yunet.detect(image.view(), &DetectSettings::default(), &mut faces).unwrap();
        for landmarks in faces.iter().filter_map(|face| face.landmarks) {
            self.embed(&image, &landmarks, path);
        }
    }

    /// All twelve outputs on the photo's upper left part.
    fn detect(&mut self, image: &RgbImage, path: &Path) {
        let view = image.view();
        for session in &mut self.detectors {
            let input = session.input_mut();
            input.fill(0.0);
            for y in 0..SIDE.min(view.height() as usize) {
                for x in 0..SIDE.min(view.width() as usize) {
                    let pixel = view.pixel(x as u32, y as u32);
                    for (plane, value) in pixel.into_iter().rev().enumerate() {
                        input[(plane * SIDE + y) * SIDE + x] = f32::from(value);
                    }
                }
            }
            session.run().unwrap();
        }
        let [plan, tract] = &self.detectors;
        for (index, name) in self.names.iter().enumerate() {
            let (ours, theirs) = (plan.output(index), tract.output(index));
            assert_eq!(plan.output_shape(index), tract.output_shape(index));
            // Scores are probabilities: their scale is 1, however little the photo shows.
            let least = if name.starts_with("cls") || name.starts_with("obj") { 1.0 } else { 0.0 };
            let (off, _) = difference(ours, theirs, least);
            assert!(off <= 1e-4, "{name} of {}: {off}", path.display());
            self.worst_value = self.worst_value.max(off);
        }
    }

    fn embed(&mut self, image: &RgbImage, landmarks: &Landmarks5, path: &Path) {
        let [ours, theirs] = self
            .embedders
            .each_mut()
            .map(|embedder| embedder.embed(image.view(), landmarks).unwrap().values().to_vec());
        let (off, cosine) = difference(&ours, &theirs, 0.0);
        assert!(off <= 1e-4 && cosine >= 0.999_99, "{}: {off}, {cosine}", path.display());
        self.worst_value = self.worst_value.max(off);
        self.worst_cosine = self.worst_cosine.min(cosine);
        self.faces += 1;
    }

    fn report(&self) {
        println!(
            "{} faces: values differ by at most {:.1e} of the greatest, cosine at least {}",
            self.faces, self.worst_value, self.worst_cosine
        );
    }
}

/// The greatest difference in terms of the greatest value (at least `least`), and the cosine.
fn difference(ours: &[f32], theirs: &[f32], least: f32) -> (f32, f32) {
    assert_eq!(ours.len(), theirs.len());
    let largest = theirs.iter().fold(least, |most, value| most.max(value.abs()));
    let off = ours.iter().zip(theirs).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
    let dot = |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum() };
    let cosine = dot(ours, theirs) / (dot(ours, ours) * dot(theirs, theirs)).sqrt();
    (off / largest, cosine as f32)
}

/// Whatever size of input a camera's frames and a device's settings lead to.
#[test]
fn the_packs_networks_start_from_their_graph_files() {
    let Some(real) = Real::find() else { return };
    let pack = Pack::open(&real.pack).unwrap();
    for frame in [[160, 120], [480, 640], [640, 480], [1280, 720], [1080, 1920], [300, 300]] {
        for min_face in [20, 80, 200] {
            let settings = DetectSettings { min_face_px: min_face, ..DetectSettings::default() };
            let networks = networks(&pack, frame, &settings, &Tuning::default()).unwrap();
            assert!(networks.iter().all(|network| network.net.from_graph()), "{frame:?}, {min_face}");
        }
    }
}

#[test]
fn both_engines_see_the_same_on_the_demos_photos() {
    let Some(real) = Real::find() else { return };
    let mut pair = Pair::new(&Pack::open(&real.pack).unwrap());
    for photo in ["obama.jpg", "obama2.jpg", "biden.jpg", "astronaut.png"] {
        pair.compare(&real.photo(photo));
    }
    pair.report();
    assert!(pair.faces >= 4);
}

#[test]
fn both_engines_see_the_same_on_500_faces() {
    let Some(real) = Real::find() else { return };
    let Some(photos) = people(FACES) else { return };
    let mut pair = Pair::new(&Pack::open(&real.pack).unwrap());
    for photo in &photos {
        if pair.faces < FACES {
            pair.compare(photo);
        }
    }
    pair.report();
    assert!(pair.faces >= FACES, "{} faces", pair.faces);
}
