//! The introspection API on port 51678: who the instance is, and its tasks.

use super::log::AgentLog;
use super::stop::Stop;
use super::version_line;
use serde_json::{Value, json};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Where scripts look for it.
pub const PORT: u16 = 51678;
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_HEAD: usize = 16 << 10;
const RETRY: Duration = Duration::from_secs(1);

/// What the API tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The cluster as configured.
    pub cluster: String,
    /// Who the instance is in it.
    pub container_instance_arn: String,
}

/// Listens on every address, as Amazon's agent does: containers reach it at their gateway.
fn listen(port: u16, log: &AgentLog, stop: &Stop) -> Option<TcpListener> {
    loop {
        let all_v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
        // An IPv6 socket takes IPv4 connections too, where the kernel has IPv6.
        match TcpListener::bind(all_v6).or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))) {
            Ok(listener) => return Some(listener),
            Err(err) => log.error(format_args!("Cannot listen on port {port}: {err}; trying again"), &[]),
        }
        if stop.wait(RETRY) {
            return None;
        }
    }
}

/// Serves until the agent ends. Each connection is one thread and at most one request.
pub fn serve(port: u16, identity: Identity, log: &AgentLog, stop: &Stop) {
    let Some(listener) = listen(port, log, stop) else { return };
    match listener.try_clone() {
        Ok(handle) => stop.watch_listener(handle.into()),
        Err(err) => return log.error(format_args!("Cannot serve introspection: {err}"), &[]),
    }
    let identity = Arc::new(identity);
    for stream in listener.incoming() {
        if stop.is_set() {
            return;
        }
        let Ok(stream) = stream else {
            // Out of descriptors: connections have to end first.
            std::thread::sleep(Duration::from_millis(50));
            continue;
        };
        let identity = Arc::clone(&identity);
        // A client that goes away, or a thread that cannot be had, is the client's loss alone.
        let _ = std::thread::Builder::new().spawn(move || answer(stream, &identity));
    }
}

fn answer(mut stream: TcpStream, identity: &Identity) -> io::Result<()> {
    stream.set_read_timeout(Some(CLIENT_TIMEOUT))?;
    stream.set_write_timeout(Some(CLIENT_TIMEOUT))?;
    let (status, body) = match read_request(&mut stream)? {
        Some((method, target)) => respond(&method, &target, identity),
        None => ("400 Bad Request", Value::Null),
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())
}

/// The method and target of a request; None for what is not HTTP.
fn read_request(stream: &mut TcpStream) -> io::Result<Option<(String, String)>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 2048];
    while bytes.len() < MAX_HEAD {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        bytes.extend_from_slice(&chunk[..count]);
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&bytes) {
            Ok(httparse::Status::Complete(_)) => {
                return Ok(request
                    .method
                    .zip(request.path)
                    .map(|(method, path)| (method.into(), path.into())));
            }
            Ok(httparse::Status::Partial) => {}
            Err(_) => break,
        }
    }
    Ok(None)
}

fn respond(method: &str, target: &str, identity: &Identity) -> (&'static str, Value) {
    if method != "GET" && method != "HEAD" {
        return ("405 Method Not Allowed", json!({}));
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    match path {
        "/v1/metadata" => (
            "200 OK",
            json!({
                "Cluster": identity.cluster,
                "ContainerInstanceArn": identity.container_instance_arn,
                "Version": version_line(),
            }),
        ),
        // There are no tasks, so none can be found by a query either.
        "/v1/tasks" if query.is_empty() => ("200 OK", json!({"Tasks": []})),
        "/v1/tasks" => ("404 Not Found", json!({})),
        _ => ("200 OK", json!({"AvailableCommands": ["/v1/metadata", "/v1/tasks"]})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_answered_as_amazons_agent_answers_them() {
        let identity = Identity { cluster: "web".into(), container_instance_arn: "arn:x".into() };
        let (status, body) = respond("GET", "/v1/metadata", &identity);
        assert_eq!(
            (status, &body["Cluster"], &body["ContainerInstanceArn"]),
            ("200 OK", &json!("web"), &json!("arn:x"))
        );
        assert!(body["Version"].as_str().unwrap().starts_with("Drydock ECS Agent - v"));
        assert_eq!(respond("GET", "/v1/tasks", &identity).1, json!({"Tasks": []}));
        assert_eq!(respond("GET", "/v1/tasks?taskarn=x", &identity).0, "404 Not Found");
        assert_eq!(respond("GET", "/", &identity).1["AvailableCommands"][0], "/v1/metadata");
        assert_eq!(respond("POST", "/v1/metadata", &identity).0, "405 Method Not Allowed");
    }
}
