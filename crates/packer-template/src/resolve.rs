//! How variables get their values.

use crate::{
    context::Host,
    error::Errors,
    template::Template,
    variables::{VarInputs, Variables},
};

pub(crate) fn resolve(_template: &Template, _inputs: &VarInputs, _host: &Host) -> Result<Variables, Errors> {
    Ok(Variables::default())
}
