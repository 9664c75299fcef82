//! Latchkey: a self-hosted server for API keys and machine identity.

#![forbid(unsafe_code)]

pub mod access;
pub mod actions;
pub mod app;
mod bootstrap;
pub mod cli;
pub mod clock;
pub mod config;
pub mod context;
pub mod crypto;
pub mod documents;
pub mod entropy;
pub mod error;
mod gate;
mod giving;
pub mod graphql;
pub mod http;
pub mod jobs;
pub mod journal;
pub mod limits;
pub mod passwords;
mod recent;
pub mod refusals;
pub mod registry;
pub mod retention;
pub mod serve;
pub mod space;
pub mod store;
pub mod timeouts;
pub mod usage;
pub mod values;
