//! The redb tables. Each public change is one durable transaction.

use crate::disk::{Backend, Disk};
use crate::error::GalleryError;
use crate::record::{Meta, SubjectRecord, parse_template, template_bytes};
use arcdoor_core::limits::{MAX_DIMENSION, MAX_TEMPLATES_PER_SUBJECT};
use arcdoor_core::{SubjectId, Template};
use redb::{Builder, Database, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError};
use std::panic::{AssertUnwindSafe, catch_unwind};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const META_KEY: &str = "gallery";
const SUBJECTS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("subjects");
const TEMPLATES: TableDefinition<'_, (u32, u16), &[u8]> = TableDefinition::new("templates");

/// redb's page cache; the templates themselves are held by the matcher.
const CACHE_BYTES: usize = 4 << 20;
/// What every redb file begins with.
const MAGIC: &[u8; 9] = b"redb\x1a\x0a\xa9\x0d\x0a";

pub(crate) struct Store {
    database: Database,
}

type Change<'a> = dyn Fn(&redb::WriteTransaction) -> Result<(), redb::Error> + 'a;

impl Store {
    /// Opens what `disk` holds; an empty disk becomes an empty gallery of `fresh`.
    pub(crate) fn open(disk: impl Disk, fresh: &Meta) -> Result<Self, GalleryError> {
        check_magic(&disk)?;
        let backend = Backend::new(disk);
        let database = guarded("opening", || {
            Ok(Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(backend.clone())?)
        })?;
        let store = Self::checked(database, &backend)?;
        guarded("opening", || {
            if store.has_no_tables()? {
                store.transact(&|transaction| {
                    transaction.open_table(SUBJECTS)?;
                    transaction.open_table(TEMPLATES)?;
                    put_meta(transaction, fresh)
                })?;
            }
            Ok(())
        })?;
        Ok(store)
    }

    /// Reads every page against its checksum, because redb's asserts (in destructors, too, where a panic
    /// ends the process) rely on whole pages. A damaged database is therefore never dropped, but left
    /// without its disk.
    fn checked<D: Disk>(mut database: Database, backend: &Backend<D>) -> Result<Self, GalleryError> {
        let whole = guarded("checking", || Ok(database.check_integrity()?));
        if let Ok(true) = whole {
            return Ok(Self { database });
        }
        backend.take_away();
        std::mem::forget(database);
        Err(whole.err().unwrap_or_else(|| GalleryError::Damaged("a page's checksum is wrong".to_owned())))
    }

    pub(crate) fn meta(&self) -> Result<Meta, GalleryError> {
        let bytes = guarded("reading", || {
            let table = match self.database.begin_read()?.open_table(META) {
                Err(TableError::TableDoesNotExist(_)) => return Ok(None),
                table => table?,
            };
            Ok(table.get(META_KEY)?.map(|bytes| bytes.value().to_vec()))
        })?;
        Meta::parse(&bytes.ok_or(GalleryError::NotAGallery)?)
    }

    /// Every subject, by id.
    pub(crate) fn subjects(&self) -> Result<Vec<(SubjectId, SubjectRecord)>, GalleryError> {
        let mut subjects = Vec::new();
        let mut outcome = Ok(());
        guarded("reading", || {
            for entry in self.database.begin_read()?.open_table(SUBJECTS)?.iter()? {
                let (id, bytes) = entry?;
                let id = SubjectId(id.value());
                match SubjectRecord::parse(id, bytes.value()) {
                    Ok(record) => subjects.push((id, record)),
                    Err(error) => {
                        outcome = Err(error);
                        break;
                    }
                }
            }
            Ok(())
        })?;
        outcome.map(|()| subjects)
    }

    /// Hands every template to `each`, by id and index.
    pub(crate) fn templates(
        &self,
        dimension: usize,
        mut each: impl FnMut(SubjectId, u16, &[f32]) -> Result<(), GalleryError>,
    ) -> Result<(), GalleryError> {
        let mut buffer = [0.0; MAX_DIMENSION];
        let values = buffer.get_mut(..dimension).ok_or(GalleryError::Dimension(dimension))?;
        let mut outcome = Ok(());
        guarded("reading", || {
            for entry in self.database.begin_read()?.open_table(TEMPLATES)?.iter()? {
                let (key, bytes) = entry?;
                let (id, index) = key.value();
                let id = SubjectId(id);
                outcome =
                    parse_template(id, index, bytes.value(), values).and_then(|()| each(id, index, values));
                if outcome.is_err() {
                    break;
                }
            }
            Ok(())
        })?;
        outcome
    }

    /// Writes a subject and adds templates from index `first` on.
    pub(crate) fn put(
        &self,
        meta: &Meta,
        id: SubjectId,
        record: &SubjectRecord,
        first: u16,
        templates: &[Template],
    ) -> Result<(), GalleryError> {
        guarded("writing", || {
            self.transact(&|transaction| {
                put_meta(transaction, meta)?;
                transaction.open_table(SUBJECTS)?.insert(id.0, record.to_bytes(id).as_slice())?;
                let mut table = transaction.open_table(TEMPLATES)?;
                for (index, template) in (first..).zip(templates) {
                    let bytes = template_bytes(id, index, template.values());
                    table.insert((id.0, index), bytes.as_slice())?;
                }
                Ok(())
            })
        })
    }

    /// Removes a subject and its templates.
    pub(crate) fn remove(&self, meta: &Meta, id: SubjectId) -> Result<(), GalleryError> {
        guarded("writing", || {
            self.transact(&|transaction| {
                put_meta(transaction, meta)?;
                transaction.open_table(SUBJECTS)?.remove(id.0)?;
                let mut table = transaction.open_table(TEMPLATES)?;
                for index in 0..MAX_TEMPLATES_PER_SUBJECT as u16 {
                    table.remove((id.0, index))?;
                }
                Ok(())
            })
        })
    }

    fn has_no_tables(&self) -> Result<bool, redb::Error> {
        Ok(self.database.begin_read()?.list_tables()?.next().is_none())
    }

    fn transact(&self, change: &Change<'_>) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        // The second sync lets the header name a commit only after all of it lies on the disk.
        transaction.set_two_phase_commit(true);
        change(&transaction)?;
        transaction.commit()?;
        Ok(())
    }
}

fn put_meta(transaction: &redb::WriteTransaction, meta: &Meta) -> Result<(), redb::Error> {
    transaction.open_table(META)?.insert(META_KEY, meta.to_bytes().as_slice())?;
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
