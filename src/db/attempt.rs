//! Statements that may fail: each runs in a subtransaction of its own, and its error comes back as a value.
//!
//! pgrx's own error type drops the constraint, table and column names that Postgres attaches to an error,
//! and a report needs them; so the error is caught here, the way PL/pgSQL's EXCEPTION block does it.

use crate::error::{Error, unpack_sqlstate};
use cee_scape::{SigJmpBufFields, call_with_sigsetjmp};
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;
use std::ffi::{CStr, CString, c_char, c_int, c_long};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What Postgres said of a statement that failed.
#[derive(Debug, Clone, Default)]
pub struct Failure {
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    pub schema: Option<String>,
    pub table: Option<String>,
    pub column: Option<String>,
    pub constraint: Option<String>,
    /// The number of the character, from 1, in the text of the statement.
    pub position: Option<i32>,
}

impl Failure {
    /// Where there is another way, which needs less, a lack of room is no reason to give up.
    pub fn of_one_way(self) -> Self {
        match self.sqlstate.as_str() {
            "53100" | "53200" | "53400" => Failure { sqlstate: "54000".to_string(), ..self },
            _ => self,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let Failure { sqlstate, message, detail, hint, .. } = failure;
        Error { sqlstate, message, detail, hint, place: None }
    }
}

/// Runs `sql` in a subtransaction: its row count, or its error with everything it wrote undone.
pub fn attempt(sql: &str) -> Result<u64, Failure> {
    attempt_with(sql, &[])
}

/// As `attempt`, for statements with parameters.
pub fn attempt_with(sql: &str, arguments: &[DatumWithOid]) -> Result<u64, Failure> {
    let sql = CString::new(sql).expect("SQL text has no NUL byte");
    let arguments = Arguments::of(arguments);
    // SAFETY: within the connection, which is older than the subtransaction.
    Spi::connect_mut(|_| in_subtransaction(|| unsafe { execute_caught(&sql, &arguments) }, Result::is_ok))
}

/// Arguments as the SPI takes them.
struct Arguments {
    types: Vec<pg_sys::Oid>,
    values: Vec<pg_sys::Datum>,
    nulls: Vec<c_char>,
}

impl Arguments {
    fn of(arguments: &[DatumWithOid]) -> Self {
        let value = |argument: &DatumWithOid| argument.datum().map(|datum| datum.sans_lifetime());
        Arguments {
            types: arguments.iter().map(DatumWithOid::oid).collect(),
            values: arguments.iter().map(|a| value(a).unwrap_or(pg_sys::Datum::null())).collect(),
            nulls: arguments.iter().map(|a| if value(a).is_some() { b' ' } else { b'n' } as c_char).collect(),
        }
    }
}

/// Runs `work` in a subtransaction, and keeps what it wrote where `keep` says so of what it returned. It must not unwind.
pub(super) fn in_subtransaction<T>(work: impl FnOnce() -> T, keep: impl FnOnce(&T) -> bool) -> T {
    in_subtransaction_as(false, work, keep)
}

/// The same; where it is kept, `open` leaves the subtransaction open, for `close_to` or the subtransaction around it. Another session that waits
/// for a row of an open subtransaction can go on when it is rolled back. Once it is closed that session waits until the whole transaction ends.
pub(super) fn in_subtransaction_as<T>(open: bool, work: impl FnOnce() -> T, keep: impl FnOnce(&T) -> bool) -> T {
    // SAFETY: the calls pair up as PL/pgSQL's do: begin, then release or roll back, restoring the memory context and the
    // resource owner that were current before. An open subtransaction keeps its own resource owner.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let owner = pg_sys::CurrentResourceOwner;
        let level = nest_level();
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::CurrentMemoryContext = context;
        let outcome = work();
        let keep = keep(&outcome);
        if !(keep && open) {
            close_to(level, keep);
            pg_sys::CurrentResourceOwner = owner;
        }
        outcome
    }
}

