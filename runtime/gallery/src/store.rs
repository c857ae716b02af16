//! The redb tables. Each public change is one durable transaction.

use crate::disk::{Backend, Disk};
use crate::error::GalleryError;
use crate::format_4::{self, Issues};
use crate::key::{Derived, GalleryKey, SALT_BYTES, fill_random};
use crate::record::{
    FORMAT, FORMAT_3, FORMAT_4, Header, Kind, Meta, SubjectRecord, damaged, open_template, seal_template,
};
use crate::sealer::Sealer;
use arcdoor_core::limits::{MAX_DIMENSION, MAX_TEMPLATES_PER_SUBJECT};
use arcdoor_core::{GalleryId, SubjectId, Template};
use redb::{Builder, Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;
use zeroize::Zeroizing;

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const HEADER_KEY: &str = "header";
const META_KEY: &str = "gallery";
/// Open beside the header: how to come by the key, such as a password hash's salt.
const HINT_KEY: &str = "hint";
/// Open: which gallery it is, whatever its key.
const ID_KEY: &str = "id";
const SUBJECTS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("subjects");
const TEMPLATES: Templates = TableDefinition::new("templates");
const IMPOSTORS: Templates = TableDefinition::new("impostors");

/// redb's page cache; the templates themselves are held by the matcher.
const CACHE_BYTES: usize = 4 << 20;
/// The progress that redb (4.6) reports when the newest commit is damaged and it tries the commit before: 0.3. Other
/// steps of a repair report 0, 0.6 and 0.9.
const FALLEN_BACK: std::ops::Range<f64> = 0.2..0.5;
/// What every redb file begins with.
const MAGIC: &[u8; 9] = b"redb\x1a\x0a\xa9\x0d\x0a";

/// Templates by subject and index.
type Templates = TableDefinition<'static, (u32, u16), &'static [u8]>;

impl Kind {
    const fn table(self) -> Templates {
        match self {
            Self::Own => TEMPLATES,
            Self::Impostor => IMPOSTORS,
        }
    }
}

/// Rotated templates of one subject, from an index on.
#[derive(Clone, Copy, Default)]
pub(crate) struct Part<'a> {
    pub(crate) first: u16,
    pub(crate) templates: &'a [Template],
}

/// A subject as it is written.
pub(crate) struct Entry<'a> {
    pub(crate) id: SubjectId,
    pub(crate) record: SubjectRecord,
    pub(crate) own: Part<'a>,
    pub(crate) impostors: Part<'a>,
}

pub(crate) struct Store {
    database: Database,
    sealer: Sealer,
    id: OnceLock<GalleryId>,
}

/// Sealed records by their places, as they are written.
#[derive(Default)]
struct Sealed {
    subjects: Vec<(u32, Vec<u8>)>,
    templates: Vec<(Kind, (u32, u16), Vec<u8>)>,
}

impl Sealed {
    fn insert(&self, transaction: &redb::WriteTransaction) -> Result<(), redb::Error> {
        let mut table = transaction.open_table(SUBJECTS)?;
        for (id, bytes) in &self.subjects {
            table.insert(id, bytes.as_slice())?;
        }
        let mut own = transaction.open_table(TEMPLATES)?;
        let mut impostors = transaction.open_table(IMPOSTORS)?;
        for (kind, place, bytes) in &self.templates {
            let table = if *kind == Kind::Own { &mut own } else { &mut impostors };
            table.insert(place, bytes.as_slice())?;
        }
        Ok(())
    }
}

type Change<'a> = dyn Fn(&redb::WriteTransaction) -> Result<(), redb::Error> + 'a;

impl Store {
    /// Opens what `disk` holds; an empty disk becomes an empty gallery of `fresh`, where there is one, and a
    /// gallery of an earlier format becomes one of the present. With the store comes what else follows from the key.
    pub(crate) fn open(
        disk: impl Disk,
        fresh: Option<&Meta>,
        key: &GalleryKey,
        hint: &[u8],
    ) -> Result<(Self, Derived), GalleryError> {
        let database = database(disk)?;
        if guarded("opening", || Ok(database.begin_read()?.list_tables()?.next().is_none()))? {
            begin(&database, fresh.ok_or(GalleryError::NotAGallery)?, key, hint)?;
        }
        let header = Header::parse(&read_meta(&database, HEADER_KEY)?)?;
        let derived = key.derive(&header.salt);
        if derived.check != header.check {
            return Err(GalleryError::OtherKey);
        }
        let id = match find_meta(&database, ID_KEY)? {
            Some(bytes) => {
                OnceLock::from(GalleryId::new(bytes[..].try_into().map_err(|_| damaged("its id"))?))
            }
            None => OnceLock::new(),
        };
        let store = Self { database, sealer: Sealer::new(&derived.records), id };
        match header.format {
            FORMAT_3 => store.leave_format_3(header)?,
            FORMAT_4 => store.leave_format_4(header, &Issues::new(key.issues(&header.salt)))?,
            _ => {}
        }
        Ok((store, derived))
    }

