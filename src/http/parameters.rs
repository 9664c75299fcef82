//! The parameters of a token request. One without a value counts as left out, one that is repeated is an error
//! (RFC 6749, section 3.2); values may be secrets and are wiped.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use zeroize::Zeroizing;

/// Names and values, in the order they came.
pub(super) struct Parameters(Vec<(String, Zeroizing<String>)>);

impl Parameters {
    pub(super) fn from_form(body: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(body);
        Self(pairs.map(|(name, value)| (name.into_owned(), Zeroizing::new(value.into_owned()))).collect())
    }

    /// A JSON object of strings, whose repeated names are kept.
    pub(super) fn from_json(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    pub(super) fn repeats(&self) -> bool {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// Takes out a parameter that has a value.
    pub(super) fn take(&mut self, name: &str) -> Option<Zeroizing<String>> {
        let place = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.remove(place).1).filter(|value| !value.is_empty())
    }

    /// Takes out a parameter that may be repeated.
    pub(super) fn take_all(&mut self, name: &str) -> Vec<Zeroizing<String>> {
        let taken = self.0.extract_if(.., |(other, _)| other == name);
        taken.map(|(_, value)| value).filter(|value| !value.is_empty()).collect()
    }
}

impl<'de> Deserialize<'de> for Parameters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Parameters;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Parameters, M::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry()? {
                    pairs.push((name, Zeroizing::new(value)));
                }
                Ok(Parameters(pairs))
            }
        }

        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_counts_as_left_out_and_repeated_is_told() {
        let mut form = Parameters::from_form(b"a=1&b=&c=%20x+y&resource=r1&resource=r2");
        assert_eq!(form.take_all("resource").len(), 2);
        assert!(!form.repeats());
        assert_eq!(form.take("a").as_deref().map(String::as_str), Some("1"));
        assert!(form.take("b").is_none());
        assert_eq!(form.take("c").as_deref().map(String::as_str), Some(" x y"));
        assert!(Parameters::from_form(b"a=1&a=").repeats());
        assert!(Parameters::from_json(br#"{"a":"1","a":"2"}"#).unwrap().repeats());
    }

    #[test]
    fn json_must_be_an_object_of_strings() {
        for wrong in ["", "[]", "1", r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":"b""#, r#""a""#] {
            assert!(Parameters::from_json(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
