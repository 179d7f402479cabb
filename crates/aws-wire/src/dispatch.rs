//! What every generated `dispatch` does with an operation.

use crate::value::Structure;
use crate::{Encoded, Error, ParsedRequest, decode, encode};

/// Decodes the input, runs `operation` and encodes its output.
pub(crate) fn call<I, O>(
    request: &ParsedRequest,
    operation: impl FnOnce(I) -> Result<O, Error>,
) -> Result<Encoded, Error>
where
    I: Structure + Default,
    O: Structure,
{
    let output = operation(decode::input(request)?)?;
    Ok(encode::output(request, &output))
}
