//! Who may do what, tried from outside.

mod every_field;
mod takeover;
