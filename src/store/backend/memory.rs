//! Bytes in ordered maps, gone when dropped: what the memory store keeps them in.

use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{Backend, CommitMark, Op, Space, Visit};
use crate::store::error::StoreError;

type Table = BTreeMap<Vec<u8>, Vec<u8>>;

/// Ordered maps.
#[derive(Debug, Default)]
pub(crate) struct MemoryBackend {
    tables: RwLock<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    permanent: Table,
    periods: BTreeMap<u64, Table>,
    noted_ms: Option<u64>,
    closed: bool,
}

impl Tables {
    fn table(&self, space: Space) -> Option<&Table> {
        match space {
            Space::Permanent => Some(&self.permanent),
            Space::Period(period) => self.periods.get(&period),
        }
    }
}

impl MemoryBackend {
    fn tables(&self) -> Result<RwLockReadGuard<'_, Tables>, StoreError> {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        if tables.closed { Err(StoreError::closed()) } else { Ok(tables) }
    }

    fn tables_mut(&self) -> Result<RwLockWriteGuard<'_, Tables>, StoreError> {
        let tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        if tables.closed { Err(StoreError::closed()) } else { Ok(tables) }
    }
}

impl Backend for MemoryBackend {
    fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.tables()?.table(space).and_then(|table| table.get(key).cloned()))
    }

    fn size(&self, space: Space, key: &[u8]) -> Result<Option<usize>, StoreError> {
        Ok(self.tables()?.table(space).and_then(|table| table.get(key).map(Vec::len)))
    }

    fn scan(&self, space: Space, from: &[u8], to: &[u8], backwards: bool, visit: Visit<'_>) -> Result<(), StoreError> {
        let tables = self.tables()?;
        let Some(table) = tables.table(space) else { return Ok(()) };
        if from >= to {
            return Ok(());
        }
        let mut range = table.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
        while let Some((key, value)) = if backwards { range.next_back() } else { range.next() } {
            if let ControlFlow::Break(()) = visit(key, value) {
                break;
            }
        }
        Ok(())
    }

    fn commit(&self, space: Space, ops: Vec<Op>) -> Result<(), StoreError> {
        let mut tables = self.tables_mut()?;
        let table = match space {
            Space::Permanent => &mut tables.permanent,
            Space::Period(period) => tables.periods.entry(period).or_default(),
        };
        for op in ops {
            match op {
                Op::Put(key, value) => table.insert(key, value),
                Op::Delete(key) => table.remove(&key),
            };
        }
        Ok(())
    }

    fn write_mark(&self, _: CommitMark) -> Result<(), StoreError> {
        Ok(())
    }

    fn noted_time(&self) -> Result<Option<u64>, StoreError> {
        Ok(self.tables()?.noted_ms)
    }

    fn note_time(&self, now_ms: u64) -> Result<(), StoreError> {
        self.tables_mut()?.noted_ms = Some(now_ms);
        Ok(())
    }

    fn periods(&self) -> Vec<u64> {
        self.tables().map(|tables| tables.periods.keys().copied().collect()).unwrap_or_default()
    }

    fn create_period(&self, period: u64) -> Result<(), StoreError> {
        self.tables_mut()?.periods.insert(period, Table::new());
        Ok(())
    }

    fn drop_period(&self, period: u64) -> Result<(), StoreError> {
        self.tables_mut()?.periods.remove(&period);
        Ok(())
    }

    fn close(&self) -> Result<(), StoreError> {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        *tables = Tables { closed: true, ..Tables::default() };
        Ok(())
    }
}
