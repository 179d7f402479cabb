//! The agent's registration against a fake AWS, and its whole life.

use super::api::{ApiError, EcsApi};
use super::docker::Version;
use super::register::Registration;
use super::run::AgentError;
use super::state::{self, State};
use super::*;
use crate::testing::{Reply, Server, http_client};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::sync::Mutex;

/// Answers by a script, and keeps what it was asked.
struct FakeEcs {
    script: Mutex<Vec<Result<Value, (&'static str, &'static str)>>>,
    calls: Mutex<Vec<(&'static str, Value)>>,
}

impl FakeEcs {
    fn new(script: Vec<Result<Value, (&'static str, &'static str)>>) -> Self {
        Self { script: Mutex::new(script), calls: Mutex::default() }
    }

    fn operations(&self) -> Vec<&'static str> {
        self.calls.lock().unwrap().iter().map(|(operation, _)| *operation).collect()
    }

    fn input(&self, index: usize) -> Value {
        self.calls.lock().unwrap()[index].1.clone()
    }
}

impl EcsApi for FakeEcs {
    fn call(&self, operation: &'static str, input: &Value) -> Result<Value, ApiError> {
        self.calls.lock().unwrap().push((operation, input.clone()));
        self.script.lock().unwrap().remove(0).map_err(|(code, message)| ApiError::Service {
            code: code.to_owned(),
            message: message.to_owned(),
        })
    }
}

fn registered(arn: &str) -> Result<Value, (&'static str, &'static str)> {
    Ok(json!({"containerInstance": {"containerInstanceArn": arn, "attributes": []}}))
}

