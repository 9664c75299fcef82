//! API keys: one file a verb.

mod approval;
mod create;
mod delete;
mod idempotency;
mod last_used;
mod list;
mod loaders;
mod networks;
mod regenerate;
mod rotation;
mod state;
mod update;
mod verbs;
