//! What the server can do: one file (or folder) a noun, one function a verb.
//!
//! An action takes the [`Context`] and its input, asks `cx.may(…)` first, calls the store, and returns plain rows. It
//! knows neither HTTP nor GraphQL, and never calls another action.
//!
//! [`Context`]: crate::app::context::Context

pub mod accounts;
pub mod activity;
pub mod apis;
pub mod groups;
pub mod health;
pub mod identify;
pub mod introspect;
pub mod keys;
pub mod permissions;
pub mod revoke;
pub mod roles;
pub mod scopes;
pub mod service_accounts;
pub mod sessions;
pub mod settings;
pub mod setup;
pub mod tokens;
pub mod users;
pub mod verify;
pub mod whoami;

/// Parts of lists, for those who ask for them.
pub use crate::store::page;
