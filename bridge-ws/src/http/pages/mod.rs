//! The files that the door serves: the package for pages, and pages; all inside the binary, never read from disk or listed.

mod conditions;
mod files;
mod page;
mod policy;
mod routes;

pub(super) use routes::Pages;
