//! Parameters into input types, along the types' schemas.

use crate::request::Params;
use crate::value::Structure;
use crate::{Error, ParsedRequest};

mod direct;
mod form;
mod json;
mod path;
mod refusal;
pub(crate) mod scalar;

/// Decodes the parameters of `request`.
pub(crate) fn input<T: Structure + Default>(request: &ParsedRequest) -> Result<T, Error> {
    if let Params::Json(body) = &request.params {
        let mut quick = T::default();
        if direct::fill(body.bytes(), &mut quick) {
            return Ok(quick);
        }
    }
    let mut input = T::default();
    fill(request, &mut input)?;
    Ok(input)
}

/// Decodes the parameters of `request` into `input`.
pub(crate) fn fill(request: &ParsedRequest, input: &mut dyn Structure) -> Result<(), Error> {
    let mut refusals = refusal::Refusals::new(request.service);
    match &request.params {
        Params::Form(node) => {
            form::Decoder { refusals: &mut refusals }.structure(node, input, &path::Path::Root)?
        }
        Params::Json(body) => {
            json::Decoder { refusals: &mut refusals }.structure(&body.tree()?, input, &path::Path::Root)?
        }
    }
    refusals.finish()
}
