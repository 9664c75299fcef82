//! Pure functions on secrets: no I/O, no clock, no globals.

pub mod digest;
pub mod jwt;
pub mod master_key;
pub mod password;
pub mod secret;
pub mod secret_hasher;
