//! Who holds the key sees the gallery, and nobody else does.
#![allow(clippy::unwrap_used, reason = "clippy exempts test functions only, not their helpers")]

mod common;

use common::{Device, real};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// A device on which one person is enrolled from a photo.
struct Enrolled {
    device: Device,
    pack: String,
    photo: String,
}

impl Enrolled {
    fn new() -> Option<Self> {
        let (pack, photos) = real()?;
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let enrolled =
            Self { device: Device::new(), pack: text(pack), photo: text(photos.join("obama.jpg")) };
        assert_eq!(enrolled.call(&["enrol", "Barack", "--image", &enrolled.photo]).0, 0);
        Some(enrolled)
    }

    fn call(&self, arguments: &[&str]) -> (i32, Vec<Value>) {
        self.device.lines(&[arguments, &["--pack", &self.pack]].concat())
    }

    fn names(&self) -> (i32, usize) {
        let (code, lines) = self.call(&["list"]);
        (code, lines.len())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.device.home.path().join("state").join(name)
    }

    fn passphrase(&self, text: &str) {
        fs::write(self.device.home.path().join("passphrase"), text).unwrap();
    }

    fn new_passphrase(&self, text: &str) {
        fs::write(self.device.home.path().join("new-passphrase"), text).unwrap();
    }

    fn export_passphrase(&self, text: &str) {
        fs::write(self.device.home.path().join("export-passphrase"), text).unwrap();
    }

    /// How the gallery's key is, and where it comes from.
    fn key(&self) -> (String, String) {
        let (_, lines) = self.call(&["doctor"]);
        let line = lines.iter().find(|line| line["check"] == "key").unwrap();
        (line["health"].as_str().unwrap().to_owned(), line["source"].as_str().unwrap().to_owned())
    }
}

