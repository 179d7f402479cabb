//! The gateway: every API request of every service, from the host or from inside a VPC.
//!
//! A request is parsed, its sender authenticated, and the operation run on the service that it names; each
//! stage hands a typed value to the next. WebSocket upgrades go to the ECS agents' sessions.

mod auth;
mod cache;
mod encoding;

use std::sync::Arc;

use aws_wire::{ParsedRequest, Service};
use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Limited};

use crate::autoscaling::AutoScalingService;
use crate::cloudformation::CloudFormationService;
use crate::context::{Caller, Ctx};
use crate::ec2::Ec2Service;
use crate::ecs::EcsService;
use crate::http::{Answer, HttpService, Request, Response, text, whole};
use crate::iam::IamService;
use crate::logs::Reply;
use crate::ssm::SsmService;
use crate::sts::StsService;
use crate::{Cloud, Origin, ecs, ids, logs};
use cache::{Answers, Key};

/// The largest request body in bytes; CloudFormation's templates (1 MB) are the largest that any supported
/// operation takes, but for batches of log events.
const MAX_BODY: usize = 2 * 1024 * 1024;
/// The largest body of a request to CloudWatch Logs, before and after decompression: JSON needs up to six bytes for
/// each of a batch's (1 MB), and some for each event besides.
const MAX_LOGS_BODY: usize = 8 * 1024 * 1024;

/// Answers API requests.
pub struct Gateway {
    cloud: Arc<Cloud>,
    /// Whether the listener on the host can be reached from elsewhere.
    exposed: bool,
    answers: Answers,
}

impl Gateway {
    /// The gateway of a cloud. `exposed` tells that its listener is not on a loopback address: then only
    /// requests signed with keys that the cloud issued are served.
    pub fn new(cloud: Arc<Cloud>, exposed: bool) -> Self {
        Self { cloud, exposed, answers: Answers::default() }
    }

    async fn answer(self: Arc<Self>, request: Request, origin: Origin) -> Response {
        if request.method() == Method::GET && request.uri().path() == "/_drydock/health" {
            return text(StatusCode::OK, "ok\n");
        }
        if request.headers().contains_key(http::header::UPGRADE) {
            return self.session(request, &origin);
        }
        let (parts, body) = request.into_parts();
        let for_logs = aws_wire::error_format(&parts).1 == Some(Service::Logs);
        let most = if for_logs { MAX_LOGS_BODY } else { MAX_BODY };
        let body = match Limited::new(body, most).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => return text(StatusCode::PAYLOAD_TOO_LARGE, format!("the request body: {error}\n")),
        };
        if !for_logs {
            return response(self.run(&parts, &body, origin));
        }
        // These wait for the disk, and read much of it.
        match tokio::task::spawn_blocking(move || self.run(&parts, &body, origin)).await {
            Ok(reply) => response(reply),
            Err(error) => {
                tracing::error!(%error, "a request to CloudWatch Logs failed");
                text(StatusCode::INTERNAL_SERVER_ERROR, "the operation failed\n")
            }
        }
    }

    fn run(&self, parts: &Parts, body: &Bytes, origin: Origin) -> Reply {
        let parsed =
            encoding::plain(parts, body, MAX_LOGS_BODY).and_then(|plain| aws_wire::parse(parts, &plain));
        let request = match parsed {
            Ok(request) => request,
            Err(error) => {
                let (format, service) = aws_wire::error_format(parts);
                return Reply::Whole(aws_wire::encode_error(format, service, &ids::uuid(), &error));
            }
        };
        let result = auth::caller(&self.cloud, self.exposed, parts, body, &origin)
            .and_then(|caller| self.dispatch(&request, parts.uri.query(), body, caller, origin));
        match result {
            Ok(answer) => answer,
            Err(error) => {
                // What is not implemented is the caller's to know, and no fault of this cloud's.
                if error.status == StatusCode::NOT_IMPLEMENTED.as_u16() {
                    tracing::warn!(operation = %request.operation, "not implemented");
                } else if !error.is_client() {
                    tracing::error!(operation = %request.operation, %error, "a request failed");
                }
                Reply::Whole(request.encode_error(&error))
            }
        }
    }

    fn dispatch(
        &self,
        request: &ParsedRequest,
        query: Option<&str>,
        body: &[u8],
        caller: Caller,
        origin: Origin,
    ) -> Result<Reply, aws_wire::Error> {
        let region = request.region.as_deref().unwrap_or(&self.cloud.config.default_region);
        let ctx = Ctx {
            cloud: Arc::clone(&self.cloud),
            account: Arc::from(self.cloud.config.account.as_str()),
            region: Arc::from(region),
            caller,
            origin,
            request_id: request.request_id.clone(),
        };
        tracing::debug!(service = ?request.service, operation = %request.operation, region, "request");
        auth::authorize(&ctx, request)?;
        crate::ec2::ensure_region(&self.cloud, region)?;
        match Key::of(&ctx, request, query, body) {
            Some(key) => self.kept_or_new(&ctx, request, key),
            None => operate(&ctx, request),
        }
    }

    fn kept_or_new(&self, ctx: &Ctx, request: &ParsedRequest, key: Key) -> Result<Reply, aws_wire::Error> {
        let version = self.cloud.store.version();
        if let Some(answer) = self.answers.get(version, &key, &request.request_id) {
            return Ok(Reply::Whole(answer));
        }
        let reply = operate(ctx, request)?;
        if let Reply::Whole(answer) = &reply {
            self.answers.put(version, key, &request.request_id, answer);
        }
        Ok(reply)
    }

    /// A WebSocket of an ECS agent (`/ws`): authenticated as any request is, then served by ECS.
    fn session(&self, request: Request, origin: &Origin) -> Response {
        let (parts, body) = request.into_parts();
        match auth::caller(&self.cloud, self.exposed, &parts, &Bytes::new(), origin) {
            Ok(caller) => {
                let request = Request::from_parts(parts, body);
                ecs::session::accept(&self.cloud, caller, request)
            }
            Err(error) => {
                let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::FORBIDDEN);
                text(status, error.to_string())
            }
        }
    }
}

/// Runs the operation on its service.
fn operate(ctx: &Ctx, request: &ParsedRequest) -> Result<Reply, aws_wire::Error> {
    let answer = match request.service {
        Service::AutoScaling => aws_wire::autoscaling::dispatch(&AutoScalingService, ctx, request),
        Service::CloudFormation => aws_wire::cloudformation::dispatch(&CloudFormationService, ctx, request),
        Service::Ec2 => aws_wire::ec2::dispatch(&Ec2Service, ctx, request),
        Service::Ecs => aws_wire::ecs::dispatch(&EcsService, ctx, request),
        Service::Iam => aws_wire::iam::dispatch(&IamService, ctx, request),
        Service::Logs => return logs::operate(ctx, request),
        Service::Ssm => aws_wire::ssm::dispatch(&SsmService, ctx, request),
        Service::Sts => aws_wire::sts::dispatch(&StsService, ctx, request),
    };
    answer.map(Reply::Whole)
}

impl HttpService for Gateway {
    fn call(self: Arc<Self>, request: Request, origin: Origin) -> Answer {
        Box::pin(async move { self.answer(request, origin).await })
    }
}

fn response(reply: Reply) -> Response {
    match reply {
        Reply::Whole(encoded) => encoded.into_response().map(whole),
        Reply::Tail(session) => session.into_response(),
    }
}

#[cfg(test)]
mod tests;
