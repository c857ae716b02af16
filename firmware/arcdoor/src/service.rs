//! The one service: the only one that opens pack, gallery and log, whoever asks.

use crate::annotate;
use crate::engine::Engine;
use crate::error::{Error, PACK};
use crate::home::Home;
use crate::install::install;
use crate::keys::{KeySource, Keys};
use crate::log::{Entry, Log};
use crate::message::{MAX_PHOTOS, Pictures, Request, Response, Sight, Verdict, View};
use crate::passphrase::{self, Kdf};
use crate::run::{self, Loop};
use crate::settings::{DetectorName, EngineName, Settings};
use crate::source::Frames;
use arcdoor_core::SubjectName;
use arcdoor_core::limits::MAX_TEMPLATES_PER_SUBJECT;
use arcdoor_gallery::{FileFolder, Gallery, Subject};
use arcdoor_models::Pack;
use arcdoor_pipeline::{Enrolment, Policy};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a command looks into a camera.
const LOOK: Duration = Duration::from_secs(20);
/// Views that an enrolment in front of a camera takes.
const VIEWS: usize = 5;

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
    pub detector: Option<DetectorName>,
    /// What runs the networks.
    pub engine: Option<EngineName>,
    /// Whether an unsigned pack is taken, whatever the settings say.
    pub allow_unsigned_pack: bool,
}

/// Who takes the answers, one by one; its error ends the request.
pub type Answer<'a> = &'a mut dyn FnMut(&Response) -> Result<(), Error>;

