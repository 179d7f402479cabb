//! CloudWatch Logs as the agent sees it on a bad day: it throttles, fails, and hangs up before and after it has taken
//! what was sent.

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

/// What arrived.
#[derive(Default)]
pub struct Received {
    /// Messages by stream, in the order of arrival.
    pub streams: HashMap<String, Vec<String>>,
    /// Streams that were created.
    created: Vec<String>,
    /// Whether the group was created.
    group: bool,
    /// Requests taken although the agent was not told so.
    pub taken_in_silence: usize,
    /// Requests refused or dropped.
    pub failures: usize,
    /// Requests that break a rule of PutLogEvents.
    pub violations: Vec<String>,
}

/// A service on the loopback address that lives as long as the test.
pub struct Service {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
}

enum Answer {
    Reply(u16, Value),
    HangUp,
}

impl Service {
    /// Begins to serve.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Self { address: listener.local_addr().unwrap(), received: Arc::default() };
        let received = Arc::clone(&service.received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let received = Arc::clone(&received);
                std::thread::spawn(move || serve(stream, &received));
            }
        });
        service
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap()
    }
}

fn serve(mut stream: TcpStream, received: &Mutex<Received>) {
    let mut bytes = Vec::new();
    while let Some((operation, body)) = read_request(&mut stream, &mut bytes) {
        let input: Value = serde_json::from_slice(&body).unwrap();
        let answer = answer(&operation, &input, &mut received.lock().unwrap());
        let Answer::Reply(status, output) = answer else { return };
        let body = output.to_string();
        let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n", body.len());
        if stream.write_all((head + &body).as_bytes()).is_err() {
            return;
        }
    }
}

/// The operation and the body of the next request; None when the agent has gone.
fn read_request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<(String, Vec<u8>)> {
    let mut chunk = vec![0; 64 << 10];
    loop {
        let mut slots = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Request::new(&mut slots);
        if let Ok(httparse::Status::Complete(start)) = head.parse(bytes) {
            let header = |name: &str| {
                let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
                found.map(|header| String::from_utf8_lossy(header.value).into_owned())
            };
            let length: usize = header("content-length").map_or(0, |value| value.parse().unwrap());
            let operation = header("x-amz-target").unwrap().rsplit('.').next().unwrap().to_owned();
            let is_zipped = header("content-encoding").is_some();
            while bytes.len() < start + length {
                let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
                bytes.extend_from_slice(&chunk[..count]);
            }
            let body: Vec<u8> = bytes.drain(..start + length).skip(start).collect();
            if !is_zipped {
                return Some((operation, body));
            }
            let mut plain = Vec::new();
            GzDecoder::new(body.as_slice()).read_to_end(&mut plain).unwrap();
            return Some((operation, plain));
        }
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    }
}

fn error(code: &str) -> Answer {
    Answer::Reply(400, json!({"__type": code, "message": "a bad day"}))
}

fn answer(operation: &str, input: &Value, received: &mut Received) -> Answer {
    let stream = input["logStreamName"].as_str().unwrap_or_default().to_owned();
    match operation {
        "CreateLogGroup" if received.group => error("ResourceAlreadyExistsException"),
        "CreateLogGroup" => {
            received.group = true;
            Answer::Reply(200, Value::Null)
        }
        "CreateLogStream" if !received.group => error("ResourceNotFoundException"),
        "CreateLogStream" => {
            received.created.push(stream);
            Answer::Reply(200, Value::Null)
        }
        "PutLogEvents" if !received.created.contains(&stream) => error("ResourceNotFoundException"),
        "PutLogEvents" => put(stream, input["logEvents"].as_array().unwrap(), received),
        other => panic!("the agent called {other}"),
    }
}

fn put(stream: String, events: &[Value], received: &mut Received) -> Answer {
    let fate: f64 = rand::random();
    if fate < 0.06 {
        received.failures += 1;
        return match fate {
            ..0.02 => error("ThrottlingException"),
            ..0.04 => Answer::Reply(503, json!({"__type": "ServiceUnavailableException"})),
            _ => Answer::HangUp,
        };
    }
    let times: Vec<i64> = events.iter().map(|event| event["timestamp"].as_i64().unwrap()).collect();
    if times.is_empty() || !times.is_sorted() {
        received.violations.push(format!("times out of order: {times:?}"));
    }
    let messages = events.iter().map(|event| event["message"].as_str().unwrap().to_owned());
    received.streams.entry(stream).or_default().extend(messages);
    if fate < 0.10 {
        received.taken_in_silence += 1;
        return Answer::HangUp;
    }
    Answer::Reply(200, json!({"nextSequenceToken": "1"}))
}
