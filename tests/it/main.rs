//! The integration tests: real servers on real databases, over real HTTP. One binary, so that it links once.
//!
//! On SQLite each test has a file of its own. With `TEST_POSTGRES_URL` the same tests run on PostgreSQL, each with a
//! database of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod directory;
mod features;
mod floors;
mod graphql;
mod harness;
mod keys;
mod process;
mod schema;
mod settings;
mod sign_in;
mod tokens;
