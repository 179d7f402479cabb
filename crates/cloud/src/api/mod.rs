//! What the services' operations have in common: paging, filters, tags and the checking of values.
//!
//! Nothing here knows a service. Each service says what its own error is where these say what is wrong.

pub mod filters;
pub mod paging;
pub mod support;
pub mod tags;
pub mod values;
