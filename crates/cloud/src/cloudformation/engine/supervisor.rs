//! Keeps one task at work on every stack that has an operation.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{Advance, Engine, Host};
use crate::cloudformation::state::Stack;

/// How long to wait where nothing in the store says that it is time: for deadlines, and for what happens
/// inside instances.
const TICK: Duration = Duration::from_millis(500);

/// Works on all stacks, for ever. Operations that an earlier daemon began are carried on.
pub async fn run<H: Host>(host: Arc<H>) {
    let engine = Arc::new(Engine::new(Arc::clone(&host)));
    let mut changes = host.store().changes();
    let mut tasks: JoinSet<String> = JoinSet::new();
    let mut busy: HashSet<String> = HashSet::new();
    loop {
        changes.mark_unchanged();
        for stack in host.store().all::<Stack>() {
            if stack.operation.is_some() && busy.insert(stack.id.clone()) {
                tasks.spawn(work(Arc::clone(&engine), stack.region.clone(), stack.id.clone()));
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            Some(ended) = tasks.join_next() => match ended {
                Ok(stack_id) => { busy.remove(&stack_id); }
                // A task that died has its stack's name in `busy`; forget all, running ones are found again
                // by their records only after they end, so start over with a clean slate.
                Err(error) => {
                    tracing::error!(%error, "a stack's task ended unexpectedly; all stacks are taken up again");
                    tasks.shutdown().await;
                    busy.clear();
                }
            },
        }
    }
}

/// Works on one stack until its operation has ended.
async fn work<H: Host>(engine: Arc<Engine<H>>, region: String, stack_id: String) -> String {
    let mut changes = engine.host.store().changes();
    loop {
        changes.mark_unchanged();
        match engine.advance(&region, &stack_id).await {
            Ok(Advance::Moved) => continue,
            Ok(Advance::Idle) => return stack_id,
            Ok(Advance::Waiting) => {}
            Err(error) => {
                tracing::error!(stack = stack_id, %error, "cannot write a stack's progress; trying again")
            }
        }
        // Whether the time or a change ends the wait makes no difference: the stack is looked at again.
        let _ = tokio::time::timeout(TICK, changes.changed()).await;
    }
}
