//! API keys: one file a verb.

mod bulk;
mod create;
mod delete;
mod last_used;
mod list;
mod loaders;
mod model;
mod races;
mod regenerate;
mod state;
mod update;
