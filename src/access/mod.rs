//! Who may do what. Pure: no I/O, no clock; readable by somebody who does not program.

mod action;
pub mod builtin;
mod caller;
pub mod permissions;
mod reach;
mod scopes;

pub use action::Action;
pub use caller::{Caller, Machine, Person};
pub use reach::{OwnRows, Reach, Rows, ThroughKey};
pub use scopes::Scopes;
