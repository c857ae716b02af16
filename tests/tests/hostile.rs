//! Bad input through the real binary: a clear error with the right exit code, in bounded time and memory.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use std::cell::Cell;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use arcdoor_core::{SubjectName, Template};
use arcdoor_gallery::{Gallery, GalleryKey};
use arcdoor_models::{Pack, sha256_hex};
use arcdoor_tests::{Real, binary, corpus};
use serde_json::Value;
use tempfile::TempDir;

const INPUT: i32 = 3;
const PACK: i32 = 4;

/// A command's address space in KiB: the pack's networks, and images of 50 megapixels, fit into it.
const MEMORY_KIB: u32 = 2_000_000;
const TIME: Duration = Duration::from_secs(60);

struct Device {
    home: TempDir,
    pack: PathBuf,
    /// Bad inputs so far.
    inputs: Cell<usize>,
    /// A command's address space in KiB.
    memory_kib: Cell<u32>,
}

/// How a command ended.
struct End {
    code: i32,
    out: String,
    error: String,
}

impl Device {
    fn new() -> Option<Self> {
        let pack = Real::find()?.pack;
        Some(Self {
            home: tempfile::tempdir().unwrap(),
            pack,
            inputs: Cell::new(0),
            memory_kib: Cell::new(MEMORY_KIB),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> String {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), bytes).unwrap();
        self.text(name)
    }

    /// Something of every kind that is no regular file, by absolute path.
    fn no_files(&self) -> Vec<String> {
        let (fifo, folder, round) = (self.path("fifo"), self.path("folder"), self.path("round"));
        if !fifo.exists() {
            assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
            fs::create_dir(&folder).unwrap();
            std::os::unix::fs::symlink(&round, &round).unwrap();
        }
        let here = ["fifo", "folder", "round", "absent"].map(|name| self.text(name));
        let devices = ["/dev/zero", "/dev/full", "/dev/null", "/dev/stdin"].map(str::to_owned);
        here.into_iter().chain(devices).collect()
    }

    fn run(&self, arguments: &[&str]) -> End {
        self.run_with(arguments, |_| {})
    }

    /// The binary with these arguments, this device's state, and no more memory than it may have.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("sh");
        command
            .arg("-c")
            .arg(format!("ulimit -v {}; exec \"$0\" \"$@\"", self.memory_kib.get()))
            .arg(binary())
            .args(arguments)
            .env("ARCDOOR_HOME", self.path("state"))
            .env("ARCDOOR_PACK", &self.pack)
            .env("ARCDOOR_ALLOW_UNSIGNED_PACK", "true")
            .env("ARCDOOR_PASSPHRASE_FILE", self.path("passphrase"))
            .env("ARCDOOR_EXPORT_PASSPHRASE_FILE", self.path("export-passphrase"))
            .env_remove("CREDENTIALS_DIRECTORY");
        command
    }

    fn run_with(&self, arguments: &[&str], change: impl FnOnce(&mut Command)) -> End {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap();
        let (mut out, mut error) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let out = std::thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).map(|_| text)
        });
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if start.elapsed() > TIME {
                child.kill().unwrap();
                panic!("{arguments:?} did not end within {TIME:?}");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut text = String::new();
        error.read_to_string(&mut text).unwrap();
        let code = status.code().unwrap_or_else(|| panic!("{arguments:?} was ended by {status}: {text}"));
        End { code, out: out.join().unwrap().unwrap(), error: text }
    }

    /// Gives each command from now on no more than what `arguments` need, which end with `code`, and 256 MiB for what a
    /// photo may take beside its file.
    fn bound_by(&self, arguments: &[&str], code: i32) {
        const STEP_KIB: u32 = 16 << 10;
        let suffices = |kib: &u32| {
            self.memory_kib.set(*kib);
            let mut command = self.command(arguments);
            let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
            status.unwrap().code() == Some(code)
        };
        let least = (1..MEMORY_KIB / STEP_KIB).map(|steps| steps * STEP_KIB).find(suffices).unwrap();
        self.memory_kib.set(least + (256 << 10));
        let _ = writeln!(
            std::io::stderr(),
            "hostile photos have 256 MiB more than the {} MiB of a good one",
            least >> 10
        );
    }

    /// One bad input: the code, and a word of the message.
    fn refuses(&self, what: &str, arguments: &[&str], code: i32, word: &str) {
        self.check(what, &self.run(arguments), code, word);
    }

    fn check(&self, what: &str, end: &End, code: i32, word: &str) {
        self.inputs.update(|count| count + 1);
        let said = format!("{}{}", end.out, end.error);
        assert_eq!(end.code, code, "{what}: {said}");
        assert!(said.contains(word) && !said.contains("panicked"), "{what}: {said}");
    }
}

