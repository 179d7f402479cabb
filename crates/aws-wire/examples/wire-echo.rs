//! Shows what the codecs make of messages, for `tests/botocore_agrees.py`, which compares it with botocore.
//!
//! Reads one JSON object a line, with an HTTP request (`method`, `uri`, `headers`, `body`) and perhaps `output`, an
//! output in its stored form. Answers each with a line: `{"input": …}`, the decoded request in its stored form; or
//! `{"status": …, "body": …}`, the encoded output; or `{"error": …}`.

use std::io::{BufRead, Write};

use aws_wire::{ParsedRequest, decode_any, encode_output, parse, restore};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Message {
    method: String,
    uri: String,
    headers: Vec<(String, String)>,
    body: String,
    output: Option<Value>,
}

fn main() -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let answer = answer(&line?).unwrap_or_else(|error| json!({"error": error}));
        writeln!(out, "{answer}")?;
    }
    Ok(())
}

fn answer(line: &str) -> Result<Value, String> {
    let message: Message = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let request = message.request()?;
    match message.output {
        Some(output) => encode(&request, &output),
        None => {
            let input = decode_any(&request).map_err(|error| error.to_string())?;
            Ok(json!({"input": serde_json::to_value(&*input).map_err(|error| error.to_string())?}))
        }
    }
}

fn encode(request: &ParsedRequest, stored: &Value) -> Result<Value, String> {
    let operation = request.service.model().operation(&request.operation).ok_or("unknown operation")?;
    let mut output = (operation.output)();
    restore(output.as_mut(), stored).map_err(|error| error.to_string())?;
    let encoded = encode_output(request, output.as_ref());
    Ok(json!({"status": encoded.status, "body": String::from_utf8_lossy(&encoded.body)}))
}

impl Message {
    fn request(&self) -> Result<ParsedRequest, String> {
        let mut builder = http::Request::builder().method(self.method.as_str()).uri(&self.uri);
        for (name, value) in &self.headers {
            builder = builder.header(name, value);
        }
        let (parts, ()) = builder.body(()).map_err(|error| error.to_string())?.into_parts();
        parse(&parts, self.body.as_bytes()).map_err(|error| error.to_string())
    }
}
