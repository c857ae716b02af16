use super::*;
use crate::qemu::{output, which};
use std::path::PathBuf;
use std::process::Command;

/// As much of a system as a boot partition is made of.
fn system(folder: &Path) -> root::Root {
    for (file, text) in [
        ("boot/vmlinuz-6.1.0-9-arm64", "old"),
        ("boot/initrd.img-6.1.0-9-arm64", "old"),
        ("boot/vmlinuz-6.1.0-10-arm64", "kernel"),
        ("boot/initrd.img-6.1.0-10-arm64", "ramdisk"),
        ("usr/lib/raspi-firmware/start4.elf", "firmware"),
        ("usr/lib/raspi-firmware/LICENCE", "licence"),
        (
            "usr/lib/linux-image-6.1.0-10-arm64/broadcom/bcm2711-rpi-4-b.dtb",
            "\0\0\x1fraspberrypi,4-model-b\0brcm,bcm2711\0",
        ),
        (
            "usr/lib/linux-image-6.1.0-10-arm64/rockchip/rk3566-rock-3c.dtb",
            "\0\0\x1fradxa,rock-3c\0rockchip,rk3566\0",
        ),
        ("etc/hostname", "door\n"),
    ] {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root::Root::from_folder(folder).unwrap()
}

fn wishes(loader: Option<(PathBuf, String)>) -> Wishes {
    Wishes { small: None, suite: "bookworm".to_owned(), loader, out: None, program: None }
}

/// A card in a folder of its own, not finished.
fn card(folder: &Path) -> card::Card {
    card::Card::create(&folder.join("card.img"), Layout::SMALL).unwrap()
}

#[test]
fn a_boot_partition_holds_what_its_boards_firmware_reads() {
    let folder = tempfile::tempdir().unwrap();
    let root = system(&folder.path().join("root"));
    let boot = folder.path().join("boot");
    fs::create_dir_all(&boot).unwrap();
    let card = card(folder.path());
    let board = Board::find("raspberry-pi-4").unwrap();
    boot::fill(&boot, "raspberry-pi-4", &board, root.folder(), &card).unwrap();
    let mut names: Vec<_> =
        fs::read_dir(&boot).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let expected = [
        "README.txt",
        "bcm2711-rpi-4-b.dtb",
        "cmdline.txt",
        "config.txt",
        "initrd.img",
        "start4.elf",
        "vmlinuz",
    ];
    assert_eq!(names, expected);
    assert_eq!(fs::read_to_string(boot.join("vmlinuz")).unwrap(), "kernel", "the newest");
    let line = fs::read_to_string(boot.join("cmdline.txt")).unwrap();
    assert!(
        line.starts_with(&format!("root=PARTUUID={} ro ", card.partition(layout::Part::SlotA))),
        "{line}"
    );
    assert!(line.ends_with(" console=ttyS1,115200 console=tty1\n"), "a getty on the serial port: {line}");
}

#[test]
fn a_board_that_debians_kernel_does_not_know_is_refused_and_one_with_u_boot_has_an_entry_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = system(&folder.path().join("root"));
    let boot = folder.path().join("boot");
    fs::create_dir_all(&boot).unwrap();
    let card = card(folder.path());
    let five = Board::find("raspberry-pi-5").unwrap();
    let said = boot::fill(&boot, "raspberry-pi-5", &five, root.folder(), &card).unwrap_err().to_string();
    assert!(said.contains("6.1.0-10-arm64 has no device tree for raspberrypi,5-model-b"), "{said}");
    let rock = Board::find("radxa-rock-3c").unwrap();
    boot::fill(&boot, "radxa-rock-3c", &rock, root.folder(), &card).unwrap();
    let entry = fs::read_to_string(boot.join("extlinux/extlinux.conf")).unwrap();
    assert!(entry.contains("fdt /board.dtb") && boot.join("board.dtb").is_file(), "{entry}");
    assert!(entry.contains(" console=ttyS2,1500000 console=tty1\n"), "{entry}");
}

