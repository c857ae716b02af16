//! The log of a device: what is in it, and that it can be trusted.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

mod common;

use common::{Device, real};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// A device on which one person is enrolled, and the verification key that its first command showed.
struct Door {
    device: Device,
    pack: String,
    photo: String,
    key: String,
}

impl Door {
    fn new() -> Option<Self> {
        Self::on(Device::new())
    }

    fn on(device: Device) -> Option<Self> {
        let (pack, photos) = real()?;
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let (pack, photo) = (text(pack), text(photos.join("obama.jpg")));
        let (code, _, error) = device.run(&["enrol", "Barack", "--image", &photo, "--pack", &pack]);
        assert_eq!(code, 0, "{error}");
        let key = error.lines().map(str::trim).find(|line| line.starts_with("arcdoor-log-1-")).unwrap();
        let door = Self { pack, photo, key: key.to_owned(), device };
        fs::write(door.path("key"), &door.key).unwrap();
        Some(door)
    }

    /// Outside of the home folder.
    fn path(&self, name: &str) -> PathBuf {
        self.device.home.path().join(name)
    }

    fn call(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        self.device.lines(&[arguments, &["--pack", &self.pack]].concat())
    }

    fn identify(&self) {
        assert_eq!(self.call(&["identify", "--image", &self.photo]).0, 0);
    }

    fn verify(&self, more: &[&str]) -> (i32, Value) {
        let key = self.path("key");
        let (code, lines) =
            self.device.lines(&[&["log", "verify", "--key-file", key.to_str().unwrap()], more].concat());
        (code, lines[0].clone())
    }

    fn events(&self) -> Vec<String> {
        let log = self.call(&["log", "-n", "100"]).1;
        log.iter().map(|line| line["event"].as_str().unwrap().to_owned()).collect()
    }

    /// The log's only segment.
    fn segment(&self) -> PathBuf {
        let files = fs::read_dir(self.path("state/log")).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl")).max().unwrap()
    }
}

#[test]
fn the_verification_key_is_shown_once_and_no_file_holds_it() {
    let Some(door) = Door::new() else { return };
    let (_, _, error) = door.device.run(&["identify", "--image", &door.photo, "--pack", &door.pack]);
    assert!(!error.contains("arcdoor-log"), "shown twice: {error}");
    let first = door.key.split('-').nth(3).unwrap().as_bytes();
    for entry in fs::read_dir(door.path("state/log")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(first.len()).any(|window| window == first), "the key lies on the card");
    }
    assert_eq!(door.verify(&[]).0, 0);
    fs::write(door.path("key"), door.key.replace('a', "b").replace('1', "2")).unwrap();
    assert_eq!(door.device.run(&["log", "verify", "--key-file", door.path("key").to_str().unwrap()]).0, 3);
}

#[test]
fn a_record_that_was_altered_or_removed_is_named() {
    let Some(door) = Door::new() else { return };
    door.identify();
    let segment = door.segment();
    let whole = fs::read_to_string(&segment).unwrap();
    let lines: Vec<&str> = whole.split_inclusive('\n').collect();
    assert_eq!(lines.len(), 4);
    for (n, line) in lines.iter().enumerate() {
        fs::write(&segment, whole.replace(line, &line.replacen("202", "203", 1))).unwrap();
        let (code, report) = door.verify(&[]);
        assert_eq!((code, report["fault_n"].as_u64()), (4, Some(n as u64)), "altered: {report}");
        if n + 1 < lines.len() {
            fs::write(&segment, whole.replace(line, "")).unwrap();
            let (code, report) = door.verify(&[]);
            assert_eq!((code, report["fault_n"].as_u64()), (4, Some(n as u64)), "removed: {report}");
        }
    }
    fs::write(&segment, &whole).unwrap();
    assert_eq!(door.verify(&[]).0, 0);
}

#[test]
fn an_end_that_was_cut_off_shows_in_a_note_that_somebody_kept() {
    let Some(door) = Door::new() else { return };
    door.identify();
    let (code, lines) = door.call(&["log", "note"]);
    assert_eq!(code, 0);
    fs::write(door.path("note"), lines[0]["note"].as_str().unwrap()).unwrap();
    let note = door.path("note");
    let noted = ["--note", note.to_str().unwrap()];
    let (code, report) = door.verify(&noted);
    assert_eq!((code, report["note"].as_str()), (0, Some("held")), "{report}");
    let segment = door.segment();
    let whole = fs::read_to_string(&segment).unwrap();
    let end = whole.trim_end().rfind('\n').unwrap() + 1;
    fs::write(&segment, &whole[..end]).unwrap();
    assert_eq!(door.verify(&[]).0, 0, "nothing else knows of it, and the documents say so");
    let (code, report) = door.verify(&noted);
    assert_eq!((code, report["fault_n"].as_u64()), (4, Some(3)), "{report}");
    fs::write(&note, "no note").unwrap();
    assert_eq!(door.device.run(&["log", "verify", "--note", note.to_str().unwrap()]).0, 3);
}

