//! Shows what the codecs make of messages, for `tests/botocore_agrees.py`, which compares it with botocore.
//!
//! Reads one JSON object a line, with an HTTP request (`method`, `uri`, `headers`, `body`), perhaps the `secret` that it
//! must be signed with, and perhaps `output`, an output in its stored form. Answers each with a line: `{"input": …}`,
//! the decoded request in its stored form; or the encoded answer, `{"status": …, "headers": …, "body": …}`, which is
//! an error's if there was one; or `{"broken": …}` if the line itself is no good.

use std::io::{BufRead, Write};

use aws_wire::{Encoded, Error, ParsedRequest, decode_any, encode_error, encode_output, error_format};
use aws_wire::{parse, restore, sigv4};
use http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Message {
    method: String,
    uri: String,
    headers: Vec<(String, String)>,
    body: String,
    secret: Option<String>,
    output: Option<Value>,
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = answer(&line?).unwrap_or_else(|error| json!({"broken": error}));
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

fn answer(line: &str) -> Result<Value, String> {
    let message: Message = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let parts = message.parts()?;
    let request = match message.request(&parts) {
        Ok(request) => request,
        Err(error) => {
            let (format, service) = error_format(&parts);
            return Ok(shown(&encode_error(format, service, "ID", &error)));
        }
    };
    match (&message.output, decode_any(&request)) {
        (Some(output), _) => encode(&request, output),
        (None, Ok(input)) => {
            Ok(json!({"input": serde_json::to_value(&*input).map_err(|error| error.to_string())?}))
        }
        (None, Err(error)) => Ok(shown(&request.encode_error(&error))),
    }
}

fn encode(request: &ParsedRequest, stored: &Value) -> Result<Value, String> {
    let operation = request.service.model().operation(&request.operation).ok_or("unknown operation")?;
    let mut output = (operation.output)();
    restore(output.as_mut(), stored).map_err(|error| error.to_string())?;
    Ok(shown(&encode_output(request, output.as_ref())))
}

fn shown(encoded: &Encoded) -> Value {
    let headers: serde_json::Map<String, Value> =
        encoded.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    json!({"status": encoded.status, "headers": headers, "body": String::from_utf8_lossy(&encoded.body)})
}

impl Message {
    fn parts(&self) -> Result<Parts, String> {
        let mut builder = http::Request::builder().method(self.method.as_str()).uri(&self.uri);
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        Ok(builder.body(()).map_err(|error| error.to_string())?.into_parts().0)
    }

    fn request(&self, parts: &Parts) -> Result<ParsedRequest, Error> {
        let body = self.body.as_bytes();
        if let Some(secret) = &self.secret {
            sigv4::verify(parts, body, secret)?;
        }
        parse(parts, body)
    }
}
