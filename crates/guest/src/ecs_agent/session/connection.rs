//! One WebSocket to the service: through a proxy or not, over TLS or not, signed by headers.

use crate::aws::credentials::Credentials;
use crate::aws::proxy::ProxySettings;
use crate::aws::resolver::{ResolveError, SystemResolver};
use crate::aws::sign::{Scope, SignError, signed_headers};
use crate::aws::trust::{self, TrustError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use std::io::{self, Read as _, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::HandshakeError;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// A read timeout of zero would mean none.
const SHORTEST_READ: Duration = Duration::from_millis(1);

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The endpoint is not an address.
    #[error("{url:?} is not a WebSocket address: {reason}")]
    Address {
        /// The address.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The host has no address.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The host or the proxy cannot be reached.
    #[error("{peer}: {source}")]
    Io {
        /// Who.
        peer: String,
        /// Why not.
        source: io::Error,
    },
    /// The proxy refused to pass the connection on.
    #[error("the proxy {proxy} refused the connection: {status}")]
    Proxy {
        /// The proxy.
        proxy: String,
        /// Its answer.
        status: String,
    },
    /// TLS cannot be set up.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The request could not be signed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The service says that the instance is not in the cluster any more.
    #[error("{0}")]
    Deregistered(String),
    /// The service refused the connection.
    #[error("{0}")]
    Refused(String),
}

/// Opens connections.
pub struct Connector {
    root: PathBuf,
    proxies: ProxySettings,
    region: String,
    tls: OnceLock<Arc<ClientConfig>>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl io::Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref(),
        }
    }
}

/// Where a connection leads.
struct Target {
    uri: Uri,
    secure: bool,
    host: String,
    port: u16,
}

impl Target {
    fn parse(url: &str) -> Result<Self, ConnectError> {
        let wrong = |reason: String| ConnectError::Address { url: url.to_owned(), reason };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no scheme".to_owned()))?;
        let (scheme, secure) = match scheme {
            "https" | "wss" => ("wss", true),
            "http" | "ws" => ("ws", false),
            other => return Err(wrong(format!("unknown scheme {other}"))),
        };
        let uri: Uri = format!("{scheme}://{rest}")
            .parse()
            .map_err(|err: http::uri::InvalidUri| wrong(err.to_string()))?;
        let host =
            uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it has no host".to_owned()))?;
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { secure, host: host.to_owned(), port, uri })
    }

    fn authority(&self) -> &str {
        self.uri.authority().map_or("", http::uri::Authority::as_str)
    }
}

impl Connector {
    /// Connections from the system rooted at `root`, signed for `region`.
    pub fn new(root: PathBuf, proxies: ProxySettings, region: String) -> Self {
        Self { root, proxies, region, tls: OnceLock::new() }
    }

    /// Opens a connection to `url`.
    pub fn connect(&self, url: &str, credentials: &Credentials) -> Result<Connection, ConnectError> {
        let target = Target::parse(url)?;
        let stream = self.stream(&target)?;
        let mut request =
            (&target.uri).into_client_request().map_err(|err| ConnectError::Refused(err.to_string()))?;
        let host = [("host".to_owned(), target.authority().to_owned())];
        let scope = Scope { region: &self.region, service: "ecs", time: SystemTime::now() };
        for (name, value) in signed_headers(credentials, scope, "GET", url, &host, b"")? {
            let wrong =
                |reason: String| ConnectError::Refused(format!("cannot send the header {name}: {reason}"));
            let value =
                value.parse().map_err(|err: http::header::InvalidHeaderValue| wrong(err.to_string()))?;
            let header: http::HeaderName =
                name.parse().map_err(|err: http::header::InvalidHeaderName| wrong(err.to_string()))?;
            request.headers_mut().insert(header, value);
        }
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Connection { socket }),
            Err(HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
                Err(refused(response.status().as_u16(), &body))
            }
            Err(HandshakeError::Failure(err)) => Err(ConnectError::Refused(err.to_string())),
            Err(HandshakeError::Interrupted(_)) => {
                Err(ConnectError::Refused(format!("no answer in {} s", CONNECT_TIMEOUT.as_secs())))
            }
        }
    }

    fn stream(&self, target: &Target) -> Result<Stream, ConnectError> {
        let scheme = if target.secure { "wss" } else { "ws" };
        let tcp = match self.proxies.proxy_for(scheme, &target.host) {
            Some(proxy) => self.through(proxy, target)?,
            None => self.tcp(&target.host, target.port)?,
        };
        if !target.secure {
            return Ok(Stream::Plain(tcp));
        }
        let config = match self.tls.get() {
            Some(config) => Arc::clone(config),
            None => Arc::clone(self.tls.get_or_init({
                let config = trust::client_config(&self.root)?;
                || config
            })),
        };
        let name = ServerName::try_from(target.host.clone())
            .map_err(|err| ConnectError::Address { url: target.uri.to_string(), reason: err.to_string() })?;
        let session = ClientConnection::new(config, name).map_err(TrustError::from)?;
        Ok(Stream::Tls(Box::new(StreamOwned::new(session, tcp))))
    }

    fn tcp(&self, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for address in SystemResolver::new(&self.root).lookup(host, port)? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT).and_then(configured) {
                Ok(stream) => return Ok(stream),
                Err(err) => last = err,
            }
        }
        Err(ConnectError::Io { peer: format!("{host}:{port}"), source: last })
    }

    fn through(&self, proxy: &str, target: &Target) -> Result<TcpStream, ConnectError> {
        let with_scheme = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
        let wrong = |reason: String| ConnectError::Address { url: proxy.to_owned(), reason };
        let uri: Uri = with_scheme.parse().map_err(|err: http::uri::InvalidUri| wrong(err.to_string()))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("only http proxies are supported".to_owned()));
        }
        let host = uri.host().ok_or_else(|| wrong("it has no host".to_owned()))?;
        let mut stream = self.tcp(host, uri.port_u16().unwrap_or(80))?;
        let user =
            uri.authority().and_then(|authority| authority.as_str().rsplit_once('@')).map(|(user, _)| user);
        let status = ask_proxy(&mut stream, target, user)
            .map_err(|source| ConnectError::Io { peer: format!("proxy {host}"), source })?;
        if status == 200 {
            Ok(stream)
        } else {
            Err(ConnectError::Proxy { proxy: host.to_owned(), status: status.to_string() })
        }
    }
}

