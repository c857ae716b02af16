//! Work for an instruction counter: each stage once on each engine, after a run that settles the buffers, with a
//! mark before and behind it.

use std::path::PathBuf;

use anyhow::{Context, Result};
use arcdoor_core::{Candidates, Face, Faces};
use arcdoor_frame::RgbImage;
use arcdoor_gallery::Gallery;
use arcdoor_infer::{EngineChoice, Net, NetSpec, Session};
use arcdoor_models::{Pack, Role};
use arcdoor_vision::{DetectSettings, Detector, Embedder, Landmarker, YuNet, YuNetLandmarker, assess};

use crate::bench::frame::{FRAME, Frames, crowd, detector_input};
use crate::bench::nets::of_index;
use crate::bench::race::{Course, input};
use crate::face_finder::open_pack;
use crate::say::say;

/// Networks beyond this take minutes in emulation.
const MOST_MACS: u64 = 1_000_000_000;

#[derive(clap::Args)]
pub(crate) struct BenchCountArgs {
    /// A photo with a face
    #[arg(value_name = "PHOTO")]
    photo: PathBuf,
    #[arg(long, value_name = "DIR", default_value = "models/packs/yunet-sface")]
    pack: PathBuf,
    /// Folder with further networks and their index.json; those above 1,000 MMAC are left out
    #[arg(long, value_name = "DIR")]
    nets: Option<PathBuf>,
    /// Subjects in the gallery
    #[arg(long, default_value_t = 1000)]
    subjects: usize,
}

pub(crate) fn run(args: &BenchCountArgs) -> Result<()> {
    let pack = open_pack(&args.pack)?;
    let frames = Frames::read(std::slice::from_ref(&args.photo))?;
    let image = frames.images.first().context("no photo")?;
    let courses = args.nets.as_deref().map(of_index).transpose()?.unwrap_or_default();
    let gallery = crowd(&pack, args.subjects)?;
    let mut done = Vec::new();
    for choice in [EngineChoice::Plan, EngineChoice::Tract] {
        frame(&pack, image, choice, &gallery, &mut done)?;
        for course in courses.iter().filter(|course| course.macs <= MOST_MACS) {
            let (session, input) = (&mut session(course, choice)?, input(course));
            let feed = |session: &mut Session| {
                session.input_mut().copy_from_slice(&input);
                Ok(())
            };
            counted_fed(&course.name, session.engine().name(), &mut done, session, feed, |session| {
                Ok(session.run()?)
            })?;
        }
    }
    // After all marks: printing is none of the work.
    for (stage, engine) in &done {
        say!("{stage}\t{engine}")?;
    }
    Ok(())
}

/// The stages that were counted, in the order of their marks: name and engine.
type Done = Vec<(String, &'static str)>;

/// Runs `work` twice, the second time between marks.
fn counted(
    stage: &str,
    engine: &'static str,
    done: &mut Done,
    mut work: impl FnMut() -> Result<()>,
) -> Result<()> {
    counted_fed(stage, engine, done, &mut (), |()| Ok(()), |()| work())
}

/// As [`counted`], with what `feed` does before each time left out.
fn counted_fed<T>(
    stage: &str,
    engine: &'static str,
    done: &mut Done,
    fed: &mut T,
    mut feed: impl FnMut(&mut T) -> Result<()>,
    mut work: impl FnMut(&mut T) -> Result<()>,
) -> Result<()> {
    feed(fed)?;
    work(fed)?;
    feed(fed)?;
    mark();
    work(fed)?;
    mark();
    done.push((stage.to_owned(), engine));
    Ok(())
}

/// A call of the kernel that changes nothing and that nothing else here makes: the counter looks for it.
fn mark() {
    std::thread::yield_now();
}

/// One frame's way on one engine.
fn frame(
    pack: &Pack,
    image: &RgbImage,
    choice: EngineChoice,
    gallery: &Gallery,
    done: &mut Done,
) -> Result<()> {
    let (frame, settings) = (image.view(), DetectSettings::default());
    let mut yunet = YuNet::from_pack(pack, &choice.into())?;
    let mut landmarker = YuNetLandmarker::from_pack(pack, &choice.into())?;
    let mut embedder = Embedder::from_pack(pack, &choice.into())?;
    let engine = embedder.engine().name();
    let [width, height] = detector_input(&yunet, image, &settings)?.map(|side| side as usize);
    let net = pack.net(Role::Detector)?;
    let names: Vec<&str> = net.outputs.iter().map(String::as_str).collect();
    let spec = NetSpec { input: [1, 3, height, width], outputs: &names };
    let mut detector = Net::load(net.onnx, &spec, &choice.into())?.session()?;
    let mut faces = Faces::new();

    let name = format!("detector's network, {width}x{height}");
    let feed = |detector: &mut Session| {
        detector.input_mut().fill(0.0);
        Ok(())
    };
    counted_fed(&name, engine, done, &mut detector, feed, |detector| Ok(detector.run()?))?;
    let name = format!("detection in {}x{}: scaling, network, boxes", FRAME[0], FRAME[1]);
    counted(&name, engine, done, || Ok(yunet.detect(frame, &settings, &mut faces)?))?;
    let face: Face = faces.first().cloned().context("no face on the photo")?;
    let mut landmarks = None;
    counted("landmarks, refined", engine, done, || {
        landmarks = landmarker.landmarks(frame, &face.rect)?;
        Ok(())
    })?;
    let landmarks = landmarks.context("no landmarks on the photo")?;
    counted("quality", engine, done, || {
        std::hint::black_box(assess(frame, &face));
        Ok(())
    })?;
    counted("alignment", engine, done, || Ok(embedder.align(frame, &landmarks)?))?;
    let mut template = None;
    let feed = |embedder: &mut Embedder| Ok(embedder.align(frame, &landmarks)?);
    counted_fed("embedder", engine, done, &mut embedder, feed, |embedder| {
        template = Some(embedder.run()?);
        Ok(())
    })?;
    let template = template.context("no template")?;
    let mut candidates = Candidates::new();
    counted(&format!("match, {} subjects", gallery.len()), engine, done, || {
        candidates.clear();
        Ok(gallery.identify(&template, &mut candidates)?)
    })
}

fn session(course: &Course, choice: EngineChoice) -> Result<Session> {
    let onnx = course.read()?;
    let names: Vec<&str> = course.outputs.iter().map(String::as_str).collect();
    let spec = NetSpec { input: course.input, outputs: &names };
    Ok(Net::load(&onnx, &spec, &choice.into())?.session()?)
}
