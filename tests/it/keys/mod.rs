//! API keys: one file a verb.

mod approval;
mod bulk;
mod create;
mod delete;
mod filter;
mod filter_scopes;
mod idempotency;
mod last_used;
mod list;
mod loaders;
mod model;
mod networks;
mod order;
mod races;
mod regenerate;
mod rotation;
mod search;
mod search_index;
mod search_letters;
mod state;
mod update;
mod verbs;
