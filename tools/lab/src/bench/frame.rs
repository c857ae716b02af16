//! The way of a frame, stage by stage; the peers run the same frames in between.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use arcdoor_allocations::{Allocations, during};
use arcdoor_core::{Candidates, Face, Faces, Stage, SubjectName, Template};
use arcdoor_frame::{ImageLimits, Resizer, RgbImage, read_image};
use arcdoor_gallery::{Gallery, GalleryKey, MemoryDisk};
use arcdoor_infer::{Net, NetSpec};
use arcdoor_models::{Pack, PackNet, Role};
use arcdoor_vision::{DetectSettings, DetectorKind, RunOptions, SMALLEST_FACE_NET_PX, Threads, YuNet};

use crate::bench::footprint;
use crate::bench::peer::{Peer, Setting};
use crate::bench::race::cpu_ms;
use crate::bench::row::Row;
use crate::face_finder::{detector_parser, open_pack};
use crate::say::say;
use arcdoor_calib::Random;

/// All photos are brought to a camera's frame: the size decides the cost of detection.
pub(crate) const FRAME: [u32; 2] = [640, 480];
/// A frame's whole way, on the clock.
const WHOLE: &str = "frame";
/// The same without what the machine did for others meanwhile: our first thread's CPU time, and that of the peers'
/// process.
const WHOLE_CPU: &str = "frame, CPU time";
/// Rounds that are not counted: caches, clocks and buffers settle.
const WARM_UP: usize = 3;
const OURS: &str = "arcdoor";