    pub(crate) fn meta(&self) -> Result<Meta, GalleryError> {
        Meta::open(&self.sealer, &read_meta(&self.database, META_KEY)?)
    }

    /// Which gallery it is; none before anybody was written to it, and in one from before galleries had an id.
    pub(crate) fn id(&self) -> Option<GalleryId> {
        self.id.get().copied()
    }

    /// Makes it a copy of the gallery `id`: the next change writes that id.
    pub(crate) fn become_copy_of(&self, id: GalleryId) {
        // A gallery that has an id already keeps it.
        let _ = self.id.set(id);
    }

    /// Every subject, by id.
    pub(crate) fn subjects(&self) -> Result<Vec<(SubjectId, SubjectRecord)>, GalleryError> {
        let mut subjects = Vec::new();
        self.each_subject(|id, bytes| {
            subjects.push((id, SubjectRecord::open(&self.sealer, id, bytes)?));
            Ok(())
        })?;
        Ok(subjects)
    }

    /// Hands every template of this kind, or only those of one subject, to `each`, by id and index, under the
    /// gallery's rotation, and with its allowance where that is known.
    pub(crate) fn templates(
        &self,
        kind: Kind,
        only: Option<SubjectId>,
        dimension: usize,
        mut each: impl FnMut(SubjectId, u16, &[f32], Option<f32>) -> Result<(), GalleryError>,
    ) -> Result<(), GalleryError> {
        let mut buffer = Zeroizing::new([0.0; MAX_DIMENSION]);
        let values = buffer.get_mut(..dimension).ok_or(GalleryError::Dimension(dimension))?;
        self.each_template(kind, only, |id, index, bytes| {
            let allowance = open_template(&self.sealer, kind, id, index, bytes, values)?;
            each(id, index, values, allowance)
        })
    }

    /// Hands every subject's sealed record to `each`.
    fn each_subject(
        &self,
        mut each: impl FnMut(SubjectId, &[u8]) -> Result<(), GalleryError>,
    ) -> Result<(), GalleryError> {
        let mut outcome = Ok(());
        guarded("reading", || {
            for entry in self.database.begin_read()?.open_table(SUBJECTS)?.iter()? {
                let (id, bytes) = entry?;
                outcome = each(SubjectId(id.value()), bytes.value());
                if outcome.is_err() {
                    break;
                }
            }
            Ok(())
        })?;
        outcome
    }

    /// Hands every template of this kind, or only those of one subject, to `each` as it is sealed.
    fn each_template(
        &self,
        kind: Kind,
        only: Option<SubjectId>,
        mut each: impl FnMut(SubjectId, u16, &[u8]) -> Result<(), GalleryError>,
    ) -> Result<(), GalleryError> {
        let mut outcome = Ok(());
        let (first, last) = only.map_or((0, u32::MAX), |id| (id.0, id.0));
        guarded("reading", || {
            let table = self.database.begin_read()?.open_table(kind.table())?;
            for entry in table.range((first, 0)..=(last, u16::MAX))? {
                let (key, bytes) = entry?;
                let (id, index) = key.value();
                outcome = each(SubjectId(id), index, bytes.value());
                if outcome.is_err() {
                    break;
                }
            }
            Ok(())
        })?;
        outcome
    }

    /// Names the present format, in which records without an allowance are read as they are: an earlier arcdoor would take
    /// those that come for damaged.
    fn leave_format_3(&self, header: Header) -> Result<(), GalleryError> {
        let header = Header { format: FORMAT, ..header }.to_bytes();
        guarded("writing", || {
            transact(&self.database, &|transaction| {
                transaction.open_table(META)?.insert(HEADER_KEY, header.as_slice())?;
                Ok(())
            })
        })
    }

