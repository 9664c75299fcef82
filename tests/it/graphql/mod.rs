//! GraphQL over HTTP: status, media types, errors, limits.

mod activity;
mod errors;
mod http;
mod limits;
mod node;
