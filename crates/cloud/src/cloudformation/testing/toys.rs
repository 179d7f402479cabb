//! Resources that exist only in a map, and do as they are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cfn_template::schema::{Kind, Property, ResourceSchema};
use parking_lot::Mutex;
use serde_json::Value;

use crate::cloudformation::types::{
    Change, Existing, Failure, Made, Problem, Progress, ResourceType, Wanted, known,
};

/// What exists, and how calls go.
#[derive(Default)]
pub struct World {
    /// The toys by name.
    pub toys: BTreeMap<String, Toy>,
    /// Logical ids whose creation fails.
    pub refuse_create: BTreeSet<String>,
    /// Logical ids whose update fails.
    pub refuse_update: BTreeSet<String>,
    /// Logical ids whose deletion fails.
    pub refuse_delete: BTreeSet<String>,
    /// Logical ids whose creation is carried out but whose answer is lost, with the daemon: a panic.
    pub die_after_create: BTreeSet<String>,
    /// Logical ids that never become ready.
    pub slow: BTreeSet<String>,
    /// How often a creation was called.
    pub creations: usize,
    /// The ids that were deleted, in order.
    pub deleted: Vec<String>,
}

/// A toy.
#[derive(Debug, Clone, PartialEq)]
pub struct Toy {
    pub logical_id: String,
    pub properties: Value,
}

type Ctx = Arc<Mutex<World>>;

pub struct ToyType;

const TOY: ResourceSchema = ResourceSchema {
    type_name: "Test::Toy",
    properties: &[
        Property::new("Name", Kind::String).replaces(),
        Property::new("Size", Kind::Integer),
        Property::new("Near", Kind::String),
        Property::new("Zones", Kind::List(&Kind::String)),
    ],
    attributes: &["Size"],
};

fn create(ctx: &Ctx, wanted: &Wanted<'_>) -> Result<Made, Failure> {
    let mut world = ctx.lock();
    let logical_id = wanted.owner.logical_id.clone();
    if world.refuse_create.contains(&logical_id) {
        return Err(Failure::new(format!("no {logical_id} today")));
    }
    world.creations += 1;
    let toy = Toy { logical_id: logical_id.clone(), properties: wanted.properties.clone() };
    if world.toys.insert(wanted.name.to_owned(), toy).is_some() {
        return Err(Failure::new(format!("{} already exists", wanted.name)));
    }
    if world.die_after_create.remove(&logical_id) {
        drop(world);
        panic!("killed");
    }
    Ok(made(wanted.name, wanted.properties))
}

fn made(name: &str, properties: &Value) -> Made {
    Made::new(name).with("Size", properties.get("Size").cloned().unwrap_or_else(|| 1.into()))
}

fn find(ctx: &Ctx, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
    Ok(ctx.lock().toys.get(wanted.name).map(|toy| made(wanted.name, &toy.properties)))
}

fn delete(ctx: &Ctx, existing: &Existing<'_>) -> Result<(), Failure> {
    let mut world = ctx.lock();
    if world.refuse_delete.contains(&existing.owner.logical_id) {
        return Err(Failure::new(format!("{} is glued to the floor", existing.owner.logical_id)));
    }
    world.toys.remove(existing.physical_id);
    world.deleted.push(existing.owner.logical_id.clone());
    Ok(())
}

impl ResourceType<Ctx> for ToyType {
    fn schema(&self) -> &'static ResourceSchema {
        &TOY
    }

    fn name_property(&self) -> Option<&'static str> {
        Some("Name")
    }

    fn preflight(&self, _: &Ctx, properties: &Value) -> Vec<Problem> {
        match properties.get("Near").and_then(known) {
            Some("nowhere") => vec![Problem::new(&["Near"], "The place 'nowhere' does not exist")],
            _ => Vec::new(),
        }
    }

    fn create(&self, ctx: &Ctx, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        create(ctx, wanted)
    }

    fn find(&self, ctx: &Ctx, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        find(ctx, wanted)
    }

    fn stabilize(&self, ctx: &Ctx, existing: &Existing<'_>) -> Result<Progress, Failure> {
        if ctx.lock().slow.contains(&existing.owner.logical_id) {
            return Ok(Progress::Pending);
        }
        Ok(Progress::Ready(made("", existing.properties).attributes))
    }

    fn update(&self, ctx: &Ctx, change: &Change<'_>) -> Result<(), Failure> {
        let mut world = ctx.lock();
        if world.refuse_update.contains(&change.owner.logical_id) {
            return Err(Failure::new("it resists"));
        }
        let toy = world.toys.get_mut(change.physical_id).ok_or_else(|| Failure::new("it is gone"))?;
        toy.properties = change.after.clone();
        Ok(())
    }

    fn delete(&self, ctx: &Ctx, existing: &Existing<'_>) -> Result<(), Failure> {
        delete(ctx, existing)
    }
}

/// A toy that waits for signals.
pub struct CrewType;

const CREW: ResourceSchema = ResourceSchema {
    type_name: "Test::Crew",
    properties: &[Property::new("Ship", Kind::String), Property::new("Size", Kind::Integer)],
    attributes: &[],
};

impl ResourceType<Ctx> for CrewType {
    fn schema(&self) -> &'static ResourceSchema {
        &CREW
    }

    fn create(&self, ctx: &Ctx, wanted: &Wanted<'_>) -> Result<Made, Failure> {
        create(ctx, wanted)
    }

    fn find(&self, ctx: &Ctx, wanted: &Wanted<'_>) -> Result<Option<Made>, Failure> {
        find(ctx, wanted)
    }

    fn update(&self, _: &Ctx, _: &Change<'_>) -> Result<(), Failure> {
        Ok(())
    }

    fn delete(&self, ctx: &Ctx, existing: &Existing<'_>) -> Result<(), Failure> {
        delete(ctx, existing)
    }

    fn awaits_signals(&self) -> bool {
        true
    }

    fn signallers(&self, _: &Ctx, _: &str) -> Vec<String> {
        vec!["i-1".to_owned(), "i-2".to_owned()]
    }
}
