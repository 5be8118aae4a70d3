//! pg_identity: brings identities together inside Postgres.

mod audit;
mod authorization;
mod consolidation;
mod db;
mod error;
mod identifier;
mod import;
mod login;
mod password;

use pgrx::prelude::*;

::pgrx::pg_module_magic!(name, version);

extension_sql_file!("../sql/00_schema.sql", name = "schema", bootstrap);
extension_sql_file!("../sql/05_identifier.sql", name = "identifier", requires = ["schema"]);
extension_sql_file!("../sql/10_import.sql", name = "import", requires = ["identifier"]);
extension_sql_file!("../sql/15_audit.sql", name = "audit", requires = ["import"]);
extension_sql_file!("../sql/20_store.sql", name = "store", requires = ["audit"]);
extension_sql_file!("../sql/25_import_identities.sql", name = "import_identities", requires = ["store"]);
extension_sql_file!("../sql/30_consolidation.sql", name = "consolidation", requires = ["import_identities"]);
extension_sql_file!("../sql/31_sites.sql", name = "sites", requires = ["consolidation"]);
extension_sql_file!("../sql/32_migration.sql", name = "migration", requires = ["sites"]);
extension_sql_file!("../sql/50_login.sql", name = "login", requires = ["store"]);
extension_sql_file!("../sql/60_authorization.sql", name = "authorization", requires = ["consolidation"]);
extension_sql_file!("../sql/62_collapse.sql", name = "collapse", requires = ["authorization"]);
extension_sql_file!("../sql/64_keycloak.sql", name = "keycloak", requires = ["collapse"]);
extension_sql_file!("../sql/90_access.sql", name = "access", finalize);

#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
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
