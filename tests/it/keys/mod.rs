//! API keys: one file a verb.

mod create;
mod delete;
mod filter;
mod last_used;
mod list;
mod loaders;
mod order;
mod regenerate;
mod search;
mod state;
mod update;
