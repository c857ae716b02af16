//! `docs/limits.md` says what the constants say, and the edges are where it says.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy exempts test functions only, not their helpers"
)]

use arcdoor::daemon::door::{HUNG_MS, MAX_ENTRIES, MAX_EVENTS, SILENT_MS};
use arcdoor::daemon::ladder::PAUSES_MS;
use arcdoor::daemon::screen::MOST_FILES;
use arcdoor::daemon::socket::{MAX_CALLS, MAX_CALLS_OF_ONE, MAX_PHOTOS_BESIDE, PATIENCE};
use arcdoor::home::pin_book::{DIGITS, LOCKED_S, MOST_WRONG};
use arcdoor_api::{MAX_NAMED, MAX_PHOTOS};
use arcdoor_core::limits;
use arcdoor_core::{ModelId, SubjectName, Template};
use arcdoor_door::limits::{
    MAX_ACTIONS, MAX_DELAY_MS, MAX_HELD_MS, MAX_HOLIDAYS, MAX_INSIDE, MAX_WINDOWS, MIN_DELAY_MS,
};
use arcdoor_frame::{FrameError, ImageLimits, MAX_SCANS};
use arcdoor_gallery::{Gallery, GalleryError, GalleryKey, MAX_SUBJECTS, MemoryDisk};
use arcdoor_infer::{InferError, Net, NetSpec, RunOptions};
use arcdoor_log::{MAX_DECISION_BYTES, MAX_SEALED_BYTES};

