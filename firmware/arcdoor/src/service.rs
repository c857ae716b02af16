//! The one service: the only one that opens pack, gallery and log, whoever asks.

use crate::annotate;
use crate::engine::Engine;
use crate::error::{Error, PACK};
use crate::home::Home;
use crate::install::install;
use crate::journal::Journal;
use crate::keys::{Keys, Opened};
use crate::log::{By, Log};
use crate::message::{MAX_PHOTOS, Pictures, Request, Response, Verdict};
use crate::probes::Probes;
use crate::run::Loop;
use crate::settings::{EngineName, Settings};
use crate::source::Frames;
use arcdoor_core::SubjectName;
use arcdoor_gallery::{Gallery, Subject};
use arcdoor_models::Pack;
use arcdoor_pipeline::Policy;
use arcdoor_vision::{DetectorKind, check_pack_graphs};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a command looks into a camera.
pub(crate) const LOOK: Duration = Duration::from_secs(20);

/// How a request ended that did not fail as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done, or every picture granted.
    Done,
    /// A picture was denied or is to be repeated.
    Refused,
    /// Some picture failed, with this exit code; the others were answered.
    Failed(u8),
}

impl Outcome {
    /// The worse of both; the first failure stays.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Failed(code), _) | (_, Self::Failed(code)) => Self::Failed(code),
            (Self::Refused, _) | (_, Self::Refused) => Self::Refused,
            (Self::Done, Self::Done) => Self::Done,
        }
    }

    const fn of(decision: Verdict) -> Self {
        match decision {
            Verdict::Granted => Self::Done,
            Verdict::Denied | Verdict::Retry => Self::Refused,
        }
    }
}

/// What the flags say over the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The pack's name or folder.
    pub pack: Option<String>,
    /// The detector.
    pub detector: Option<DetectorKind>,
    /// What runs the networks.
    pub engine: Option<EngineName>,
    /// Whether an unsigned pack is taken, whatever the settings say.
    pub allow_unsigned_pack: bool,
}

/// Who takes the answers, one by one; its error ends the request.
pub type Answer<'a> = &'a mut dyn FnMut(&Response) -> Result<(), Error>;

/// Answers requests about one home folder.
pub struct Service {
    pub(crate) home: Home,
    pub(crate) settings: Settings,
    pub(crate) journal: Journal,
}

impl Service {
    /// Reads the settings; opens nothing else yet.
    ///
    /// # Errors
    /// When the settings are wrong.
    pub fn open(home: Home, options: Options) -> Result<Self, Error> {
        let mut settings = Settings::read(&home.settings())?;
        settings.pack = options.pack.unwrap_or(settings.pack);
        settings.detector = options.detector.unwrap_or(settings.detector);
        settings.engine = options.engine.unwrap_or(settings.engine);
        settings.allow_unsigned_packs |= options.allow_unsigned_pack;
        let probes = Probes::new(home.probes(), settings.keep_probes, settings.keep_probes_h);
        let journal = Journal { log: Log::new(home.log()), probes };
        Ok(Self { home, settings, journal })
    }

    /// Answers one request.
    ///
    /// # Errors
    /// When it cannot be carried out, or an answer cannot be given.
    pub fn handle(&mut self, request: &Request, answer: Answer<'_>) -> Result<Outcome, Error> {
        if let Request::Enrol { from: Pictures::Images(files), .. }
        | Request::ReEnrol { from: Pictures::Images(files), .. }
        | Request::NotThisPerson { from: Pictures::Images(files), .. }
        | Request::Identify { from: Pictures::Images(files), .. }
        | Request::Verify { from: Pictures::Images(files), .. } = request
            && files.len() > MAX_PHOTOS
        {
            return Err(Error::TooManyPhotos(files.len()));
        }
        match request {
            Request::Enrol { name, from, duplicate } => self.enrol(name, from, *duplicate, answer),
            Request::ReEnrol { name, from, add } => self.re_enrol(name, from, *add, answer),
            Request::NotThisPerson { name, from } => self.not_this_person(name, from, answer),
            Request::ForgetImpostors { name } => self.forget_impostors(name, answer),
            Request::Log { count, of, names } => self.show_log(*count, of.as_ref(), *names, answer),
            Request::LogWrong { entry } => self.log_wrong(*entry, answer),
            Request::Identify { from, annotate } => self.identify(from, annotate.as_deref(), answer),
            Request::Verify { name, from } => self.verify(name, from, answer),
            Request::List => self.list(answer),
            Request::Show { name } => self.show(name, answer),
            Request::Revoke { name, erase } => self.revoke(name, *erase, answer),
            Request::Export { file } => self.export(file, answer),
            Request::Import { file } => self.import(file, answer),
            Request::KeyRenew => self.renew_key(answer),
            Request::ReIssue { name } => self.re_issue(name, answer),
            Request::KeyChange { to } => self.change_key(*to, answer),
            Request::SiteExport { file } => self.site_export(file, answer),
            Request::SiteInstall { file } => self.site_install(file, answer),
            Request::SiteRemove => self.site_remove(answer),
            Request::PackCheck { dir, explain } => self.pack_check(dir.as_deref(), *explain, answer),
            Request::PackInstall { dir, older } => {
                let pack = install(&self.home, &self.settings, dir, *older)?;
                // Its graph files were compared before it got its name.
                tell_whole(self.loaded(pack.dir())?.pack(), answer)?;
                Ok(Outcome::Done)
            }
            Request::Run { from, frames } => self.run(from, *frames, answer),
            Request::Tune { frame, winograd, dry_run } => self.tune(*frame, *winograd, *dry_run, answer),
            Request::Doctor => self.doctor(answer),
        }
    }

