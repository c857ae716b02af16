//! The device: the only owner of pack, recognition, gallery and journal.

use super::journal::Journal;
use super::people::{Enrolled, People};
use super::recognition::Recognition;
use super::thresholds::{identify_point, thresholds, verify_point};
use crate::error::Error;
use crate::home::choice::Choice;
use crate::home::file::sweep_parts;
use crate::home::keys::{Keys, Opened};
use crate::home::lock::HomeLock;
use crate::home::lockout::Lockout;
use crate::home::passphrase::Passphrase;
use crate::home::settings::{EngineName, GoneKey, Settings};
use crate::home::tally::Tally;
use crate::home::tuning::TuningProblem;
use crate::home::{Home, tuning};
use arcdoor_api::{Act, Entry, KeySource, OperatingPoint, UtcTime};
use arcdoor_core::{Millis, ModelId, SubjectId};
use arcdoor_gallery::{FileFolder, Gallery, GalleryError};
use arcdoor_models::{AboutPack, Pack};
use arcdoor_pipeline::{Policy, Rules, Thresholds};
use arcdoor_vision::DetectorKind;
use arcdoor_vision::tuning::Tuning;

/// What the flags say over the settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The pack's name or folder.
    pub pack: Option<String>,
    /// Which detector looks for faces.
    pub detector: Option<DetectorKind>,
    /// What runs the networks.
    pub engine: Option<EngineName>,
    /// Whether an unsigned pack is taken, whatever the settings say.
    pub allow_unsigned_pack: bool,
    /// The weakest source that the gallery's key may come from, whatever the home says.
    pub key_source: Option<KeySource>,
}

impl Options {
    /// The settings with these flags over them.
    #[must_use]
    pub fn over(self, mut settings: Settings) -> Settings {
        settings.pack = self.pack.or(settings.pack);
        settings.detector = self.detector.unwrap_or(settings.detector);
        settings.engine = self.engine.unwrap_or(settings.engine);
        settings.allow_unsigned_packs |= self.allow_unsigned_pack;
        settings
    }
}

/// One device: a home folder, held for as long as it lives, and what is open of it. Pack, recognition and gallery are
/// opened when the first request needs them, and stay open as long as the device lives.
pub struct Device {
    home: Home,
    hold: HomeLock,
    settings: Settings,
    key_source: Option<KeySource>,
    gone_keys: Vec<&'static GoneKey>,
    passphrase: Option<Passphrase>,
    pack: Option<ChosenPack>,
    recognition: Option<Recognition>,
    /// What recognition goes on with when it is loaded anew.
    lockout: Lockout,
    gallery: Option<Opened>,
    /// The thresholds, and the number of templates that they were computed for.
    thresholds: Option<(usize, Thresholds)>,
    journal: Journal,
}

/// Everything that a decision needs, at once.
pub struct Work<'a> {
    /// Looks at images.
    pub recognition: &'a mut Recognition,
    /// Who is enrolled.
    pub gallery: &'a mut Gallery,
    /// Where decisions are noted.
    pub journal: &'a mut Journal,
    /// What decisions are held against, for the gallery as it is now.
    pub rules: Rules,
}

impl Device {
    /// The device of `home`, which `hold` holds, with `options` over its settings; opens nothing else yet. Where it may
    /// only be read, nothing in it is written, whatever is asked. `passphrase` opens a gallery that is sealed with one
    /// ([`Device::needs_passphrase`]).
    ///
    /// # Errors
    /// When the settings are wrong, or what a killed process left cannot be removed.
    pub fn open(
        home: Home,
        hold: HomeLock,
        options: Options,
        passphrase: Option<Passphrase>,
    ) -> Result<Self, Error> {
        let (settings, gone_keys) = Settings::read(&home.settings())?;
        if hold.may_write() {
            sweep_parts(home.dir())?;
        }
        let key_source = options.key_source;
        let mut device = Self::with(home, hold, options.over(settings), passphrase);
        (device.gone_keys, device.key_source) = (gone_keys, key_source);
        Ok(device)
    }

    /// As [`Device::open`], with these settings instead of those of the file.
    #[must_use]
    pub fn with(home: Home, hold: HomeLock, settings: Settings, passphrase: Option<Passphrase>) -> Self {
        Self {
            journal: Journal::new(&home, &settings),
            lockout: Lockout::read(&home),
            home,
            hold,
            settings,
            key_source: None,
            gone_keys: Vec::new(),
            passphrase,
            pack: None,
            recognition: None,
            gallery: None,
            thresholds: None,
        }
    }