fn report(suite: &str, count: usize) {
    let _ = writeln!(std::io::stderr(), "hostile inputs, {suite}: {count}");
    assert!(count > 10, "{suite}: {count}");
}

fn seed(target: &str, name: &str) -> Vec<u8> {
    corpus(target).into_iter().find(|(found, _)| found == name).unwrap().1
}

/// A PNG's first chunk says these sides.
fn with_sides(png: &[u8], width: u32, height: u32) -> Vec<u8> {
    let mut png = png.to_vec();
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = !png[12..29].iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    });
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    png
}

fn bad_photos(device: &Device) -> Vec<String> {
    let (jpeg, png) = (seed("image", "baseline-420.jpg"), seed("image", "rgb.png"));
    let progressive = seed("image", "progressive.jpg");
    let sof = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap() + 5;
    let jpeg_sides = |sides: [u8; 4]| {
        let mut jpeg = jpeg.clone();
        jpeg[sof..sof + 4].copy_from_slice(&sides);
        jpeg
    };
    let mut files = vec![
        ("empty.jpg".to_owned(), Vec::new()),
        ("text.jpg".to_owned(), b"not an image".to_vec()),
        ("magic.jpg".to_owned(), vec![0xff, 0xd8, 0xff]),
        ("magic.png".to_owned(), b"\x89PNG\r\n\x1a\n".to_vec()),
        ("no-size.png".to_owned(), with_sides(&png, 0, 0)),
        ("no-size.jpg".to_owned(), jpeg_sides([0; 4])),
        ("huge.png".to_owned(), with_sides(&png, 60_000, 60_000)),
        ("huge.jpg".to_owned(), jpeg_sides([0xea, 0x60, 0xea, 0x60])),
        ("longer.png".to_owned(), with_sides(&png, 7_000, 7_000)),
        ("gif.jpg".to_owned(), b"GIF89a\x01\0\x01\0\0\0\0;".to_vec()),
    ];
    for (name, whole) in [("jpg", &jpeg), ("png", &png), ("progressive.jpg", &progressive)] {
        for part in 1..16 {
            files.push((format!("cut-{part}.{name}"), whole[..whole.len() * part / 16].to_vec()));
        }
    }
    let files = files.into_iter().map(|(name, bytes)| device.write(&format!("photos/{name}"), &bytes));
    files.chain(device.no_files()).collect()
}

#[test]
fn photos() {
    let Some(device) = Device::new() else { return };
    let one = device.write("1.jpg", &seed("image", "one-pixel.jpg"));
    device.bound_by(&["identify", "--json", "--image", &one], 1);
    let bad = bad_photos(&device);
    let arguments: Vec<&str> =
        ["identify", "--json", "--image"].into_iter().chain(bad.iter().map(String::as_str)).collect();
    let end = device.run(&arguments);
    let lines: Vec<Value> = end.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((end.code, lines.len()), (INPUT, bad.len()), "{}", end.error);
    for (line, file) in lines.iter().zip(&bad) {
        assert_eq!((line["kind"].as_str(), line["code"].as_i64()), (Some("failed"), Some(3)), "{line}");
        assert!(line["error"].as_str().unwrap().contains(file.as_str()), "{line}");
        device.inputs.update(|count| count + 1);
    }
    for file in bad.iter().filter(|file| file.contains("cut-9") || !file.contains("photos")) {
        device.refuses(file, &["enrol", "Eve", "--image", file], INPUT, file);
        // The loop goes on behind a bad frame, and lets nobody in; where there is none, it does not begin.
        let none = ["folder", "round", "absent"].iter().any(|name| file.ends_with(name));
        let (code, word) = if none { (INPUT, file.as_str()) } else { (0, "\"decision\":\"retry\"") };
        device.refuses(file, &["run", "--replay", file, "--frames", "1"], code, word);
    }
    for file in [one, device.write("1.png", &seed("image", "one.png"))] {
        let file = &file;
        device.refuses(file, &["identify", "--json", "--image", file], 1, "no_face");
    }
    report("photos", device.inputs.get());
}