/// With commas between thousands, as the table has it.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[test]
fn the_page_says_what_the_constants_say() {
    let page = include_str!("../../docs/limits.md");
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .map(|line| line.split(" | ").collect())
        .collect();
    let image = ImageLimits::default();
    let said: [(&str, &[usize]); 52] = [
        ("an encoded photo", &[image.max_bytes >> 20, image.max_side as usize, image.max_pixels as usize]),
        ("scans of a JPEG", &[MAX_SCANS]),
        ("photos in one request", &[MAX_PHOTOS]),
        ("faces in one frame", &[limits::MAX_FACES]),
        ("faces of a frame whose quality", &[arcdoor_pipeline::MOST_ASSESSED]),
        ("time that a face must stay", &[arcdoor_pipeline::MAX_HOLD_MS as usize]),
        ("values of a template", &[limits::MAX_DIMENSION]),
        ("templates of a subject", &[limits::MAX_TEMPLATES_PER_SUBJECT]),
        ("subjects of a gallery", &[MAX_SUBJECTS]),
        ("candidates of an identification", &[limits::MAX_CANDIDATES]),
        ("bytes of a name", &[limits::MAX_NAME_BYTES]),
        ("rows of a calibration", &[limits::MAX_CALIBRATION_ROWS]),
        (
            "a pack's manifest",
            &[
                (arcdoor_models::MAX_MANIFEST_BYTES >> 10) as usize,
                (arcdoor_models::MAX_SIGNATURE_BYTES >> 10) as usize,
                (arcdoor_models::MAX_NET_BYTES >> 20) as usize,
            ],
        ),
        (
            "heads, and shared directions, of a pack's recognisability",
            &[arcdoor_models::MAX_HEADS, arcdoor_models::MAX_DIRECTIONS],
        ),
        ("an ONNX file", &[arcdoor_infer::MAX_ONNX_BYTES >> 20]),
        ("values of a network's input", &[arcdoor_infer::MAX_ELEMENTS, arcdoor_infer::MAX_OUTPUTS]),
        (
            "nodes of a network",
            &[arcdoor_infer::MAX_NODES, arcdoor_infer::MAX_CONSTANT_VALUES, arcdoor_infer::MAX_FIELDS],
        ),
        ("a kernel, stride", &[arcdoor_infer::MAX_WINDOW as usize]),
        ("work of a network", &[usize::try_from(arcdoor_infer::MAX_WORK).unwrap()]),
        ("people of another embedder", &[MAX_NAMED]),
        ("installed packs that are looked through", &[arcdoor::home::packs::MAX_PACKS]),
        ("settings.toml", &[(arcdoor::home::settings::MAX_BYTES >> 10) as usize]),
        ("tuning.toml", &[(arcdoor::home::tuning::MAX_BYTES >> 10) as usize, arcdoor_infer::MAX_LAYERS]),
        ("a trace", &[(arcdoor::daemon::MAX_TRACE_BYTES >> 20) as usize]),
        (
            "the files `key-source`",
            &[
                arcdoor::home::pin::MAX_BYTES as usize,
                arcdoor::home::lockout::MAX_BYTES as usize,
                arcdoor::home::tally::MAX_BYTES as usize,
                (arcdoor::home::versions::MAX_BYTES >> 10) as usize,
            ],
        ),
        (
            "tries to open a lost camera",
            &[PAUSES_MS.len(), usize::try_from(PAUSES_MS[PAUSES_MS.len() - 1]).unwrap()],
        ),
        (
            "frames of a camera that are passed over",
            &[arcdoor_camera::MOST_FRAMES as usize, usize::try_from(arcdoor_camera::MOST_MS).unwrap()],
        ),
        ("wait for the home folder", &[arcdoor::home::lock::PATIENCE.as_secs() as usize]),
        ("requests that wait for the loop", &[arcdoor::daemon::MAX_ASKED]),
        ("what waits for the door", &[MAX_EVENTS, MAX_ENTRIES]),
        ("a silent loop until", &[SILENT_MS as usize, HUNG_MS as usize]),
        ("a PIN; wrong ones", &[*DIGITS.start(), *DIGITS.end(), MOST_WRONG as usize, LOCKED_S as usize]),
        ("screens of a panel that", &[MOST_FILES]),
        ("subjects that are known to be inside", &[MAX_INSIDE]),
        ("windows in a list of a door's", &[MAX_WINDOWS, MAX_HOLIDAYS]),
        ("a door's delays", &[MIN_DELAY_MS as usize, MAX_DELAY_MS as usize, MAX_HELD_MS as usize]),
        ("actions of one step", &[MAX_ACTIONS]),
        ("a line of a decision", &[usize::try_from(MAX_DECISION_BYTES).unwrap() >> 10]),
        ("a capsule", &[MAX_SEALED_BYTES >> 10]),
        (
            "a call to a running door",
            &[
                arcdoor_api::MAX_CALL_BYTES >> 10,
                PATIENCE.as_secs() as usize,
                MAX_CALLS,
                MAX_CALLS_OF_ONE,
                MAX_PHOTOS_BESIDE,
            ],
        ),
        (
            "votes of a track",
            &[
                arcdoor_pipeline::MAX_WINDOW,
                arcdoor_pipeline::MAX_WINDOW_MS as usize,
                arcdoor_pipeline::MAX_DENIALS,
            ],
        ),
        (
            "the log in all",
            &[
                arcdoor_log::Retention::DEFAULT.days.into(),
                (arcdoor_log::Retention::DEFAULT.bytes >> 20) as usize,
            ],
        ),
        (
            "a segment of the log",
            &[(arcdoor_log::SEGMENT_BYTES >> 10) as usize, (arcdoor_log::SEGMENT_S / 86_400) as usize],
        ),
        (
            "an epoch of the log",
            &[
                arcdoor_log::EPOCH_RECORDS as usize,
                arcdoor_log::EPOCH_S as usize,
                arcdoor_log::MAX_EPOCHS as usize,
            ],
        ),
        ("a line of the log", &[arcdoor_log::MAX_LINE_BYTES >> 10]),
        ("records of the log", &[arcdoor_log::MAX_UNSYNCED_BYTES >> 10]),
        (
            "denials that the log records",
            &[
                arcdoor_log::BURST as usize,
                arcdoor_log::REFILL_S as usize,
                arcdoor_log::SUMMARY_S as usize,
                arcdoor_log::MOST_A_DAY as usize,
            ],
        ),
        ("old segments that go at once", &[arcdoor_log::MOST_OLD_AT_ONCE]),
        ("a note of a log's head", &[arcdoor_log::MAX_NOTE_BYTES >> 10]),
        ("frames that may fail", &[arcdoor::daemon::r#loop::MOST_FAILURES as usize]),
        ("wait for one camera frame", &[arcdoor::device::source::FRAME_TIMEOUT.as_secs() as usize]),
        (
            "a passphrase",
            &[arcdoor::home::passphrase::LEAST_CHARS, arcdoor::home::passphrase::MAX_BYTES as usize],
        ),
    ];
    for (what, numbers) in said {
        let row = rows.iter().find(|row| row[0].starts_with(what));
        let row = row.unwrap_or_else(|| panic!("docs/limits.md has no row {what:?}"));
        let words: Vec<&str> = row[1].split([' ', ';']).map(|word| word.trim_matches(',')).collect();
        for number in numbers {
            assert!(
                words.contains(&&*grouped(*number)),
                "{what}: {} is not in {:?}",
                grouped(*number),
                row[1]
            );
        }
    }
}

/// A PNG header of these sides, which is all that is looked at.
fn sides(width: u32, height: u32) -> Result<(), FrameError> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([8, 2, 0, 0, 0]);
    let crc = !chunk.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 })
    });
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    png.extend(chunk);
    png.extend(crc.to_be_bytes());
    png.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    arcdoor_frame::decode(&png, &ImageLimits::default(), &mut arcdoor_frame::RgbImage::new())
}