#[test]
fn an_act_is_logged_before_it_takes_effect_and_so_is_its_failure() {
    let Some(door) = Door::new() else { return };
    fs::write(door.path("export-passphrase"), "a rather long passphrase").unwrap();
    let file = door.path("missing/people");
    assert_eq!(door.call(&["export", file.to_str().unwrap()]).0, 5);
    let file = door.path("people");
    assert_eq!(door.call(&["export", file.to_str().unwrap()]).0, 0);
    assert_eq!(door.call(&["key", "change", "--to", "credential"]).0, 4, "there is none");
    assert_eq!(door.call(&["revoke", "Barack", "--yes"]).0, 0);
    let events = [
        "segment",
        "began",
        "enrolled",
        "exporting",
        "export_failed",
        "exporting",
        "exported",
        "began",
        "failed",
        "began",
        "revoked",
    ];
    assert_eq!(door.events(), events);
}

/// Killed after the beginning was logged, an export may have left its part: the log knows where.
#[test]
fn what_a_killed_export_left_is_told_when_somebody_is_revoked() {
    let Some(door) = Door::new() else { return };
    fs::write(door.path("export-passphrase"), "a rather long passphrase").unwrap();
    let file = door.path("people");
    assert_eq!(door.call(&["export", file.to_str().unwrap()]).0, 0);
    // As if it had been killed before its end: the record of that goes, and the file is still its part.
    let segment = door.segment();
    let whole = fs::read_to_string(&segment).unwrap();
    let beginning: Value = serde_json::from_str(whole.lines().nth(3).unwrap()).unwrap();
    let part = beginning["part"].as_str().unwrap();
    fs::rename(&file, part).unwrap();
    fs::write(&segment, whole.split_inclusive('\n').take(4).collect::<String>()).unwrap();
    let other = door.path("other");
    let copy = door.device.home.path().join("copy-of-part");
    fs::copy(part, &copy).unwrap();
    assert_eq!(door.call(&["export", other.to_str().unwrap()]).0, 0);
    assert!(!std::path::Path::new(part).exists(), "the next export removes it");
    fs::write(&segment, whole.split_inclusive('\n').take(4).collect::<String>()).unwrap();
    fs::rename(&copy, part).unwrap();
    let (code, lines) = door.call(&["revoke", "Barack", "--yes"]);
    let remains = lines[0]["remains"].as_array().unwrap();
    let told = remains.iter().find(|remain| remain["remains"] == "export").unwrap();
    assert_eq!((code, told["file"].as_str(), told["is_there"].as_bool()), (0, Some(part), Some(true)));
}