/// Answers requests about one home folder.
pub struct Service {
    home: Home,
    settings: Settings,
    log: Log,
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
        let log = Log::new(home.log());
        Ok(Self { home, settings, log })
    }

    /// Answers one request.
    ///
    /// # Errors
    /// When it cannot be carried out, or an answer cannot be given.
    pub fn handle(&mut self, request: &Request, answer: Answer<'_>) -> Result<Outcome, Error> {
        if let Request::Enrol { from: Pictures::Images(files), .. }
        | Request::Identify { from: Pictures::Images(files), .. }
        | Request::Verify { from: Pictures::Images(files), .. } = request
            && files.len() > MAX_PHOTOS
        {
            return Err(Error::TooManyPhotos(files.len()));
        }
        match request {
            Request::Enrol { name, from, duplicate } => self.enrol(name, from, *duplicate, answer),
            Request::Identify { from, annotate } => self.identify(from, annotate.as_deref(), answer),
            Request::Verify { name, from } => self.verify(name, from, answer),
            Request::List => self.list(answer),
            Request::Show { name } => self.show(name, answer),
            Request::Revoke { name, erase } => self.revoke(name, *erase, answer),
            Request::Export { file } => self.export(file, answer),
            Request::Import { file } => self.import(file, answer),
            Request::KeyChange { to } => self.change_key(*to, answer),
            Request::PackCheck { dir, explain } => self.pack_check(dir.as_deref(), *explain, answer),
            Request::PackInstall { dir } => {
                let dir = install(&self.home, &self.settings, dir)?.dir().to_owned();
                self.pack_check(Some(&dir), false, answer)
            }
            Request::Run { from, frames } => self.run(from, *frames, answer),
            Request::Doctor => self.doctor(answer),
        }
    }

    fn pack_dir(&self) -> Result<PathBuf, Error> {
        self.home.pack(&self.settings.pack)
    }

    fn engine(&self, policy: Policy) -> Result<(Engine, Gallery), Error> {
        let engine = Engine::open(&self.pack_dir()?, &self.settings, policy)?;
        let gallery = self.gallery(engine.pack())?;
        Ok((engine, gallery))
    }

    fn gallery(&self, pack: &Pack) -> Result<Gallery, Error> {
        self.home.create()?;
        Keys::of(&self.home).open(pack.model_id(), pack.dimension())
    }

    /// For commands that need no network. None: nobody was ever enrolled, and nothing is made.
    fn enrolled(&self) -> Result<Option<Gallery>, Error> {
        if !self.home.gallery().exists() {
            return Ok(None);
        }
        Keys::of(&self.home).open_existing().map(Some)
    }

    fn enrol(
        &self,
        name: &SubjectName,
        from: &Pictures,
        duplicate: bool,
        answer: Answer<'_>,
    ) -> Result<Outcome, Error> {
        let (mut engine, mut gallery) = self.engine(Policy::still())?;
        // Before anybody looks into the camera for nothing.
        if gallery.find(name).is_some() {
            return Err(arcdoor_gallery::GalleryError::NameTaken(name.clone()).into());
        }
        let mut enrolment = Enrolment::new();
        let views = match from {
            Pictures::Images(files) => {
                // Refused before the work, not after it.
                if files.len() > MAX_TEMPLATES_PER_SUBJECT {
                    return Err(arcdoor_gallery::GalleryError::TooManyTemplates(files.len()).into());
                }
                offer_photos(&mut engine, &mut enrolment, files)?
            }
            Pictures::Camera(_) | Pictures::Replay(_) => {
                self.offer_frames(&mut engine, &mut enrolment, from)?
            }
        };
        let templates = Engine::finish(enrolment);
        if !duplicate && let Some(known) = engine.known(&gallery, &templates)? {
            return Err(Error::Duplicate(known.name.clone()));
        }
        let mut subject = None;
        if !templates.is_empty() {
            let id = gallery.enrol(name, &templates, unix_seconds())?;
            subject = Some(id);
            self.log.append(&Entry::Enrolled { subject: id, templates: templates.len() })?;
        }
        let count = templates.len();
        answer(&Response::Enrolled { name: name.clone(), subject, templates: count, views })?;
        Ok(if subject.is_some() { Outcome::Done } else { Outcome::Refused })
    }

    fn offer_frames(
        &self,
        engine: &mut Engine,
        enrolment: &mut Enrolment,
        from: &Pictures,
    ) -> Result<Vec<View>, Error> {
        let mut frames = Frames::open(from, &self.settings)?;
        let (start, mut views, mut taken) = (Instant::now(), Vec::new(), 0);
        let mut advice = "no frame came";
        for frame in 0_u64.. {
            if taken == VIEWS || start.elapsed() > LOOK || !frames.next(engine.image())? {
                break;
            }
            let reason = engine.offer(enrolment)?;
            let text = reason.map_or("good", |reason| reason.text());
            if text != advice {
                advice = text;
                progress(&format!("{taken}/{VIEWS} views: {advice}"));
            }
            if reason.is_none() {
                taken += 1;
                views.push(View { photo: frame.to_string(), reason });
            }
        }
        if taken == 0 {
            return Err(Error::NoView { seconds: start.elapsed().as_secs(), advice });
        }
        Ok(views)
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
            service.note("identify", &sight)?;
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
            service.note("verify", &sight)?;
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

    fn note(&self, by: &'static str, sight: &Sight) -> Result<(), Error> {
        self.log.append(&run::entry(by, sight))
    }

    fn list(&self, answer: Answer<'_>) -> Result<Outcome, Error> {
        if let Some(gallery) = self.enrolled()? {
            gallery.iter().try_for_each(|subject| answer(&subject_line(subject)))?;
        }
        Ok(Outcome::Done)
    }

    fn show(&self, name: &SubjectName, answer: Answer<'_>) -> Result<Outcome, Error> {
        let gallery = self.enrolled()?;
        let subject = gallery.as_ref().and_then(|gallery| gallery.find(name));
        answer(&subject_line(subject.ok_or_else(|| Error::UnknownName(name.clone()))?))?;
        Ok(Outcome::Done)
    }

    fn revoke(&self, name: &SubjectName, erase: bool, answer: Answer<'_>) -> Result<Outcome, Error> {
        let unknown = || Error::UnknownName(name.clone());
        // Asked before the gallery is open, since its file is then held.
        let source = Keys::of(&self.home).source()?.unwrap_or(KeySource::File);
        let mut gallery = self.enrolled()?.ok_or_else(unknown)?;
        let id = gallery.find(name).ok_or_else(unknown)?.id;
        let Subject { id, name, templates, .. } = gallery.revoke(id)?;
        self.log.append(&Entry::Revoked { subject: id })?;
        let mut remains = vec![format!("the log keeps what subject {id} did, without the name")];
        if erase {
            Keys::of(&self.home).change(gallery, source)?;
            remains.push(
                "flash memory may keep overwritten blocks for a while, sealed under a key that is gone"
                    .to_owned(),
            );
            if source == KeySource::Credential {
                remains.push("the credential is as before: give arcdoor a new one, too".to_owned());
            }
        } else {
            remains.push("the gallery's free pages keep sealed templates until --erase".to_owned());
        }
        remains.push("files made by `arcdoor export` keep the subject until you delete them".to_owned());
        answer(&Response::Revoked { name, subject: id, templates, erased: erase, remains })?;
        Ok(Outcome::Done)
    }

    fn export(&self, file: &Path, answer: Answer<'_>) -> Result<Outcome, Error> {
        let gallery = self.enrolled()?.ok_or(Error::NobodyEnrolled)?;
        if file.exists() {
            return Err(Error::Exists(file.to_owned()));
        }
        let kdf = Kdf::fresh()?;
        let key = kdf.key(&passphrase::ask_new()?)?;
        gallery.export(file, &key, &kdf.to_hint())?;
        self.log.append(&Entry::Exported { subjects: gallery.len() })?;
        answer(&Response::Exported { file: file.to_owned(), subjects: gallery.len() })?;
        Ok(Outcome::Done)
    }

    fn import(&self, file: &Path, answer: Answer<'_>) -> Result<Outcome, Error> {
        let pack = self.settings.open_pack(&self.pack_dir()?)?;
        let (folder, name) = FileFolder::split(file)?;
        let kdf = Kdf::from_hint(&Gallery::hint(&folder, name)?)?;
        let key = kdf.key(&passphrase::ask("Passphrase of the exported file")?)?;
        let other = Gallery::open(file, &key, pack.model_id(), pack.dimension())?;
        let mut gallery = self.gallery(&pack)?;
        let before = gallery.len();
        let skipped = gallery.import(&other)?;
        let subjects = gallery.len() - before;
        self.log.append(&Entry::Imported { subjects })?;
        answer(&Response::Imported { subjects, skipped })?;
        Ok(Outcome::Done)
    }

    fn change_key(&self, to: KeySource, answer: Answer<'_>) -> Result<Outcome, Error> {
        let gallery = self.enrolled()?.ok_or(Error::NobodyEnrolled)?;
        Keys::of(&self.home).change(gallery, to)?;
        self.log.append(&Entry::KeyChanged { source: to })?;
        answer(&Response::KeyChanged { source: to, text: to.text().to_owned() })?;
        Ok(Outcome::Done)
    }

    fn pack_check(&self, dir: Option<&Path>, explain: bool, answer: Answer<'_>) -> Result<Outcome, Error> {
        let dir = dir.map_or_else(|| self.pack_dir(), |dir| Ok(dir.to_owned()))?;
        let problems = Pack::check(&dir, self.settings.pack_keys());
        for problem in &problems {
            answer(&Response::PackProblem { dir: dir.clone(), problem: problem.to_string() })?;
        }
        if !problems.is_empty() {
            return Ok(Outcome::Failed(PACK));
        }
        // Whole is not enough: the networks must load, too.
        let engine = Engine::open(&dir, &self.settings, Policy::still())?;
        let pack = engine.pack();
        answer(&Response::PackWhole {
            name: pack.name().to_owned(),
            model_id: pack.model_id().to_string(),
            dimension: pack.dimension(),
            networks: pack
                .manifest()
                .nets()
                .map(|(_, net)| [net.file.clone(), net.licence.clone()])
                .collect(),
            dir,
        })?;
        if explain {
            crate::explain::explain(pack, self.settings.engine, answer)?;
        }
        Ok(Outcome::Done)
    }

    fn run(&self, from: &Pictures, frames: Option<u64>, answer: Answer<'_>) -> Result<Outcome, Error> {
        let (mut engine, gallery) = self.engine(self.settings.policy)?;
        engine.follow(&gallery)?;
        let source = Frames::open(from, &self.settings)?;
        Loop::new(engine, source, &gallery, &self.log, self.settings.policy).run(frames, answer)
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

fn offer_photos(
    engine: &mut Engine,
    enrolment: &mut Enrolment,
    files: &[PathBuf],
) -> Result<Vec<View>, Error> {
    let mut views = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        if files.len() > 1 {
            progress(&format!("{}/{}", index + 1, files.len()));
        }
        engine.read(file)?;
        views.push(View { photo: file.display().to_string(), reason: engine.offer(enrolment)? });
    }
    Ok(views)
}

fn subject_line(subject: &Subject) -> Response {
    Response::Subject {
        name: subject.name.clone(),
        subject: subject.id,
        templates: subject.templates,
        enrolled_unix_s: subject.enrolled_unix_s,
    }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A line that overwrites itself, where a person watches.
fn progress(text: &str) {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        // A closed stderr leaves nobody to tell.
        let _ = write!(stderr, "\r\x1b[K{text}\r");
    }
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
