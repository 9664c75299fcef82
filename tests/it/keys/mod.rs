//! API keys: one file a verb.

mod create;
mod delete;
mod last_used;
mod list;
mod loaders;
mod networks;
mod regenerate;
mod state;
mod update;