#[test]
fn the_log_of_an_earlier_version_is_taken_over_once() {
    let device = Device::new();
    fs::create_dir(device.home.path().join("state")).unwrap();
    let line = |n: u64| {
        format!("{{\"n\":{n},\"at\":\"2026-11-28T05:31:24.25Z\",\"event\":\"revoked\",\"subject\":{n}}}\n")
    };
    let older = |name: &str| device.home.path().join("state").join(name);
    fs::write(older("log.1.jsonl"), [line(7), line(8)].concat()).unwrap();
    fs::write(older("log.jsonl"), [&line(9), "{\"n\":10,\"at\":\"20"].concat()).unwrap();
    let Some(door) = Door::on(device) else { return };
    let log = door.call(&["log", "-n", "100"]).1;
    let legacy: Vec<_> =
        log.iter().filter(|line| line["legacy"] == true).map(|line| line["n"].as_u64().unwrap()).collect();
    assert_eq!(legacy, [7, 8, 9]);
    let numbers: Vec<_> = log.iter().map(|line| line["n"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert!(!door.path("state/log.jsonl").exists() && !door.path("state/log.1.jsonl").exists());
    assert_eq!(door.verify(&[]).0, 0);
}

/// A grant of one photo stays in the log although the work on the next one fails.
#[test]
fn a_decision_is_logged_although_the_command_fails_after_it() {
    let Some(door) = Door::new() else { return };
    let out = door.path("out");
    fs::create_dir(&out).unwrap();
    let words = ["identify", "--image", &door.photo, "--annotate", out.to_str().unwrap()];
    let copy = format!("{}.png", PathBuf::from(&door.photo).file_stem().unwrap().to_str().unwrap());
    for number in 1..=10_000 {
        let name = if number == 1 { copy.clone() } else { copy.replace(".png", &format!("-{number}.png")) };
        fs::hard_link(door.path("key"), out.join(name)).unwrap();
    }
    assert_ne!(door.call(&words).0, 0, "no name is left for the copy");
    assert_eq!(door.events().last().unwrap(), "decision", "the grant was decided and is nowhere");
}

/// Paths that are no text: what JSON and the log cannot say is refused before anything is done, and the rest works.
#[test]
fn a_path_that_is_no_text_works_or_is_refused_before_the_act() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;
    let Some(door) = Door::new() else { return };
    let odd = |name: &[u8]| door.device.home.path().join(OsString::from_vec(name.to_vec()));
    fs::copy(&door.photo, odd(b"\xff.jpg")).unwrap();
    let run = |words: &[&str], path: PathBuf| {
        let mut command = door.device.command(&[words, &["--pack", &door.pack, "--json"]].concat());
        let output = command.arg(words_end(words)).arg(path).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, out) = run(&["identify"], odd(b"\xff.jpg"));
    assert!(code == 0 && out.contains("granted"), "{out}");
    fs::write(door.path("export-passphrase"), "a rather long passphrase").unwrap();
    assert_eq!(run(&["export"], odd(b"people-\xff")).0, 3);
    assert!(!odd(b"people-\xff").exists() && !door.events().contains(&"exporting".to_owned()));
}

/// What stands before the path.
fn words_end(words: &[&str]) -> &'static str {
    if words == ["identify"] { "--image" } else { "--" }
}

#[test]
fn a_service_does_not_write_the_verification_key_into_its_journal() {
    let Some((pack, photos)) = real() else { return };
    let device = Device::new();
    let photo = photos.join("obama.jpg");
    let words = ["identify", "--image", photo.to_str().unwrap(), "--pack", pack.to_str().unwrap()];
    let journal = device.home.path().join("journal");
    let run = || {
        use std::os::unix::fs::MetadataExt as _;
        let stderr = fs::File::create(&journal).unwrap();
        let place =
            stderr.metadata().map(|metadata| format!("{}:{}", metadata.dev(), metadata.ino())).unwrap();
        let mut command = device.command(&words);
        let status =
            command.env("JOURNAL_STREAM", place).stderr(stderr).stdout(std::process::Stdio::null()).status();
        (status.unwrap().code(), fs::read_to_string(&journal).unwrap())
    };
    let (code, error) = run();
    assert_eq!(code, Some(4), "{error}");
    assert!(error.contains("by hand") && !error.contains("arcdoor-log-1"), "{error}");
    let mut elsewhere = device.command(&words);
    let begun = elsewhere.env("JOURNAL_STREAM", "8:1234").output().unwrap();
    assert_eq!(begun.status.code(), Some(1), "by hand it begins, and nobody is enrolled");
    assert_eq!(run().0, Some(1), "and the service goes on");
}

#[test]
fn what_cannot_be_logged_is_not_done() {
    let Some(door) = Door::new() else { return };
    fs::remove_dir_all(door.path("state/log")).unwrap();
    fs::write(door.path("state/log"), "no folder").unwrap();
    for words in
        [&["revoke", "Barack", "--yes"][..], &["key", "renew"], &["identify", "--image", &door.photo]]
    {
        let (code, _, error) = door.device.run(&[words, &["--pack", &door.pack]].concat());
        assert!(code == 5 && !error.contains("but then"), "{words:?}: {error}");
    }
    assert_eq!(door.device.lines(&["list"]).1.len(), 1, "revoked, and nowhere noted");
}

#[test]
fn no_link_is_followed_to_where_an_export_or_a_trace_goes() {
    let Some(door) = Door::new() else { return };
    fs::write(door.path("export-passphrase"), "a rather long passphrase").unwrap();
    for (target, link) in [("victim", "to-victim"), ("missing", "to-missing")] {
        if target == "victim" {
            fs::write(door.path(target), "mine").unwrap();
        }
        std::os::unix::fs::symlink(door.path(target), door.path(link)).unwrap();
        let link = door.path(link);
        let link = link.to_str().unwrap();
        assert_eq!(door.device.run(&["export", link, "--pack", &door.pack]).0, 3);
        let run = ["run", "--replay", &door.photo, "--trace", link, "--pack", &door.pack];
        assert_eq!(door.device.run(&run).0, 3);
    }
    assert_eq!(fs::read(door.path("victim")).unwrap(), b"mine");
    assert!(!door.path("missing").exists());
}

