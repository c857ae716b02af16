//! Boards' files: those that come with the program, and what is refused, with its line and a remedy.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use std::path::Path;

use arcdoor_board::{
    BOARDS, Bias, Board, BoardError, Boot, Drive, FailMode, Input, KERNEL_EDGES, MAX_CAMERA, MAX_CHIP_NAME,
    MAX_DEBOUNCE_MS, MAX_DEVICE_PATH, MAX_DRIVEN, MAX_EDGES, MAX_FILE_BYTES, MAX_MACHINES, MAX_OFFSET,
    MAX_PANEL_PX, MAX_PRESSES, MAX_SERIAL, MAX_TEXT, MAX_TRAVEL_MS, MAX_ZONES, Machine, Output, Polarity,
    Problem, Role, Standing,
};
use proptest::prelude::*;

const SIMULATED: &str = include_str!("../boards/simulated.toml");

fn parse(text: &str) -> Result<Board, BoardError> {
    Board::parse(Path::new("door.toml"), text)
}

/// The simulated board with `from` replaced by `to`: why it is refused, and the line's number.
fn refused(from: &str, to: &str) -> (Problem, usize) {
    assert!(SIMULATED.contains(from), "{from}");
    match parse(&SIMULATED.replacen(from, to, 1)) {
        Err(BoardError::Line { problem, line, .. }) => (problem, line),
        other => panic!("{to}: {other:?}"),
    }
}

/// The number of the line of the simulated board that holds `text`.
fn line_of(text: &str) -> usize {
    SIMULATED[..SIMULATED.find(text).unwrap()].matches('\n').count() + 1
}

#[test]
fn every_board_that_ships_is_read_and_stays_locked_without_this_program() {
    for (name, _) in BOARDS {
        let board = Board::find(name).unwrap();
        assert_eq!(board.relay().fail_mode, FailMode::Locked, "{name}");
        assert_eq!(board.relay().line.pulled_active(), Some(false), "{name}");
        let has_button = board.input(Input::Recovery).is_some();
        assert_eq!(board.lines().count(), 10 + usize::from(has_button), "{name}");
    }
}

#[test]
fn no_board_claims_to_have_been_booted_but_the_one_in_memory() {
    for (name, _) in BOARDS {
        let board = Board::find(name).unwrap();
        let is_simulated = board.drive() == Drive::Simulated;
        assert_eq!(matches!(board.standing(), Standing::Booted(_)), is_simulated, "{name}");
        assert_eq!(name == "simulated", is_simulated, "{name}");
    }
}

