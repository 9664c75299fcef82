//! How connections are opened, and how long they wait.

use std::path::Path;

use sea_orm::ConnectOptions;

use super::checkpoints::LAST_RESORT;
use crate::timeouts::Timeouts;

/// SQLite's memory of pages, of one connection. What a search finds lies far apart, and so do the hints of many new
/// secrets: the default of 2,000 would not hold the way to them.
pub(super) const CACHE_KIB: u32 = 16 * 1024;
/// Of the journal's connection: room for the parts of the log's indexes that the keys in use lie in. More would cost more than it
/// saves, because SQLite goes through all of it at the end of many commits: whenever pages of an index were split in a
/// file under 1 GiB.
pub(super) const JOURNAL_CACHE_KIB: u32 = 8 * 1024;

pub(super) fn sqlite(
    path: &Path,
    timeouts: Timeouts,
    most: u32,
    read_only: bool,
    cache_kib: u32,
) -> ConnectOptions {
    let mut options = ConnectOptions::new("sqlite:latchkey.db");
    let path = path.to_owned();
    options
        .max_connections(most)
        .min_connections(1)
        .acquire_timeout(timeouts.connection)
        .sqlx_logging(false)
        .test_before_acquire(false)
        .map_sqlx_sqlite_opts(move |options| {
            let options = options
                .filename(&path)
                .create_if_missing(!read_only)
                .read_only(read_only)
                .busy_timeout(timeouts.write)
                .foreign_keys(true)
                .statement_cache_capacity(500);
            let options = options.pragma("cache_size", format!("-{cache_kib}"));
            if read_only {
                return options;
            }
            // FULL: what was answered survives a power cut, not only the end of the process.
            options
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "FULL")
                .pragma("wal_autocheckpoint", LAST_RESORT)
        });
    options
}

pub(super) fn postgres(address: &str, timeouts: Timeouts, most: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(address);
    options
        .max_connections(most)
        .acquire_timeout(timeouts.connection)
        .connect_timeout(timeouts.connection)
        .sqlx_logging(false)
        .test_before_acquire(false);
    options
}