    /// Takes every subject's own transform off and writes the gallery in the present format, all in one change: a
    /// power cut leaves one format or the other.
    fn leave_format_4(&self, header: Header, issues: &Issues) -> Result<(), GalleryError> {
        let dimension = self.meta()?.dimension as usize;
        let mut buffer = Zeroizing::new([0.0; MAX_DIMENSION]);
        let values = buffer.get_mut(..dimension).ok_or(GalleryError::Dimension(dimension))?;
        let (mut sealed, mut generations) = (Sealed::default(), BTreeMap::new());
        self.each_subject(|id, bytes| {
            let (record, generation) = format_4::open_subject(&self.sealer, id, bytes)?;
            generations.insert(id, generation);
            sealed.subjects.push((id.0, record.seal(&self.sealer, id)?));
            Ok(())
        })?;
        for kind in [Kind::Own, Kind::Impostor] {
            // Drawing a transform is slower than using it, and one subject's templates lie together.
            let mut last = None;
            self.each_template(kind, None, |id, index, bytes| {
                open_template(&self.sealer, kind, id, index, bytes, values)?;
                let generation = *generations.get(&id).ok_or_else(|| damaged("whose a template is"))?;
                let (_, issue) = match last.take().filter(|(held, _)| *held == id) {
                    Some(same) => last.insert(same),
                    None => last.insert((id, issues.issue(id, generation, dimension))),
                };
                issue.undo(values);
                let bytes = seal_template(&self.sealer, kind, id, index, values, None)?;
                sealed.templates.push((kind, (id.0, index), bytes));
                Ok(())
            })?;
        }
        let header = Header { format: FORMAT, ..header }.to_bytes();
        guarded("writing", || {
            transact(&self.database, &|transaction| {
                transaction.open_table(META)?.insert(HEADER_KEY, header.as_slice())?;
                sealed.insert(transaction)
            })
        })
    }

