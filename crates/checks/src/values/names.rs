//! Paths and names of things on a machine.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::{SeqAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// A path from the root. A slash at its end is left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct AbsolutePath(pub String);

impl TryFrom<String> for AbsolutePath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(format!("\"{text}\" is not an absolute path"));
        }
        let trimmed = text.trim_end_matches('/');
        Ok(Self(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() }))
    }
}

impl fmt::Display for AbsolutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a package, service, user or group: what cannot be one of a command's options or patterns.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(pub String);

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._+-@:\\".contains(c);
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if begins && text.chars().all(allowed) {
            Ok(Self(text))
        } else {
            Err(format!("\"{text}\" is not a name: letters, digits and ._+-@: are"))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One text or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Several<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMore<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMore<T> {
            type Value = Several<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Several<T>, E> {
                T::deserialize(StrDeserializer::new(text)).map(|one| Several(vec![one]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Several<T>, A::Error> {
                let all = Vec::<T>::deserialize(SeqAccessDeserializer::new(list))?;
                if all.is_empty() { Err(A::Error::custom("the list is empty")) } else { Ok(Several(all)) }
            }
        }
        deserializer.deserialize_any(OneOrMore(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_at_the_root() {
        for (text, expected) in [
            ("/data", Some("/data")),
            ("/data/", Some("/data")),
            ("/", Some("/")),
            ("data", None),
            ("", None),
        ] {
            assert_eq!(AbsolutePath::try_from(text.to_owned()).ok().map(|path| path.0).as_deref(), expected);
        }
    }

    #[test]
    fn names_are_no_options_and_no_patterns() {
        for good in ["docker", "ec2-user", "getty@tty1", "libstdc++6", "_apt", "jq.x86_64", "a\\x2db.service"]
        {
            assert!(Name::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a b", "a*", "a/b", "a\n", "é", ".x", "$(x)"] {
            assert!(Name::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