/// How many transactions and subtransactions are open, one in the other.
pub fn nest_level() -> i32 {
    // SAFETY: a plain read of the transaction's state.
    unsafe { pg_sys::GetCurrentTransactionNestLevel() }
}

/// Closes the subtransactions that have been opened since the transaction was at this level: keeps what they wrote, or rolls it back.
pub fn close_to(level: i32, keep: bool) {
    // SAFETY: they are subtransactions of this code's own, each begun after the one around it.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        while nest_level() > level {
            if keep {
                pg_sys::ReleaseCurrentSubTransaction();
            } else {
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
            }
        }
        pg_sys::CurrentMemoryContext = context;
    }
}

/// As `attempt`, for work of several steps. Of the tables and columns that an error names nothing is kept.
pub fn attempt_work(work: impl FnOnce() -> crate::error::Result<u64>) -> Result<u64, Failure> {
    attempt_work_as(false, work)
}

/// The same, in a subtransaction that is left open where it succeeds.
pub fn attempt_work_open(work: impl FnOnce() -> crate::error::Result<u64>) -> Result<u64, Failure> {
    attempt_work_as(true, work)
}

fn attempt_work_as(open: bool, work: impl FnOnce() -> crate::error::Result<u64>) -> Result<u64, Failure> {
    match in_subtransaction_as(open, || catch_unwind(AssertUnwindSafe(work)), |result| matches!(result, Ok(Ok(_)))) {
        Ok(result) => result.map_err(Failure::from),
        // An error of Postgres comes here as a panic of pgrx, its error state already cleared.
        Err(raised) => match raised.downcast::<CaughtError>() {
            Ok(caught) => failure_of(*caught),
            Err(raised) => resume_unwind(raised),
        },
    }
}

fn failure_of(caught: CaughtError) -> Result<u64, Failure> {
    match caught {
        CaughtError::PostgresError(error) | CaughtError::ErrorReport(error) => Err(Failure {
            sqlstate: unpack_sqlstate(error.sql_error_code() as i32),
            message: error.message().to_string(),
            detail: error.detail().map(str::to_string),
            hint: error.hint().map(str::to_string),
            ..Failure::default()
        }),
        bug @ CaughtError::RustPanic { .. } => std::panic::panic_any(bug),
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure {
            sqlstate: error.sqlstate,
            message: error.message,
            detail: error.detail,
            hint: error.hint,
            ..Failure::default()
        }
    }
}

/// Runs `work` in a subtransaction that is always rolled back. An error passes through.
pub fn rehearse<T>(work: impl FnOnce() -> crate::error::Result<T>) -> crate::error::Result<T> {
    provisional(|| Ok((work()?, false)))
}

/// Runs `work` in a subtransaction, and keeps what it wrote if it says so. An error undoes it, and passes through.
pub fn provisional<T>(work: impl FnOnce() -> crate::error::Result<(T, bool)>) -> crate::error::Result<T> {
    // The subtransaction must be gone before an error is raised again, or the session would be left inside it.
    match in_subtransaction(|| catch_unwind(AssertUnwindSafe(work)), |result| matches!(result, Ok(Ok((_, true))))) {
        Ok(result) => result.map(|(value, _)| value),
        Err(raised) => resume_unwind(raised),
    }
}

mod c {
    use super::*;
    unsafe extern "C-unwind" {
        /// The server's own function, without the wrapper of pgrx that would turn its error into a panic.
        pub fn SPI_execute_with_args(
            src: *const c_char,
            arguments: c_int,
            types: *mut pg_sys::Oid,
            values: *mut pg_sys::Datum,
            nulls: *const c_char,
            read_only: bool,
            count: c_long,
        ) -> c_int;
    }
}

