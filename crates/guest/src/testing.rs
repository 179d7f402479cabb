//! Servers and stand-ins for this crate's tests.

use crate::aws::http::Client;
use crate::aws::proxy::ProxySettings;
use crate::aws::retry::Sleeper;
use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, PacketFlag, RCODE, ResourceRecord};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Does not wait.
pub struct NoSleep;

impl Sleeper for NoSleep {
    fn sleep(&self, _: Duration) {}
}

/// The real client, for the loopback address.
pub fn http_client() -> Arc<Client> {
    Arc::new(Client::new(Path::new("/nonexistent"), ProxySettings::default()))
}

/// A request as the fake server saw it.
#[derive(Debug, Clone, Default)]
pub struct Received {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The value of a query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name)
                .then(|| percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
        })
    }
}

/// The fake server's answer.
pub struct Reply {
    status: u16,
    body: Vec<u8>,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, body: body.into() }
    }
}

/// An HTTP server on the loopback address that lives as long as the test.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Received>>>,
}

impl Server {
    pub fn start(handler: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { address: listener.local_addr().unwrap(), requests: Arc::default() };
        let requests = Arc::clone(&server.requests);
        let handler = Arc::new(handler);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (handler, requests) = (Arc::clone(&handler), Arc::clone(&requests));
                std::thread::spawn(move || answer(stream, &*handler, &requests));
            }
        });
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn requests(&self) -> Vec<Received> {
        self.requests.lock().unwrap().clone()
    }
}

fn answer(mut stream: TcpStream, handler: &dyn Fn(&Received) -> Reply, requests: &Mutex<Vec<Received>>) {
    let Some(received) = read_request(&mut stream) else { return };
    requests.lock().unwrap().push(received.clone());
    let reply = handler(&received);
    let head = format!(
        "HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        reply.status,
        reply.body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&reply.body));
}

fn read_request(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Request::new(&mut slots);
        if let Ok(httparse::Status::Complete(length)) = head.parse(&bytes) {
            let headers: Vec<(String, String)> = head
                .headers
                .iter()
                .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
                .collect();
            let mut received = Received {
                method: head.method?.to_owned(),
                target: head.path?.to_owned(),
                headers,
                body: bytes[length..].to_vec(),
            };
            let expected =
                received.header("content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
            while received.body.len() < expected {
                let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
                received.body.extend_from_slice(&chunk[..count]);
            }
            return Some(received);
        }
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    }
}

/// A name server on the loopback address that knows `names`.
pub fn dns_server(names: &'static [(&'static str, [u8; 4])]) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let query = Packet::parse(&buffer[..length]).unwrap();
            let question = query.questions[0].clone();
            let mut reply = Packet::new_reply(query.id());
            reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
            let wanted = question.qname.to_string();
            match names.iter().find(|(name, _)| *name == wanted) {
                Some((_, octets)) => reply.answers.push(ResourceRecord::new(
                    question.qname.clone(),
                    CLASS::IN,
                    60,
                    RData::A(A { address: u32::from_be_bytes(*octets) }),
                )),
                None => *reply.rcode_mut() = RCODE::NameError,
            }
            socket.send_to(&reply.build_bytes_vec().unwrap(), from).unwrap();
        }
    });
    address
}