    /// Whether the gallery of `home` opens with a passphrase alone.
    ///
    /// # Errors
    /// When the gallery cannot be looked at.
    pub fn needs_passphrase(home: &Home) -> Result<bool, Error> {
        let keys = Keys::new(FileFolder::new(home.dir()), home.dir());
        Ok(keys.source()? == Some(KeySource::Passphrase))
    }

    /// The keys to the gallery.
    ///
    /// # Errors
    /// When the home's word on their source cannot be read.
    pub fn keys(&self) -> Result<Keys<FileFolder>, Error> {
        keys(&self.home, self.key_source, &self.hold)
    }

    /// The folder of all state.
    #[must_use]
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// Whether anything in it may be written.
    #[must_use]
    pub const fn may_write(&self) -> bool {
        self.hold.may_write()
    }

    /// What the installer chose, with the flags over it.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Keys of the settings that have no effect any more.
    #[must_use]
    pub fn gone_keys(&self) -> &[&'static GoneKey] {
        &self.gone_keys
    }

    /// The log and the probes.
    pub const fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Notes an operator's act in the log, durably; returns the number of its entry.
    ///
    /// # Errors
    /// When the log cannot be written.
    pub fn note(&mut self, entry: &Entry, at: UtcTime) -> Result<u64, Error> {
        let gallery = self.gallery.as_ref().and_then(|opened| opened.gallery.id());
        self.journal.note(entry, at, gallery)
    }

    /// Does an operator's act whose beginning is safely in the log before it takes effect. What it did is the caller's to
    /// note; that it failed is noted here.
    ///
    /// # Errors
    /// When the log cannot be written, and nothing was done then; when `work` fails.
    pub fn act<T>(
        &mut self,
        act: Act,
        subject: Option<SubjectId>,
        at: UtcTime,
        work: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let began = self.note(&Entry::Began { act, subject }, at)?;
        let done = work(self);
        if done.is_err() {
            // The first error is the one to report.
            let _ = self.note(&Entry::Failed { began }, at);
        }
        done
    }