fn imds_server() -> Server {
    Server::start(|request| match request.target.as_str() {
        "/latest/api/token" => Reply::new(200, "T"),
        "/latest/dynamic/instance-identity/document" => {
            Reply::new(200, r#"{"instanceId": "i-1", "region": "us-east-1"}"#)
        }
        "/latest/dynamic/instance-identity/signature" => Reply::new(200, "sig"),
        "/latest/meta-data/iam/security-credentials/" => Reply::new(200, "role"),
        "/latest/meta-data/iam/security-credentials/role" => Reply::new(
            200,
            r#"{"AccessKeyId":"AKID","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}"#,
        ),
        _ => Reply::new(404, ""),
    })
}

fn root_with(config: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for folder in ["etc/ecs", "proc", "var/run"] {
        std::fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    std::fs::write(root.path().join("etc/ecs/ecs.config"), config).unwrap();
    std::fs::write(root.path().join("proc/meminfo"), "MemTotal: 1048576 kB\n").unwrap();
    root
}

fn config_of(root: &Path) -> Config {
    Config::from_settings(&Settings::load(root, |_| None).unwrap()).unwrap()
}

fn docker_20() -> Version {
    Version { version: "20.10".into(), api_version: "1.41".into(), min_api_version: "1.38".into() }
}

fn register(config: &str, state: &State, ecs: &FakeEcs) -> Result<String, register::RegisterError> {
    let (root, imds) = (root_with(config), imds_server());
    let registration = Registration {
        root: root.path(),
        config: &config_of(root.path()),
        api: ecs,
        imds: &Imds::new(http_client(), &imds.url("")),
        docker: &docker_20(),
        log: &AgentLog::to(Level::Debug, Vec::new()),
    };
    registration.register(state)
}

fn state(cluster: &str, arn: Option<&str>) -> State {
    State {
        cluster: cluster.into(),
        container_instance_arn: arn.map(str::to_owned),
        ec2_instance_id: Some("i-1".into()),
        registration_token: "token".into(),
    }
}

#[test]
fn a_registration_tells_what_the_instance_is() {
    let ecs = FakeEcs::new(vec![registered("arn:new")]);
    let config = "ECS_CLUSTER=web\nECS_INSTANCE_ATTRIBUTES={\"stack\":\"blue\"}\nECS_RESERVED_MEMORY=24\n\
                  ECS_CONTAINER_INSTANCE_TAGS={\"k\":\"v\"}\n";
    assert_eq!(register(config, &state("web", None), &ecs).unwrap(), "arn:new");
    let input = ecs.input(0);
    assert_eq!(input["cluster"], "web");
    assert_eq!(input["instanceIdentityDocument"], r#"{"instanceId": "i-1", "region": "us-east-1"}"#);
    assert_eq!(input["instanceIdentityDocumentSignature"], "sig");
    assert_eq!(input["clientToken"], "token");
    assert_eq!(input["tags"], json!([{"key": "k", "value": "v"}]));
    assert_eq!(
        input["totalResources"][1],
        json!({"name": "MEMORY", "type": "INTEGER", "integerValue": 1000})
    );
    assert_eq!(input["totalResources"][2]["stringSetValue"][0], "22");
    assert_eq!(input["versionInfo"]["dockerVersion"], "DockerVersion: 20.10");
    let attributes = input["attributes"].as_array().unwrap();
    assert!(attributes.contains(&json!({"name": "stack", "value": "blue"})));
    assert!(attributes.contains(&json!({"name": "com.amazonaws.ecs.capability.docker-remote-api.1.38"})));
    assert!(attributes.contains(&json!({"name": "ecs.os-type", "value": "linux"})));
    assert!(input.get("containerInstanceArn").is_none());
}

#[test]
fn a_known_instance_registers_as_itself() {
    let ecs = FakeEcs::new(vec![registered("arn:old")]);
    let config = "ECS_CLUSTER=web\nECS_INSTANCE_ATTRIBUTES={\"stack\":\"blue\"}\n";
    assert_eq!(register(config, &state("web", Some("arn:old")), &ecs).unwrap(), "arn:old");
    let input = ecs.input(0);
    assert_eq!(input["containerInstanceArn"], "arn:old");
    assert!(!input["attributes"].as_array().unwrap().contains(&json!({"name": "stack", "value": "blue"})));
}

#[test]
fn a_deregistered_instance_registers_afresh() {
    let gone = Err(("ClientException", "The container instance is INACTIVE."));
    let ecs = FakeEcs::new(vec![gone, registered("arn:new")]);
    assert_eq!(register("ECS_CLUSTER=web\n", &state("web", Some("arn:old")), &ecs).unwrap(), "arn:new");
    assert!(ecs.input(1).get("containerInstanceArn").is_none());
}

#[test]
fn only_the_default_cluster_is_made() {
    let missing = || Err(("ClientException", "Cluster not found."));
    let ecs = FakeEcs::new(vec![missing(), Ok(json!({})), registered("arn:new")]);
    assert_eq!(register("", &state("default", None), &ecs).unwrap(), "arn:new");
    assert_eq!(ecs.operations(), ["RegisterContainerInstance", "CreateCluster", "RegisterContainerInstance"]);

    let ecs = FakeEcs::new(vec![missing()]);
    let err = register("ECS_CLUSTER=web\n", &state("web", None), &ecs).unwrap_err();
    assert_eq!(err.to_string(), "ClientException: Cluster not found.");
    assert!(!err.is_terminal());
    assert_eq!(ecs.operations().len(), 1);
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What the introspection API says, as soon as it says anything.
fn introspect(port: u16) -> Value {
    let request = crate::aws::http::Request::new("GET", format!("http://127.0.0.1:{port}/v1/metadata"));
    let answer = (0..200).find_map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        http_client().send(&request).ok()
    });
    serde_json::from_slice(&answer.unwrap().body).unwrap()
}

/// Runs the agent until it has a session, then stops it; returns the ECS API's requests.
fn live(root: &Path, arn: &'static str) -> Vec<Value> {
    let docker = root.join("var/run/docker.sock");
    let _ = std::fs::remove_file(&docker);
    let docker = UnixListener::bind(docker).unwrap();
    std::thread::spawn(move || {
        for mut stream in docker.incoming().flatten() {
            let mut request = [0; 512];
            let _ = stream.read(&mut request);
            let body = r#"{"Version":"20.10","ApiVersion":"1.41","MinAPIVersion":"1.12"}"#;
            let _ = write!(stream, "HTTP/1.0 200 OK\r\n\r\n{body}");
        }
    });
    let acs = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/", acs.local_addr().unwrap());
    let ecs = Server::start(move |request| {
        assert!(request.header("authorization").unwrap().contains("/us-east-1/ecs/aws4_request"));
        assert_eq!(request.header("x-amz-security-token"), Some("t"));
        match request.header("x-amz-target").unwrap().rsplit('.').next().unwrap() {
            "RegisterContainerInstance" => {
                Reply::new(200, json!({"containerInstance": {"containerInstanceArn": arn}}).to_string())
            }
            "DiscoverPollEndpoint" => Reply::new(200, json!({"endpoint": endpoint}).to_string()),
            other => Reply::new(400, format!("unexpected {other}")),
        }
    });
    std::fs::write(
        root.join("etc/ecs/ecs.config"),
        format!("ECS_CLUSTER=web\nHTTPS_PROXY=\nECS_BACKEND_HOST={}\n", ecs.url("")),
    )
    .unwrap();
    let (imds, config) = (imds_server(), config_of(root));
    let (log, stop) = (AgentLog::to(Level::Debug, Vec::new()), Stop::default());
    let http = http_client();
    let port = free_port();
    let agent = Agent {
        root: root.to_owned(),
        config: &config,
        http: &*http,
        imds: &Imds::new(http.clone(), &imds.url("")),
        introspection_port: port,
        proxies: ProxySettings::default(),
        log: &log,
        stop: &stop,
    };
    std::thread::scope(|scope| {
        let running = scope.spawn(|| agent.run());
        let mut socket = tungstenite::accept(acs.accept().unwrap().0).unwrap();
        let heartbeat = json!({"type": "HeartbeatMessage", "message": {"messageId": "m"}}).to_string();
        socket.send(tungstenite::Message::text(heartbeat)).unwrap();
        assert!(socket.read().unwrap().to_text().unwrap().contains("HeartbeatAckRequest"));
        let metadata = introspect(port);
        assert_eq!((&metadata["Cluster"], &metadata["ContainerInstanceArn"]), (&json!("web"), &json!(arn)));
        stop.trigger();
        assert_eq!(running.join().unwrap().unwrap(), Outcome::Stopped);
    });
    ecs.requests().iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
}

#[test]
fn the_agent_lives_stops_and_comes_back_as_itself() {
    let root = root_with("");
    let first = live(root.path(), "arn:ci");
    assert!(first[0].get("containerInstanceArn").is_none());
    let kept = state::load(&root.path().join("var/lib/ecs/data")).unwrap().unwrap();
    assert_eq!((kept.cluster.as_str(), kept.container_instance_arn.as_deref()), ("web", Some("arn:ci")));
    assert_eq!(kept.ec2_instance_id.as_deref(), Some("i-1"));

    let second = live(root.path(), "arn:ci");
    assert_eq!(second[0]["containerInstanceArn"], "arn:ci");
    assert_eq!(second[0]["clientToken"], first[0]["clientToken"]);

    // An image made from this instance carries its state, which is another instance's there.
    let stale = State { ec2_instance_id: Some("i-other".into()), ..kept.clone() };
    state::save(&root.path().join("var/lib/ecs/data"), &stale).unwrap();
    assert!(live(root.path(), "arn:ci2")[0].get("containerInstanceArn").is_none());
}

#[test]
fn another_cluster_in_the_state_is_terminal() {
    let err = AgentError::ClusterMismatch { saved: "a".into(), configured: "b".into() };
    assert!(err.is_terminal());
    assert!(
        err.to_string()
            .starts_with("Data mismatch; saved cluster 'a' does not match configured cluster 'b'.")
    );
}
