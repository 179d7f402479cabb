//! A small blocking HTTP client: the instance's own trust store, name servers and proxies.

use super::proxy::ProxySettings;
use super::resolver::{ResolveError, SystemResolver};
use super::trust;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// The largest answer kept in memory, in bytes. API answers are far smaller.
const MAX_BODY: u64 = 64 << 20;
/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A request, with its whole body.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: &'static str,
    /// The absolute address.
    pub url: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// How long the whole exchange may take.
    pub timeout: Duration,
}

impl Request {
    /// A request without headers or body that may take a minute.
    pub fn new(method: &'static str, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: Duration::from_secs(60),
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Limits how long the exchange may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// An answer of any status.
#[derive(Debug, Clone, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body, empty when it was written elsewhere.
    pub body: Vec<u8>,
}

impl Response {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why a request got no answer at all.
#[derive(Debug, thiserror::Error)]
#[error("{method} {url}: {reason}")]
pub struct HttpError {
    /// The method.
    pub method: &'static str,
    /// The address, without its query.
    pub url: String,
    /// What went wrong.
    pub reason: String,
}

/// Sends requests: a trait so that tests can answer without a network.
pub trait Http: Send + Sync {
    /// Sends `request` and returns the answer, whatever its status.
    fn send(&self, request: &Request) -> Result<Response, HttpError>;

    /// As [`Http::send`], but writes the body of a 2xx answer to `sink`.
    fn download(&self, request: &Request, sink: &mut dyn Write) -> Result<Response, HttpError>;
}

/// The real client.
pub struct Client {
    root: PathBuf,
    proxies: ProxySettings,
    plain: OnceLock<Agent>,
    // Reading the trust store takes a few milliseconds, so only a request that needs TLS pays for it.
    secure: OnceLock<Result<Agent, String>>,
}

impl Client {
    /// A client for the system rooted at `root`.
    pub fn new(root: &Path, proxies: ProxySettings) -> Self {
        Self { root: root.to_owned(), proxies, plain: OnceLock::new(), secure: OnceLock::new() }
    }

    fn agent(&self, scheme: &str) -> Result<&Agent, String> {
        if scheme == "https" {
            self.secure.get_or_init(|| self.secure_agent()).as_ref().map_err(Clone::clone)
        } else {
            Ok(self.plain.get_or_init(|| self.build(TlsConfig::default())))
        }
    }

    fn secure_agent(&self) -> Result<Agent, String> {
        let authorities = trust::authorities(&self.root).map_err(|err| err.to_string())?;
        let roots = authorities.iter().map(|authority| Certificate::from_der(authority).to_owned());
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::from(roots))
            .build();
        Ok(self.build(tls))
    }

    fn build(&self, tls: TlsConfig) -> Agent {
        let config = Agent::config_builder()
            .tls_config(tls)
            .proxy(None)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .user_agent(concat!("drydock-guest/", env!("CARGO_PKG_VERSION")))
            .build();
        Agent::with_parts(config, DefaultConnector::default(), HostsAndDns(SystemResolver::new(&self.root)))
    }

    fn exchange(&self, request: &Request, sink: Option<&mut dyn Write>) -> Result<Response, String> {
        let uri: Uri = request.url.parse().map_err(|err| format!("not a valid address: {err}"))?;
        let scheme = uri.scheme_str().unwrap_or_default().to_owned();
        let host = uri.host().unwrap_or_default().to_owned();
        let mut builder = http::Request::builder().method(request.method).uri(uri);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let message = builder.body(request.body.as_slice()).map_err(|err| err.to_string())?;
        let proxy = self.proxies.proxy_for(&scheme, &host).map(ureq::Proxy::new).transpose();
        let proxy = proxy.map_err(|err| format!("the configured proxy is not valid: {err}"))?;
        let agent = self.agent(&scheme)?;
        let message =
            agent.configure_request(message).proxy(proxy).timeout_global(Some(request.timeout)).build();
        let answer = if request.body.is_empty() && matches!(request.method, "GET" | "HEAD") {
            agent.run(message.map(|_| ()))
        } else {
            agent.run(message)
        };
        let answer = answer.map_err(|err| err.to_string())?;
        let status = answer.status().as_u16();
        let mut reader = answer.into_body().into_with_config().limit(u64::MAX).reader();
        let mut body = Vec::new();
        let copied = match sink {
            Some(sink) if (200..300).contains(&status) => io::copy(&mut reader, sink).map(drop),
            _ => reader.take(MAX_BODY).read_to_end(&mut body).map(drop),
        };
        copied.map_err(|err| format!("the answer broke off: {err}"))?;
        Ok(Response { status, body })
    }
}

impl Http for Client {
    fn send(&self, request: &Request) -> Result<Response, HttpError> {
        self.exchange(request, None).map_err(|reason| http_error(request, reason))
    }

