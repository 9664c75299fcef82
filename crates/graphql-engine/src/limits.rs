//! How much one request may ask for.

/// The limits of an engine, all checked before anything runs (`errors` excepted).
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Tokens of a document, as the grammar counts them. Parsing and validation take time in proportion.
    pub tokens: usize,
    /// Aliases in a document. Each lets one more call of the same field into an operation.
    pub aliases: usize,
    /// Directives in one place of a document.
    pub directives: usize,
    /// Root fields of an operation, with fragments expanded.
    pub root_fields: usize,
    /// Root fields of mutations of which an operation may have one, once: where a request has one of them at most, a limit
    /// on requests is a limit on these too.
    pub exclusive_fields: &'static [&'static str],
    /// Levels of an operation.
    pub depth: usize,
    /// Levels of an operation that selects nothing but the schema. The tools that read schemas go deeper than operations
    /// do: nine levels of `ofType` at the sixth level of a schema.
    pub introspection_depth: usize,
    /// What an operation may cost, in the points that the schema's `complexity` gives.
    pub cost: usize,
    /// Errors in a response; the first ones say enough.
    pub errors: usize,
    /// Bytes of the texts of all documents that are kept parsed. Parsed, a document takes tens of times as much.
    pub cached_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            tokens: 5_000,
            aliases: 30,
            directives: 20,
            root_fields: 10,
            exclusive_fields: &[],
            depth: 12,
            introspection_depth: 16,
            cost: 10_000,
            errors: 20,
            cached_bytes: 1024 * 1024,
        }
    }
}

// What follows protects the engine itself, whatever a product allows.

/// Names and numbers are short: a document with a longer word was written by nobody.
pub(crate) const MAX_WORD_BYTES: usize = 200;
pub(crate) const MAX_STRING_BYTES: usize = 16 * 1024;
/// Brackets inside brackets, and selections inside selections: far above what the deepest operation needs, far below what
/// the stack of a recursive parser holds.
pub(crate) const MAX_NESTING: usize = 64;
/// Everything that a document selects once its fragments are expanded.
pub(crate) const MAX_SELECTIONS: usize = 10_000;
/// Fragments inside fragments while root fields are counted. Validation refuses cycles, but counting comes before it.
pub(crate) const MAX_FRAGMENT_NESTING: usize = 12;
