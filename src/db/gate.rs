//! The way from a public function to the one that carries it out. A public function that ordinary roles call, and that works on
//! tables on which they have no right, is declared in the schema `identity` as a gate: it runs as its caller, finds out what the
//! caller may do, and only then has the function of the same name and arguments in `identity_internal` run as the owner of the
//! extension. Nobody else may call that one.

use crate::db::{attempt, fields, scan, session};
use crate::error::{Error, Result};
use pgrx::{AnyElement, FromDatum, pg_sys};

/// Carries out the call that is being served; its arguments and its result pass through as they are.
///
/// # Safety
/// `fcinfo` is the call that is being served.
pub unsafe fn carry_out(fcinfo: pg_sys::FunctionCallInfo) -> Result<Option<AnyElement>> {
    // SAFETY: as the caller promises. The inner function has the same arguments and the same result.
    unsafe {
        let function = inner_function(fcinfo)?;
        let count = (*fcinfo).nargs as usize;
        let size = size_of::<pg_sys::FunctionCallInfoBaseData>() + count * size_of::<pg_sys::NullableDatum>();
        let inner = pg_sys::palloc0(size).cast::<pg_sys::FunctionCallInfoBaseData>();
        (*inner).flinfo = function;
        (*inner).context = (*fcinfo).context;
        (*inner).resultinfo = (*fcinfo).resultinfo;
        (*inner).fncollation = (*fcinfo).fncollation;
        (*inner).nargs = (*fcinfo).nargs;
        (*inner).args.as_mut_slice(count).copy_from_slice((*fcinfo).args.as_slice(count));
        let call = (*function).fn_addr.expect("a function has an address");
        let mut value = pg_sys::Datum::null();
        let value_at = &raw mut value;
        let outcome = session::as_user(session::extension_owner()?, || {
            // An error goes on as it is, but for where in the inner function it came up.
            Ok(attempt::catch(&mut || {
                *value_at = call(inner);
                0
            }))
        })?;
        if let Err(failure) = outcome {
            fields::hand_on(&failure);
            return Err(failure.into());
        }
        Ok(AnyElement::from_polymorphic_datum(value, (*inner).isnull, pg_sys::ANYELEMENTOID))
    }
}

/// The function behind the gate; looked up once for each place that calls it.
///
/// # Safety
/// `fcinfo` is the call that is being served.
unsafe fn inner_function(fcinfo: pg_sys::FunctionCallInfo) -> Result<*mut pg_sys::FmgrInfo> {
    // SAFETY: the call's own description lives as long as what is kept in its memory context.
    unsafe {
        let gate = (*fcinfo).flinfo;
        if (*gate).fn_extra.is_null() {
            let oid = inner_oid((*gate).fn_oid)?;
            let function = pg_sys::MemoryContextAllocZero((*gate).fn_mcxt, size_of::<pg_sys::FmgrInfo>());
            pg_sys::fmgr_info_cxt(oid, function.cast(), (*gate).fn_mcxt);
            (*function.cast::<pg_sys::FmgrInfo>()).fn_expr = (*gate).fn_expr;
            (*gate).fn_extra = function;
        }
        Ok((*gate).fn_extra.cast())
    }
}

/// # Safety
/// `gate` is a function.
unsafe fn inner_oid(gate: pg_sys::Oid) -> Result<pg_sys::Oid> {
    use pg_sys::SysCacheIdentifier::{PROCNAMEARGSNSP, PROCOID};
    // SAFETY: the attributes are those of pg_proc; what was found is released before it is used no more.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(PROCOID as i32, gate.into());
        if tuple.is_null() {
            return Err(missing());
        }
        let attribute = |number: u32| {
            let mut null = false;
            pg_sys::SysCacheGetAttr(PROCOID as i32, tuple, number as pg_sys::AttrNumber, &mut null)
        };
        let oid = pg_sys::GetSysCacheOid(
            PROCNAMEARGSNSP as i32,
            pg_sys::Anum_pg_proc_oid as pg_sys::AttrNumber,
            attribute(pg_sys::Anum_pg_proc_proname),
            attribute(pg_sys::Anum_pg_proc_proargtypes),
            scan::internal_schema().into(),
            pg_sys::Datum::null(),
        );
        pg_sys::ReleaseSysCache(tuple);
        if oid == pg_sys::InvalidOid { Err(missing()) } else { Ok(oid) }
    }
}

fn missing() -> Error {
    Error::new("42883", "a function of pg_identity is missing")
        .detail("The schema identity_internal has no function of the same name and arguments.")
        .hint("Run ALTER EXTENSION pg_identity UPDATE.")
}
