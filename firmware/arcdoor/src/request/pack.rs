//! Model packs: checking and installing them.

use crate::device::recognition::Recognition;
use crate::device::{Device, Outcome, Reply};
use crate::error::{Error, PACK};
use crate::home::{choice, packs, tuning};
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
    let dir = match dir {
        None => packs::find(device.home(), &device.settings().pack)?,
        // The path is taken as it is, also without a manifest: its problems are what was asked for.
        Some(dir) if packs::is_path(dir) && dir.is_dir() => dir.to_owned(),
        Some(name) => packs::find(device.home(), &name.to_string_lossy())?,
    };
    let problems = Pack::check(&dir, device.settings().pack_keys());
    for problem in &problems {
        reply.answer(&Response::PackProblem { dir: dir.as_path().into(), problem: problem.to_string() })?;
    }
    if !problems.is_empty() {
        return Ok(Outcome::Failed(PACK));
    }
    let pack = loaded(device, &dir)?;
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
        let (asked, target) = (pack.model_id(), home.packs().join(pack.name()));
        let is_chosen = settings.pack == pack.name() || Path::new(&settings.pack) == target;
        if is_chosen && let Some(again) = people.again(home, now, asked) {
            tell(again, sure, reply)?;
        }
        Ok(present.map(Pack::model_id).is_some_and(|here| here != asked && people.may_need(here)))
    };
    let installed = packs::install(home, settings, from, older, &mut consent)?;
    // Its graph files were compared before it got its name.
    let pack = loaded(device, installed.pack.dir())?;
    device.drop_pack();
    reply.answer(&whole(&pack))?;
    if let Some(name) = installed.before {
        reply.answer(&Response::PackBefore { name })?;
    }
    Ok(Outcome::Done)
}

/// Chooses an installed pack in the settings; asks as [`install`] does. The gallery is left as it is.
pub(super) fn choose(
    device: &mut Device,
    name: &str,
    sure: bool,
    reply: &mut dyn Reply,
) -> Result<Outcome, Error> {
    let dir = device.home().packs().join(name);
    if packs::is_path(Path::new(name)) {
        return Err(Error::NoPack { asked: name.to_owned(), looked: dir });
    }
    let pack = loaded(device, &packs::find(device.home(), name)?)?;
    let (people, now) = (device.people(), device.embedder());
    if let Some(again) = people.again(device.home(), now, pack.model_id()) {
        tell(again, sure, reply)?;
    }
    let before = device.settings().pack.clone();
    choice::choose_pack(device.home(), name)?;
    device.use_pack(name);
    reply.answer(&whole(&pack))?;
    let is_left = !packs::is_path(Path::new(&before)) && packs::find(device.home(), &before).is_ok();
    if before != name && is_left {
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
fn loaded(device: &Device, dir: &Path) -> Result<Pack, Error> {
    let settings = device.settings();
    let pack = settings.open_pack(dir)?;
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
        dir: pack.dir().into(),
    }
}

/// How each network of a pack is run.
fn networks(pack: &Pack, device: &Device) -> Result<Vec<Response>, Error> {
    let network = |network: explain::Explained| {
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
            macs: steps.iter().map(|step| step.macs).sum(),
            predicted_ms: steps.iter().fold(0.0, |sum, step| sum + step.predicted_us) / 1000.0,
            bytes: network.bytes,
            steps,
        }
    };
    let explained = explain::explain(pack, device.settings().engine.into())?;
    Ok(explained.into_iter().map(network).collect())
}