/// A copy of the pack whose manifest and files are changed.
fn pack_with(device: &Device, name: &str, edit: impl Fn(&str) -> String) -> PathBuf {
    let dir = device.path(name);
    fs::create_dir_all(&dir).unwrap();
    for file in ["yunet.onnx", "yunet.graph", "sface.onnx", "sface.graph"] {
        fs::copy(device.pack.join(file), dir.join(file)).unwrap();
    }
    let text = fs::read_to_string(device.pack.join("pack.toml")).unwrap();
    fs::write(dir.join("pack.toml"), edit(&text)).unwrap();
    dir
}

/// A manifest whose networks have no graph files, so that tract reads them.
fn without_graphs(manifest: &str) -> String {
    let mut graph = false;
    let kept = manifest.lines().filter(|line| {
        if line.starts_with('[') {
            graph = line.ends_with(".graph]");
        }
        !graph
    });
    kept.flat_map(|line| [line, "\n"]).collect()
}

#[test]
fn packs() {
    let Some(device) = Device::new() else { return };
    let edits: [(&str, &str, &str); 12] = [
        ("\"sface.onnx\"", "\"../../etc/passwd\"", "no plain file name"),
        ("\"sface.onnx\"", "\"/etc/passwd\"", "no plain file name"),
        ("\"sface.onnx\"", "\"..\"", "no plain file name"),
        ("\"sface.onnx\"", "\"absent.onnx\"", "absent.onnx"),
        ("dimension = 128", "dimension = 4096", "dimension"),
        ("dimension = 128", "dimension = 64", "direction"),
        ("format = 1", "format = 99", "format"),
        ("format = 1", "format = 1e400", "pack.toml"),
        ("format = 1", "deep = [[[[[[[[[[[[[[[[[[[[", "pack.toml"),
        ("format = 1", "format = 18446744073709551616", "pack.toml"),
        ("width = 112", "width = 60000", "preprocess"),
        ("scale = [1.0", "scale = [nan", "finite"),
    ];
    for (index, (from, to, word)) in edits.iter().enumerate() {
        let dir = pack_with(&device, &format!("pack-{index}"), |text| text.replacen(from, to, 1));
        device.refuses(to, &["pack", "check", dir.to_str().unwrap()], PACK, word);
        fs::remove_dir_all(dir).unwrap();
    }
    for text in ["[".repeat(60_000), "a.".repeat(30_000), "x".repeat(1 << 20), "\0".to_owned()] {
        let dir = pack_with(&device, "pack-text", |_| text.clone());
        device.refuses("a strange manifest", &["pack", "check", dir.to_str().unwrap()], PACK, "pack.toml");
    }
    for path in device.no_files() {
        let dir = pack_with(&device, "pack-link", str::to_owned);
        fs::remove_file(dir.join("sface.onnx")).unwrap();
        std::os::unix::fs::symlink(&path, dir.join("sface.onnx")).unwrap();
        device.refuses(&path, &["pack", "check", dir.to_str().unwrap()], PACK, "sface.onnx");
        fs::remove_dir_all(dir).unwrap();
    }
    // Networks whose hash is right: made to do harm, not damaged on the way.
    let sface = sha256_hex(&fs::read(device.pack.join("sface.onnx")).unwrap());
    for (name, network) in corpus("network") {
        let hash = sha256_hex(&network);
        let edit = |text: &str| without_graphs(text).replacen(&sface, &hash, 1);
        let dir = pack_with(&device, "pack-net", edit);
        fs::write(dir.join("sface.onnx"), network).unwrap();
        device.refuses(&name, &["pack", "check", dir.to_str().unwrap()], PACK, "");
    }
    let graph = sha256_hex(&fs::read(device.pack.join("sface.graph")).unwrap());
    for (name, other) in corpus("stored").into_iter().chain(corpus("plan")) {
        let hash = sha256_hex(&other);
        let dir = pack_with(&device, "pack-graph", |text| text.replacen(&graph, &hash, 1));
        fs::write(dir.join("sface.graph"), other).unwrap();
        device.refuses(&name, &["pack", "check", dir.to_str().unwrap()], PACK, "graph file cannot be used");
    }
    report("packs", device.inputs.get());
}

