//! Client ids: 128 random bits, written as 32 upper-case hex characters.

use std::fmt;
use std::str::FromStr;

const LENGTH: usize = 32;

/// The client id of a key, in the form that takes the least room. The rows hold the text.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientId([u8; LENGTH / 2]);

impl FromStr for ClientId {
    type Err = NotAClientId;

    /// There is one way to write each: lower-case letters are refused.
    fn from_str(text: &str) -> Result<Self, NotAClientId> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'A'..=b'F' => Ok(byte - b'A' + 10),
            _ => Err(NotAClientId),
        };
        let text: &[u8; LENGTH] = text.as_bytes().try_into().map_err(|_| NotAClientId)?;
        let mut id = [0; LENGTH / 2];
        for (byte, pair) in id.iter_mut().zip(text.chunks_exact(2)) {
            *byte = pair.iter().try_fold(0, |byte, letter| Ok(byte << 4 | digit(*letter)?))?;
        }
        Ok(Self(id))
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032X}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is no client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAClientId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_it_was_read() {
        for text in ["00000000000000000000000000000000", "0123456789ABCDEF0FEDCBA987654321", &"F".repeat(32)]
        {
            assert_eq!(text.parse::<ClientId>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn everything_else_is_no_client_id() {
        for text in
            ["", "0123456789abcdef0FEDCBA987654321", &"0".repeat(31), &"0".repeat(33), &"é".repeat(16)]
        {
            assert_eq!(text.parse::<ClientId>(), Err(NotAClientId), "{text}");
        }
        assert_eq!(format!("+{}", "0".repeat(31)).parse::<ClientId>(), Err(NotAClientId));
    }
}
