//! `tune`: which tiles are fastest on this device, layer by layer, and what that brings to whole networks.

use super::apart::{apart, noise, worse};
use crate::device::recognition::detect_settings;
use crate::device::{Device, Outcome, Reply};
use crate::error::Error;
use arcdoor_api::{LayerForm, Progress, Response};
use arcdoor_vision::tuning::{Choice, Isa, Layer, Network, Session, Tuned, Tuning, networks};
use rustix::time::{ClockId, clock_gettime};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Most runs of a whole network, each with the defaults and with the new tiles in turn; the medians count.
const TURNS: usize = 41;
/// The longest that one network's turns go on; at least three are made.
const PATIENCE: Duration = Duration::from_secs(10);
/// Greatest difference of an output, as a share of its greatest value, where another form than the default's is taken.
const TOLERANCE: f32 = 1e-4;
/// The tuned networks take at most this share of the time, or the defaults stay.
const LEAST_GAIN: f64 = 0.99;

/// One network with the defaults and tuned.
struct Compared {
    before_us: f64,
    after_us: f64,
    /// Greatest difference of an output, as a share of its greatest value; 0: the same bits.
    difference: f32,
}

/// Measures, compares, and writes what was found unless it is a dry run.
pub(super) fn tune(
    device: &mut Device,
    frame: [u32; 2],
    winograd: bool,
    dry_run: bool,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let detect = detect_settings(device.settings());
    let pack = &device.networks()?;
    let plain = networks(pack, frame, &detect, &Tuning::default())?;
    let layers = layers(&plain);
    let mut chosen = Vec::new();
    for (index, (layer, weights)) in layers.iter().enumerate() {
        reply.progress(Progress::Layer { number: index + 1, of: layers.len() });
        let tuned = arcdoor_vision::tuning::tune(layer, *weights, winograd, &mut thread_ns);
        let tuned = tuned.map_err(Error::Layer)?;
        if tuned.best != tuned.default {
            chosen.push((*layer, tuned.best));
        }
        reply.answer(&layer_line(&tuned))?;
    }
    let tuning = Tuning::new(&chosen)?;
    let keeps_values = tuning.keeps_values(Isa::detect());
    let tuned = networks(pack, frame, &detect, &tuning)?;
    let (mut sums, networks_to_compare) = ([0.0; 2], plain.len());
    for (index, (plain, tuned)) in plain.iter().zip(&tuned).enumerate() {
        reply.progress(Progress::Network { number: index + 1, of: networks_to_compare });
        let compared = compare(plain, tuned)?;
        sums = [sums[0] + compared.before_us, sums[1] + compared.after_us];
        let [_, _, height, width] = plain.net.input_shape();
        reply.answer(&Response::TunedNetwork {
            file: plain.file.clone(),
            input: [width, height],
            before_us: compared.before_us,
            after_us: compared.after_us,
            difference: compared.difference,
        })?;
        // Without --winograd no value may change: tiles alone change none.
        let allowed = if keeps_values { 0.0 } else { TOLERANCE };
        if compared.difference.is_nan() || compared.difference > allowed {
            return Err(Error::TunedValues { file: plain.file.clone(), difference: compared.difference });
        }
    }
    reply.progress(Progress::Over);
    if sums[1] > sums[0] * LEAST_GAIN {
        chosen.clear();
    }
    let path = (!dry_run).then(|| device.home().tuning());
    if path.is_some() {
        device.keep_tuning(&Tuning::new(&chosen)?)?;
    }
    reply.answer(&Response::Tuning {
        path: path.map(Into::into),
        layers: chosen.len(),
        keeps_values: keeps_values || chosen.is_empty(),
    })?;
    Ok(Outcome::Done)
}

/// Each distinct layer once, with the most bytes of weights that a network of it reads.
fn layers(networks: &[Network]) -> BTreeMap<Layer, usize> {
    let mut layers = BTreeMap::new();
    for network in networks {
        let weights = network.net.plan_bytes().map_or(0, |[weights, _]| weights);
        for layer in network.net.steps().iter().filter_map(|step| step.layer) {
            let most = layers.entry(layer).or_insert(weights);
            *most = weights.max(*most);
        }
    }
    layers
}

/// Runs both networks in turns on the same input, and compares their times and outputs.
fn compare(plain: &Network, tuned: &Network) -> Result<Compared, Error> {
    let session = |network: &Network| network.net.session().map_err(arcdoor_vision::VisionError::from);
    let mut sessions = [session(plain)?, session(tuned)?];
    let mut times = [Vec::new(), Vec::new()];
    let start = Instant::now();
    for turn in 0..TURNS {
        if turn > 3 && start.elapsed() > PATIENCE {
            break;
        }
        for (session, times) in sessions.iter_mut().zip(&mut times) {
            fill(session);
            let start = thread_ns();
            session.run().map_err(arcdoor_vision::VisionError::from)?;
            // The first one warms the caches.
            if turn > 0 {
                times.push(thread_ns().saturating_sub(start));
            }
        }
    }
    let [before_us, after_us] = times.map(|mut times| {
        times.sort_unstable();
        times.get(times.len() / 2).map_or(0.0, |&ns| ns as f64 / 1e3)
    });
    let [plain, tuned] = &sessions;
    let mut difference = 0.0_f32;
    for index in 0..outputs(plain) {
        difference = worse(difference, apart(plain.output(index).iter().zip(tuned.output(index))));
    }
    Ok(Compared { before_us, after_us, difference })
}

fn fill(session: &mut Session) {
    session.input_mut().iter_mut().zip(noise()).for_each(|(value, noise)| *value = noise);
}

fn outputs(session: &Session) -> usize {
    (0..).take_while(|&index| !session.output(index).is_empty()).count()
}

/// CPU time of this thread: what else runs on the board does not count.
fn thread_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

fn layer_line(tuned: &Tuned) -> Response {
    let Layer { planar, input, outputs, kernel, stride, pads } = tuned.layer;
    Response::TunedLayer {
        planar,
        input,
        outputs,
        kernel,
        stride,
        pads,
        default: form(tuned.default),
        default_us: tuned.default_ns as f64 / 1e3,
        chosen: form(tuned.best),
        chosen_us: tuned.best_ns as f64 / 1e3,
    }
}

fn form(choice: Choice) -> LayerForm {
    let [planes, strip] =
        [choice.tile.planes, choice.tile.strip].map(|most| i64::try_from(most).is_ok().then_some(most));
    LayerForm {
        form: choice.form.name().to_owned(),
        pixels: choice.tile.pixels,
        blocks: choice.tile.blocks,
        planes,
        strip,
    }
}