#[test]
fn a_key_file_opens_the_gallery_and_the_doctor_says_what_it_is_worth() {
    use std::os::unix::fs::PermissionsExt;
    let Some(enrolled) = Enrolled::new() else { return };
    let mode = fs::metadata(enrolled.path("gallery.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let gallery = fs::read(enrolled.path("gallery.redb")).unwrap();
    assert!(!gallery.windows(6).any(|window| window == b"Barack"), "the name lies open");
    assert_eq!(enrolled.key(), ("warn".to_owned(), "file".to_owned()));
    let said = enrolled.device.run(&["doctor", "--pack", &enrolled.pack]).1;
    assert!(said.contains("protects nothing"), "{said}");
    assert!(said.contains("everybody's templates, for the key lies on it"), "{said}");

    let key = fs::read(enrolled.path("gallery.key")).unwrap();
    fs::remove_file(enrolled.path("gallery.key")).unwrap();
    assert_eq!(enrolled.names().0, 4, "no key, no gallery");
    assert!(!enrolled.path("gallery.key").exists(), "a new key would open nothing");
    fs::write(enrolled.path("gallery.key"), "not a key").unwrap();
    assert_eq!(enrolled.names().0, 3);
    fs::write(enrolled.path("gallery.key"), [b'a'; 64]).unwrap();
    assert_eq!(enrolled.names().0, 4, "another key");
    fs::write(enrolled.path("gallery.key"), key).unwrap();
    assert_eq!(enrolled.names(), (0, 1));
}

#[test]
fn the_key_changes_to_a_passphrase_and_back_and_a_cut_in_between_is_mended() {
    let Some(enrolled) = Enrolled::new() else { return };
    enrolled.new_passphrase("too short");
    assert_eq!(enrolled.call(&["key", "change", "--to", "passphrase"]).0, 3);
    assert_eq!(enrolled.names(), (0, 1));
    enrolled.passphrase("correct horse battery");
    enrolled.new_passphrase("correct horse battery\n");
    assert_eq!(enrolled.call(&["key", "change", "--to", "passphrase"]).0, 0);
    assert!(!enrolled.path("gallery.key").exists());
    assert_eq!(enrolled.names(), (0, 1));
    assert_eq!(enrolled.key(), ("ok".to_owned(), "passphrase".to_owned()));
    enrolled.passphrase("incorrect horse battery");
    assert_eq!(enrolled.names().0, 4);
    enrolled.passphrase("correct horse battery");
    assert_eq!(enrolled.call(&["key", "change", "--to", "file"]).0, 0);
    enrolled.passphrase("");
    assert_eq!(enrolled.names(), (0, 1));
    // The power went after the gallery was sealed anew and before its key got its name.
    fs::rename(enrolled.path("gallery.key"), enrolled.path("gallery.key.new")).unwrap();
    assert_eq!(enrolled.names(), (0, 1), "looking needs no mending");
    assert_eq!(enrolled.call(&["identify", "--image", &enrolled.photo]).0, 0);
    assert!(enrolled.path("gallery.key").exists() && !enrolled.path("gallery.key.new").exists());
    // It went before: the staged key opens nothing and harms nothing.
    fs::write(enrolled.path("gallery.key.new"), [b'a'; 64]).unwrap();
    assert_eq!(enrolled.names(), (0, 1));
    assert_eq!(enrolled.call(&["identify", "--image", &enrolled.photo]).0, 0);
    assert!(!enrolled.path("gallery.key.new").exists(), "and is gone with the next command that writes");
    assert_eq!(enrolled.call(&["key", "change", "--to", "credential"]).0, 4, "there is none");
    assert_eq!(enrolled.names(), (0, 1));
}

#[test]
fn erasing_leaves_neither_the_person_nor_the_old_key() {
    let Some(enrolled) = Enrolled::new() else { return };
    let old = fs::read(enrolled.path("gallery.key")).unwrap();
    let (code, lines) = enrolled.call(&["revoke", "Barack", "--erase", "--yes"]);
    assert_eq!((code, lines[0]["erased"].as_bool()), (0, Some(true)), "{lines:?}");
    assert!(lines[0]["remains"].as_array().unwrap().len() >= 3);
    assert_ne!(fs::read(enrolled.path("gallery.key")).unwrap(), old);
    assert_eq!(enrolled.names(), (0, 0));
    let found = enrolled.call(&["identify", "--image", &enrolled.photo]).1;
    assert_eq!(found[0]["reason"], "nobody_enrolled");
}

#[test]
fn an_export_moves_to_another_device_and_keeps_its_secret() {
    let (Some(first), Some(second)) = (Enrolled::new(), Enrolled::new()) else { return };
    let file = first.device.home.path().join("people.arcdoor");
    let file = file.to_str().unwrap();
    first.export_passphrase("a rather long passphrase");
    assert_eq!(first.call(&["export", file]).0, 0);
    assert_eq!(first.call(&["export", file]).0, 3, "never over a file");
    assert!(!fs::read(file).unwrap().windows(6).any(|window| window == b"Barack"));

    second.export_passphrase("another long passphrase");
    assert_eq!(second.call(&["import", file]).0, 4);
    second.export_passphrase("a rather long passphrase");
    let (code, lines) = second.call(&["import", file]);
    assert_eq!((code, lines[0]["subjects"].as_u64()), (0, Some(0)), "the name is taken");
    assert_eq!(lines[0]["skipped"][0], "Barack");
    assert_eq!(second.call(&["revoke", "Barack", "--yes"]).0, 0);
    assert_eq!(second.call(&["import", file]).1[0]["subjects"], 1);
    let found = second.call(&["identify", "--image", &second.photo]).1;
    assert_eq!(
        (found[0]["decision"].as_str(), found[0]["candidate"].as_str()),
        (Some("granted"), Some("Barack"))
    );
    assert_eq!(second.call(&["import", "missing.arcdoor"]).0, 5);
    fs::write(second.path("junk"), b"junk").unwrap();
    assert_eq!(second.call(&["import", second.path("junk").to_str().unwrap()]).0, 4);
}

#[test]
fn whoever_leaves_can_be_revoked_without_a_pack() {
    let Some(enrolled) = Enrolled::new() else { return };
    let lines = |arguments: &[&str]| enrolled.device.lines(arguments);
    assert_eq!(lines(&["list"]).1[0]["name"], "Barack");
    assert_eq!(lines(&["show", "Barack"]).0, 0);
    enrolled.export_passphrase("a rather long passphrase");
    assert_eq!(lines(&["export", "people.arcdoor"]).0, 0);
    assert_eq!(lines(&["revoke", "Barack", "--erase", "--yes"]).0, 0);
    assert_eq!(lines(&["list"]), (0, Vec::new()));
}

#[test]
fn a_credential_opens_the_gallery_and_no_key_lies_on_the_card() {
    let Some(enrolled) = Enrolled::new() else { return };
    let credentials = enrolled.device.home.path().join("credentials");
    fs::create_dir(&credentials).unwrap();
    let file = credentials.join("arcdoor-gallery");
    let run = |words: &[&str]| {
        let mut command = enrolled.device.command(&[words, &["--pack", &enrolled.pack, "--json"]].concat());
        let output = command.env("CREDENTIALS_DIRECTORY", &credentials).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(run(&["key", "change", "--to", "credential"]).0, 4, "an empty directory");
    fs::write(&file, [7_u8; 32]).unwrap();
    let (code, _) = run(&["list"]);
    assert_eq!(code, 4, "whoever is given a credential takes no key file");
    assert!(run(&["doctor"]).1.contains("key change --to credential"), "and the doctor says what to do");
    assert_eq!(run(&["key", "change", "--to", "credential"]).0, 0);
    assert!(!enrolled.path("gallery.key").exists() && !enrolled.path("gallery.key.new").exists());
    assert!(run(&["list"]).1.contains("Barack") && run(&["doctor"]).1.contains("\"source\":\"credential\""));
    assert_eq!(run(&["key", "renew"]).0, 0);
    assert!(run(&["list"]).1.contains("Barack"));
    assert_eq!(enrolled.names().0, 4, "without the credential");
    assert!(!enrolled.path("gallery.key").exists(), "no new key was made for it");
    fs::write(&file, [8_u8; 32]).unwrap();
    assert_eq!(run(&["list"]).0, 4, "with another one");
    fs::write(&file, "short").unwrap();
    assert_eq!(run(&["list"]).0, 3);
    fs::write(&file, [7_u8; 32]).unwrap();
    assert_eq!(run(&["key", "change", "--to", "file"]).0, 0);
    assert_eq!(enrolled.names(), (0, 1));
}

#[test]
fn a_renewal_changes_every_byte_and_nobodys_score() {
    let Some(enrolled) = Enrolled::new() else { return };
    let score = || enrolled.call(&["identify", "--image", &enrolled.photo]).1[0]["score"].as_f64().unwrap();
    let (before, key) = (score(), fs::read(enrolled.path("gallery.key")).unwrap());
    assert_eq!(enrolled.call(&["key", "renew"]).0, 0);
    assert_ne!(fs::read(enrolled.path("gallery.key")).unwrap(), key);
    assert!((score() - before).abs() < 1e-5);
    enrolled.passphrase("correct horse battery");
    enrolled.new_passphrase("correct horse battery");
    assert_eq!(enrolled.call(&["key", "change", "--to", "passphrase"]).0, 0);
    assert_eq!(enrolled.call(&["key", "renew"]).0, 0);
    assert_eq!(enrolled.names(), (0, 1), "the passphrase is as before");
}

#[test]
fn an_import_leaves_alone_what_lies_beside_the_file() {
    let Some(enrolled) = Enrolled::new() else { return };
    enrolled.export_passphrase("a rather long passphrase");
    let file = enrolled.device.home.path().join("people");
    assert_eq!(enrolled.call(&["export", file.to_str().unwrap()]).0, 0);
    for neighbour in ["people.old", "people.new"] {
        fs::write(enrolled.device.home.path().join(neighbour), "mine").unwrap();
    }
    let whole = fs::read(&file).unwrap();
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
    assert_eq!(enrolled.call(&["import", file.to_str().unwrap()]).0, 0);
    assert_eq!(fs::read(&file).unwrap(), whole, "an import never writes to its source");
    for neighbour in ["people.old", "people.new"] {
        assert_eq!(fs::read(enrolled.device.home.path().join(neighbour)).unwrap(), b"mine");
    }
}

/// What a process holds in memory that it may write, read while the process is stopped; none where this system lets
/// nobody look. It is read by pieces, so that one piece which cannot be read hides no other.
fn memory(pid: u32) -> Option<Vec<u8>> {
    use std::os::unix::fs::FileExt;
    const PIECE: usize = 4096;
    let process = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::STOP).unwrap();
    loop {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        if stat.contains(") T ") {
            break;
        }
        assert!(!stat.contains(") Z "), "it ended before anybody looked");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let memory = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (from, to) = line.split_whitespace().next()?.split_once('-')?;
        let address = |text| u64::from_str_radix(text, 16).unwrap();
        for at in (address(from)..address(to)).step_by(PIECE) {
            let held = all.len();
            all.resize(held + PIECE, 0);
            if memory.read_exact_at(&mut all[held..], at).is_err() {
                all.truncate(held);
            }
        }
    }
    Some(all)
}

#[test]
fn the_key_does_not_stay_in_memory_and_no_core_dump_is_written() {
    let Some(enrolled) = Enrolled::new() else { return };
    let frames = enrolled.device.home.path().join("frames");
    fs::create_dir(&frames).unwrap();
    for number in 0..300 {
        fs::copy(&enrolled.photo, frames.join(format!("{number}.jpg"))).unwrap();
    }
    let digits = fs::read_to_string(enrolled.path("gallery.key")).unwrap().trim().to_owned();
    let key: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect();
    let words = ["run", "--replay", frames.to_str().unwrap(), "--pack", &enrolled.pack];
    let mut child = enrolled
        .device
        .command(&words)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // Its first line is out, so the gallery is open.
    let mut first = [0; 1];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    let (held, limits) = (memory(child.id()), fs::read_to_string(format!("/proc/{}/limits", child.id())));
    child.kill().unwrap();
    child.wait().unwrap();
    let core =
        limits.unwrap().lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    let Some(held) = held.filter(|held| !held.is_empty()) else {
        println!("skipped: this system lets nobody look into another process's memory");
        return;
    };
    let stands = |what: &[u8]| held.windows(what.len()).any(|window| window == what);
    assert!(stands(b"Barack"), "the test looks at the right memory");
    assert!(!stands(&key) && !stands(digits.as_bytes()), "the key stands in memory");
}

/// Somebody who can write the card brings a gallery of their own people, with its key beside it.
#[test]
fn a_gallery_with_a_key_file_is_not_taken_where_the_key_was_kept_better() {
    let (Some(door), Some(thief)) = (Enrolled::new(), Enrolled::new()) else { return };
    door.passphrase("correct horse battery");
    door.new_passphrase("correct horse battery");
    assert_eq!(door.call(&["key", "change", "--to", "passphrase"]).0, 0);
    let own = fs::read(door.path("gallery.redb")).unwrap();
    for name in ["gallery.redb", "gallery.key"] {
        fs::copy(thief.path(name), door.path(name)).unwrap();
    }
    let identify: &[&str] = &["identify", "--image", &door.photo, "--pack", &door.pack];
    let (code, out, error) = door.device.run(identify);
    assert!(code == 4 && error.contains("exchanged the gallery"), "{code}: {out}{error}");
    // The home's own word can be written as well; what the service's unit says cannot.
    fs::remove_file(door.path("key-source")).unwrap();
    let demanded = door.device.command(identify).env("ARCDOOR_KEY_SOURCE", "passphrase").output().unwrap();
    assert_eq!(demanded.status.code(), Some(4));
    fs::write(door.path("gallery.redb"), own).unwrap();
    assert_eq!(door.device.run(identify).0, 0);
    assert!(!door.path("gallery.key").exists(), "a key that opens nothing is removed");
}

#[test]
fn an_old_key_that_a_power_cut_left_is_told_and_then_removed() {
    let Some(enrolled) = Enrolled::new() else { return };
    let old = fs::read(enrolled.path("gallery.key")).unwrap();
    enrolled.passphrase("correct horse battery");
    enrolled.new_passphrase("correct horse battery");
    assert_eq!(enrolled.call(&["key", "change", "--to", "passphrase"]).0, 0);
    fs::write(enrolled.path("gallery.key"), old).unwrap();
    let said = enrolled.device.run(&["doctor", "--pack", &enrolled.pack]).1;
    assert!(said.contains("gallery.key") && said.contains("opens this gallery no more"), "{said}");
    assert_eq!(enrolled.call(&["identify", "--image", &enrolled.photo]).0, 0);
    assert!(!enrolled.path("gallery.key").exists());
}

#[test]
fn an_export_is_not_sealed_with_the_gallerys_own_passphrase() {
    let Some(enrolled) = Enrolled::new() else { return };
    for set in [Enrolled::passphrase, Enrolled::new_passphrase, Enrolled::export_passphrase] {
        set(&enrolled, "correct horse battery");
    }
    assert_eq!(enrolled.call(&["key", "change", "--to", "passphrase"]).0, 0);
    let (code, _, error) = enrolled.device.run(&["export", "people", "--pack", &enrolled.pack]);
    assert!(code == 3 && error.contains("of its own"), "{code}: {error}");
    assert!(!enrolled.device.home.path().join("people").exists());
}
