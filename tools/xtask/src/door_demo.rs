//! `cargo xtask door-demo`: the daemon with a door in memory and its panel, from approach to relock.

use std::fs::{self, File, Permissions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::{cargo, fetch};

const RATE: u32 = 15;
/// What stands before the camera, and for how many frames; none: nobody.
const STORY: [(Option<&str>, usize); 6] = [
    (None, 30),
    (Some("obama_partial_face.jpg"), 20),
    (Some("obama2.jpg"), 60),
    (None, 75),
    (Some("biden.jpg"), 45),
    (None, 150),
];
/// What the log must hold in the end.
const TOLD: [&str; 7] =
    ["granted", "opened", "closed", "unknown_face", "forced", "acknowledged", "alarm_ended"];
const WAIT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);
/// A panel by day, whatever the hour is; and a face alone, which no door of worth should open to.
const SETTINGS: &str =
    "[door]\nboard = \"simulated\"\nlight = \"day\"\n\n[door.policy]\nmethods = \"face\"\n";
const COLUMNS: usize = 4;
/// Pixels of a panel, and of its image in the storyboard.
const PANEL: [usize; 2] = [800, 480];
const SMALL: [usize; 2] = [PANEL[0] / 2, PANEL[1] / 2];

/// Plays the story, prints what the door tells, and draws what its panel showed.
pub(crate) fn run(out: Option<PathBuf>) -> Result<()> {
    let out = out.unwrap_or_else(|| cargo::target_dir().join("door-demo"));
    eprintln!("building arcdoor (the first time takes some minutes) ...");
    cargo::build_binaries()?;
    let photos = fetch::demo_photos()?;
    home(&out, SETTINGS)?;
    write_story(&out.join("frames"), &photos, &STORY)?;
    let stage = Stage { out: out.clone() };
    cargo::check(stage.arcdoor().args(["enrol", "Barack", "--image"]).arg(photos.join("obama.jpg")))?;
    println!();
    stage.play()?;
    let told = stage.told()?;
    for reason in TOLD {
        ensure!(told.iter().any(|said| said == reason), "the log does not hold {reason}: {told:?}");
    }
    let board = out.join("storyboard.png");
    let count = storyboard(&out.join("panel"), &board)?;
    println!("\nthe log tells all of it; {count} screens of the panel: {}", board.display());
    Ok(())
}

/// Where the story is played.
struct Stage {
    out: PathBuf,
}

impl Stage {
    fn arcdoor(&self) -> Command {
        let mut command = Command::new(cargo::binary("arcdoor"));
        command.env_remove("ARCDOOR_PACK").env_remove("ARCDOOR_SOCKET").current_dir(cargo::root());
        command.arg("--home").arg(self.out.join("home"));
        command
    }

    fn play(&self) -> Result<()> {
        let mut run = self.arcdoor();
        run.args(["run", "--simulate", "--rate", &RATE.to_string(), "--replay"]).arg(self.out.join("frames"));
        let mut door = run.arg("--panel").arg(self.out.join("panel")).stdin(Stdio::piped()).spawn()?;
        let keys = door.stdin.take().context("the door takes no keys")?;
        let played = self.act(keys, &mut door);
        if played.is_err() {
            // It ends with its frames anyway.
            let _ = door.kill();
        }
        let ended = door.wait()?;
        played.and_then(|()| if ended.success() { Ok(()) } else { bail!("arcdoor run ended with {ended}") })
    }

    /// Opens and closes the door as whoever is let in does, and then as a burglar does.
    fn act(&self, mut keys: ChildStdin, door: &mut Child) -> Result<()> {
        let mut press = |key: &str| -> Result<()> {
            keys.write_all(key.as_bytes())?;
            Ok(keys.flush()?)
        };
        self.until(door, "was not unlocked", |state| state["position"] == "unlocked")?;
        sleep(Duration::from_millis(500));
        press("c")?;
        sleep(Duration::from_secs(1));
        press("c")?;
        self.until(door, "was not locked again", |state| state["position"] == "locked")?;
        self.until_told(door, "unknown_face")?;
        sleep(Duration::from_secs(3));
        press("c")?;
        self.until(door, "gave no alarm", |state| state["alarms"][0] == "forced")?;
        sleep(Duration::from_secs(1));
        press("c")?;
        self.until(door, "was not closed", |state| state["contact"] == "closed")?;
        cargo::check(self.arcdoor().args(["door", "acknowledge"]).stdout(Stdio::null()))
    }

    fn until(&self, door: &mut Child, what: &str, holds: impl Fn(&Value) -> bool) -> Result<()> {
        let begun = Instant::now();
        loop {
            let output = self.arcdoor().args(["door", "state", "--json"]).output()?;
            if serde_json::from_slice(&output.stdout).is_ok_and(|state| holds(&state)) {
                return Ok(());
            }
            ensure!(door.try_wait()?.is_none() && begun.elapsed() < WAIT, "the door {what}");
            sleep(LOOK);
        }
    }

