//! The daemon's HTTP: what a service is to a listener, and how a connection is served.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::Origin;

/// A request as it arrives.
pub type Request = http::Request<Incoming>;
/// An answer. A connection upgrade answers 101 and goes on by itself with [`hyper::upgrade::on`].
pub type Response = http::Response<Body>;
/// An answer's body: mostly whole, but a stream where an operation answers with one.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;
/// The answer to come.
pub type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Something that answers HTTP requests: the API gateway, the instance metadata service.
pub trait HttpService: Send + Sync + 'static {
    /// Answers one request that came from `origin`.
    fn call(self: Arc<Self>, request: Request, origin: Origin) -> Answer;
}

/// Serves one connection until its end. A broken connection is the client's affair and only logged.
pub async fn serve_connection<S>(stream: S, service: Arc<dyn HttpService>, origin: Origin)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |request: Request| {
        let answer = Arc::clone(&service).call(request, origin.clone());
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), answer)
        .with_upgrades();
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// A body that is there as a whole.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// An answer with a plain text body.
pub fn text(status: http::StatusCode, body: impl Into<String>) -> Response {
    let mut response = http::Response::new(whole(body.into()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
