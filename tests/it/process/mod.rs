//! The command as a process of its own: starting, stopping, failing.

mod admin;
mod apply;
mod command;
mod config;
mod keys;
mod kill;
mod secrets;
mod setup;
mod space;
mod start;
