//! What is said about the light on 600 faces, where `ARCDOOR_DATA` names the folder of development data: as they are,
//! before a white wall with the light behind them, and in the dark.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use arcdoor_core::{Face, Faces, Landmarks5, QualityPart, RetryReason};
use arcdoor_frame::{ImageLimits, RgbImage, RgbView, read_image};
use arcdoor_models::Pack;
use arcdoor_tests::{Real, people};
use arcdoor_vision::align::{Similarity, TEMPLATE_SIDE, warp};
use arcdoor_vision::quality::{Assessment, Measures, QualityGate};
use arcdoor_vision::{Channels, DetectSettings, DetectorKind, RunOptions, Vision};

const FACES: usize = 600;

/// The widest face that landmarks confirm.
fn look(vision: &mut Vision, image: RgbView<'_>) -> Option<(Face, Assessment)> {
    let mut faces = Faces::new();
    vision.detect(image, &DetectSettings::default(), &mut faces).unwrap();
    let confirmed = faces.iter().filter(|face| face.landmarks.is_some());
    let face = confirmed.max_by(|a, b| a.rect.w.total_cmp(&b.rect.w)).copied()?;
    Some((face, vision.assess(image, &face)))
}

/// The head at a share of its light, before a surround of one grey.
fn relit(image: &RgbImage, face: &Face, share: f32, surround: Option<u8>) -> RgbImage {
    let mut lit = image.clone();
    let width = image.width() as usize;
    let (x, y) = (face.rect.x + face.rect.w / 2.0, face.rect.y + face.rect.h / 2.0);
    for (index, pixel) in lit.data_mut().chunks_exact_mut(3).enumerate() {
        let (dx, dy) = ((index % width) as f32 - x, (index / width) as f32 - y);
        let (dx, dy) = (dx / (0.62 * face.rect.w), dy / (0.62 * face.rect.h));
        match surround {
            Some(grey) if dx * dx + dy * dy > 1.0 => pixel.fill(grey),
            _ => pixel.iter_mut().for_each(|value| *value = (f32::from(*value) * share) as u8),
        }
    }
    lit
}

/// The variance of the aligned face's Laplacian, in squared grey levels, where its sharpness is measured.
fn laplacian(image: RgbView<'_>, landmarks: &Landmarks5) -> f64 {
    const SIDE: usize = TEMPLATE_SIDE as usize;
    let to_crop = Similarity::to_template(landmarks, TEMPLATE_SIDE).unwrap();
    let mut planes = vec![0.0; 3 * SIDE * SIDE];
    warp(image, &to_crop, &Channels::RGB, TEMPLATE_SIDE, &mut planes);
    let grey = |x: usize, y: usize| {
        let [r, g, b] = [0, 1, 2].map(|plane| planes[(plane * SIDE + y) * SIDE + x]);
        f64::from(0.299 * r + 0.587 * g + 0.114 * b).round()
    };
    let values: Vec<f64> = (16..104)
        .flat_map(|y| (20..92).map(move |x| (x, y)))
        .map(|(x, y)| grey(x - 1, y) + grey(x + 1, y) + grey(x, y - 1) + grey(x, y + 1) - 4.0 * grey(x, y))
        .collect();
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count
}

/// As if nothing were known of the surround.
fn without_surround(found: &Assessment) -> Assessment {
    let measures = Measures { surround: found.measures.luma, ..found.measures };
    Assessment { quality: measures.quality(), measures, advice: None }
}

/// What a gate says: taken, and the reasons that speak of light.
#[derive(Debug, Default)]
struct Said {
    of: usize,
    taken: usize,
    behind: usize,
    dark: usize,
    bright: usize,
}

impl Said {
    fn note(&mut self, gate: &QualityGate, found: &Assessment) {
        self.of += 1;
        match gate.check(found) {
            Ok(()) => self.taken += 1,
            Err(RetryReason::LightFromBehind) => self.behind += 1,
            Err(RetryReason::TooDark) => self.dark += 1,
            Err(RetryReason::TooBright) => self.bright += 1,
            Err(_) => {}
        }
    }
}

