//! Model packs: checking and installing them.

use super::engines;
use crate::device::recognition::Recognition;
use crate::device::{Device, Outcome, Reply};
use crate::error::{Error, PACK};
use crate::home::choice::{self, Choice};
use crate::home::{pack_line, packs, tuning};
use arcdoor_api::{NetworkStep, ReEnrolment, Response, UnsupportedNode};
use arcdoor_models::Pack;
use arcdoor_vision::{check_pack_graphs, explain};
use std::path::Path;

/// Whether a pack is whole, and how its networks are run.
pub(super) fn check(
    device: &mut Device,
    dir: Option<&Path>,
    explain: bool,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let (home, settings) = (device.home(), device.settings());
    let choice = match dir {
        None => Choice::of(home, settings, settings.pack.as_deref())?,
        // The path is taken as it is, also without a manifest: its problems are what was asked for.
        Some(dir) if packs::is_path(dir) && dir.is_dir() => Choice::Folder(dir.to_owned()),
        Some(name) => Choice::of(home, settings, Some(&name.to_string_lossy()))?,
    };
    if let Some((dir, problems)) = choice.problems(settings).filter(|(_, problems)| !problems.is_empty()) {
        for problem in problems {
            reply.answer(&Response::PackProblem { dir: dir.into(), problem: problem.to_string() })?;
        }
        return Ok(Outcome::Failed(PACK));
    }
    let pack = loaded(device, &choice)?;
    check_pack_graphs(&pack)?;
    reply.answer(&whole(&pack))?;
    if explain {
        for network in networks(&pack, device)? {
            reply.answer(&network)?;
        }
    }
    Ok(Outcome::Done)
}

/// Copies a pack into the home folder. One that takes the chosen pack's place, and knows nobody who is enrolled, is taken
/// only if `sure`; whoever is not is told who would have to be enrolled again.
pub(super) fn install(
    device: &mut Device,
    from: &Path,
    older: bool,
    sure: bool,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let (people, now) = (device.people(), device.embedder());
    let (home, settings) = (device.home(), device.settings());
    let mut consent = |pack: &Pack, present: Option<&Pack>| {
        let asked = pack.model_id();
        if choice::takes_installed(home, settings, pack.name())?
            && let Some(again) = people.again(home, now, asked)
        {
            tell(again, sure, reply)?;
        }
        let Some(here) = present.map(|pack| pack.model_id()).filter(|here| *here != asked) else {
            return Ok(false);
        };
        // People who cannot be read may need it, but not for it to take the place of the pack in use.
        let is_free =
            || choice::takes_installed(home, settings, &packs::kept_name(pack.name())).map(|takes| !takes);
        people.need(here).map_or_else(is_free, Ok)
    };
    let installed = packs::install(home, settings, from, older, &mut consent)?;
    // Its graph files were compared before it got its name.
    let pack = loaded(device, &Choice::Folder(installed.dir))?;
    device.drop_pack();
    reply.answer(&whole(&pack))?;
    if let Some(name) = installed.before {
        reply.answer(&Response::PackBefore { name })?;
    }
    Ok(Outcome::Done)
}

/// Chooses an installed pack, or the one that is compiled in, in the settings; asks as [`install`] does. The gallery is left as it is.
pub(super) fn choose(
    device: &mut Device,
    name: &str,
    sure: bool,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    if packs::is_path(Path::new(name)) {
        return Err(Error::PackPath(name.to_owned()));
    }
    let pack = loaded(device, &Choice::of(device.home(), device.settings(), Some(name))?)?;
    let (people, now) = (device.people(), device.embedder());
    if let Some(again) = people.again(device.home(), now, pack.model_id()) {
        tell(again, sure, reply)?;
    }
    let before = Choice::of(device.home(), device.settings(), device.settings().pack.as_deref());
    let before = before.ok().and_then(|before| before.installed_name(device.home()));
    pack_line::choose_pack(device.home(), name)?;
    device.use_pack(name);
    reply.answer(&whole(&pack))?;
    if let Some(before) = before.filter(|before| before != name) {
        reply.answer(&Response::PackBefore { name: before })?;
    }
    Ok(Outcome::Done)
}

/// Says who would have to be enrolled again, and goes on only if `sure`.
fn tell(again: ReEnrolment, sure: bool, reply: &mut dyn Reply) -> Result<(), Error> {
    let people = again.people;
    reply.answer(&Response::OtherEmbedder { re_enrolment: again })?;
    if sure { Ok(()) } else { Err(Error::ReEnrolUnconfirmed { people }) }
}

/// Whole is not enough: the networks must load, and the calibration have what the settings ask for.
fn loaded(device: &Device, choice: &Choice) -> Result<Pack, Error> {
    let settings = device.settings();
    let pack = choice.open(settings)?;
    settings.calibration(&pack).threshold(settings.target_fmr)?;
    Recognition::open(&pack, settings, tuning::of(device.home(), &pack))?;
    Ok(pack)
}

/// What there is to know of a pack that is whole.
fn whole(pack: &Pack) -> Response {
    Response::PackWhole {
        name: pack.name().to_owned(),
        version: pack.manifest().version,
        model_id: pack.model_id().to_string(),
        dimension: pack.dimension(),
        networks: pack.manifest().nets().map(|(_, net)| [net.file.clone(), net.licence.clone()]).collect(),
        dir: pack.folder().map(Into::into),
    }
}

/// How each network of a pack is run.
fn networks(pack: &Pack, device: &Device) -> Result<Vec<Response>, Error> {
    let network = |network: explain::Explained, difference: Option<f32>| {
        let steps: Vec<NetworkStep> = network
            .steps
            .iter()
            .map(|step| NetworkStep {
                operators: step.operators.clone(),
                name: step.name.clone(),
                shape: step.shape,
                macs: step.macs,
                predicted_us: step.predicted_us,
            })
            .collect();
        Response::Network {
            file: network.file,
            input: network.input,
            engine: network.engine.name().to_owned(),
            from_graph: network.from_graph,
            unsupported: network.unsupported.map(|found| UnsupportedNode {
                operator: found.operator,
                node: found.node,
                why: found.why.to_string(),
            }),
            difference,
            macs: steps.iter().map(|step| step.macs).sum(),
            predicted_ms: steps.iter().fold(0.0, |sum, step| sum + step.predicted_us) / 1000.0,
            bytes: network.bytes,
            steps,
        }
    };
    let explained = explain::explain(pack, device.settings().engine.into())?;
    // Both in the order of the pack's networks.
    let explained = explained.into_iter().zip(pack.nets());
    explained.map(|(explained, net)| Ok(network(explained, engines::difference(net)?))).collect()
}
