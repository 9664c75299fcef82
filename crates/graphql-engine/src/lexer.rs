//! A scan of a document's text before it is parsed: how long it is, and how deep its brackets go. The parser is recursive,
//! so a text of nothing but brackets would overflow its stack and end the process; this scan is not.

use async_graphql::{Pos, ServerError};

use crate::error::{code, limit_exceeded, request_error};
use crate::limits::{Limits, MAX_NESTING, MAX_STRING_BYTES, MAX_WORD_BYTES};

/// Refuses a text with too many tokens, with tokens that are too long, or with brackets that are nested too deeply or are
/// not closed.
pub(crate) fn check(text: &str, limits: &Limits) -> Result<(), ServerError> {
    let max_tokens = limits.tokens;
    let (mut tokens, mut open) = (0_usize, Vec::new());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let before = rest.len();
        let place = text.len() - before;
        rest = match first {
            b'#' => skip(after, |byte| !matches!(byte, b'\n' | b'\r')),
            b'"' => string(after).ok_or_else(|| not_closed(text, place, "A string is not closed."))?,
            b'.' => skip(after, |byte| byte == b'.'),
            _ if in_word(first) => skip(after, in_word),
            _ => after,
        };
        let length = before - rest.len();
        if (first == b'"' && length > MAX_STRING_BYTES) || (in_word(first) && length > MAX_WORD_BYTES) {
            return Err(limit_exceeded("The document has a name, a number or a string that is too long."));
        }
        match first {
            b'{' | b'(' | b'[' => open.push(place),
            b'}' | b')' | b']' => drop(open.pop()),
            _ => {}
        }
        tokens += usize::from(!(first.is_ascii_whitespace() || matches!(first, b',' | b'#')));
        if tokens > max_tokens {
            return Err(limit_exceeded(format!(
                "The document is too long: at most {max_tokens} tokens are allowed."
            )));
        }
        if open.len() > MAX_NESTING {
            return Err(limit_exceeded(format!(
                "The document is nested too deeply: at most {MAX_NESTING} levels are allowed."
            )));
        }
    }
    open.pop().map_or(Ok(()), |place| Err(not_closed(text, place, "A bracket is not closed.")))
}

/// A failure to parse, with the line and the column of what is not closed.
fn not_closed(text: &str, place: usize, problem: &str) -> ServerError {
    let before = text.get(..place).unwrap_or_default();
    let (line, last) = before.split('\n').zip(1..).last().map_or((1, before), |(last, line)| (line, last));
    let mut error =
        request_error(format!("The document cannot be parsed: {problem}"), code::GRAPHQL_PARSE_FAILED);
    error.locations = vec![Pos { line, column: last.chars().count() + 1 }];
    error
}

fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn skip(text: &[u8], while_true: impl Fn(u8) -> bool) -> &[u8] {
    let length = text.iter().position(|byte| !while_true(*byte)).unwrap_or(text.len());
    text.get(length..).unwrap_or_default()
}

/// What follows a string whose first quotation mark has been read; nothing if it does not end.
fn string(text: &[u8]) -> Option<&[u8]> {
    if let Some(mut rest) = text.strip_prefix(b"\"\"") {
        loop {
            if let Some(after) = rest.strip_prefix(b"\\\"\"\"") {
                rest = after;
            } else if let Some(after) = rest.strip_prefix(b"\"\"\"") {
                return Some(after);
            } else {
                rest = rest.split_first()?.1;
            }
        }
    }
    let mut rest = text;
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = match byte {
            b'"' => return Some(after),
            b'\n' | b'\r' => return None,
            b'\\' => after.get(1..)?,
            _ => after,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), ServerError> {
        super::check(text, &Limits::default())
    }

    #[test]
    fn tokens_are_counted_as_in_the_grammar() {
        let text = |count: usize| format!("{{{}}}", " a".repeat(count - 2));
        assert!(check(&text(5_000)).is_ok());
        assert!(check(&text(5_001)).is_err());
        assert!(check(&format!("{{{}}}", ",".repeat(9_000))).is_ok(), "commas are not tokens");
        assert!(check(&format!("{{ a }} #{}", " a".repeat(9_000))).is_ok(), "nor are comments");
        assert!(check(&format!("{{ a(b: \"{}\") }}", " a".repeat(6_000))).is_ok(), "a string is one");
        assert!(check(&"@a".repeat(2_501)).is_err());
        assert!(check(&"...".repeat(5_000)).is_ok(), "dots in a row are not a document, however many");
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let nested = |levels: usize| "{".repeat(levels) + &"}".repeat(levels);
        assert!(check(&nested(64)).is_ok());
        assert!(check(&nested(65)).is_err());
        assert!(check(&"[".repeat(65)).is_err());
        assert!(check(&"{a(b:".repeat(33)).is_err());
        assert!(check(&"{}".repeat(100)).is_ok());
        assert!(check(&format!("{{ a(b: \"{}\") }}", "{".repeat(100))).is_ok());
        assert!(
            check(&format!("{{ a(b: \"\"\"{} \\\"\"\" {} \"\"\") }}", "{".repeat(100), "{".repeat(100)))
                .is_ok()
        );
        assert!(check(&format!("# {}\n{{ a }}", "{".repeat(100))).is_ok());
        // A bracket in a string or a comment closes nothing.
        for close in ["(b:\"}\")", "(b:\"\"\"}\"\"\")", "#}\n", "(b:\"\\\"}\")"] {
            assert!(check(&format!("{{a{close}").repeat(65)).is_err(), "{close}");
        }
    }

    #[test]
    fn what_is_not_closed_is_refused() {
        for text in ["{ a", "{ a(b: \"}", "{ a(b: \"\"\" }", "{ a(b: [1 }", "\"\n\"", "\"\\"] {
            assert!(check(text).is_err(), "{text}");
        }
        assert!(check("{ a }}").is_ok(), "one too many is for the parser to report");
    }

    #[test]
    fn words_and_strings_have_a_greatest_length() {
        for (short, long) in [("x".repeat(200), "x".repeat(201)), ("1".repeat(200), "1".repeat(201))] {
            assert!(check(&format!("{{ {short} }}")).is_ok());
            assert!(check(&format!("{{ {long} }}")).is_err());
        }
        assert!(check(&format!("{{ a(b: \"{}\") }}", "x".repeat(10_000))).is_ok());
        assert!(check(&format!("{{ a(b: \"{}\") }}", "x".repeat(20_000))).is_err());
        assert!(check(&format!("# {}\n{{ a }}", "x".repeat(10_000))).is_ok());
    }
}
