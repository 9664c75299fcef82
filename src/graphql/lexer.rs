//! A scan of a document's text before it is parsed: how long it is, and how deep its brackets go. The parser is recursive
//! and thorough; this is neither.

use async_graphql::ServerError;

use super::error::{code, request_error};

const MAX_TOKENS: usize = 5_000;
/// Far above what the deepest operation needs, far below what a parser's stack holds.
const MAX_NESTING: usize = 64;

/// Refuses a text with more than 5,000 tokens, or with brackets nested deeper than 64 levels.
pub(super) fn check(text: &str) -> Result<(), ServerError> {
    let (mut tokens, mut depth) = (0_usize, 0_usize);
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = match first {
            b'#' => skip(after, |byte| !matches!(byte, b'\n' | b'\r')),
            b'"' => string(after),
            b'.' => skip(after, |byte| byte == b'.'),
            _ if in_word(first) => skip(after, in_word),
            _ => after,
        };
        match first {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        tokens += usize::from(!(first.is_ascii_whitespace() || matches!(first, b',' | b'#')));
        if tokens > MAX_TOKENS {
            return Err(too_much(format!("The document is too long: at most {MAX_TOKENS} tokens.")));
        }
        if depth > MAX_NESTING {
            return Err(too_much(format!("The document is nested deeper than {MAX_NESTING} levels.")));
        }
    }
    Ok(())
}

fn too_much(message: String) -> ServerError {
    request_error(message, code::COST_LIMIT_EXCEEDED)
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn skip(text: &[u8], while_true: impl Fn(u8) -> bool) -> &[u8] {
    let length = text.iter().position(|byte| !while_true(*byte)).unwrap_or(text.len());
    text.get(length..).unwrap_or_default()
}

/// What follows a string whose first quotation mark has been read. One that does not end is for the parser to tell.
fn string(text: &[u8]) -> &[u8] {
    if let Some(mut rest) = text.strip_prefix(b"\"\"") {
        loop {
            if let Some(after) = rest.strip_prefix(b"\\\"\"\"") {
                rest = after;
            } else if let Some(after) = rest.strip_prefix(b"\"\"\"") {
                return after;
            } else {
                match rest.split_first() {
                    Some((_, after)) => rest = after,
                    None => return rest,
                }
            }
        }
    }
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = match byte {
            b'"' => return after,
            b'\n' | b'\r' => return rest,
            b'\\' => after.get(1..).unwrap_or_default(),
            _ => after,
        };
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_counted_as_the_grammar_does() {
        let text = |count: usize| format!("{{{}}}", " a".repeat(count - 2));
        assert!(check(&text(5_000)).is_ok());
        assert!(check(&text(5_001)).is_err());
        assert!(check(&format!("{{{}}}", ",".repeat(9_000))).is_ok(), "commas are no tokens");
        assert!(check(&format!("{{ a }} #{}", " a".repeat(9_000))).is_ok(), "comments are none either");
        assert!(check(&format!("{{ a(b: \"{}\") }}", " a".repeat(9_000))).is_ok(), "a string is one");
        assert!(check(&"@a".repeat(2_501)).is_err());
        assert!(check(&"...".repeat(9_000)).is_ok(), "dots in a row are no document, whatever they are");
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        assert!(check(&"{".repeat(64)).is_ok());
        assert!(check(&"{".repeat(65)).is_err());
        assert!(check(&"[".repeat(65)).is_err());
        assert!(check(&"{a(b:".repeat(33)).is_err());
        assert!(check(&"{}".repeat(100)).is_ok());
        assert!(check(&format!("{{ a(b: \"{}\") }}", "{".repeat(100))).is_ok());
        assert!(
            check(&format!("{{ a(b: \"\"\"{} \\\"\"\" {} \"\"\") }}", "{".repeat(100), "{".repeat(100)))
                .is_ok()
        );
        assert!(check(&format!("# {}\n{{ a }}", "{".repeat(100))).is_ok());
        // What closes only in a string or in a comment does not close.
        for close in ["(b:\"}\")", "(b:\"\"\"}\"\"\")", "#}\n", "(b:\"\\\"}\")"] {
            assert!(check(&format!("{{a{close}").repeat(65)).is_err(), "{close}");
        }
        // A string ends with its line.
        assert!(check(&"\"\n{".repeat(65)).is_err());
    }
}
