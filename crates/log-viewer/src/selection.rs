//! Which log groups a command is about.

use std::sync::Arc;

use aws_clients::ApiError;

use crate::names::{NameError, resolve};
use crate::service::{Group, Logs, Stacks};

/// Groups as they were asked for.
pub struct Selection {
    logs: Arc<dyn Logs>,
    stacks: Arc<dyn Stacks>,
    scope: Scope,
    asked: Vec<String>,
}

/// Among which groups is looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of the region.
    Region,
    /// A stack's: those named `/STACK/…` and those that are its resources.
    Stack {
        /// The stack's name.
        name: String,
        /// Whether a group that the stack does not have may be one of the region's: nobody asked for the stack.
        or_region: bool,
    },
}

/// Why there is no selection.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// A name does not lead to one group.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The API cannot be asked.
    #[error(transparent)]
    Api(#[from] ApiError),
}

impl Selection {
    /// The groups called `asked`, or all of the scope's when none is.
    pub fn new(logs: Arc<dyn Logs>, stacks: Arc<dyn Stacks>, scope: Scope, asked: Vec<String>) -> Self {
        Self { logs, stacks, scope, asked }
    }

    /// Whether groups that come to be later belong to it.
    pub fn grows(&self) -> bool {
        self.asked.is_empty()
    }

    /// The groups that there are now, in order of name.
    ///
    /// # Errors
    /// When a name does not lead to one group, or the API cannot be asked.
    pub async fn groups(&self) -> Result<Vec<Group>, SelectionError> {
        let (name, or_region) = match &self.scope {
            Scope::Region => return self.pick(self.logs.groups(None).await?),
            Scope::Stack { name, or_region } => (name, *or_region),
        };
        match self.pick(self.of_stack(name).await?) {
            Err(SelectionError::Name(NameError::Unknown { .. })) if or_region => {
                self.pick(self.logs.groups(None).await?)
            }
            found => found,
        }
    }

    async fn of_stack(&self, stack: &str) -> Result<Vec<Group>, ApiError> {
        let prefix = format!("/{stack}/");
        let (named, resources) =
            tokio::try_join!(self.logs.groups(Some(&prefix)), self.stacks.log_groups(stack))?;
        let mut found = named;
        for name in resources {
            if found.iter().any(|group| group.name.as_ref() == name) {
                continue;
            }
            let groups = self.logs.groups(Some(&name)).await?;
            found.extend(groups.into_iter().filter(|group| group.name.as_ref() == name));
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn pick(&self, all: Vec<Group>) -> Result<Vec<Group>, SelectionError> {
        if self.asked.is_empty() {
            return Ok(all);
        }
        let names: Vec<&str> = all.iter().map(|group| group.name.as_ref()).collect();
        let mut picked =
            self.asked.iter().map(|asked| resolve(asked, &names)).collect::<Result<Vec<usize>, _>>()?;
        picked.sort_unstable();
        picked.dedup();
        Ok(picked.into_iter().map(|index| all[index].clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    fn fake() -> Arc<Fake> {
        let fake = Fake::of(&["/shop/app", "/shop/var/log/dmesg", "/shopping/app", "audit", "audit-old"]);
        let resources = vec!["audit".to_owned(), "/shop/app".to_owned(), "deleted".to_owned()];
        fake.stacks.lock().unwrap().push(("shop".to_owned(), resources));
        Arc::new(fake)
    }

    async fn names(scope: Scope, asked: &[&str]) -> Result<Vec<String>, SelectionError> {
        let (logs, asked) = (fake(), asked.iter().map(|name| (*name).to_owned()).collect());
        let selection = Selection::new(logs.clone(), logs, scope, asked);
        Ok(selection.groups().await?.into_iter().map(|group| group.name.to_string()).collect())
    }

    fn shop(or_region: bool) -> Scope {
        Scope::Stack { name: "shop".to_owned(), or_region }
    }

    #[tokio::test]
    async fn a_stacks_groups_are_those_named_after_it_and_its_resources() {
        assert_eq!(names(shop(false), &[]).await.unwrap(), ["/shop/app", "/shop/var/log/dmesg", "audit"]);
        let unknown = Scope::Stack { name: "unheard".to_owned(), or_region: true };
        assert_eq!(names(unknown, &[]).await.unwrap(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_name_is_looked_for_in_the_stack_first() {
        assert_eq!(names(shop(true), &["app"]).await.unwrap(), ["/shop/app"]);
        assert!(matches!(
            names(Scope::Region, &["app"]).await,
            Err(SelectionError::Name(NameError::Ambiguous { .. }))
        ));
    }

    #[tokio::test]
    async fn a_group_of_another_stack_is_found_unless_a_stack_was_asked_for() {
        assert_eq!(names(shop(true), &["/shopping/app"]).await.unwrap(), ["/shopping/app"]);
        assert!(names(shop(false), &["/shopping/app"]).await.is_err());
    }

    #[tokio::test]
    async fn a_group_asked_for_twice_is_shown_once() {
        assert_eq!(
            names(shop(false), &["dmesg", "app", "/shop/app"]).await.unwrap(),
            ["/shop/app", "/shop/var/log/dmesg"]
        );
    }
}
