//! The hop limit of metadata tokens.
//!
//! An instance's option `HttpPutResponseHopLimit` is the IP time-to-live of the answer to a token request: with 1,
//! the default, a container behind the instance's own bridge asks for a token and never hears back. It is set on the
//! connection's socket just before the answer is written, and reset for every other request.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::Arc;

use http::Method;
use tokio::net::TcpStream;

use crate::Origin;
use crate::http::{Answer, HttpService, Request};

/// Linux's usual time-to-live.
const USUAL: u32 = 64;

/// Tells an instance's hop limit by its address.
pub(super) type HopLimit = Arc<dyn Fn(Ipv4Addr) -> u8 + Send + Sync>;

/// The metadata service on one connection.
pub(super) struct HopLimited {
    service: Arc<dyn HttpService>,
    socket: std::net::TcpStream,
    limit: HopLimit,
}

impl HopLimited {
    /// Wraps the service for a connection.
    pub(super) fn new(
        service: Arc<dyn HttpService>,
        stream: &TcpStream,
        limit: HopLimit,
    ) -> io::Result<Self> {
        let socket = stream.as_fd().try_clone_to_owned()?.into();
        Ok(Self { service, socket, limit })
    }

    /// How far the answer to this request may go.
    fn hops(&self, request: &Request, origin: &Origin) -> u32 {
        match origin {
            Origin::Instance { address, .. } if request.method() == Method::PUT => {
                (self.limit)(*address).into()
            }
            _ => USUAL,
        }
    }
}

impl HttpService for HopLimited {
    fn call(self: Arc<Self>, request: Request, origin: Origin) -> Answer {
        if let Err(error) = self.socket.set_ttl(self.hops(&request, &origin)) {
            tracing::warn!(%error, "the hop limit of a metadata answer could not be set");
        }
        Arc::clone(&self.service).call(request, origin)
    }
}