/// Enrolled while the clock was five years ahead, exported after it was put right.
#[test]
fn a_clock_that_was_ahead_hides_no_export() {
    use arcdoor::device::Now;
    use arcdoor::home::lock::HomeLock;
    use arcdoor::home::passphrase::Passphrase;
    use arcdoor::request::{Begun, Secrets, begin};
    use arcdoor::{Home, Options, Outcome};
    use arcdoor_api::{Access, Feed, Remain, Request, Response, UtcTime};
    let Some((pack, photos)) = real() else { return };
    let dir = tempfile::tempdir().unwrap();
    let home = Home::resolve(Some(dir.path().join("home"))).unwrap();
    let hold = HomeLock::take(&home, Access::Write).unwrap();
    let options =
        Options { pack: pack.to_str().map(str::to_owned), allow_unsigned_pack: true, ..Options::default() };
    let mut device = arcdoor::Device::open(home, hold, options, None).unwrap();
    let passphrase = Passphrase::new("a rather long passphrase".to_owned().into()).unwrap();
    let secrets = Secrets { new: Some(passphrase), ..Secrets::default() };
    let name = arcdoor_core::SubjectName::new("Barack").unwrap();
    let mut remains = Vec::new();
    let mut ask = |request: Request, unix_s: u64| {
        let utc = UtcTime::from_unix_s(unix_s).unwrap();
        let now = Now { at: arcdoor_core::Millis(0), utc };
        let mut reply = |response: &Response| {
            if let Response::Revoked { remains: told, .. } = response {
                remains.clone_from(told);
            }
            Ok(())
        };
        let done = begin(&mut device, &request, &secrets, now, &mut reply).unwrap();
        assert!(matches!(done, Begun::Over(Outcome::Done)));
    };
    let from = Feed::Photos(vec![photos.join("obama.jpg")]);
    let (ahead, right) = (1_930_000_000, 1_795_843_884);
    ask(Request::Enrol { name: name.clone(), from, duplicate: false }, ahead);
    ask(Request::Export { file: dir.path().join("people") }, right);
    ask(Request::Revoke { name, erase: false }, right + 60);
    assert!(
        remains.iter().any(|remain| matches!(remain, Remain::Export { is_there: true, .. })),
        "{remains:?}"
    );
}

#[test]
fn a_decision_is_explained_and_its_capsule_decides_the_same_until_somebody_named_in_it_is_revoked() {
    let Some(door) = Door::new() else { return };
    door.identify();
    let (code, lines) = door.call(&["log", "-n", "1"]);
    let n = lines[0]["n"].as_u64().unwrap().to_string();
    assert_eq!((code, lines[0]["event"].as_str()), (0, Some("decision")));
    let capsule = door.path("capsule");
    let (code, lines) = door.call(&["log", "why", &n, "--capsule", capsule.to_str().unwrap()]);
    assert_eq!((code, lines[0]["signed"].as_bool()), (0, Some(true)), "{lines:?}");
    assert!(lines[0]["why"]["quality"]["pose"][1].as_u64() > Some(0), "{lines:?}");
    let words = lines[0]["words"].as_array().unwrap();
    assert!(words.iter().any(|line| line.as_str().unwrap().starts_with("decided by: ")), "{words:?}");
    let (code, replayed) = door.call(&["replay", capsule.to_str().unwrap()]);
    assert_eq!((code, replayed[0]["entry"].as_u64()), (0, n.parse().ok()), "{replayed:?}");
    assert!(replayed[0]["signer"].as_str().unwrap().starts_with("arcdoor-log/"));
    assert_eq!(replayed[1]["decision"], lines[0]["decision"]);
    let whole = fs::read_to_string(&capsule).unwrap();
    fs::write(&capsule, whole.replacen("\"margin\":0.02", "\"margin\":0.01", 1)).unwrap();
    let (code, _, error) = door.device.run(&["replay", capsule.to_str().unwrap()]);
    assert!(code == 4 && error.contains("line 3"), "{error}");
    assert_eq!(door.call(&["log", "why", "999"]).0, 3);
    assert_eq!(door.call(&["revoke", "Barack", "--yes"]).0, 0);
    let other = door.path("other");
    assert_eq!(door.call(&["log", "why", &n, "--capsule", other.to_str().unwrap()]).0, 3);
    assert!(!other.exists(), "nothing is left to write");
    assert_eq!(door.call(&["log", "why", &n]).0, 0, "the log keeps the number");
}