#[derive(clap::Args)]
pub(crate) struct BenchFrameArgs {
    /// Photos with a face each
    #[arg(required = true, value_name = "PHOTO")]
    photos: Vec<PathBuf>,
    #[arg(long, value_name = "DIR", default_value = "models/packs/yunet-sface")]
    pack: PathBuf,
    /// The pack whose networks the peers run [default: the one of --pack]
    #[arg(long, value_name = "DIR")]
    peers_pack: Option<PathBuf>,
    #[arg(long, value_parser = detector_parser(), default_value = "yunet")]
    detector: DetectorKind,
    /// The least width of a face, pixels of a 640x480 frame [default: the detectors' own]
    #[arg(long)]
    min_face: Option<u32>,
    /// Subjects in the gallery
    #[arg(long, default_value_t = 1000)]
    subjects: usize,
    /// Threads that run our networks, 1 or 2; the peers take one
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    threads: u8,
    #[arg(long, default_value_t = 25)]
    rounds: usize,
    /// A Python with OpenCV and onnxruntime, to measure the peers in between; without it, only ours runs
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
    /// Also write the rows as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Milliseconds by engine and stage, one value for each photo and round.
type Times = BTreeMap<(String, String), Vec<f64>>;

pub(crate) fn run(args: BenchFrameArgs) -> Result<()> {
    ensure!(args.rounds >= 3, "--rounds is at least 3: a median of less says nothing");
    let began = Instant::now();
    let pack = open_pack(&args.pack)?;
    let mut settings = DetectSettings::default();
    settings.min_face_px = args.min_face.unwrap_or(settings.min_face_px);
    let mut frames = Frames::read(&args.photos[..1])?;
    let mut ours = Ours::open(&args, &pack, settings)?;
    ours.frame(&frames.images[0])?;
    let first = began.elapsed().as_secs_f64() * 1e3;
    let mut rows = vec![Row::new("start-up to first decision, in process", OURS).timed(&[first])];

    frames.extend(&args.photos[1..])?;
    let kept = frames.with_faces(&mut ours)?;
    ensure!(!kept.is_empty(), "no face with landmarks on any photo; give portraits, or a smaller --min-face");
    let (times, allocations) = rounds(&args, &pack, &mut ours, &kept)?;
    rows.extend(staged(&times, &allocations));
    rows.extend(engine_allocations(&pack, &ours, &kept[0])?);
    rows.extend(footprint::rows(&args.pack, &args.photos[0])?);

    let input = ours.detector_input(&kept[0])?;
    say!(
        "{} frames of {}x{}, detector {}, {} subjects, {} rounds, {} thread(s) of ours, 1 of the peers",
        kept.len(),
        FRAME[0],
        FRAME[1],
        args.detector.name(),
        args.subjects,
        args.rounds,
        args.threads
    )?;
    if let Some(theirs) = &args.peers_pack {
        say!("ours runs the pack {}, the peers that of {}", args.pack.display(), theirs.display())?;
    }
    say!("{}\n", sizing(&settings, input))?;
    print_rows(&rows)?;
    if let Some(path) = &args.json {
        let text = serde_json::to_vec_pretty(&rows)?;
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Explains to a reader of the table how large the detector's input is, and why.
fn sizing(settings: &DetectSettings, input: [u32; 2]) -> String {
    format!(
        "for a door: faces from {} pixels of the frame matter (--min-face), and YuNet needs {SMALLEST_FACE_NET_PX}, \
         so it sees the frame at {}x{}, the peers too;\nthe landmarks of the largest face are refined, which the \
         peers do not do",
        settings.min_face_px, input[0], input[1]
    )
}

/// The photos as a camera would give them.
pub(crate) struct Frames {
    pub(crate) images: Vec<RgbImage>,
    resizer: Resizer,
}

impl Frames {
    pub(crate) fn read(photos: &[PathBuf]) -> Result<Self> {
        let mut frames = Self { images: Vec::new(), resizer: Resizer::new() };
        frames.extend(photos)?;
        Ok(frames)
    }

    /// Fits each photo into a frame; the rest stays black.
    fn extend(&mut self, photos: &[PathBuf]) -> Result<()> {
        let (mut image, mut small) = (RgbImage::new(), RgbImage::new());
        for photo in photos {
            read_image(photo, &ImageLimits::default(), &mut image)
                .with_context(|| format!("cannot read {}", photo.display()))?;
            let sides = [image.width(), image.height()];
            let scale = (0..2).map(|i| FRAME[i] as f32 / sides[i] as f32).fold(f32::MAX, f32::min);
            let [w, h] = [0, 1].map(|i| ((sides[i] as f32 * scale) as u32).clamp(1, FRAME[i]));
            small.reshape(w, h);
            self.resizer.resize(image.view(), &mut small)?;
            let mut frame = RgbImage::with_size(FRAME[0], FRAME[1]);
            let (left, top) = ((FRAME[0] - w) as usize / 2, (FRAME[1] - h) as usize / 2);
            for y in 0..h {
                let start = ((top + y as usize) * FRAME[0] as usize + left) * 3;
                frame.data_mut()[start..start + w as usize * 3].copy_from_slice(small.view().row(y));
            }
            self.images.push(frame);
        }
        Ok(())
    }

    fn with_faces(self, ours: &mut Ours) -> Result<Vec<RgbImage>> {
        let mut kept = Vec::new();
        for image in self.images {
            if ours.frame(&image)?.is_some() {
                kept.push(image);
            }
        }
        Ok(kept)
    }
}

/// Our path, with everything it reuses.
struct Ours {
    vision: arcdoor_vision::Vision,
    /// Tells what size of input a frame needs; the detector of `vision` finds the faces.
    yunet: YuNet,
    settings: DetectSettings,
    gallery: Gallery,
    faces: Faces,
    candidates: Candidates,
}

/// What one frame took: each of [`Stage::ALL`], [`WHOLE`] and [`WHOLE_CPU`], in that order.
type Taken = Vec<Part>;

/// One part of what a frame took.
struct Part {
    name: &'static str,
    ms: f64,
    /// Where one call runs several stages, one of them has what all of them allocate, and the others have none.
    allocations: Allocations,
}

impl Ours {
    fn open(args: &BenchFrameArgs, pack: &Pack, settings: DetectSettings) -> Result<Self> {
        let threads = if args.threads == 2 { Threads::Two } else { Threads::One };
        let options = RunOptions { threads, ..RunOptions::default() };
        let vision = arcdoor_vision::Vision::from_pack(pack, args.detector, &options)?;
        let gallery = crowd(pack, args.subjects)?;
        let yunet = YuNet::from_pack(pack, &RunOptions::default())?;
        Ok(Self { vision, yunet, settings, gallery, faces: Faces::new(), candidates: Candidates::new() })
    }

    /// One frame's whole way; `None` where no face with landmarks was found.
    fn frame(&mut self, image: &RgbImage) -> Result<Option<Taken>> {
        let frame = image.view();
        let (began, cpu) = (Instant::now(), cpu_ms());
        let (result, seeing) = during(|| self.vision.detect(frame, &self.settings, &mut self.faces));
        result?;
        let largest = self.faces.iter().filter(|face| face.landmarks.is_some());
        let largest = largest.max_by(|a, b| a.rect.area().total_cmp(&b.rect.area())).cloned();
        let Some((face, landmarks)) = largest.and_then(|face: Face| Some((face, face.landmarks?))) else {
            return Ok(None);
        };
        let (_, assessing) = during(|| self.vision.assess(frame, &face));
        let (template, embedding) = during(|| self.vision.embed(frame, &landmarks));
        let template = template?;
        self.candidates.clear();
        let matching = Instant::now();
        let (result, comparing) = during(|| self.gallery.identify(&template, &mut self.candidates));
        result?;
        let matched = matching.elapsed();
        let (total, cpu) = (began.elapsed().as_secs_f64() * 1e3, cpu_ms() - cpu);
        let mut times = *self.vision.times();
        times.record(Stage::Match, matched);
        let calls = [
            (Stage::Detect, seeing),
            (Stage::Quality, assessing),
            (Stage::Embed, embedding),
            (Stage::Match, comparing),
        ];
        let allocations = |stage| {
            let call = calls.iter().find(|(named, _)| *named == stage);
            call.map_or_else(Allocations::default, |(_, allocations)| *allocations)
        };
        let stage = |stage: Stage| Part {
            name: stage.name(),
            ms: f64::from(times.us(stage)) / 1e3,
            allocations: allocations(stage),
        };
        let all = Allocations {
            count: calls.iter().map(|(_, call)| call.count).sum(),
            bytes: calls.iter().map(|(_, call)| call.bytes).sum(),
        };
        let mut taken: Taken = Stage::ALL.map(stage).into();
        taken.push(Part { name: WHOLE, ms: total, allocations: all });
        taken.push(Part { name: WHOLE_CPU, ms: cpu, allocations: all });
        Ok(Some(taken))
    }

    /// Width and height of what the detector's network really sees of this frame.
    fn detector_input(&self, image: &RgbImage) -> Result<[u32; 2]> {
        detector_input(&self.yunet, image, &self.settings)
    }
}

/// Width and height of what a detector's network sees of a frame.
pub(crate) fn detector_input(yunet: &YuNet, image: &RgbImage, settings: &DetectSettings) -> Result<[u32; 2]> {
    let scale = yunet.net_scale(image.view(), settings)?;
    Ok(FRAME.map(|side| ((side as f32 * scale).round() as u32).next_multiple_of(32)))
}

/// A gallery of so many subjects with random templates, in memory.
pub(crate) fn crowd(pack: &Pack, subjects: usize) -> Result<Gallery> {
    let (id, dimension) = (pack.model_id(), pack.dimension());
    let mut gallery = Gallery::open_on(MemoryDisk::new(), &GalleryKey::generate()?, id, dimension)?;
    let mut random = Random(1);
    for subject in 0..subjects {
        let values: Vec<f32> = (0..dimension).map(|_| random.signed()).collect();
        let template = Template::new(id, &values)?;
        gallery.enrol(&SubjectName::new(&format!("subject {subject}"))?, &[template], 0)?;
    }
    Ok(gallery)
}

/// The most that a part of a frame allocated in one round, by the part's name, in the order of [`Taken`].
type Worst = Vec<(&'static str, Allocations)>;

/// Interleaved rounds: one of ours over all frames, one of the peers', and so on.
fn rounds(
    args: &BenchFrameArgs,
    pack: &Pack,
    ours: &mut Ours,
    frames: &[RgbImage],
) -> Result<(Times, Worst)> {
    let mut peer = match &args.python {
        Some(python) => {
            let input = ours.detector_input(&frames[0])?;
            let theirs = args.peers_pack.as_deref().map(open_pack).transpose()?;
            Some(Peer::start(python, &Setting::of(theirs.as_ref().unwrap_or(pack), input)?, frames)?)
        }
        None => None,
    };
    let (mut times, mut worst) = (Times::new(), Worst::new());
    for round in 0..WARM_UP + args.rounds {
        for image in frames {
            let Some(taken) = ours.frame(image)? else { continue };
            if round < WARM_UP {
                continue;
            }
            for Part { name, ms, allocations } in taken {
                times.entry((OURS.to_owned(), name.to_owned())).or_default().push(ms);
                match worst.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, worst)) if allocations.count > worst.count => *worst = allocations,
                    Some(_) => {}
                    None => worst.push((name, allocations)),
                }
            }
        }
        if let Some(peer) = &mut peer {
            for (engine, stages) in peer.round()? {
                for (stage, ms) in stages.into_iter().filter(|_| round >= WARM_UP) {
                    times.entry((engine.clone(), stage)).or_default().extend(ms);
                }
            }
        }
    }
    Ok((times, worst))
}

/// A row for each part of a frame and each engine; ours beside the best peer.
fn staged(times: &Times, worst: &Worst) -> Vec<Row> {
    let mut rows = Vec::new();
    for (stage, allocations) in worst {
        let mut of_stage: Vec<Row> = Vec::new();
        for ((engine, _), ms) in times.iter().filter(|((_, name), _)| name == stage) {
            of_stage.push(Row::new(stage, engine).timed(ms));
        }
        let peers = of_stage.iter().filter(|row| row.engine != OURS);
        let best =
            peers.min_by(|a, b| a.median_ms.unwrap_or(f64::MAX).total_cmp(&b.median_ms.unwrap_or(f64::MAX)));
        let best = best.and_then(|row| Some((row.engine.clone(), row.median_ms?)));
        if let Some(row) = of_stage.iter_mut().find(|row| row.engine == OURS) {
            row.allocations = Some(*allocations);
            row.ratio_best_peer = best.as_ref().and_then(|(_, ms)| Some(row.median_ms? / ms));
            row.best_peer = best.map(|(engine, _)| engine);
        }
        of_stage.sort_by_key(|row| row.engine != OURS);
        rows.extend(of_stage);
    }
    rows
}

/// What the engine that runs the networks allocates in one run: its share of the figures above.
fn engine_allocations(pack: &Pack, ours: &Ours, image: &RgbImage) -> Result<Vec<Row>> {
    let [w, h] = ours.detector_input(image)?.map(|side| side as usize);
    let (detector, embedder) = (pack.net(Role::Detector)?, pack.net(Role::Embedder)?);
    let one = |name: &str, file: PackNet<'_>, input: [usize; 4]| -> Result<Row> {
        let outputs: Vec<&str> = file.outputs.iter().map(String::as_str).collect();
        let net = Net::load(file.onnx, &NetSpec { input, outputs: &outputs }, &RunOptions::default())?;
        let mut session = net.session()?;
        for _ in 0..WARM_UP {
            session.input_mut().fill(0.0);
            session.run()?;
        }
        session.input_mut().fill(0.0);
        let (result, allocations) = during(|| session.run());
        result?;
        Ok(Row { allocations: Some(allocations), ..Row::new(name, net.engine().name()) })
    };
    Ok(vec![
        one("the detector's network alone", detector, [1, detector.preprocess.channel_order.planes(), h, w])?,
        one("the embedder's network alone", embedder, embedder.preprocess.shape())?,
    ])
}

