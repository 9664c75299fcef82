//! API keys: one file a verb.

mod approval;
mod create;
mod delete;
mod filter;
mod idempotency;
mod last_used;
mod list;
mod loaders;
mod networks;
mod order;
mod regenerate;
mod rotation;
mod search;
mod state;
mod update;
mod verbs;
