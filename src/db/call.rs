//! A call's arguments, taken as they stand: for functions that are called a million times in a statement, where pgrx'
//! own conversion would cost more than the rest.

use pgrx::AnyElement;
use pgrx::FromDatum;
use pgrx::pg_sys;

pub struct Call {
    fcinfo: pg_sys::FunctionCallInfo,
}

impl Call {
    /// # Safety
    /// `fcinfo` is the call that is being served.
    pub unsafe fn of(fcinfo: pg_sys::FunctionCallInfo) -> Self {
        Call { fcinfo }
    }

    /// An argument of type text; numbered from 0.
    pub fn text(&self, number: usize) -> Option<&str> {
        let value = self.argument(number)?;
        // SAFETY: the SQL declaration gives the argument the type text; it lives as long as the call. The database's
        // encoding is UTF8, which the server has checked where the text came in; where it is another, pgrx checks it.
        unsafe { <&str>::from_datum(value, false) }
    }

    /// An argument of type jsonb.
    pub fn jsonb(&self, number: usize) -> Option<AnyElement> {
        let value = self.argument(number)?;
        // SAFETY: the SQL declaration gives the argument the type jsonb.
        unsafe { AnyElement::from_polymorphic_datum(value, false, pg_sys::JSONBOID) }
    }

    fn argument(&self, number: usize) -> Option<pg_sys::Datum> {
        // SAFETY: a call has as many arguments as the SQL declaration, and they follow its header.
        unsafe {
            let arguments = (*self.fcinfo).args.as_slice((*self.fcinfo).nargs as usize);
            let argument = arguments.get(number)?;
            (!argument.isnull).then_some(argument.value)
        }
    }
}