/// A home with a gallery of three, whose key lies beside it.
fn enrolled(device: &Device) -> (PathBuf, Vec<u8>) {
    let pack = Pack::open(&device.pack).unwrap();
    let state = device.path("state");
    fs::create_dir_all(&state).unwrap();
    let file = state.join("gallery.redb");
    let key = GalleryKey::new(&[0xab; 32]);
    fs::write(state.join("gallery.key"), "ab".repeat(32)).unwrap();
    let mut gallery = Gallery::open(&file, &key, pack.model_id(), pack.dimension()).unwrap();
    for (axis, name) in ["Ada", "Bob", "Cleo"].into_iter().enumerate() {
        let mut values = vec![0.01; pack.dimension()];
        values[axis] = 1.0;
        let template = Template::new(pack.model_id(), &values).unwrap();
        gallery.enrol(&SubjectName::new(name).unwrap(), &[template], 1).unwrap();
    }
    drop(gallery);
    let bytes = fs::read(&file).unwrap();
    (file, bytes)
}

#[test]
fn galleries() {
    let Some(device) = Device::new() else { return };
    let (file, good) = enrolled(&device);
    assert_eq!(device.run(&["list"]).out.lines().count(), 3);
    for cut in [1, 8, 9, 63, 320, 4096, good.len() / 2, good.len() - 1] {
        fs::write(&file, &good[..cut]).unwrap();
        device.refuses(&format!("cut at {cut}"), &["list"], PACK, "gallery");
    }
    // A page that is in use is missed; one that is not, is not.
    let mut refused = 0;
    for at in (0..good.len()).step_by((good.len() / 24).max(1)) {
        let mut flipped = good.clone();
        flipped[at..(at + 512).min(good.len())].iter_mut().for_each(|byte| *byte ^= 0x3c);
        fs::write(&file, flipped).unwrap();
        let end = device.run(&["list"]);
        let code = if end.code == 0 { 0 } else { PACK };
        device.check(&format!("flipped at {at}"), &end, code, "");
        assert!(end.code == PACK || end.out.lines().count() == 3, "{}", end.out);
        refused += usize::from(end.code == PACK);
    }
    assert!(refused > 0);
    let mut swapped = good.clone();
    let (first, second) = swapped.split_at_mut(8192);
    first[4096..].swap_with_slice(&mut second[..4096]);
    fs::write(&file, swapped).unwrap();
    device.refuses("pages swapped", &["list"], PACK, "damaged");
    fs::write(&file, &good).unwrap();
    fs::write(device.path("state/gallery.key"), "cd".repeat(32)).unwrap();
    device.refuses("another key", &["list"], PACK, "key");
    for bad in ["", "not a key", &"g".repeat(64), &"ab".repeat(4_000)] {
        fs::write(device.path("state/gallery.key"), bad).unwrap();
        device.refuses("a bad key", &["list"], INPUT, "not a key");
    }
    fs::remove_file(device.path("state/gallery.key")).unwrap();
    device.no_files();
    fs::rename(device.path("fifo"), device.path("state/gallery.key")).unwrap();
    device.refuses("a key that is a pipe", &["list"], INPUT, "not a key");
    fs::remove_file(device.path("state/gallery.key")).unwrap();
    for bad in [&b"short"[..], &[0xff; 100]] {
        device.write("credentials/arcdoor-gallery", bad);
        let end = device.run_with(&["list"], |command| {
            command.env("CREDENTIALS_DIRECTORY", device.path("credentials"));
        });
        device.check("a bad credential", &end, INPUT, "not a key");
    }
    report("galleries", device.inputs.get());
}

