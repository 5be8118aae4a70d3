//! A live database of Ory Kratos: identities out of its own tables (`export`), and into them (`import`).
//!
//! All of it is done with the caller's rights: what the caller may not read or write in Kratos' tables is not read or written here either. `tables`
//! says what those tables have to be, and that nothing of their owner's runs with the rights of somebody else.

mod export;
mod import;
mod statements;
mod tables;