    fn until_told(&self, door: &mut Child, reason: &str) -> Result<()> {
        let begun = Instant::now();
        while !self.told()?.iter().any(|said| said == reason) {
            ensure!(door.try_wait()?.is_none() && begun.elapsed() < WAIT, "the log never said {reason}");
            sleep(LOOK);
        }
        Ok(())
    }

    /// The door's reasons in the log.
    fn told(&self) -> Result<Vec<String>> {
        let output = self.arcdoor().args(["log", "-n", "200", "--json"]).output()?;
        let text = String::from_utf8(output.stdout).context("arcdoor wrote something that is not text")?;
        let reason = |line: &str| -> Option<String> {
            let value: Value = serde_json::from_str(line).ok()?;
            (value["event"] == "door").then(|| value["reason"].as_str().map(str::to_owned))?
        };
        Ok(text.lines().filter_map(reason).collect())
    }
}

/// Makes a home with these settings in `out`, and a folder for frames; what was in these, and in the panel's, is gone.
pub(crate) fn home(out: &Path, settings: &str) -> Result<()> {
    for folder in ["home", "frames", "panel"].map(|folder| out.join(folder)) {
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
        }
    }
    for folder in ["home", "frames"] {
        fs::create_dir_all(out.join(folder)).with_context(|| format!("cannot make {}", out.display()))?;
    }
    fs::write(out.join("home/settings.toml"), settings)?;
    Ok(fs::set_permissions(out.join("home"), Permissions::from_mode(0o700))?)
}

/// Frames of a story: what stands before the camera, and for how many of them; none: nobody.
pub(crate) fn write_story(folder: &Path, photos: &Path, story: &[(Option<&str>, usize)]) -> Result<()> {
    let empty = folder.join("00000.png");
    write_png(&empty, [640, 480], &vec![96; 640 * 480 * 3])?;
    let mut number = 1;
    for (photo, count) in story {
        let source = photo.map_or(empty.clone(), |photo| photos.join(photo));
        let extension = source.extension().and_then(|name| name.to_str()).unwrap_or("png").to_owned();
        for _ in 0..*count {
            let frame = folder.join(format!("{number:05}.{extension}"));
            fs::hard_link(&source, &frame)
                .or_else(|_| fs::copy(&source, &frame).map(drop))
                .with_context(|| format!("cannot write {}", frame.display()))?;
            number += 1;
        }
    }
    Ok(())
}

/// All screens of the panel, half as wide and high, row by row; returns how many.
fn storyboard(panel: &Path, out: &Path) -> Result<usize> {
    let mut files: Vec<_> = fs::read_dir(panel)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.sort();
    ensure!(!files.is_empty(), "the panel showed nothing");
    let rows = files.len().div_ceil(COLUMNS);
    let (width, height) = (SMALL[0] * COLUMNS, SMALL[1] * rows);
    let mut board = vec![255_u8; width * height * 3];
    for (index, file) in files.iter().enumerate() {
        let screen = read_png(file)?;
        let (left, top) = (index % COLUMNS * SMALL[0], index / COLUMNS * SMALL[1]);
        // A line of the ground stays between two screens.
        for (y, x) in (1..SMALL[1]).flat_map(|y| (1..SMALL[0]).map(move |x| (y, x))) {
            for channel in 0..3 {
                let at = |dy: usize, dx: usize| {
                    u32::from(screen[((y * 2 + dy) * PANEL[0] + x * 2 + dx) * 3 + channel])
                };
                let mean = (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4;
                board[((top + y) * width + left + x) * 3 + channel] = u8::try_from(mean).unwrap_or(u8::MAX);
            }
        }
    }
    write_png(out, [width, height], &board)?;
    Ok(files.len())
}

pub(crate) fn write_png(file: &Path, [width, height]: [usize; 2], pixels: &[u8]) -> Result<()> {
    let out = File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    let mut encoder = png::Encoder::new(BufWriter::new(out), u32::try_from(width)?, u32::try_from(height)?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    Ok(encoder.write_header()?.write_image_data(pixels)?)
}

fn read_png(file: &Path) -> Result<Vec<u8>> {
    let decoder = png::Decoder::new(std::io::BufReader::new(File::open(file)?));
    let mut reader = decoder.read_info()?;
    let mut pixels = vec![0; PANEL[0] * PANEL[1] * 3];
    let info = reader.next_frame(&mut pixels).with_context(|| format!("{} is no screen", file.display()))?;
    ensure!([info.width as usize, info.height as usize] == PANEL, "{} has another size", file.display());
    Ok(pixels)
}