fn print_rows(rows: &[Row]) -> io::Result<()> {
    say!(
        "{:<40} {:<12} {:>10} {:>10} {:>8} {:<12} {:>8} {:>12}",
        "",
        "engine",
        "median ms",
        "min ms",
        "/ best",
        "peer",
        "allocs",
        "bytes"
    )?;
    let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.3}"));
    for row in rows {
        let ratio = row.ratio_best_peer.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let allocations = row.allocations.map_or_else(|| "-".to_owned(), |a| a.count.to_string());
        let bytes = row.allocations.map(|a| a.bytes).or(row.bytes);
        say!(
            "{:<40} {:<12} {:>10} {:>10} {ratio:>8} {:<12} {allocations:>8} {:>12}",
            row.name,
            row.engine,
            ms(row.median_ms),
            ms(row.min_ms),
            row.best_peer.as_deref().unwrap_or("-"),
            bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string()),
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_set_beside_the_best_peer() {
        let key = |engine: &str| (engine.to_owned(), "embed".to_owned());
        let times = Times::from([
            (key(OURS), vec![4.0, 6.0, 5.0]),
            (key("opencv"), vec![3.0, 2.0, 2.5]),
            (key("onnxruntime"), vec![9.0]),
        ]);
        let rows = staged(&times, &vec![("embed", Allocations::default())]);
        assert_eq!((rows[0].engine.as_str(), rows[0].best_peer.as_deref()), (OURS, Some("opencv")));
        assert_eq!(
            (rows[0].median_ms, rows[0].min_ms, rows[0].ratio_best_peer),
            (Some(5.0), Some(4.0), Some(2.0))
        );
        assert!(rows[1..].iter().all(|row| row.ratio_best_peer.is_none()));
    }
}
