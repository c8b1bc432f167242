//! The counters a database keeps of itself, where a store is looked at or made while nobody serves it.

use std::ops::ControlFlow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::sled::Table;
use super::{Op, Visit, try_visit};
use crate::store::error::StoreError;
use crate::store::format::key::{META, RESERVED};
use crate::store::format::record;

/// Visits all records of a database, its counters included.
pub(crate) fn for_each_record(table: &Table, mut visit: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>) -> Result<(), StoreError> {
    let scan = |visit: Visit<'_>| table.scan(&[], &[RESERVED], false, visit);
    try_visit(scan, |key, value| visit(key, value).map(ControlFlow::Continue))
}

/// Returns how many records there are besides the counters.
pub(crate) fn count_entries(table: &Table) -> Result<u64, StoreError> {
    let mut entries = 0;
    for_each_record(table, |key, _| {
        entries += u64::from(key != META);
        Ok(())
    })?;
    Ok(entries)
}

/// Returns the counters; those of an empty database where there are none.
pub(crate) fn read_counters<T: DeserializeOwned + Default>(table: &Table) -> Result<T, StoreError> {
    table.get(META)?.map_or_else(|| Ok(T::default()), |value| record::decode(META, &value))
}

/// Writes the counters, durable on return.
pub(crate) fn write_counters<T: Serialize>(table: &Table, counters: &T) -> Result<(), StoreError> {
    table.commit(vec![Op::Put(META.to_vec(), record::encode(META, counters))])
}
