//! The items that are adopted, as users write them. Pure.

/// A resource to make a twin of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdoptItem {
    /// `vpc-…`
    Vpc(String),
    /// `subnet-…`
    Subnet(String),
    /// `sg-…`
    SecurityGroup(String),
    /// `ami-…=IMAGE`
    Image {
        /// The id.
        id: String,
        /// The name of the local image that it stands for.
        image: String,
    },
    /// `key-pair/NAME`
    KeyPair(String),
}

/// What is wrong with an item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// Not a kind of resource that can be adopted.
    #[error("cannot adopt `{0}`: write vpc-…, subnet-…, sg-…, ami-…=IMAGE or key-pair/NAME")]
    Kind(String),
    /// The id does not have EC2's form.
    #[error("cannot adopt `{0}`: an id ends with 8 or 17 digits or letters a to f")]
    Id(String),
    /// No local image is named.
    #[error("cannot adopt `{0}`: name the local image that it stands for, as in {0}=IMAGE")]
    NoImage(String),
    /// Something is given that the item does not have.
    #[error("cannot adopt `{0}`: only an image takes a name after `=`")]
    NoValue(String),
    /// The name cannot be a file's.
    #[error(
        "cannot adopt the key pair `{0}`: its name becomes a file's, so it may hold letters, digits and . _ - only"
    )]
    KeyName(String),
}

/// Reads one item.
///
/// # Errors
/// When it is none.
pub fn parse(text: &str) -> Result<AdoptItem, ItemError> {
    if let Some(name) = text.strip_prefix("key-pair/") {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if name.is_empty() || name.starts_with('.') || !name.chars().all(allowed) {
            return Err(ItemError::KeyName(name.to_owned()));
        }
        return Ok(AdoptItem::KeyPair(name.to_owned()));
    }
    let (id, value) = match text.split_once('=') {
        Some((id, value)) => (id, Some(value)),
        None => (text, None),
    };
    let (kind, digits) = id.split_once('-').ok_or_else(|| ItemError::Kind(text.to_owned()))?;
    if !["vpc", "subnet", "sg", "ami"].contains(&kind) {
        return Err(ItemError::Kind(text.to_owned()));
    }
    let is_hex = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hex || !matches!(digits.len(), 8 | 17) {
        return Err(ItemError::Id(text.to_owned()));
    }
    let id = id.to_owned();
    match (kind, value) {
        ("ami", Some(image)) if !image.is_empty() => Ok(AdoptItem::Image { id, image: image.to_owned() }),
        ("ami", _) => Err(ItemError::NoImage(id)),
        (_, Some(_)) => Err(ItemError::NoValue(text.to_owned())),
        ("vpc", None) => Ok(AdoptItem::Vpc(id)),
        ("subnet", None) => Ok(AdoptItem::Subnet(id)),
        (_, None) => Ok(AdoptItem::SecurityGroup(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items() {
        let bad = |text: &str| text.to_owned();
        for (text, expected) in [
            ("vpc-f8233a80", Ok(AdoptItem::Vpc("vpc-f8233a80".into()))),
            ("subnet-a5d3ecee", Ok(AdoptItem::Subnet("subnet-a5d3ecee".into()))),
            ("subnet-0a5d3ecee12345678", Ok(AdoptItem::Subnet("subnet-0a5d3ecee12345678".into()))),
            ("sg-0123abcd", Ok(AdoptItem::SecurityGroup("sg-0123abcd".into()))),
            (
                "ami-ec957491=ecs-base",
                Ok(AdoptItem::Image { id: "ami-ec957491".into(), image: "ecs-base".into() }),
            ),
            ("key-pair/admin", Ok(AdoptItem::KeyPair("admin".into()))),
            ("ami-ec957491", Err(ItemError::NoImage(bad("ami-ec957491")))),
            ("ami-ec957491=", Err(ItemError::NoImage(bad("ami-ec957491")))),
            ("vpc-f8233a80=x", Err(ItemError::NoValue(bad("vpc-f8233a80=x")))),
            ("vpc-F8233A80", Err(ItemError::Id(bad("vpc-F8233A80")))),
            ("vpc-12", Err(ItemError::Id(bad("vpc-12")))),
            ("igw-f8233a80", Err(ItemError::Kind(bad("igw-f8233a80")))),
            ("admin", Err(ItemError::Kind(bad("admin")))),
            ("", Err(ItemError::Kind(String::new()))),
            ("key-pair/../x", Err(ItemError::KeyName(bad("../x")))),
            ("key-pair/", Err(ItemError::KeyName(String::new()))),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
