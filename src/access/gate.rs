//! One gate a level: what functions of `sql/` name that ask for that level and are then carried out as the owner of the extension.

use crate::access::{Level, require};
use crate::db::call::Call;
use crate::db::gate;
use crate::error::Result;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AnyElement, pg_sys};

type Answer = std::result::Result<Option<AnyElement>, ErrorReport>;

fn pass(fcinfo: pg_sys::FunctionCallInfo, level: Level) -> Result<Option<AnyElement>> {
    // SAFETY: this is the call that is being served; its first argument is the realm.
    unsafe {
        require(level, Call::of(fcinfo).text(0))?;
        gate::carry_out(fcinfo)
    }
}

#[pg_extern(sql = false)]
fn application_gate(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    Ok(pass(fcinfo, Level::Application)?)
}

#[pg_extern(sql = false)]
fn registrar_gate(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    Ok(pass(fcinfo, Level::Registrar)?)
}

#[pg_extern(sql = false)]
fn notifier_gate(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    Ok(pass(fcinfo, Level::Notifier)?)
}

#[pg_extern(sql = false)]
fn auditor_gate(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    Ok(pass(fcinfo, Level::Auditor)?)
}

#[pg_extern(sql = false)]
fn importer_gate(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    Ok(pass(fcinfo, Level::Importer)?)
}

#[pg_extern(sql = false)]
fn admin_gate(fcinfo: pg_sys::FunctionCallInfo) -> Answer {
    Ok(pass(fcinfo, Level::Admin)?)
}