fn configured(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    // The handshake's; each later read has its own.
    stream.set_read_timeout(Some(CONNECT_TIMEOUT))?;
    stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
    Ok(stream)
}

fn ask_proxy(stream: &mut TcpStream, target: &Target, user: Option<&str>) -> io::Result<u16> {
    let authority = format!("{}:{}", target.host, target.port);
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some(user) = user {
        request.push_str(&format!("Proxy-Authorization: Basic {}\r\n", STANDARD.encode(user)));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    let mut byte = [0];
    // By single bytes: what follows the head belongs to the connection inside.
    while !head.ends_with(b"\r\n\r\n") && head.len() < 8192 {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(&head).map_err(io::Error::other)?;
    response.code.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn refused(status: u16, body: &str) -> ConnectError {
    let text = format!("status {status}: {}", body.trim());
    if body.contains("InactiveInstanceException") {
        ConnectError::Deregistered(text)
    } else {
        ConnectError::Refused(text)
    }
}

/// What a read brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// Nothing in the time given.
    Nothing,
    /// A message.
    Text(String),
    /// The end, for a reason that needs no pause: the service closed it, or went away.
    Closed,
}

/// An open connection.
pub struct Connection {
    socket: WebSocket<Stream>,
}

impl Connection {
    /// Another handle on the TCP connection, if the system gives one.
    pub fn socket(&self) -> Option<OwnedFd> {
        self.socket.get_ref().tcp().try_clone().ok().map(OwnedFd::from)
    }

    /// Waits up to `limit` for a message. An error says why the connection is no more.
    pub fn read(&mut self, limit: Duration) -> Result<Read, String> {
        let limit = limit.max(SHORTEST_READ);
        self.socket.get_ref().tcp().set_read_timeout(Some(limit)).map_err(|err| err.to_string())?;
        match self.socket.read() {
            Ok(Message::Text(text)) => Ok(Read::Text(text.as_str().to_owned())),
            Ok(Message::Binary(bytes)) => Ok(Read::Text(String::from_utf8_lossy(&bytes).into_owned())),
            Ok(Message::Close(frame)) => match frame {
                None => Ok(Read::Closed),
                Some(frame) if needs_no_pause(frame.code) => Ok(Read::Closed),
                Some(frame) => {
                    Err(format!("closed by the service: {} {}", u16::from(frame.code), frame.reason))
                }
            },
            // Pings are answered by the library with the next read.
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Ok(Read::Nothing),
            Err(tungstenite::Error::Io(err)) => match err.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {
                    Ok(Read::Nothing)
                }
                io::ErrorKind::UnexpectedEof => Ok(Read::Closed),
                _ => Err(err.to_string()),
            },
            Err(
                tungstenite::Error::ConnectionClosed
                | tungstenite::Error::AlreadyClosed
                | tungstenite::Error::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake),
            ) => Ok(Read::Closed),
            Err(err) => Err(err.to_string()),
        }
    }

    /// Sends a message.
    pub fn send(&mut self, text: &str) -> Result<(), String> {
        self.socket.send(Message::text(text)).map_err(|err| err.to_string())
    }

    /// Says good-bye, if the other end still listens.
    pub fn close(&mut self) {
        let _ = self.socket.close(None).and_then(|()| self.socket.flush());
    }
}

/// Normal, going away, and the service's own trouble, as with Amazon's agent.
fn needs_no_pause(code: CloseCode) -> bool {
    matches!(code, CloseCode::Normal | CloseCode::Away | CloseCode::Error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let target = Target::parse("https://ecs-a-1.us-east-1.amazonaws.com/ws?a=b").unwrap();
        assert_eq!(
            (target.secure, target.host.as_str(), target.port),
            (true, "ecs-a-1.us-east-1.amazonaws.com", 443)
        );
        assert_eq!(target.uri.to_string(), "wss://ecs-a-1.us-east-1.amazonaws.com/ws?a=b");
        let target = Target::parse("http://127.0.0.1:4566/ws").unwrap();
        assert_eq!((target.secure, target.port, target.authority()), (false, 4566, "127.0.0.1:4566"));
        for url in ["ftp://x/", "x", "https:///ws"] {
            assert!(matches!(Target::parse(url), Err(ConnectError::Address { .. })), "{url}");
        }
    }

    #[test]
    fn an_inactive_instance_is_told_apart() {
        assert!(matches!(
            refused(400, r#"{"InactiveInstanceException":"x"}"#),
            ConnectError::Deregistered(_)
        ));
        assert_eq!(refused(403, "no\n").to_string(), "status 403: no");
    }
}
