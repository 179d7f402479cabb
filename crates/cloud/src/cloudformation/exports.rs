//! Outputs that other stacks may use: `ListExports`, `ListImports`, and the rules that keep them consistent.

use std::sync::Arc;

use aws_wire::Error;
use aws_wire::cloudformation::{
    Export, ListExportsInput, ListExportsOutput, ListImportsInput, ListImportsOutput,
};

use super::engine::Host;
use super::request::{PAGE, Request, invalid};
use super::state::{Output, Stack};
use crate::api::paging::Order;
use crate::store::Store;

/// The stack that exports a name, and the value.
pub fn find(store: &Store, region: &str, name: &str) -> Option<(Arc<Stack>, String)> {
    store.list::<Stack>(region).into_iter().filter(|stack| stack.status.exists()).find_map(|stack| {
        let output = stack.outputs.iter().find(|output| output.export_name.as_deref() == Some(name))?;
        let value = output.value.clone();
        Some((stack, value))
    })
}

/// The names of the stacks that use an export.
pub fn importers(store: &Store, region: &str, name: &str) -> Vec<String> {
    let mut names: Vec<String> = store
        .list::<Stack>(region)
        .iter()
        .filter(|stack| stack.status.exists() && stack.imports.contains(name))
        .map(|stack| stack.name.clone())
        .collect();
    names.sort();
    names
}

/// Whether a stack may have these outputs: export names are its own alone, and what is used may not go or
/// change.
///
/// # Errors
/// Which export stands in the way.
pub fn check(store: &Store, stack: &Stack, outputs: &[Output]) -> Result<(), String> {
    for name in outputs.iter().filter_map(|output| output.export_name.as_deref()) {
        if let Some((other, _)) = find(store, &stack.region, name)
            && other.id != stack.id
        {
            return Err(format!("Export with name {name} is already exported by stack {}", other.name));
        }
    }
    let exported = |outputs: &[Output], name: &str| {
        outputs.iter().find(|o| o.export_name.as_deref() == Some(name)).map(|o| o.value.clone())
    };
    for name in stack.outputs.iter().filter_map(|output| output.export_name.as_deref()) {
        let users = importers(store, &stack.region, name);
        if users.is_empty() || exported(outputs, name) == exported(&stack.outputs, name) {
            continue;
        }
        let verb = if exported(outputs, name).is_some() { "updated" } else { "deleted" };
        return Err(format!("Export {name} cannot be {verb} as it is in use by {}", users.join(", ")));
    }
    Ok(())
}

impl<H: Host> Request<'_, H> {
    pub(super) fn list_exports(&self, input: ListExportsInput) -> Result<ListExportsOutput, Error> {
        let mut exports: Vec<Export> = Vec::new();
        for stack in self.host.store().list::<Stack>(self.region) {
            if stack.status.exists() {
                exports.extend(stack.outputs.iter().filter(|output| output.export_name.is_some()).map(
                    |output| Export {
                        exporting_stack_id: Some(stack.id.clone()),
                        name: output.export_name.clone(),
                        value: Some(output.value.clone()),
                    },
                ));
            }
        }
        exports.sort_by(|a, b| a.name.cmp(&b.name));
        let key = |export: &Export| export.name.clone().unwrap_or_default();
        let (exports, next_token) =
            self.page(exports, input.next_token.as_deref(), PAGE, Order::Ascending, key)?;
        Ok(ListExportsOutput { exports, next_token })
    }

    pub(super) fn list_imports(&self, input: ListImportsInput) -> Result<ListImportsOutput, Error> {
        let name = input.export_name.unwrap_or_default();
        let imports = importers(self.host.store(), self.region, &name);
        if imports.is_empty() {
            return Err(invalid(format!("Export '{name}' is not imported by any stack.")));
        }
        let (imports, next_token) =
            self.page(imports, input.next_token.as_deref(), PAGE, Order::Ascending, String::clone)?;
        Ok(ListImportsOutput { imports, next_token })
    }
}
