//! GraphQL over HTTP: status, media types, errors, limits.

mod abuse;
mod abuses;
mod activity;
mod cross_origin;
mod documents;
mod errors;
mod fuzz;
mod get;
mod http;
mod limits;
mod node;
mod rate_limit;
mod sdl;
mod selections;
mod variables;