    /// Writes subjects and their templates, all or none; templates beyond the numbers in a subject's
    /// record are removed.
    pub(crate) fn put(&self, meta: &Meta, entries: &[Entry<'_>]) -> Result<(), GalleryError> {
        // Sealed before the transaction, which knows redb's errors only.
        let sealed_meta = meta.seal(&self.sealer)?;
        let mut sealed = Sealed::default();
        for Entry { id, record, own, impostors } in entries {
            sealed.subjects.push((id.0, record.seal(&self.sealer, *id)?));
            for (kind, part) in [(Kind::Own, own), (Kind::Impostor, impostors)] {
                for (index, template) in (part.first..).zip(part.templates) {
                    let (values, allowance) = (template.values(), template.allowance());
                    let bytes = seal_template(&self.sealer, kind, *id, index, values, allowance)?;
                    sealed.templates.push((kind, (id.0, index), bytes));
                }
            }
        }
        let id = match self.id() {
            Some(id) => id,
            None => *self.id.get_or_init({
                let id = GalleryId::new(random()?);
                move || id
            }),
        };
        guarded("writing", || {
            transact(&self.database, &|transaction| {
                let mut table = transaction.open_table(META)?;
                table.insert(META_KEY, sealed_meta.as_slice())?;
                table.insert(ID_KEY, id.bytes().as_slice())?;
                drop(table);
                sealed.insert(transaction)?;
                let mut own = transaction.open_table(TEMPLATES)?;
                let mut impostors = transaction.open_table(IMPOSTORS)?;
                for Entry { id, record, .. } in entries {
                    cut(&mut own, *id, record.templates)?;
                    cut(&mut impostors, *id, record.impostors)?;
                }
                Ok(())
            })
        })
    }

    /// Removes a subject and its templates.
    pub(crate) fn remove(&self, meta: &Meta, id: SubjectId) -> Result<(), GalleryError> {
        let sealed_meta = meta.seal(&self.sealer)?;
        guarded("writing", || {
            transact(&self.database, &|transaction| {
                transaction.open_table(META)?.insert(META_KEY, sealed_meta.as_slice())?;
                transaction.open_table(SUBJECTS)?.remove(id.0)?;
                cut(&mut transaction.open_table(TEMPLATES)?, id, 0)?;
                cut(&mut transaction.open_table(IMPOSTORS)?, id, 0)?;
                Ok(())
            })
        })
    }

    pub(crate) const fn sealer(&self) -> &Sealer {
        &self.sealer
    }
}

/// Removes a subject's templates from the index `kept` on.
fn cut(
    table: &mut redb::Table<'_, (u32, u16), &'static [u8]>,
    id: SubjectId,
    kept: u16,
) -> Result<(), redb::Error> {
    table.retain_in((id.0, kept)..(id.0, MAX_TEMPLATES_PER_SUBJECT as u16), |_, _| false)?;
    Ok(())
}

/// Writes the first records of a new gallery.
fn begin(database: &Database, fresh: &Meta, key: &GalleryKey, hint: &[u8]) -> Result<(), GalleryError> {
    let salt: [u8; SALT_BYTES] = random()?;
    let derived = key.derive(&salt);
    let header = Header { format: FORMAT, salt, check: derived.check }.to_bytes();
    let meta = fresh.seal(&Sealer::new(&derived.records))?;
    guarded("opening", || {
        transact(database, &|transaction| {
            transaction.open_table(SUBJECTS)?;
            transaction.open_table(TEMPLATES)?;
            transaction.open_table(IMPOSTORS)?;
            let mut table = transaction.open_table(META)?;
            table.insert(HEADER_KEY, header.as_slice())?;
            table.insert(META_KEY, meta.as_slice())?;
            table.insert(HINT_KEY, hint)?;
            Ok(())
        })
    })
}

/// The hint of the gallery on `disk`, for which no key is needed.
pub(crate) fn hint(disk: impl Disk) -> Result<Vec<u8>, GalleryError> {
    if disk.len().map_err(|source| GalleryError::Io { doing: "reading", source })? == 0 {
        return Err(GalleryError::NotAGallery);
    }
    let database = database(disk)?;
    Header::parse(&read_meta(&database, HEADER_KEY)?)?;
    read_meta(&database, HINT_KEY)
}

/// Opens what `disk` holds, every page against its checksum before anything in it is trusted: a page number in a
/// damaged page asks for up to 4 GiB, and redb's asserts (in destructors, too, where a panic ends the process)
/// rely on whole pages.
fn database(disk: impl Disk) -> Result<Database, GalleryError> {
    check_magic(&disk)?;
    guarded("opening", || {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true);
        // Every commit has two phases, so no power cut makes redb fall back to the commit before: the file is damaged.
        builder.set_repair_callback(|repair| {
            if FALLEN_BACK.contains(&repair.progress()) {
                repair.abort();
            }
        });
        Ok(builder.create_with_backend(Backend::new(disk))?)
    })
}

fn read_meta(database: &Database, key: &str) -> Result<Vec<u8>, GalleryError> {
    find_meta(database, key)?.ok_or(GalleryError::NotAGallery)
}

fn find_meta(database: &Database, key: &str) -> Result<Option<Vec<u8>>, GalleryError> {
    guarded("reading", || {
        let table = match database.begin_read()?.open_table(META) {
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            table => table?,
        };
        Ok(table.get(key)?.map(|bytes| bytes.value().to_vec()))
    })
}

fn random<const N: usize>() -> Result<[u8; N], GalleryError> {
    let mut bytes = [0; N];
    fill_random(&mut bytes)?;
    Ok(bytes)
}

fn transact(database: &Database, change: &Change<'_>) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    // The second sync lets the header name a commit only after all of it lies on the disk.
    transaction.set_two_phase_commit(true);
    change(&transaction)?;
    transaction.commit()?;
    Ok(())
}

fn check_magic(disk: &impl Disk) -> Result<(), GalleryError> {
    let io_error = |source| GalleryError::Io { doing: "reading", source };
    let len = disk.len().map_err(io_error)?;
    if len == 0 {
        return Ok(());
    }
    let mut magic = [0; MAGIC.len()];
    if len < magic.len() as u64 {
        return Err(GalleryError::NotAGallery);
    }
    disk.read(0, &mut magic).map_err(io_error)?;
    if magic == *MAGIC { Ok(()) } else { Err(GalleryError::NotAGallery) }
}

/// redb's asserts meet some damaged pages before its checks do; a damaged file must not end the daemon.
/// Unwind safety: after a panic the caller gets an error, and redb refuses the store's next write.
fn guarded<T>(doing: &'static str, work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, GalleryError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| GalleryError::from_redb(doing, error)),
        Err(_) => Err(GalleryError::Damaged("its pages contradict each other".to_owned())),
    }
}