#[test]
fn a_loader_is_taken_by_its_hash_and_only_where_the_board_has_one_on_its_card() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("u-boot.bin");
    fs::write(&file, "loader").unwrap();
    let (rock, pi) = (Board::find("radxa-rock-3c").unwrap(), Board::find("raspberry-pi-4").unwrap());
    let with = |hash: &str| wishes(Some((file.clone(), hash.to_owned())));
    let right = packed::hex_of(b"loader");
    assert_eq!(loader("radxa-rock-3c", &rock, &with(&right)).unwrap(), Some(b"loader".to_vec()));
    let wrong = loader("radxa-rock-3c", &rock, &with(&"00".repeat(32))).unwrap_err().to_string();
    assert!(wrong.contains(&right), "{wrong}");
    assert!(loader("radxa-rock-3c", &rock, &wishes(None)).unwrap_err().to_string().contains("--loader"));
    assert!(loader("raspberry-pi-4", &pi, &with(&right)).is_err());
    assert_eq!(loader("raspberry-pi-4", &pi, &wishes(None)).unwrap(), None);
}

#[test]
fn an_attempt_that_fails_leaves_no_image_and_no_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let card = card(folder.path());
    let too_long = card.fill(layout::Part::Data, |file| {
        Ok(fs::File::options().write(true).open(file)?.set_len(layout::Layout::SMALL.data * MIB + 1)?)
    });
    assert!(format!("{:#}", too_long.unwrap_err()).contains("no room"));
    drop(card);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_unknown_board_has_no_image() {
    let said = run("raspberry-pi-9", &wishes(None)).unwrap_err().to_string();
    assert!(said.contains("no board is called"), "{said}");
}

#[test]
fn a_small_image_holds_its_file_systems_in_their_places() {
    if files::installed(files::NEEDED).is_err() {
        println!("skipped: {:#}", files::installed(files::NEEDED).unwrap_err());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("card.img");
    let root = system(&folder.path().join("root"));
    let board = Board::find("raspberry-pi-4").unwrap();
    let parts = Parts { name: "raspberry-pi-4", board: &board, root: &root, loader: None };
    make(&out, Layout::SMALL, &parts, folder.path()).unwrap();
    // The tools of the file systems themselves read what is there.
    let at = |part: layout::Part| {
        Layout::SMALL.places().into_iter().find(|place| place.part == part).unwrap().start
    };
    let listed = output(Command::new("mdir").args(["-b", "-i"]).arg(format!(
        "{}@@{}",
        out.display(),
        at(layout::Part::Boot)
    )));
    assert!(listed.unwrap().contains("vmlinuz"));
    let name =
        output(Command::new(which("debugfs").unwrap()).args(["-R", "cat /etc/hostname"]).arg(format!(
            "{}?offset={}",
            out.display(),
            at(layout::Part::SlotA)
        )));
    assert_eq!(name.unwrap(), "door\n");
    let owner =
        output(Command::new(which("debugfs").unwrap()).args(["-R", "stat /etc/hostname"]).arg(format!(
            "{}?offset={}",
            out.display(),
            at(layout::Part::SlotA)
        )));
    assert!(owner.unwrap().contains("User:     0"), "the system's files are root's");
}

/// Time that goes on, with a clock of the test's own.
#[test]
fn the_clock_goes_on_from_where_it_was_kept_and_never_back() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let script = cargo::root().join("firmware/image/root/usr/lib/arcdoor/clock");
    // `date -u +%s` prints the file; `date -u -s @N` writes it.
    fs::write(
        at("date"),
        "#!/bin/sh\ncase \"$2\" in -s) echo \"${3#@}\" >\"$0.now\";; *) cat \"$0.now\";; esac\n",
    )
    .unwrap();
    let clock = |word: &str, now: &str| {
        fs::write(at("date.now"), now).unwrap();
        let date = format!("sh {}", at("date").display());
        let mut run = Command::new("sh");
        run.arg(&script).arg(word).env("ARCDOOR_CLOCK", at("kept")).env("ARCDOOR_DATE", date);
        run.env("ARCDOOR_RTC", at("rtc0"));
        let said = output(&mut run).unwrap();
        (fs::read_to_string(at("date.now")).unwrap().trim().to_owned(), said)
    };
    // Where systemd sets it, which is no time that anybody set.
    assert_eq!(clock("load", "1800000000").0, "86400", "never set, and no battery");
    clock("save", "90000");
    assert!(!at("kept").exists(), "what was never set is not kept");
    fs::write(at("rtc0"), "946684800").unwrap();
    assert_eq!(clock("load", "1800000000").0, "86400", "a chip without a battery");
    fs::write(at("rtc0"), "1800000000").unwrap();
    assert_eq!(clock("load", "1800000000").0, "1800000000", "a battery's");
    fs::remove_file(at("rtc0")).unwrap();
    clock("save", "1800000000");
    let (now, said) = clock("load", "100");
    assert!(now == "1800000000" && said.contains("from 100 to 1800000000"), "{said}");
    assert_eq!(clock("load", "1800000001"), ("1800000001".to_owned(), String::new()), "never back");
    // A power cut may leave anything.
    for damaged in ["", "-1", "12x", "99999999999999999999999"] {
        fs::write(at("kept"), damaged).unwrap();
        assert_eq!(clock("load", "1800000000").0, "86400", "{damaged:?}");
    }
}

