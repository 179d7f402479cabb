//! Keeps one task at work on every stack that has an operation.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};

use super::{Advance, Engine, Host};
use crate::cloudformation::state::Stack;

/// How long to wait where nothing in the store says that it is time: for deadlines, and for what happens
/// inside instances.
const TICK: Duration = Duration::from_millis(500);

/// Works on all stacks, for ever. Operations that an earlier daemon began are carried on.
pub async fn run<H: Host>(host: Arc<H>) {
    let engine = Arc::new(Engine::new(Arc::clone(&host)));
    let mut changes = host.store().changes();
    let mut tasks = JoinSet::new();
    let mut busy: HashMap<Id, String> = HashMap::new();
    loop {
        changes.mark_unchanged();
        for stack in host.store().all::<Stack>() {
            if stack.operation.is_some() && !busy.values().any(|id| *id == stack.id) {
                let task = tasks.spawn(work(Arc::clone(&engine), stack.region.clone(), stack.id.clone()));
                busy.insert(task.id(), stack.id.clone());
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            Some(ended) = tasks.join_next_with_id() => match ended {
                Ok((task, ())) => { busy.remove(&task); }
                Err(error) => {
                    let stack = busy.remove(&error.id());
                    tracing::error!(?stack, %error, "a stack's task ended unexpectedly; the stack is taken up again");
                    // Not at once: what has happened may happen again.
                    tokio::time::sleep(TICK).await;
                }
            },
        }
    }
}

/// Works on one stack until its operation has ended.
async fn work<H: Host>(engine: Arc<Engine<H>>, region: String, stack_id: String) {
    let mut changes = engine.host.store().changes();
    loop {
        changes.mark_unchanged();
        match engine.advance(&region, &stack_id).await {
            Ok(Advance::Moved) => continue,
            Ok(Advance::Idle) => return,
            Ok(Advance::Waiting) => {}
            Err(error) => {
                tracing::error!(stack = stack_id, %error, "cannot write a stack's progress; trying again")
            }
        }
        // Whether the time or a change ends the wait makes no difference: the stack is looked at again.
        let _ = tokio::time::timeout(TICK, changes.changed()).await;
    }
}
