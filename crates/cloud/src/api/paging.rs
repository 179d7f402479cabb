//! Paging as AWS does it: a limit, and an opaque token to go on from.
//!
//! A token names the key of the last item that was given, not a position, so that pages neither repeat nor
//! lose an item when others come and go between two requests.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// How many items an operation gives at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The least that may be asked for.
    pub min: i32,
    /// The most that may be asked for.
    pub max: i32,
    /// How many are given to who does not ask; none means all.
    pub default: Option<i32>,
}

/// In which order the items lie that are to be paged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Ascending by key. Items may come and go.
    Ascending,
    /// Any order in which an item that was given stays where it is in relation to the others (a log).
    Fixed,
}

/// What a request says of the page it wants.
#[derive(Debug, Clone, Copy, Default)]
pub struct PageRequest<'a> {
    /// The most items to give.
    pub max: Option<i32>,
    /// The token that the page before ended with.
    pub token: Option<&'a str>,
}

/// A page of items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The token to go on with, if there are more.
    pub next: Option<String>,
}

/// What is wrong with a request for a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PagingError {
    /// The limit is out of the operation's range.
    #[error(
        "Value ( {value} ) for parameter maxResults is invalid. Expecting a value between {min} and {max}."
    )]
    Limit {
        /// What was asked for.
        value: i32,
        /// The least allowed.
        min: i32,
        /// The most allowed.
        max: i32,
    },
    /// The token was not made by this operation.
    #[error("The token '{0}' is invalid")]
    Token(String),
}

/// Cuts the page that is asked for out of all items.
///
/// # Errors
/// When the limit is out of range or the token is not one of ours.
pub fn page<T>(
    items: Vec<T>,
    request: PageRequest<'_>,
    limits: Limits,
    order: Order,
    key: impl Fn(&T) -> &str,
) -> Result<Page<T>, PagingError> {
    let count = match request.max {
        Some(value) if value < limits.min || value > limits.max => {
            return Err(PagingError::Limit { value, min: limits.min, max: limits.max });
        }
        Some(value) => Some(value),
        None => limits.default,
    };
    let start = match request.token {
        None => 0,
        Some(token) => {
            let bad = || PagingError::Token(token.to_owned());
            let last = decode(token).ok_or_else(bad)?;
            match order {
                Order::Ascending => items.partition_point(|item| key(item) <= last.as_str()),
                Order::Fixed => 1 + items.iter().position(|item| key(item) == last).ok_or_else(bad)?,
            }
        }
    };
    let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let more = items.len().saturating_sub(start) > count;
    let items: Vec<T> = items.into_iter().skip(start).take(count).collect();
    let next = if more { items.last().map(|item| encode(key(item))) } else { None };
    Ok(Page { items, next })
}

/// The token that goes on after `key`.
fn encode(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("1:{key}"))
}

fn decode(token: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    Some(text.strip_prefix("1:")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { min: 1, max: 5, default: None };

    fn letters(text: &str) -> Vec<String> {
        text.chars().map(String::from).collect()
    }

    fn cut(
        text: &str,
        max: Option<i32>,
        token: Option<&str>,
        order: Order,
    ) -> Result<Page<String>, PagingError> {
        page(letters(text), PageRequest { max, token }, LIMITS, order, |item| item)
    }

    #[test]
    fn pages_join_to_the_whole() {
        for order in [Order::Ascending, Order::Fixed] {
            for size in 1..=5 {
                let mut all = Vec::new();
                let mut token = None;
                loop {
                    let page = cut("abcde", Some(size), token.as_deref(), order).unwrap();
                    assert!(page.items.len() <= usize::try_from(size).unwrap());
                    all.extend(page.items);
                    token = page.next;
                    if token.is_none() {
                        break;
                    }
                }
                assert_eq!(all, letters("abcde"), "size {size}, {order:?}");
            }
        }
    }

    #[test]
    fn an_item_that_went_between_two_pages_loses_no_other() {
        let first = cut("abcd", Some(2), None, Order::Ascending).unwrap();
        let second = cut("acde", Some(5), first.next.as_deref(), Order::Ascending).unwrap();
        assert_eq!(second.items, letters("cde"));
        assert_eq!(second.next, None);
    }

    #[test]
    fn everything_is_given_to_who_sets_no_limit() {
        assert_eq!(cut("abcdefgh", None, None, Order::Fixed).unwrap().items.len(), 8);
    }

    #[test]
    fn bad_requests_are_refused() {
        assert_eq!(
            cut("a", Some(6), None, Order::Fixed),
            Err(PagingError::Limit { value: 6, min: 1, max: 5 })
        );
        assert_eq!(cut("a", None, Some("?"), Order::Fixed), Err(PagingError::Token("?".into())));
        assert!(cut("a", None, Some(&encode("z")), Order::Fixed).is_err(), "no such item in a log");
    }
}
