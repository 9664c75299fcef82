//! The parameters of a token request. One without a value counts as left out, one that is repeated is an error
//! (RFC 6749, section 3.2).

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use zeroize::{Zeroize as _, Zeroizing};

/// Names and values, in the order they came.
pub(super) struct Parameters<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

/// A value, copied from the body only where it was encoded there. It may be a secret: the copy is wiped.
pub(super) struct Value<'a>(Cow<'a, str>);

impl Value<'_> {
    pub(super) fn to_secret(&self) -> Zeroizing<String> {
        Zeroizing::new(self.to_string())
    }
}

impl Deref for Value<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Drop for Value<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(copy) = &mut self.0 {
            copy.zeroize();
        }
    }
}

impl<'a> Parameters<'a> {
    pub(super) fn from_form(body: &'a [u8]) -> Self {
        // Tokens have nothing that a form encodes: to look at them letter by letter takes longer than the rest.
        let plain = str::from_utf8(body).ok().filter(|text| !text.contains('%') && !text.contains('+'));
        match plain {
            Some(text) => {
                let pairs = text.split('&').filter(|pair| !pair.is_empty());
                let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
                Self(pairs.map(|(name, value)| (name.into(), Value(value.into()))).collect())
            }
            None => Self(form_urlencoded::parse(body).map(|(name, value)| (name, Value(value))).collect()),
        }
    }

    /// A JSON object of strings, whose repeated names are kept.
    pub(super) fn from_json(body: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    pub(super) fn repeats(&self) -> bool {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// Takes out a parameter that has a value.
    pub(super) fn take(&mut self, name: &str) -> Option<Value<'a>> {
        let place = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.remove(place).1).filter(|value| !value.is_empty())
    }

    /// Takes out a parameter that may be repeated.
    pub(super) fn take_all(&mut self, name: &str) -> Vec<Value<'a>> {
        let taken = self.0.extract_if(.., |(other, _)| other == name);
        taken.map(|(_, value)| value).filter(|value| !value.is_empty()).collect()
    }
}

impl<'de> Deserialize<'de> for Parameters<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;

        impl<'de> Visitor<'de> for Pairs {
            type Value = Parameters<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Parameters<'de>, M::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry()? {
                    pairs.push((name, Value(value)));
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
        assert_eq!(form.take("a").as_deref(), Some("1"));
        assert!(form.take("b").is_none());
        assert_eq!(form.take("c").as_deref(), Some(" x y"));
        assert!(Parameters::from_form(b"a=1&a=").repeats());
        assert!(Parameters::from_json(br#"{"a":"1","a":"2"}"#).unwrap().repeats());
    }

    #[test]
    fn a_form_without_anything_encoded_is_read_as_any_other() {
        for body in ["", "&", "a", "a=", "=b", "a=b=c&&d==", "a=b&a=c&", "ä=ö&x=y.z-_"] {
            let read = Parameters::from_form(body.as_bytes());
            let read: Vec<(&str, &str)> = read.0.iter().map(|(name, value)| (&**name, &**value)).collect();
            let pairs: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
            assert_eq!(read, pairs.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn json_must_be_an_object_of_strings() {
        for wrong in ["", "[]", "1", r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":"b""#, r#""a""#] {
            assert!(Parameters::from_json(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }
}
