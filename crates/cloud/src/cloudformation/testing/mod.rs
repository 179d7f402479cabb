//! A host for tests: a store in a temporary directory, a world of toy resources, a clock that is set by hand.

mod operations;
mod toys;

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_wire::cloudformation as wire;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use super::engine::{Advance, Engine, Host};
use super::request::Request;
use super::state::{self, Event, Requester, Resource, Stack, resource_key};
use super::types::Types;
use crate::context::Caller;
use crate::store::{Kinds, Store};

pub use toys::World;

pub const REGION: &str = "us-east-1";

pub struct TestHost {
    store: Store,
    types: Types<Arc<Mutex<World>>>,
    pub world: Arc<Mutex<World>>,
    pub clock: Arc<Mutex<Timestamp>>,
    pub parameters: BTreeMap<String, String>,
}

impl Host for TestHost {
    type Ctx = Arc<Mutex<World>>;

    fn store(&self) -> &Store {
        &self.store
    }
    fn account(&self) -> &str {
        "123456789012"
    }
    fn ctx(&self, _: &str, _: &Requester) -> Self::Ctx {
        Arc::clone(&self.world)
    }
    fn types(&self) -> &Types<Self::Ctx> {
        &self.types
    }
    fn now(&self) -> Timestamp {
        *self.clock.lock()
    }
    fn availability_zones(&self, _: &Self::Ctx, region: &str) -> Option<Vec<String>> {
        Some(vec![format!("{region}a"), format!("{region}b")])
    }
    fn ssm_parameter(&self, _: &Self::Ctx, name: &str) -> Option<String> {
        self.parameters.get(name).cloned()
    }
    fn missing(&self, _: &Self::Ctx, kind: &str, values: &[String]) -> Result<Option<String>, String> {
        match kind {
            "AWS::EC2::VPC::Id" => Ok(values.iter().find(|value| *value != "vpc-1").cloned()),
            other => Err(format!("{other} cannot be checked")),
        }
    }
    fn belongs(&self, _: &Self::Ctx, instance: &str, stack: &Stack) -> bool {
        instance == format!("i-of-{}", stack.name)
    }
    async fn diagnose(&self, instances: &[String]) -> Option<String> {
        Some(format!("looked at [{}]", instances.join(", ")))
    }
}

/// A cloud of toys and what a test does with it.
pub struct Bench {
    dir: tempfile::TempDir,
    pub host: Arc<TestHost>,
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = Arc::new(Mutex::new(World::default()));
        let clock = Arc::new(Mutex::new(Timestamp::from_second(1_700_000_000).unwrap()));
        let host = open(dir.path(), world, clock);
        Self { dir, host }
    }

    /// The daemon dies and another comes up: only the store and the world outlive it.
    pub fn restart(self) -> Self {
        let Self { dir, host } = self;
        let (world, clock) = (Arc::clone(&host.world), Arc::clone(&host.clock));
        drop(host);
        let host = open(dir.path(), world, clock);
        Self { dir, host }
    }

    pub fn ask<R>(&self, ask: impl FnOnce(&Request<'_, TestHost>) -> R) -> R {
        self.ask_as(&Caller::Root, ask)
    }

    pub fn ask_as<R>(&self, caller: &Caller, ask: impl FnOnce(&Request<'_, TestHost>) -> R) -> R {
        ask(&Request { host: &self.host, ctx: &self.host.world, region: REGION, caller })
    }

    pub fn pass(&self, seconds: i64) {
        let mut clock = self.host.clock.lock();
        *clock = clock.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    pub fn create(&self, name: &str, template: &str) -> Result<String, aws_wire::Error> {
        let input = wire::CreateStackInput {
            stack_name: Some(name.into()),
            template_body: Some(template.into()),
            ..Default::default()
        };
        self.ask(|request| request.create_stack(input)).map(|output| output.stack_id.unwrap())
    }

    pub fn update(&self, name: &str, template: &str) -> Result<(), aws_wire::Error> {
        let input = wire::UpdateStackInput {
            stack_name: Some(name.into()),
            template_body: Some(template.into()),
            ..Default::default()
        };
        self.ask(|request| request.update_stack(input)).map(drop)
    }

    pub fn delete(&self, name: &str) -> Result<(), aws_wire::Error> {
        let input = wire::DeleteStackInput { stack_name: Some(name.into()), ..Default::default() };
        self.ask(|request| request.delete_stack(input))
    }

    pub fn signal(&self, stack: &str, id: &str, unique: &str, status: &str) -> Result<(), aws_wire::Error> {
        let input = wire::SignalResourceInput {
            stack_name: Some(stack.into()),
            logical_resource_id: Some(id.into()),
            unique_id: Some(unique.into()),
            status: Some(status.into()),
        };
        self.ask(|request| request.signal_resource(input))
    }

    /// One advance of a stack.
    pub async fn step(&self, name: &str) -> Advance {
        let stack = self.stack(name);
        Engine::new(Arc::clone(&self.host)).advance(REGION, &stack.id).await.unwrap()
    }

    /// Works until nothing moves.
    pub async fn settle(&self, name: &str) {
        for _ in 0..200 {
            if self.step(name).await != Advance::Moved {
                return;
            }
        }
        panic!("the stack never comes to rest: {:?}", self.told(name));
    }

    /// The newest stack of a name, deleted ones too.
    pub fn stack(&self, name: &str) -> Arc<Stack> {
        let stacks = self.host.store.list::<Stack>(REGION);
        let newest =
            stacks.into_iter().filter(|s| s.name == name).max_by_key(|s| (s.status.exists(), s.created));
        newest.unwrap()
    }

    pub fn status(&self, name: &str) -> String {
        self.stack(name).status.to_string()
    }

    pub fn resource(&self, name: &str, logical_id: &str) -> Arc<Resource> {
        let key = resource_key(&self.stack(name).id, logical_id);
        self.host.store.get::<Resource>(REGION, &key).unwrap()
    }

    /// All events, oldest first, as `LogicalId STATUS`, with the reason where there is one.
    pub fn told(&self, name: &str) -> Vec<String> {
        let id = &self.stack(name).id;
        let events = self.host.store.list::<Event>(REGION);
        let mine = events.iter().filter(|event| event.stack_id == *id);
        mine.map(|event| match &event.reason {
            Some(reason) => format!("{} {}: {reason}", event.logical_id, event.status),
            None => format!("{} {}", event.logical_id, event.status),
        })
        .collect()
    }

    /// The names of the toys that exist.
    pub fn toys(&self) -> Vec<String> {
        self.host.world.lock().toys.keys().cloned().collect()
    }
}

fn open(dir: &std::path::Path, world: Arc<Mutex<World>>, clock: Arc<Mutex<Timestamp>>) -> Arc<TestHost> {
    let mut kinds = Kinds::default();
    state::kinds(&mut kinds);
    let store = Store::open(&dir.join("state.db"), &kinds).unwrap();
    let mut types = Types::default();
    types.add(toys::ToyType).add(toys::CrewType);
    let parameters = BTreeMap::from([("/toy/size".to_owned(), "7".to_owned())]);
    Arc::new(TestHost { store, types, world, clock, parameters })
}