    pub(crate) fn pack_dir(&self) -> Result<PathBuf, Error> {
        self.home.pack(&self.settings.pack)
    }

    pub(crate) fn engine(&self, policy: Policy) -> Result<(Engine, Gallery), Error> {
        let engine = Engine::open(&self.pack_dir()?, &self.home, &self.settings.at(&self.home)?, policy)?;
        let gallery = self.gallery(engine.pack())?;
        self.journal.probes.sweep(unix_seconds())?;
        Ok((engine, gallery))
    }

    pub(crate) fn gallery(&self, pack: &Pack) -> Result<Gallery, Error> {
        self.home.create()?;
        Ok(Keys::of(&self.home).open(pack.model_id(), pack.dimension())?.gallery)
    }

    /// For commands that need no network. None: nobody was ever enrolled, and nothing is made.
    pub(crate) fn enrolled(&self) -> Result<Option<Opened>, Error> {
        if !self.home.gallery().exists() {
            return Ok(None);
        }
        Keys::of(&self.home).open_existing().map(Some)
    }

    fn identify(
        &self,
        from: &Pictures,
        annotate: Option<&Path>,
        answer: Answer<'_>,
    ) -> Result<Outcome, Error> {
        let (mut engine, gallery) = self.engine(Policy::still())?;
        engine.follow(&gallery)?;
        if let Some(dir) = annotate {
            std::fs::create_dir_all(dir).map_err(|source| Error::File { path: dir.to_owned(), source })?;
        }
        let mut copies = Vec::new();
        self.each_picture(&mut engine, from, answer, |service, engine, photo, answer| {
            let (seen, sight) = engine.still(&gallery)?;
            service.journal.decided(By::Identify, &sight, &gallery, engine.probe())?;
            let mut annotated = None;
            if let Some(dir) = annotate {
                let path = annotate::target(dir, Path::new(photo), &copies);
                annotate::annotate(engine.image(), &seen, &sight, &path)?;
                copies.push(path.clone());
                annotated = Some(path);
            }
            let decision = sight.decision;
            answer(&Response::Identified { photo: photo.to_owned(), sight, annotated })?;
            Ok(decision)
        })
    }

    fn verify(&self, name: &SubjectName, from: &Pictures, answer: Answer<'_>) -> Result<Outcome, Error> {
        let (mut engine, gallery) = self.engine(Policy::still())?;
        let subject = gallery.find(name).ok_or_else(|| Error::UnknownName(name.clone()))?;
        self.each_picture(&mut engine, from, answer, |service, engine, photo, answer| {
            let (_, sight) = engine.verify(&gallery, subject)?;
            service.journal.decided(By::Verify, &sight, &gallery, engine.probe())?;
            let decision = sight.decision;
            answer(&Response::Verified { photo: photo.to_owned(), sight })?;
            Ok(decision)
        })
    }