/// Where a key lies, or is gone: the reset's own script, on a file in the place of a partition.
#[test]
fn a_factory_reset_leaves_no_key_and_ends_what_a_power_cut_began() {
    const KEY: &[u8] = b"the key of a gallery, 32 bytes..";
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let reset = |data: PathBuf| {
        let mut run = Command::new("sh");
        run.arg(cargo::root().join("firmware/image/root/usr/lib/arcdoor/reset"));
        run.env("ARCDOOR_DATA", data).env("ARCDOOR_MOUNT", at("mnt")).env("ARCDOOR_KMSG", at("said"));
        let _ = fs::remove_file(at("said"));
        run.output().unwrap().status.success()
    };
    let said = || fs::read_to_string(at("said")).unwrap();
    fs::create_dir(at("mnt")).unwrap();
    // What is not there is no reset, and becomes no file.
    assert!(!reset(at("card")) && !at("card").exists() && !at("said").exists());
    let Ok(mke2fs) = which("mke2fs") else {
        println!("skipped: mke2fs is not installed");
        return;
    };
    // A key within what is overwritten in any case; and one far behind it, where only what mounts the partition finds it.
    for filler in [0, 80 << 20] {
        fs::File::create(at("card")).unwrap().set_len(160 << 20).unwrap();
        fs::create_dir_all(at("files")).unwrap();
        fs::write(at("files/filler"), vec![0x55; filler]).unwrap();
        assert!(
            Command::new(&mke2fs)
                .args(["-q", "-F", "-t", "ext4", "-b", "4096", "-d"])
                .arg(at("files"))
                .arg(at("card"))
                .status()
                .unwrap()
                .success()
        );
        fs::write(at("key"), KEY).unwrap();
        let write = format!("write {} gallery.key", at("key").display());
        let debugfs = which("debugfs").unwrap();
        output(Command::new(debugfs).args(["-w", "-R", &write]).arg(at("card"))).unwrap();
        let has_key = || fs::read(at("card")).unwrap().windows(KEY.len()).any(|bytes| bytes == KEY);
        assert!(has_key());
        let mounts = mounts(&at("card"), &at("mnt"));
        if filler > 0 && !mounts {
            println!("skipped: nothing is mounted here; it wants root");
            continue;
        }
        assert!(reset(at("card")));
        assert!(!has_key(), "behind {filler} bytes");
        assert_eq!(said().contains("are erased\n"), mounts, "{}", said());
    }
    // Cut short: there is no file system, and the next reset makes one.
    fs::write(at("card"), vec![0xff; 80 << 20]).unwrap();
    assert!(reset(at("card")));
    assert!(said().contains("could not all be overwritten"), "{}", said());
    let listed = output(Command::new(which("debugfs").unwrap()).args(["-R", "ls"]).arg(at("card"))).unwrap();
    assert!(listed.contains("lost+found"), "{listed}");
}