#[test]
fn the_page_of_boards_has_a_row_for_each_and_claims_no_boot_that_no_file_claims() {
    let page = include_str!("../../../docs/boards.md");
    for (name, _) in BOARDS {
        let board = Board::find(name).unwrap();
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` | "))).unwrap();
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let booted = match (board.drive(), board.standing()) {
            (Drive::Simulated, _) => "nothing to boot",
            (_, Standing::Booted(_)) => "yes",
            (_, Standing::Unbooted(_)) => "no",
        };
        assert_eq!(cells[5], booted, "{row}");
        for (_, line) in board.lines().filter(|_| board.drive() == Drive::Gpio) {
            assert!(cells[3].contains(&format!("`{}`", line.chip.as_str())), "{row}");
        }
        let boot = match board.machine().map(Machine::boot) {
            Some(Boot::RaspberryPi) => "Raspberry Pi's firmware",
            Some(Boot::UBoot) => "U-Boot",
            None => "",
        };
        assert_eq!(cells[4], boot, "{row}");
    }
}

#[test]
fn no_hardware_has_two_files_and_each_names_its_camera_panel_port_and_limits() {
    let mut names = Vec::new();
    for (name, _) in BOARDS.iter().filter(|(name, _)| *name != "simulated") {
        let board = Board::find(name).unwrap();
        names.extend(board.machine().unwrap().compatible().to_vec());
        assert_eq!(board.camera().unwrap().words(), "/dev/video0", "{name}");
        assert!(board.panel().is_some() && !board.serial().is_empty(), "{name}");
    }
    let all = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn a_ribbon_camera_is_named_by_its_number() {
    let with =
        |camera: &str| parse(&SIMULATED.replace("[thermal]", &format!("[camera]\n{camera}\n[thermal]")));
    let board = with("kind = \"rpicam\"\nnumber = 1").unwrap();
    assert_eq!(board.camera().unwrap().words(), "rpicam:1");
    for camera in [
        "kind = \"rpicam\"\nnumber = 8",
        "kind = \"rpicam\"\nnumber = 0\ndevice = \"/dev/video0\"",
        "kind = \"csi\"",
    ] {
        assert!(with(camera).is_err(), "{camera}");
    }
}

#[test]
fn every_file_in_the_folder_ships() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("boards");
    for file in std::fs::read_dir(folder).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(BOARDS.iter().any(|(known, _)| format!("{known}.toml") == name), "{name} is not in BOARDS");
    }
}

#[test]
fn what_stands_in_a_file_is_what_the_board_says() {
    let board = Board::find("raspberry-pi-4").unwrap();
    let relay = board.output(Output::Relay).unwrap();
    assert_eq!(
        (relay.chip.as_str(), relay.offset.get(), relay.bias),
        ("pinctrl-bcm2711", 17, Bias::PullDown)
    );
    let rex = board.input(Input::Rex).unwrap();
    assert_eq!(
        (rex.line.offset.get(), rex.line.polarity, rex.debounce_ms.get()),
        (27, Polarity::ActiveLow, 30)
    );
    assert_eq!(board.input(Input::Fire).unwrap().line.offset.get(), 24);
    assert_eq!(board.output(Output::Buzzer).unwrap().offset.get(), 26);
}

#[test]
fn the_page_of_limits_says_what_the_constants_say() {
    let page = include_str!("../../../docs/limits.md").replace(',', "");
    let row = |begins: &str| page.lines().find(|line| line.starts_with(begins)).unwrap();
    for (begins, numbers) in [
        (
            "| a board's file",
            vec![MAX_FILE_BYTES >> 10, MAX_TEXT as u64, MAX_DEVICE_PATH as u64, MAX_CHIP_NAME as u64],
        ),
        ("| a line's offset", vec![MAX_OFFSET.into(), MAX_DEBOUNCE_MS.into(), MAX_TRAVEL_MS.into()]),
        ("| edges that one poll", vec![MAX_EDGES as u64, KERNEL_EDGES.into()]),
        ("| presses of keys", vec![MAX_PRESSES as u64]),
        ("| a panel's side", vec![MAX_PANEL_PX.into(), MAX_SERIAL as u64, MAX_ZONES as u64]),
        ("| names of the hardware", vec![MAX_MACHINES as u64, MAX_CAMERA.into()]),
        ("| what a simulated board", vec![MAX_DRIVEN as u64]),
    ] {
        let said: Vec<u64> = row(begins)
            .split('|')
            .nth(2)
            .unwrap()
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|word| word.parse().ok())
            .collect();
        assert_eq!(said, numbers, "{begins}");
    }
}

#[test]
fn two_roles_on_one_line_are_refused_and_both_are_named() {
    let (problem, line) = refused("offset = 3,", "offset = 2,");
    assert_eq!(line, line_of("contact = "));
    let Problem::SharedLine { first, second, .. } = problem else { panic!("{problem}") };
    assert_eq!((first, second), (Role::Input(Input::Rex), Role::Input(Input::Contact)));
    let (problem, _) = refused("offset = 0", "offset = 1");
    assert!(matches!(problem, Problem::SharedLine { second: Role::ReadBack, .. }), "{problem}");
}

#[test]
fn a_fail_mode_against_the_pull_is_refused() {
    let expected = Problem::FailMode { said: FailMode::Unlocked, pulled: FailMode::Locked };
    assert_eq!(refused("\"locked\"", "\"unlocked\""), (expected, line_of("[lines.relay]")));
    let (problem, _) = refused("\"active-high\"", "\"active-low\"");
    assert_eq!(problem, Problem::FailMode { said: FailMode::Locked, pulled: FailMode::Unlocked });
}

#[test]
fn a_pull_that_software_cannot_see_is_taken_at_its_word() {
    for fail_mode in ["\"locked\"", "\"unlocked\""] {
        let text =
            SIMULATED.replacen("\"pull-down\"", "\"external\"", 1).replacen("\"locked\"", fail_mode, 1);
        assert_eq!(parse(&text).unwrap().relay().line.pulled_active(), None);
    }
}

#[test]
fn a_board_that_nobody_booted_says_so_in_a_sentence() {
    assert_eq!(refused("booted = true", "booted = false"), (Problem::NoNote, line_of("booted")));
    let (problem, _) = refused("booted = true", "booted = false\nnote = \" \"");
    assert_eq!(problem, Problem::Text { field: "note" });
    assert!(parse(&SIMULATED.replace("booted = true", "booted = false\nnote = \"Untested.\"")).is_ok());
}

#[test]
fn impossible_values_are_refused_with_their_line_and_what_is_possible() {
    let port = "[[serial]]\npeer = \"osdp\"\ndevice = \"/dev/ttyS3\"\nbaud = 9600\n";
    for (from, to, remedy) in [
        ("offset = 0", "offset = 1024", "0 to 1023"),
        ("offset = 0", "offset = -1", "u32"),
        ("debounce_ms = 30", "debounce_ms = 501", "0 to 500"),
        ("travel_ms = 50", "travel_ms = 0", "1 to 500"),
        ("chip = \"simulated\"", "chip = \"/dev/sda\"", "gpiodetect"),
        ("chip = \"simulated\"", "chip = \"\"", "gpiodetect"),
        (
            "chip = \"simulated\"",
            "chip = \"a chip with a very long label, longer than the kernel's\"",
            "label",
        ),
        ("polarity = \"active-high\"", "polarity = \"high\"", "active-high"),
        ("offset = 0", "offset = 0\npull = \"up\"", "unknown field"),
        ("fail_mode = \"locked\"\n", "", "fail_mode"),
        ("warn_c = 75", "warn_c = 80", "warn_c lies below"),
        ("warn_c = 75", "warn_c = -3", "30..=125"),
        ("drive = \"simulated\"", "drive = \"wishes\"", "gpio"),
        ("title = \"Simulated board\"", "title = \"\"", "1 to 400"),
        (
            "[thermal]",
            "[panel]\nkind = \"framebuffer\"\ndevice = \"/dev/fb0\"\nwidth = 0\nheight = 1\nrotation = 0\n[thermal]",
            "1 to 4096",
        ),
        (
            "[thermal]",
            "[panel]\nkind = \"framebuffer\"\ndevice = \"/dev/fb0\"\nwidth = 9\nheight = 1\nrotation = 45\n[thermal]",
            "90",
        ),
        ("[thermal]", "[camera]\nkind = \"v4l2\"\ndevice = \"/dev/../etc/passwd\"\n[thermal]", "device file"),
        ("[thermal]", &format!("{}[thermal]", port.replace("9600", "9601")), "9600"),
        ("[thermal]", &format!("{port}{port}[thermal]"), "has a peer already"),
    ] {
        let text = refused(from, to).0.to_string();
        assert!(text.contains(remedy), "{to}: {text}");
    }
}

#[test]
fn an_error_says_file_and_line() {
    let error = parse(&SIMULATED.replace("debounce_ms = 30", "debounce_ms = 5000")).unwrap_err().to_string();
    let start = format!("door.toml:{}: ", line_of("rex = "));
    assert!(error.starts_with(&start), "{error}");
}

#[test]
fn a_name_that_is_none_lists_those_that_are_and_a_path_is_read() {
    let error = Board::find("raspberry-pi-9").unwrap_err().to_string();
    assert!(BOARDS.iter().all(|(name, _)| error.contains(name)), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    assert!(matches!(Board::read(&path), Err(BoardError::Read { .. })));
    std::fs::write(&path, SIMULATED).unwrap();
    assert_eq!(Board::find(path.to_str().unwrap()).unwrap(), Board::find("simulated").unwrap());
    std::fs::write(&path, "#".repeat(usize::try_from(MAX_FILE_BYTES).unwrap() + 1)).unwrap();
    assert!(matches!(Board::read(&path), Err(BoardError::TooLong(_))));
}

proptest! {
    /// A damaged file is refused or is a board; it is never the end of the program.
    #[test]
    fn a_damaged_file_never_panics(
        board in 0..BOARDS.len(),
        cuts in proptest::collection::vec((any::<prop::sample::Index>(), 0_u8..128), 1..8),
    ) {
        let mut bytes = BOARDS[board].1.as_bytes().to_vec();
        for (place, byte) in cuts {
            let at = place.index(bytes.len());
            if bytes[at].is_ascii() {
                bytes[at] = byte;
            }
        }
        let text = String::from_utf8(bytes).unwrap();
        if let Err(BoardError::Line { line, .. }) = parse(&text) {
            prop_assert!(line >= 1 && line <= text.lines().count() + 1);
        }
    }

    /// What is read holds the rules, whatever the file said.
    #[test]
    fn every_board_that_is_read_has_a_line_for_each_role(offsets in proptest::collection::vec(0_u32..13, 11)) {
        let mut text = SIMULATED.to_owned();
        for (index, offset) in offsets.iter().enumerate() {
            text = text.replacen(&format!("offset = {index}"), &format!("offset = @{offset}"), 1);
        }
        let mut sorted = offsets.clone();
        sorted.sort_unstable();
        sorted.dedup();
        prop_assert_eq!(parse(&text.replace('@', "")).is_ok(), sorted.len() == offsets.len());
    }
}