    fn download(&self, request: &Request, sink: &mut dyn Write) -> Result<Response, HttpError> {
        self.exchange(request, Some(sink)).map_err(|reason| http_error(request, reason))
    }
}

fn http_error(request: &Request, reason: String) -> HttpError {
    // A query may carry a signature or a token.
    let url = request.url.split('?').next().unwrap_or_default().to_owned();
    HttpError { method: request.method, url, reason }
}

#[derive(Debug)]
struct HostsAndDns(SystemResolver);

impl Resolver for HostsAndDns {
    fn resolve(&self, uri: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let host = uri.host().ok_or(ureq::Error::HostNotFound)?;
        let default_port = if uri.scheme_str() == Some("https") { 443 } else { 80 };
        let found = self.0.lookup(host, uri.port_u16().unwrap_or(default_port)).map_err(to_ureq)?;
        let mut addresses = self.empty();
        // The client's list of addresses is of fixed size.
        found.into_iter().take(16).for_each(|address: SocketAddr| addresses.push(address));
        Ok(addresses)
    }
}

fn to_ureq(err: ResolveError) -> ureq::Error {
    ureq::Error::Other(Box::new(err))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Reply, Server};

    fn client(proxies: ProxySettings) -> Client {
        Client::new(Path::new("/nonexistent"), proxies)
    }

    #[test]
    fn any_status_is_an_answer_and_headers_and_body_arrive() {
        let server = Server::start(|request| {
            Reply::new(404, format!("{} {} {:?}", request.method, request.target, request.header("x-a")))
        });
        let mut request = Request::new("PUT", server.url("/p?q=1")).header("x-a", "b");
        request.body = b"hello".to_vec();
        let answer = client(ProxySettings::default()).send(&request).unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (404, "PUT /p?q=1 Some(\"b\")"));
        assert_eq!(server.requests()[0].body, b"hello");
    }

    #[test]
    fn a_download_goes_to_its_sink_unless_it_fails() {
        let server = Server::start(|request| match request.target.as_str() {
            "/file" => Reply::new(200, "content"),
            _ => Reply::new(403, "denied"),
        });
        let client = client(ProxySettings::default());
        let mut sink = Vec::new();
        let answer = client.download(&Request::new("GET", server.url("/file")), &mut sink).unwrap();
        assert_eq!((sink.as_slice(), answer.body.len()), (&b"content"[..], 0));
        let answer = client.download(&Request::new("GET", server.url("/other")), &mut sink).unwrap();
        assert_eq!((answer.text().as_str(), sink.len()), ("denied", 7));
    }

    #[test]
    fn an_unreachable_host_is_named_without_the_query() {
        let err = client(ProxySettings::default())
            .send(&Request::new("GET", "http://127.0.0.1:1/x?secret=1"))
            .unwrap_err()
            .to_string();
        assert!(err.starts_with("GET http://127.0.0.1:1/x: "), "{err}");
        assert!(!err.contains("secret"));
    }

    #[test]
    fn a_proxy_is_used_for_other_hosts() {
        let proxy = Server::start(|_| Reply::new(200, "by proxy"));
        let settings = ProxySettings { http: Some(proxy.url("")), ..ProxySettings::default() };
        let answer = client(settings).send(&Request::new("GET", "http://198.51.100.1/x"));
        // Whether it is asked to CONNECT or to GET, the request is the proxy's to answer.
        assert!(answer.is_ok() || !proxy.requests().is_empty(), "{answer:?}");
        assert!(proxy.requests()[0].target.contains("198.51.100.1"), "{:?}", proxy.requests()[0]);
    }
}
