//! A set of scope names.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Scope names, sorted; written the way OAuth writes them, with spaces between (RFC 6749, section 3.3). Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Arc<Names>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Names {
    sorted: BTreeSet<String>,
    /// The OAuth form.
    text: String,
}

impl Scopes {
    fn new(sorted: BTreeSet<String>) -> Self {
        let text = sorted.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        Self(Arc::new(Names { sorted, text }))
    }

    /// Reads the OAuth form: names with single spaces between.
    pub fn parse(text: &str) -> Self {
        text.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    /// The OAuth form.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.sorted.contains(name)
    }

    /// Whether each of these is here.
    pub fn has_all(&self, others: &Self) -> bool {
        others.0.sorted.is_subset(&self.0.sorted)
    }

    pub fn is_empty(&self) -> bool {
        self.0.sorted.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.sorted.iter().map(String::as_str)
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self::new(self.0.sorted.difference(&other.0.sorted).cloned().collect())
    }

    /// What is here and in `other` too; itself, if nothing is lost.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        if other.has_all(self) {
            return self.clone();
        }
        Self::new(self.0.sorted.intersection(&other.0.sorted).cloned().collect())
    }
}

impl FromIterator<String> for Scopes {
    fn from_iter<T: IntoIterator<Item = String>>(names: T) -> Self {
        Self::new(names.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loses_nothing_is_shared_and_the_rest_is_what_both_hold() {
        let (some, more) = (Scopes::parse("a b"), Scopes::parse("c b a"));
        assert!(Arc::ptr_eq(&some.within(&more).0, &some.0));
        assert_eq!(more.within(&some).text(), "a b");
        assert_eq!(some.within(&Scopes::parse("b c")).text(), "b");
        assert!(some.within(&Scopes::default()).is_empty());
        assert_eq!(more.without(&some).text(), "c");
    }
}