#[test]
fn a_photo_at_the_limit_is_looked_into_and_one_past_it_is_not() {
    let is_too_large = |result: Result<(), FrameError>| matches!(result, Err(FrameError::TooLarge { .. }));
    for (width, height, refused) in [
        (16_384, 1, false),
        (16_385, 1, true),
        (1, 16_385, true),
        (10_000, 5_000, false),
        (10_000, 5_001, true),
        (1, 1, false),
    ] {
        assert_eq!(is_too_large(sides(width, height)), refused, "{width} x {height}");
    }
}

#[test]
fn a_subject_takes_16_templates_and_a_name_64_bytes() {
    let model = ModelId::new([1; 16]);
    let key = GalleryKey::new(&[1; 32]);
    let mut gallery = Gallery::open_on(MemoryDisk::new(), &key, model, 8).unwrap();
    let template = Template::new(model, &[1.0; 8]).unwrap();
    let name = |length: usize| SubjectName::new(&"a".repeat(length));
    let many = vec![template; limits::MAX_TEMPLATES_PER_SUBJECT + 1];
    assert!(name(limits::MAX_NAME_BYTES + 1).is_err());
    let longest = name(limits::MAX_NAME_BYTES).unwrap();
    assert!(matches!(gallery.enrol(&longest, &many, 1), Err(GalleryError::TooManyTemplates(17))));
    let id = gallery.enrol(&longest, &many[1..], 1).unwrap();
    assert!(matches!(gallery.add_templates(id, &many[..1]), Err(GalleryError::TooManyTemplates(17))));
    assert!(Template::new(model, &[1.0; limits::MAX_DIMENSION]).is_ok());
    assert!(Template::new(model, &[1.0; limits::MAX_DIMENSION + 1]).is_err());
}

#[test]
fn an_input_at_the_limit_is_asked_for_and_one_past_it_is_not() {
    let load = |side: usize| {
        let spec = NetSpec { input: [1, 1, side, 1 << 12], outputs: &["y"] };
        Net::load(&b"\x08\x07"[..], &spec, &RunOptions::default()).map(drop)
    };
    assert!(matches!(load(1 << 12), Err(InferError::NotOnnx(_))));
    assert!(matches!(load((1 << 12) + 1), Err(InferError::InputShape(_))));
}
