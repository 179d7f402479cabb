//! Parameters of the query protocols as a tree: `Filter.1.Name=x` is `Filter` → `1` → `Name` = `x`.

use std::collections::BTreeMap;

use crate::Error;

/// Names nest no deeper in any model; without a limit a name of dots alone would exhaust the stack.
const MAX_DEPTH: usize = 32;

/// A parameter name's part, with the value given to it, if any, and the parts after it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FormNode {
    pub(crate) value: Option<String>,
    pub(crate) children: BTreeMap<String, FormNode>,
}

impl FormNode {
    /// Adds the pairs of a query string or a form body; of a repeated name the last value counts.
    pub(crate) fn read(&mut self, form: &[u8]) -> Result<(), Error> {
        form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).try_for_each(|pair| {
            let split = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let name = decode(&pair[..split])?;
            let value = decode(pair.get(split + 1..).unwrap_or_default())?;
            self.insert(&name, value)
        })
    }

    fn insert(&mut self, name: &str, value: String) -> Result<(), Error> {
        if name.split('.').count() > MAX_DEPTH {
            return Err(malformed("a parameter's name has too many parts"));
        }
        let node = name.split('.').fold(self, |node, part| node.children.entry(part.to_owned()).or_default());
        node.value = Some(value);
        Ok(())
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.get(name)
    }

    /// Removes the top-level parameter `name` and returns its value.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        self.children.remove(name).and_then(|node| node.value)
    }

    /// Removes what presigning added to the query string.
    pub(crate) fn drop_authentication(&mut self) {
        self.children
            .retain(|name, _| !name.get(..6).is_some_and(|prefix| prefix.eq_ignore_ascii_case("X-Amz-")));
    }

    /// Children whose names are numbers, in their order: the items of a list.
    pub(crate) fn items(&self) -> Vec<(u32, &Self)> {
        let mut items: Vec<_> =
            self.children.iter().filter_map(|(name, node)| Some((name.parse().ok()?, node))).collect();
        items.sort_by_key(|(index, _)| *index);
        items
    }
}

/// Undoes form encoding.
fn decode(encoded: &[u8]) -> Result<String, Error> {
    let spaced: Vec<u8> = encoded.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let bytes: Vec<u8> = percent_encoding::percent_decode(&spaced).collect();
    String::from_utf8(bytes).map_err(|_| malformed("a parameter is not UTF-8"))
}

fn malformed(why: &str) -> Error {
    Error::client("MalformedQueryString", format!("The query string is malformed: {why}."))
}

#[cfg(test)]
mod tests {
    use super::FormNode;

    fn tree(form: &str) -> FormNode {
        let mut tree = FormNode::default();
        tree.read(form.as_bytes()).unwrap();
        tree
    }

    #[test]
    fn undoes_form_encoding() {
        for (form, value) in
            [("A=b+c", "b c"), ("A=b%20c", "b c"), ("A=%2B", "+"), ("A=a=b", "a=b"), ("A", "")]
        {
            assert_eq!(tree(form).take("A").unwrap(), value, "{form}");
        }
        assert_eq!(tree("A=1&A=2&&").take("A").unwrap(), "2");
    }

    #[test]
    fn orders_items_by_number() {
        let tree = tree("L.10=c&L.2=b&L.1=a&L.x=d");
        let items: Vec<_> =
            tree.child("L").unwrap().items().into_iter().map(|(i, n)| (i, n.value.as_deref())).collect();
        assert_eq!(items, [(1, Some("a")), (2, Some("b")), (10, Some("c"))]);
    }

    #[test]
    fn refuses_what_is_no_form() {
        for form in [b"A=%ff".to_vec(), ".".repeat(100_000).into_bytes()] {
            let error = FormNode::default().read(&form).unwrap_err();
            assert_eq!(error.code, "MalformedQueryString");
        }
    }
}
