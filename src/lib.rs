//! pg_identity: brings identities together inside Postgres.

mod access;
mod audit;
mod authorization;
mod consolidation;
mod db;
mod error;
mod identifier;
mod import;
mod kratos;
mod login;
mod password;

use pgrx::prelude::*;

::pgrx::pg_module_magic!(name, version);

#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    db::allocate::claim_main_thread();
    authorization::define_settings();
    authorization::register();
    consolidation::define_settings();
    import::define_settings();
    login::define_settings();
    password::define_settings();
    #[cfg(not(feature = "pg14"))]
    // SAFETY: the prefix is a static string; the call only registers it.
    unsafe {
        pg_sys::MarkGUCPrefixReserved(c"identity".as_ptr());
    }
}
