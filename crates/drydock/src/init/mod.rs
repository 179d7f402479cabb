//! What `drydock init` writes: a repository with an image, a stack and their parameters.
//!
//! [`answers`] is what there is to decide and [`valid`] which answers can be used; [`skeleton`] turns them into files, and
//! is pure; [`write`] puts these into a folder, all or none. The skeleton is `examples/todobackend` itself: with the
//! default answers, what is written is the example.

pub mod answers;
pub mod skeleton;
pub mod valid;
pub mod write;
