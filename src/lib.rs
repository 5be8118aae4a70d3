//! pg_identity: brings identities together inside Postgres.

mod db;
mod error;
mod import;

use pgrx::prelude::*;

::pgrx::pg_module_magic!(name, version);

extension_sql_file!("../sql/00_schema.sql", name = "schema", bootstrap);
extension_sql_file!("../sql/10_import.sql", name = "import", requires = ["schema"]);
extension_sql_file!("../sql/90_access.sql", name = "access", finalize);

#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    import::define_settings();
    #[cfg(not(feature = "pg14"))]
    // SAFETY: the prefix is a static string; the call only registers it.
    unsafe {
        pg_sys::MarkGUCPrefixReserved(c"identity".as_ptr());
    }
}