/// What is started later asks for its own needs again, and systemd asks for theirs: the button is not theirs.
#[test]
fn a_factory_reset_is_asked_once_and_never_of_what_somebody_uses() {
    let text = |file: &str| fs::read_to_string(cargo::root().join("firmware/image/root").join(file)).unwrap();
    let unit = text("usr/lib/systemd/system/arcdoor-reset.service");
    let conditions: Vec<_> = unit.lines().filter(|line| line.starts_with("ExecCondition=")).collect();
    assert_eq!(conditions[0], "ExecCondition=/usr/bin/mkdir /run/arcdoor-asked");
    assert!(conditions[1].contains("arcdoor board held"), "{conditions:?}");
    // What is mounted has a line there, as this machine's own root has.
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let is_device = |name: &&str| name.starts_with("/dev/") && Path::new(name).exists();
    let Some(used) = mounts.lines().filter_map(|line| line.split(' ').next()).find(is_device) else {
        println!("skipped: no device is mounted here");
        return;
    };
    // The script's own line, and nothing behind it: what it would do to this machine is not tried.
    let script = text("usr/lib/arcdoor/reset");
    let refusal = script.lines().find(|line| line.contains("/proc/self/mounts")).unwrap();
    assert!(script.find(refusal) < script.find("mount -t ext4"));
    let run = |data: &str| {
        let line = format!("set -eu\n{refusal}\nexit 7");
        Command::new("sh").args(["-c", &line]).env("data", data).status().unwrap().code()
    };
    assert_eq!((run(used), run("/dev/nobody")), (Some(1), Some(7)));
}

fn mounts(file: &Path, at: &Path) -> bool {
    let run = |program: &str, words: &[&Path]| {
        Command::new(program).args(words).output().is_ok_and(|made| made.status.success())
    };
    run("mount", &[file, at]) && run("umount", &[at])
}

#[test]
fn a_stick_that_calls_itself_the_cards_is_not_the_card() {
    let text = |file: &str| fs::read_to_string(cargo::root().join("firmware/image/root").join(file)).unwrap();
    for file in [
        "etc/fstab",
        "usr/lib/arcdoor/grow",
        "usr/lib/arcdoor/reset",
        "usr/lib/systemd/system/arcdoor-grow.service",
        "usr/lib/systemd/system/arcdoor-reset.service",
        "usr/lib/systemd/system/arcdoor-widen.service",
    ] {
        let text = text(file);
        assert!(
            !text.contains("LABEL=") && !text.contains("label"),
            "{file} asks a file system for its name"
        );
    }
    // Of a card of two disks: the root's own first and fourth partition have names, and no others.
    let folder = tempfile::tempdir().unwrap();
    let sys = folder.path();
    for (part, number, device) in [
        ("mmc/p1", 1, "179:1"),
        ("mmc/p2", 2, "179:2"),
        ("mmc/p4", 4, "179:4"),
        ("usb/p1", 1, "8:1"),
        ("usb/p4", 4, "8:4"),
    ] {
        fs::create_dir_all(sys.join(part)).unwrap();
        fs::write(sys.join(part).join("partition"), format!("{number}\n")).unwrap();
        fs::write(sys.join(part).join("dev"), format!("{device}\n")).unwrap();
    }
    let name = |part: &str| {
        let mut run = Command::new("sh");
        run.arg(cargo::root().join("firmware/image/root/usr/lib/arcdoor/card"));
        run.env("DEVPATH", format!("/{part}")).env("ARCDOOR_SYS", sys).env("ARCDOOR_ROOT", "179:2");
        String::from_utf8(run.output().unwrap().stdout).unwrap()
    };
    assert_eq!((name("mmc/p1").as_str(), name("mmc/p4").as_str()), ("boot\n", "data\n"));
    assert_eq!(name("mmc/p2") + &name("usb/p1") + &name("usb/p4"), "");
}