/// Runs `sql` and catches its error.
///
/// # Safety
/// To be called with SPI connected and inside a subtransaction that the caller rolls back on `Err`.
unsafe fn execute_caught(sql: &CStr, arguments: &Arguments) -> Result<u64, Failure> {
    let text = sql.as_ptr();
    let (number, types) = (arguments.types.len() as c_int, arguments.types.as_ptr().cast_mut());
    let (values, nulls) = (arguments.values.as_ptr().cast_mut(), arguments.nulls.as_ptr());
    // SAFETY: as the caller promises; there are as many types, values and flags as it says.
    unsafe {
        let status = catch(&mut || c::SPI_execute_with_args(text, number, types, values, nulls, false, 0))?;
        if status < 0 {
            return Err(Failure {
                sqlstate: "42601".to_string(),
                message: format!("a statement that cannot be run here (SPI status {status})"),
                ..Failure::default()
            });
        }
        Ok(pg_sys::SPI_processed)
    }
}

/// Runs code of the server's and catches its error.
///
/// # Safety
/// To be called inside a subtransaction that the caller rolls back on `Err`. In `work` nothing has a destructor, for an error jumps
/// over it.
pub(super) unsafe fn catch(work: &mut dyn FnMut() -> c_int) -> Result<c_int, Failure> {
    // SAFETY: between setting and restoring the exception stack only `work` runs, and no Rust value with a destructor lives in a
    // frame that the jump discards.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let exceptions = pg_sys::PG_exception_stack;
        let callbacks = pg_sys::error_context_stack;
        let mut status: c_int = 0;
        let status_to = &raw mut status;
        let work = &raw mut *work;
        let jumped = call_with_sigsetjmp(false, |buffer| {
            pg_sys::PG_exception_stack = buffer as *const SigJmpBufFields as *mut pg_sys::sigjmp_buf;
            *status_to = (*work)();
            0
        });
        pg_sys::PG_exception_stack = exceptions;
        pg_sys::error_context_stack = callbacks;
        if jumped != 0 {
            pg_sys::CurrentMemoryContext = context;
            return Err(take_error());
        }
        Ok(status)
    }
}

/// Copies the current error out of Postgres and clears it.
///
/// # Safety
/// To be called right after an error was caught, outside `ErrorContext`.
unsafe fn take_error() -> Failure {
    // SAFETY: CopyErrorData returns a valid copy, whose strings are NULL or NUL-terminated.
    unsafe {
        let data = pg_sys::CopyErrorData();
        pg_sys::FlushErrorState();
        let text = |p: *mut c_char| (!p.is_null()).then(|| CStr::from_ptr(p).to_string_lossy().into_owned());
        let failure = Failure {
            sqlstate: unpack_sqlstate((*data).sqlerrcode),
            message: text((*data).message).unwrap_or_default(),
            detail: text((*data).detail),
            hint: text((*data).hint),
            schema: text((*data).schema_name),
            table: text((*data).table_name),
            column: text((*data).column_name),
            constraint: text((*data).constraint_name),
            // The SPI makes one in its text of one in the statement of the client.
            position: [(*data).internalpos, (*data).cursorpos].into_iter().find(|position| *position > 0),
        };
        pg_sys::FreeErrorData(data);
        failure
    }
}

/// Parameters of which the planner knows the values.
///
/// # Safety
/// The arguments' values live as long as the list.
pub(super) unsafe fn parameters(arguments: &[DatumWithOid]) -> pg_sys::ParamListInfo {
    if arguments.is_empty() {
        return std::ptr::null_mut();
    }
    // SAFETY: the list is made for as many parameters as are filled in.
    unsafe {
        let list = pg_sys::makeParamList(arguments.len() as i32);
        let parameters = (*list).params.as_mut_slice(arguments.len());
        for (parameter, argument) in parameters.iter_mut().zip(arguments) {
            let value = argument.datum().map(|datum| datum.sans_lifetime());
            *parameter = pg_sys::ParamExternData {
                value: value.unwrap_or(pg_sys::Datum::null()),
                isnull: value.is_none(),
                pflags: pg_sys::PARAM_FLAG_CONST as u16,
                ptype: argument.oid(),
            };
        }
        list
    }
}
