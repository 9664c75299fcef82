//! How it is kept: queries, and nothing but queries. Time arrives as an argument, permission as a [`Reach`].
//!
//! [`Reach`]: crate::access::Reach

mod account_filter;
pub mod accounts;
pub mod activity;
pub mod changes;
mod checkpoints;
pub mod credentials;
mod database;
mod failures;
pub mod groups;
pub mod idempotency;
mod key_filter;
pub mod keys;
pub mod log;
mod options;
pub mod ownership;
pub mod page;
mod recorder;
pub mod revocations;
pub mod roles;
mod rows;
pub mod scopes;
mod search;
pub mod secrets;
pub mod selections;
pub mod server_keys;
pub mod sessions;
pub mod settings;
pub mod usage;

pub use database::{Database, Tx};
pub use rows::Reached;

/// Where queries run: a transaction, or the connections for reading.
pub use sea_orm::ConnectionTrait as Connection;
