//! The command as a process of its own: starting, stopping, failing.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that finds something unexpected fails the test that called it"
)]

mod admin;
mod command;
mod config;
mod keys;
mod kill;
mod secrets;
mod start;
