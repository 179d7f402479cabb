//! Where agents find the services that they keep a connection with.

use aws_wire::Error;
use aws_wire::ecs::{DiscoverPollEndpointRequest, DiscoverPollEndpointResponse};

use super::errors::client;
use crate::context::{Ctx, Origin};

/// `DiscoverPollEndpoint`. The names are AWS's and lead to this cloud inside of its VPCs only, so whoever asks
/// from the host is refused: there they would lead to AWS.
///
/// Who asks is not looked up: an agent whose container instance is gone shall learn it from the session.
pub fn discover(ctx: &Ctx, _: DiscoverPollEndpointRequest) -> Result<DiscoverPollEndpointResponse, Error> {
    if ctx.origin == Origin::Host {
        return Err(client(
            "Poll endpoints can only be reached from inside a VPC of this cloud; ask from an instance.",
        ));
    }
    let region = &ctx.region;
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    Ok(DiscoverPollEndpointResponse {
        endpoint: Some(format!("https://ecs-a-1.{region}.{domain}/")),
        telemetry_endpoint: Some(format!("https://ecs-t-1.{region}.{domain}/")),
        // Service Connect is not there, and no agent asks for it without a task that uses it.
        service_connect_endpoint: None,
    })
}
