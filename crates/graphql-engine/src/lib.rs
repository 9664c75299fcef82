//! Executes GraphQL operations to the letter of the specification (September 2025) on top of async-graphql, and refuses
//! what is too long, too deep, too broad or too expensive before anything runs.
//!
//! async-graphql resolves the fields; this crate decides what is handed to it and puts the answer right, because the
//! library alone departs from the specification in several places (each is named at the line that makes up for it).
//! A request passes these steps, and the first that fails ends it without `data`:
//!
//! 1. `lexer` counts tokens and brackets in the text, before the recursive parser sees it.
//! 2. `document` parses it, `breadth` counts what it selects. The result is cached.
//! 3. [`Hooks::admit`] may refuse the operation.
//! 4. `validate` and `inputs` validate the document and the values of its variables; a valid document stays valid.
//! 5. `normal` writes the operation in normal form. Depth and cost are those of this form; [`Hooks::charge`] may refuse.
//! 6. `execution` runs it, `batches` decides when data loaders fetch, `shape` puts nulls and keys where they belong.
//!
//! The crate knows nothing of who asks or what the schema is about: that is behind [`Hooks`].

mod batches;
mod breadth;
mod document;
mod engine;
mod error;
mod execution;
mod hooks;
mod inputs;
mod lexer;
mod limits;
mod normal;
mod omitted;
mod request;
mod shape;
mod validate;

pub use batches::BatchQueue;
pub use engine::{Engine, Executed};
pub use error::{code, request_error};
pub use hooks::Hooks;
pub use limits::Limits;
pub use request::Request;