#[test]
fn light_from_behind_is_told_from_a_dark_room_and_refuses_no_ordinary_photo() {
    let Some(real) = Real::find() else { return };
    let Some(photos) = people(FACES) else { return };
    let pack = Pack::open(&real.pack).unwrap();
    let mut vision = Vision::from_pack(&pack, DetectorKind::Yunet, &RunOptions::default()).unwrap();
    let gates = [("recognise", QualityGate::recognise()), ("enrol", QualityGate::enrol())];
    let scenes: [(&str, f32, Option<u8>); 6] = [
        ("behind, 0.25", 0.25, Some(255)),
        ("behind, 0.15", 0.15, Some(255)),
        ("white wall, 1", 1.0, Some(255)),
        ("dark room, 0.25", 0.25, None),
        ("dark room, 0.1", 0.1, None),
        ("bright, 3", 3.0, None),
    ];
    let mut said: [[Said; 6]; 2] = Default::default();
    let mut unaware: [[Said; 6]; 2] = Default::default();
    let (mut faces, mut newly, mut posed, mut good) = (0, [0, 0], 0, 0);
    let (mut ratios, mut laplacians) = (Vec::new(), Vec::new());
    for photo in &photos {
        let mut image = RgbImage::new();
        read_image(photo, &ImageLimits::default(), &mut image).unwrap();
        let Some((face, plain)) = look(&mut vision, image.view()) else { continue };
        faces += 1;
        posed += usize::from(plain.measures.yaw_deg.abs() <= 25.0 && plain.measures.pitch_deg.abs() <= 25.0);
        let mut parts = QualityPart::ALL.into_iter().filter_map(|part| plain.quality.part(part));
        good += usize::from(parts.all(|value| value > 40));
        ratios.push(plain.measures.luma / plain.measures.surround.max(1.0));
        laplacians
            .push(laplacian(image.view(), &face.landmarks.unwrap()) / f64::from(plain.measures.sharpness));
        let before = without_surround(&plain);
        for (index, (_, gate)) in gates.iter().enumerate() {
            newly[index] += usize::from(gate.check(&before).is_ok() && gate.check(&plain).is_err());
        }
        for (index, (_, share, surround)) in scenes.iter().enumerate() {
            let lit = relit(&image, &face, *share, *surround);
            if let Some((_, found)) = look(&mut vision, lit.view()) {
                for (gate, (_, least)) in gates.iter().enumerate() {
                    said[gate][index].note(least, &found);
                    unaware[gate][index].note(least, &without_surround(&found));
                }
            }
        }
    }
    ratios.sort_by(f32::total_cmp);
    laplacians.sort_by(f64::total_cmp);
    let at = |share: f32| ratios[(share * (ratios.len() - 1) as f32) as usize];
    println!("{good} of {faces} faces have every part of quality above 40");
    println!("variance of the Laplacian over sharpness: {:.2} in the middle", laplacians[faces / 2]);
    println!("{faces} faces; newly refused: {newly:?}; within 25 degrees both ways: {posed}");
    println!("face's light of its surround: {:.2} {:.2} {:.2} {:.2}", at(0.0), at(0.01), at(0.05), at(0.5));
    for (gate, (said, unaware)) in gates.iter().zip(said.iter().zip(&unaware)) {
        for (scene, (said, unaware)) in scenes.iter().zip(said.iter().zip(unaware)) {
            println!("{:9} {:15} {said:?}; without the surround {unaware:?}", gate.0, scene.0);
        }
    }
    let most = faces / 100;
    assert!(newly.iter().all(|newly| *newly <= most), "{newly:?} of {faces} ordinary photos");
    for said in &said {
        let [quarter, less, wall, dark, darker, bright] = said;
        assert!(
            quarter.dark * 20 <= quarter.of && less.dark * 20 <= less.of,
            "light from behind is no dark room"
        );
        assert!(less.behind * 10 >= less.of * 9 && quarter.behind * 2 >= quarter.of);
        assert!(wall.behind * 50 <= wall.of, "a white wall alone");
        assert!(dark.behind + darker.behind <= faces / 50 && darker.dark * 10 >= darker.of * 8);
        assert_eq!(bright.behind, 0);
    }
}