    /// What was counted since the rate of wrong grants was promised.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn tally(&mut self) -> Result<Tally, Error> {
        let log = self.journal.folder()?;
        Tally::count(&self.home, &self.settings, &log)
    }

    /// What the chosen pack, which is verified, says about itself.
    ///
    /// # Errors
    /// When there is none, or it is refused.
    pub fn pack(&mut self) -> Result<&AboutPack, Error> {
        chosen(&mut self.pack, &self.home, &self.settings)
    }

    /// The chosen pack with its networks, read and verified anew.
    ///
    /// # Errors
    /// As [`Device::pack`].
    pub fn networks(&self) -> Result<Pack, Error> {
        open_pack(&self.home, &self.settings)
    }

    /// The gallery, made empty where there is none.
    ///
    /// # Errors
    /// When it is of another embedder than the pack, its key is missing, or it refuses.
    pub fn gallery(&mut self) -> Result<&mut Gallery, Error> {
        let pack = chosen(&mut self.pack, &self.home, &self.settings)?;
        let keys = || keys(&self.home, self.key_source, &self.hold);
        open_gallery(&mut self.gallery, &self.home, keys, pack, self.passphrase.as_ref())
    }

    /// Who is enrolled, whatever the embedder, as far as it can be read; nothing is written, and nothing stays open that
    /// was not.
    pub fn people(&mut self) -> People {
        if let Some(opened) = &self.gallery {
            return People::of(&opened.gallery);
        }
        if !self.home.gallery().exists() {
            return People::Nobody;
        }
        let read = || keys(&self.home, self.key_source, &self.hold).map(Keys::only_looking);
        match read().and_then(|mut keys| keys.open_existing(self.passphrase.as_ref())) {
            Ok(opened) => People::of(&opened.gallery),
            Err(error) => People::Sealed(error.to_string()),
        }
    }

    /// The embedder of the chosen pack, where that can be opened.
    pub fn embedder(&mut self) -> Option<ModelId> {
        self.pack().ok().map(AboutPack::model_id)
    }

    /// Takes another pack from now on; its name is in the settings already.
    pub fn use_pack(&mut self, name: &str) {
        self.settings.pack = Some(name.to_owned());
        self.drop_pack();
    }

    /// The gallery and where its key comes from, whatever its embedder: for what needs no pack. `None`: nobody was
    /// ever enrolled, and nothing is made.
    ///
    /// # Errors
    /// When its key is missing, or it refuses.
    pub fn enrolled(&mut self) -> Result<Option<&mut Opened>, Error> {
        self.opened(|keys| keys)
    }

    /// As [`Device::enrolled`], with a key from any source: for the change of the key.
    ///
    /// # Errors
    /// As [`Device::enrolled`].
    pub fn enrolled_by_any_key(&mut self) -> Result<Option<&mut Opened>, Error> {
        self.opened(Keys::from_any_source)
    }

    fn opened(
        &mut self,
        which: impl FnOnce(Keys<FileFolder>) -> Keys<FileFolder>,
    ) -> Result<Option<&mut Opened>, Error> {
        if self.gallery.is_none() && !self.home.gallery().exists() {
            return Ok(None);
        }
        let open = || {
            let keys = keys(&self.home, self.key_source, &self.hold)?;
            which(keys).open_existing(self.passphrase.as_ref())
        };
        open_once(&mut self.gallery, open).map(Some)
    }

    /// Why bytes of an earlier gallery or key may be left on the disk: removed, and not overwritten.
    #[must_use]
    pub fn left(&self) -> Option<String> {
        let left = self.gallery.as_ref()?.left()?;
        let source = std::error::Error::source(left).map_or_else(String::new, |why| format!(": {why}"));
        Some(format!("{left}{source}"))
    }

    /// Seals the gallery anew. Where that fails, whoever needs the gallery next opens it again.
    ///
    /// # Errors
    /// When there is no gallery, or `work` fails.
    pub fn reseal(
        &mut self,
        work: impl FnOnce(&mut Keys<FileFolder>, Opened) -> Result<Opened, Error>,
    ) -> Result<(), Error> {
        self.enrolled()?;
        let mut keys = self.keys()?;
        let opened = work(&mut keys, self.gallery.take().ok_or(Error::NobodyEnrolled)?)?;
        // The passphrase that opens it from now on.
        self.passphrase = opened.passphrase().cloned();
        self.gallery = Some(opened);
        Ok(())
    }

    /// Recognition by the chosen pack.
    ///
    /// # Errors
    /// When the pack is refused, or a network cannot be loaded.
    pub fn recognition(&mut self) -> Result<&mut Recognition, Error> {
        let (home, settings, pack) = (&self.home, &self.settings, &mut self.pack);
        let lockout = &self.lockout;
        open_once(&mut self.recognition, || load(pack, home, settings, lockout))
    }

    /// Everything that a decision needs. `policy`: how many frames must agree.
    ///
    /// # Errors
    /// When pack or gallery is refused, or the pack has no threshold for the settings' targets.
    pub fn work(&mut self, policy: Policy) -> Result<Work<'_>, Error> {
        let (home, settings, pack) = (&self.home, &self.settings, &mut self.pack);
        let lockout = &self.lockout;
        let recognition = open_once(&mut self.recognition, || load(pack, home, settings, lockout))?;
        let pack = chosen(pack, home, settings)?;
        let keys = || keys(home, self.key_source, &self.hold);
        let gallery = open_gallery(&mut self.gallery, home, keys, pack, self.passphrase.as_ref())?;
        let templates = gallery.templates();
        let thresholds = match self.thresholds {
            Some((of, thresholds)) if of == templates => thresholds,
            _ => thresholds(&settings.calibration(pack), settings, templates)?,
        };
        self.thresholds = Some((templates, thresholds));
        Ok(Work { recognition, gallery, journal: &mut self.journal, rules: Rules { thresholds, policy } })
    }

    /// What the threshold of a search means, or of this claim, for the gallery as it is now.
    ///
    /// # Errors
    /// When pack or gallery is refused, or the pack has no threshold for the settings' targets.
    pub fn operating_point(&mut self, claim: Option<SubjectId>) -> Result<OperatingPoint, Error> {
        let gallery = self.gallery()?;
        let templates = match claim {
            Some(subject) => gallery.subject(subject).map_or(0, |subject| subject.templates),
            None => gallery.templates(),
        };
        let pack = chosen(&mut self.pack, &self.home, &self.settings)?;
        let calibration = self.settings.calibration(pack);
        Ok(match claim {
            Some(_) => verify_point(&calibration, &self.settings, templates),
            None => identify_point(&calibration, &self.settings, templates)?,
        })
    }

    /// Tiles that were measured here for the chosen pack.
    ///
    /// # Errors
    /// When the pack is refused. The inner result says why a file of tiles is left aside.
    pub fn tuning(&mut self) -> Result<Result<Option<Tuning>, TuningProblem>, Error> {
        let pack = chosen(&mut self.pack, &self.home, &self.settings)?;
        Ok(tuning::read(&self.home, pack))
    }

    /// Keeps tiles that were measured for the chosen pack; recognition takes them when it is loaded next.
    ///
    /// # Errors
    /// When the pack is refused, or the file cannot be written.
    pub fn keep_tuning(&mut self, tiles: &Tuning) -> Result<(), Error> {
        let pack = chosen(&mut self.pack, &self.home, &self.settings)?;
        tuning::write(&self.home, pack, tiles)
    }

    /// Throws recognition away, with all that it remembers but a lockout and the denials that lead to one; the next
    /// decision loads it anew.
    pub fn drop_recognition(&mut self) {
        // A lockout that cannot be written holds until the next restart.
        let _ = self.keep_lockout();
        // The pack is read anew for it, and may be another by then.
        (self.recognition, self.thresholds) = (None, None);
    }

    /// Forgets all earlier frames, but for a lockout and the denials that lead to one.
    pub fn forget_frames(&mut self, now: Millis) {
        if let Some(recognition) = &mut self.recognition {
            recognition.forget(now);
        }
    }

    /// Keeps the lockout, and the denials that lead to one, in the home, for the next start.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_lockout(&mut self) -> Result<(), Error> {
        match &self.recognition {
            Some(recognition) => self.lockout.keep(recognition.lockout()),
            None => Ok(()),
        }
    }

    /// Closes all that is open; whoever needs it next opens it again.
    pub fn close(&mut self) {
        self.drop_pack();
        self.gallery = None;
    }

    /// Throws pack and recognition away: another pack was installed, and whoever needs it next opens it.
    pub fn drop_pack(&mut self) {
        self.drop_recognition();
        self.pack = None;
    }
}

