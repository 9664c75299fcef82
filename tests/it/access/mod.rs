//! Who may do what, tried from outside.

mod callers;
mod directory;
mod every_field;
mod everything;
mod key_rights;
mod takeover;
