//! Everything that talks to Postgres below SQL: the only `unsafe` code of the extension.

pub mod allocate;
pub mod argument;
pub mod attempt;
pub mod bulk;
pub mod call;
pub mod catalog;
pub mod convert;
pub mod expression;
pub mod gate;
#[cfg(test)]
pub mod golden;
pub mod interrupt;
pub mod invalidation;
pub mod json;
pub mod lock;
pub mod plan;
pub mod progress;
pub mod query;
pub mod replication;
pub mod reserve;
pub mod returns;
pub mod role;
pub mod scan;
pub mod session;
pub mod source;
pub mod spi;
pub mod sql;
pub mod statement;
pub mod store;
pub mod table;
pub mod transition;
pub mod trigger;
pub mod version;
