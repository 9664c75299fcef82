//! The rows: one file a table or view, columns only, no behaviour. Ids and instants have types of their own here, because
//! the rows are the lowest place that uses them.

pub mod account;
pub mod account_role;
pub mod account_scope;
pub mod activity;
pub mod api;
pub mod api_key;
pub mod change;
pub mod change_counter;
pub mod client_id;
pub mod data_key;
pub mod effective_scope;
pub mod group;
pub mod group_member;
pub mod group_role;
pub mod id;
pub mod idempotency_key;
pub mod key_grant;
pub mod key_role;
pub mod key_scope;
pub mod key_secret;
pub mod key_selection;

pub mod revoked_token;
pub mod role;
pub mod role_grant;
pub mod role_scope;
pub mod scope;
pub mod search_term;
pub mod secret_hash;
pub mod service_account;
pub mod session;
pub mod settings;
pub mod setup_token;
pub mod signing_key;
pub mod timestamp;
pub mod user;
pub mod user_role;

pub use client_id::{ClientId, NotAClientId};
pub use id::{
    AccountId, ActivityId, ApiId, GlobalId, GroupId, KeyId, ObjectKind, ParseIdError, RoleId, ScopeId,
    SecretId, SelectionId, ServiceAccountId, SessionId, SigningKeyId, UserId,
};
pub use secret_hash::SecretHash;
pub use timestamp::{NotAnInstant, Timestamp};
