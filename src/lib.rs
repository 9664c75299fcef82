//! Latchkey: a self-hosted server for API keys and machine identity.

#![forbid(unsafe_code)]

pub mod access;
pub mod actions;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod crypto;
pub mod entropy;
pub mod error;
pub mod graphql;
pub mod http;
pub mod serve;
pub mod store;
pub mod timeouts;
pub mod values;