/// What `slot` holds; where it holds nothing, `open` fills it first.
fn open_once<T>(slot: &mut Option<T>, open: impl FnOnce() -> Result<T, Error>) -> Result<&mut T, Error> {
    let value = match slot.take() {
        Some(value) => value,
        None => open()?,
    };
    Ok(slot.insert(value))
}

/// The chosen pack while it is open: with the bytes of its networks until recognition is loaded from them.
enum ChosenPack {
    Whole(Pack),
    Loaded(AboutPack),
}

/// What the chosen pack says about itself; it is opened where it is not open.
fn chosen<'a>(
    slot: &'a mut Option<ChosenPack>,
    home: &Home,
    settings: &Settings,
) -> Result<&'a AboutPack, Error> {
    Ok(match open_once(slot, || open_pack(home, settings).map(ChosenPack::Whole))? {
        ChosenPack::Whole(pack) => pack,
        ChosenPack::Loaded(about) => about,
    })
}

/// Recognition by the chosen pack, whose networks' bytes are let go.
fn load(
    slot: &mut Option<ChosenPack>,
    home: &Home,
    settings: &Settings,
    lockout: &Lockout,
) -> Result<Recognition, Error> {
    let pack = match slot.take() {
        Some(ChosenPack::Whole(pack)) => pack,
        Some(ChosenPack::Loaded(_)) | None => open_pack(home, settings)?,
    };
    let recognition = Recognition::open(&pack, settings, tuning::of(home, &pack))?;
    *slot = Some(ChosenPack::Loaded(pack.into_about()));
    Ok(recognition.resuming(lockout.state().clone()))
}

fn open_pack(home: &Home, settings: &Settings) -> Result<Pack, Error> {
    Choice::of(home, settings, settings.pack.as_deref())?.open(settings)
}

/// The keys to the gallery of a home that is held so.
fn keys(home: &Home, key_source: Option<KeySource>, hold: &HomeLock) -> Result<Keys<FileFolder>, Error> {
    let keys = Keys::of(home, key_source)?;
    Ok(if hold.may_write() { keys } else { keys.only_looking() })
}

/// A gallery that is open already may be another embedder's: it was opened without a pack.
fn open_gallery<'a>(
    slot: &'a mut Option<Opened>,
    home: &Home,
    keys: impl Fn() -> Result<Keys<FileFolder>, Error>,
    pack: &AboutPack,
    passphrase: Option<&Passphrase>,
) -> Result<&'a mut Gallery, Error> {
    let (asked, dimension) = (pack.model_id(), pack.dimension());
    let refused = |gallery: &Gallery| Error::OtherEmbedder {
        of: Box::new(Enrolled::of(gallery).again(home, asked)),
        gallery: home.gallery(),
    };
    let opened = match open_once(slot, || keys()?.open(asked, dimension, passphrase)) {
        // Opened once more, only to say whose templates they are.
        Err(Error::Gallery(GalleryError::OtherModel { .. })) => {
            return Err(refused(&keys()?.only_looking().open_existing(passphrase)?.gallery));
        }
        opened => opened?,
    };
    if opened.gallery.model_id() != asked {
        return Err(refused(&opened.gallery));
    }
    Ok(&mut opened.gallery)
}