#[test]
fn settings_exports_and_passphrases() {
    let Some(device) = Device::new() else { return };
    let deep = format!("x = {}", "[".repeat(30_000));
    let long = "#".repeat(70_000);
    let bad: [&[u8]; 9] = [
        b"[",
        b"unknown = 1",
        b"min_face_px = -1",
        b"target_fmr = nan",
        b"target_fpir = 1e-400",
        b"policy.of = 99",
        b"\xff\xfe",
        deep.as_bytes(),
        long.as_bytes(),
    ];
    for text in bad {
        device.write("state/settings.toml", text);
        device.refuses(
            &String::from_utf8_lossy(&text[..text.len().min(30)]),
            &["list"],
            INPUT,
            "settings.toml",
        );
    }
    let settings = device.path("state/settings.toml");
    for path in device.no_files().iter().filter(|path| !path.ends_with("absent") && !path.ends_with("round"))
    {
        fs::remove_file(&settings).unwrap();
        std::os::unix::fs::symlink(path, &settings).unwrap();
        device.refuses(path, &["list"], INPUT, "no regular file");
    }
    fs::remove_file(&settings).unwrap();
    device.write("export-passphrase", b"a rather long passphrase");
    for (name, bytes) in corpus("gallery") {
        let file = device.write(&format!("exports/{name}"), &bytes);
        device.refuses(&name, &["import", &file], PACK, "not a gallery");
    }
    let (_, gallery) = enrolled(&device);
    for part in 1..8 {
        let file = device.write("exports/part", &gallery[..gallery.len() * part / 8]);
        device.refuses(&format!("{part}/8 of a gallery"), &["import", &file], PACK, "gallery");
    }
    let whole = device.write("exports/whole", &gallery);
    device.refuses("a gallery that has no passphrase", &["import", &whole], PACK, "key");
    for kind in ["fifo", "folder", "/dev/zero", "/dev/full"] {
        let path = if kind.starts_with('/') { kind.to_owned() } else { device.text(kind) };
        device.refuses(kind, &["import", &path], PACK, "not a gallery");
        let passphrase = |command: &mut Command| {
            command.env("ARCDOOR_EXPORT_PASSPHRASE_FILE", &path);
        };
        let end = device.run_with(&["export", &device.text("out")], passphrase);
        device.check(kind, &end, INPUT, "no regular file");
        assert!(!device.path("out").exists());
    }
    for bad in [vec![b'x'; 2_000], vec![0xff; 20], b"short".to_vec()] {
        device.write("export-passphrase", &bad);
        device.refuses("a bad passphrase", &["export", &device.text("out")], INPUT, "");
    }
    report("settings, exports and passphrases", device.inputs.get());
}

/// The service's messages, which a socket will carry: none of these is one.
#[test]
fn messages() {
    let long = format!("{{\"show\":{{\"name\":\"{}\"}}}}", "a".repeat(65));
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let bad = [
        "",
        "null",
        "\"lists\"",
        "{\"show\":{}}",
        "{\"show\":{\"name\":\"\"}}",
        "{\"show\":{\"name\":\"a\\u0000b\"}}",
        "{\"list\":1,\"doctor\":1}",
        "{\"run\":{\"from\":{\"camera\":null},\"frames\":-1}}",
        "{\"run\":{\"from\":{\"camera\":null},\"frames\":1e99}}",
        "{\"key_change\":{\"to\":\"nowhere\"}}",
        &long,
        &deep,
    ];
    for text in bad {
        let read = serde_json::from_str::<arcdoor_api::Request>(text);
        assert!(read.is_err_and(|error| !error.to_string().is_empty()), "{}", &text[..text.len().min(80)]);
    }
    report("messages", bad.len());
}