    /// Every photo by itself; of a camera, frames until one is decided.
    fn each_picture(
        &self,
        engine: &mut Engine,
        from: &Pictures,
        answer: Answer<'_>,
        mut decide: impl FnMut(&Self, &mut Engine, &str, Answer<'_>) -> Result<Verdict, Error>,
    ) -> Result<Outcome, Error> {
        let Pictures::Images(files) = from else {
            return self.until_decided(engine, from, answer, decide);
        };
        let mut outcome = Outcome::Done;
        for (index, file) in files.iter().enumerate() {
            if files.len() > 1 {
                progress(&format!("{}/{}", index + 1, files.len()));
            }
            let photo = file.display().to_string();
            let end = match engine.read(file) {
                Ok(()) => Outcome::of(decide(self, engine, &photo, answer)?),
                Err(error) => {
                    let code = error.code();
                    answer(&Response::Failed { photo, code, error: error.to_string() })?;
                    Outcome::Failed(code)
                }
            };
            outcome = outcome.and(end);
        }
        Ok(outcome)
    }

    fn until_decided(
        &self,
        engine: &mut Engine,
        from: &Pictures,
        answer: Answer<'_>,
        mut decide: impl FnMut(&Self, &mut Engine, &str, Answer<'_>) -> Result<Verdict, Error>,
    ) -> Result<Outcome, Error> {
        let mut frames = Frames::open(from, &self.settings)?;
        let start = Instant::now();
        for frame in 0_u64.. {
            if start.elapsed() > LOOK || !frames.next(engine.image())? {
                break;
            }
            let decision = decide(self, engine, &frame.to_string(), answer)?;
            if decision != Verdict::Retry {
                return Ok(Outcome::of(decision));
            }
        }
        let advice = "no face to decide about";
        Err(Error::NoView { seconds: start.elapsed().as_secs(), advice })
    }

    fn list(&self, answer: Answer<'_>) -> Result<Outcome, Error> {
        if let Some(Opened { gallery, .. }) = self.enrolled()? {
            gallery.iter().try_for_each(|subject| answer(&subject_line(subject)))?;
        }
        Ok(Outcome::Done)
    }

    fn show(&self, name: &SubjectName, answer: Answer<'_>) -> Result<Outcome, Error> {
        let opened = self.enrolled()?;
        let subject = opened.as_ref().and_then(|opened| opened.gallery.find(name));
        answer(&subject_line(subject.ok_or_else(|| Error::UnknownName(name.clone()))?))?;
        Ok(Outcome::Done)
    }

    fn pack_check(&self, dir: Option<&Path>, explain: bool, answer: Answer<'_>) -> Result<Outcome, Error> {
        let dir = match dir {
            None => self.pack_dir()?,
            // As it is, manifest or not: its problems are what was asked for.
            Some(dir) if dir.is_dir() => dir.to_owned(),
            Some(name) => self.home.pack(&name.to_string_lossy())?,
        };
        let problems = Pack::check(&dir, self.settings.pack_keys());
        for problem in &problems {
            answer(&Response::PackProblem { dir: dir.clone(), problem: problem.to_string() })?;
        }
        if !problems.is_empty() {
            return Ok(Outcome::Failed(PACK));
        }
        let engine = self.loaded(&dir)?;
        let pack = engine.pack();
        check_pack_graphs(pack)?;
        tell_whole(pack, answer)?;
        if explain {
            crate::explain::explain(pack, self.settings.engine, answer)?;
        }
        Ok(Outcome::Done)
    }

    /// Whole is not enough: the networks must load, too.
    fn loaded(&self, dir: &Path) -> Result<Engine, Error> {
        Engine::open(dir, &self.home, &self.settings, Policy::still())
    }

    fn run(&self, from: &Pictures, frames: Option<u64>, answer: Answer<'_>) -> Result<Outcome, Error> {
        let (mut engine, gallery) = self.engine(self.settings.policy)?;
        engine.follow(&gallery)?;
        let source = Frames::open(from, &self.settings)?;
        Loop::new(engine, source, &gallery, &self.journal, self.settings.policy).run(frames, answer)
    }

    fn doctor(&self, answer: Answer<'_>) -> Result<Outcome, Error> {
        let findings = crate::doctor::examine(&self.home, Ok(&self.settings), Some(&self.settings.pack));
        let mut outcome = Outcome::Done;
        for finding in findings {
            answer(&finding.response)?;
            if finding.code != 0 {
                outcome = outcome.and(Outcome::Failed(finding.code));
            }
        }
        Ok(outcome)
    }
}

fn subject_line(subject: &Subject) -> Response {
    Response::Subject {
        name: subject.name.clone(),
        subject: subject.id,
        templates: subject.templates,
        impostors: subject.impostors,
        enrolled_unix_s: subject.enrolled_unix_s,
        generation: subject.generation,
    }
}

pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A line that overwrites itself, where a person watches.
pub(crate) fn progress(text: &str) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        // A closed stderr leaves nobody to tell.
        let _ = write!(stderr, "\r\x1b[K{text}\r");
    }
}

/// What there is to know of a pack that is whole.
fn tell_whole(pack: &Pack, answer: Answer<'_>) -> Result<(), Error> {
    answer(&Response::PackWhole {
        name: pack.name().to_owned(),
        version: pack.manifest().version,
        model_id: pack.model_id().to_string(),
        dimension: pack.dimension(),
        networks: pack.manifest().nets().map(|(_, net)| [net.file.clone(), net.licence.clone()]).collect(),
        dir: pack.dir().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_photo_outweighs_all_good_ones() {
        let (done, refused, failed) = (Outcome::Done, Outcome::Refused, Outcome::Failed(3));
        assert_eq!(done.and(done), done);
        assert_eq!(done.and(refused).and(done), refused);
        assert_eq!(done.and(failed).and(refused).and(Outcome::Failed(5)), failed);
    }
}
