//! Pages, with Auto Scaling's errors.

use aws_wire::Error;

use super::errors;
use crate::api::paging::{self, Limits, Order, Page, PageRequest, PagingError};

/// The limits of most of Auto Scaling's pages.
pub const PAGE: Limits = Limits { min: 1, max: 100, default: Some(50) };

/// The part of all items that a request asks for.
///
/// # Errors
/// When the limit or the token is not valid.
pub fn page<T>(
    items: Vec<T>,
    request: PageRequest<'_>,
    limits: Limits,
    order: Order,
    key: impl Fn(&T) -> &str,
) -> Result<Page<T>, Error> {
    paging::page(items, request, limits, order, key).map_err(|error| match error {
        PagingError::Token(token) => {
            Error::client("InvalidNextToken", format!("The token '{token}' is invalid."))
        }
        PagingError::Limit { value, min, max } => {
            let bound = if value < min { format!("greater than or equal to {min}") } else { format!("less than or equal to {max}") };
            errors::validation(format!(
                "1 validation error detected: Value '{value}' at 'maxRecords' failed to satisfy constraint: Member must \
                 have value {bound}"
            ))
        }
    })
}
