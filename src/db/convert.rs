//! The values of a source, put into the types of a table as an INSERT puts them there: one at a time, so that it is known which one fails.

use crate::db::attempt::{self, Failure};
use crate::db::expression::Coercion;
use crate::db::session;
use crate::db::store::Store;
use crate::error::{Error, Result};
use pgrx::PgMemoryContexts;
use pgrx::pg_sys::{self, Datum};
use std::ffi::c_int;
use std::ptr::null_mut;

mod c {
    use super::*;
    // The server's own functions, without the wrappers of pgrx: within one guard for many rows.
    unsafe extern "C-unwind" {
        pub fn tuplestore_gettupleslot(
            state: *mut pg_sys::Tuplestorestate,
            forward: bool,
            copy: bool,
            slot: *mut pg_sys::TupleTableSlot,
        ) -> bool;
        pub fn tuplestore_select_read_pointer(state: *mut pg_sys::Tuplestorestate, pointer: c_int);
        pub fn slot_getsomeattrs_int(slot: *mut pg_sys::TupleTableSlot, columns: c_int);
        pub fn ExecStoreVirtualTuple(slot: *mut pg_sys::TupleTableSlot) -> *mut pg_sys::TupleTableSlot;
        pub fn MemoryContextReset(context: pg_sys::MemoryContext);
    }
}

/// A column of a table, and where its values come from.
pub struct Target {
    /// The column's position in the source's store, from 1.
    pub from: i16,
    /// `None`: the value is taken as it is.
    pub coercion: Option<Coercion>,
    pub type_oid: pg_sys::Oid,
    pub typmod: i32,
    /// The type below all domains.
    pub base_oid: pg_sys::Oid,
}

/// A value that could not be converted.
pub struct BadValue {
    pub row: i64,
    /// Its position among the targets.
    pub target: usize,
    pub failure: Failure,
}

/// So many rows are converted between two looks for a cancel.
const BATCH: usize = 5000;

/// Converts the rows of `from` into `to`: a row's number, which is the first column of both, and then the targets. In the place of a value
/// that fails is NULL; where its domain takes none, the row stays out. `each` is told of it, and may give up with the failure.
pub fn convert(
    from: &mut Store,
    to: &mut Store,
    targets: &[Target],
    mut each: impl FnMut(BadValue) -> Result<()>,
) -> Result<()> {
    let mut memory = PgMemoryContexts::new("pg_identity conversion");
    from.rewind();
    session::with_snapshot(|| {
        // SAFETY: what is made here belongs to the context, which outlives the work.
        let mut work = unsafe { memory.switch_to(|_| Work::new(from, to, targets)) }?;
        while !work.done {
            pgrx::check_for_interrupts!();
            // SAFETY: `run` has nothing with a destructor that an error would jump over.
            let outcome = attempt::in_subtransaction(
                || unsafe {
                    attempt::catch(&mut || {
                        work.run();
                        0
                    })
                },
                std::result::Result::is_ok,
            );
            if let Err(failure) = outcome {
                let Some(target) = work.target else { return Err(failure.into()) };
                work.bad[target] = true;
                work.again = true;
                work.left_out |= !work.takes_null(target, targets)?;
                each(BadValue { row: work.row, target, failure })?;
            }
        }
        // SAFETY: made by `new`; the slot first, for it is of the context.
        unsafe {
            pg_sys::ExecDropSingleTupleTableSlot(work.given);
            pg_sys::ExecDropSingleTupleTableSlot(work.made);
            pg_sys::FreeExecutorState(work.estate);
        }
        Ok(())
    })
}

struct Work<'w> {
    from: *mut pg_sys::Tuplestorestate,
    to: &'w mut Store,
    estate: *mut pg_sys::EState,
    econtext: *mut pg_sys::ExprContext,
    given: *mut pg_sys::TupleTableSlot,
    made: *mut pg_sys::TupleTableSlot,
    /// The position of each target's value, and its conversion, or NULL.
    values: Vec<(usize, *mut pg_sys::ExprState)>,
    /// Values of the row in hand that have failed.
    bad: Vec<bool>,
    columns: c_int,
    row: i64,
    /// The value in hand.
    target: Option<usize>,
    /// The row in hand is to be gone over again.
    again: bool,
    /// It is not to be kept.
    left_out: bool,
    /// Whether NULL can stand in the place of a target's value, where that has been asked.
    nullable: Vec<Option<bool>>,
    done: bool,
}

impl<'w> Work<'w> {
    /// # Safety
    /// In the context that everything belongs to.
    unsafe fn new(from: &Store, to: &'w mut Store, targets: &[Target]) -> Result<Self> {
        // SAFETY: both stores have their descriptions; the executor's state is freed by the caller.
        unsafe {
            let estate = pg_sys::CreateExecutorState();
            let given = pg_sys::MakeSingleTupleTableSlot(from.columns, &raw const pg_sys::TTSOpsMinimalTuple);
            let made = pg_sys::MakeSingleTupleTableSlot(to.columns, &raw const pg_sys::TTSOpsVirtual);
            let econtext = pg_sys::MakePerTupleExprContext(estate);
            (*econtext).ecxt_scantuple = given;
            let source = super::table::attributes(from.columns);
            let mut values = Vec::with_capacity(targets.len());
            for target in targets {
                let expression = match &target.coercion {
                    None => null_mut(),
                    Some(coercion) => prepare(estate, &source[target.from as usize - 1], *coercion, target)?,
                };
                values.push((target.from as usize - 1, expression));
            }
            Ok(Work {
                from: from.state,
                to,
                estate,
                econtext,
                given,
                made,
                bad: vec![false; values.len()],
                values,
                columns: source.len() as c_int,
                row: 0,
                target: None,
                again: false,
                left_out: false,
                nullable: vec![None; targets.len()],
                done: false,
            })
        }
    }

    /// Converts the rows of a batch.
    ///
    /// # Safety
    /// Where an error is caught, with nothing that it must not jump over.
    unsafe fn run(&mut self) {
        // SAFETY: as the caller promises; the slots have the columns of their stores.
        unsafe {
            let before = pg_sys::CurrentMemoryContext;
            let memory = (*self.econtext).ecxt_per_tuple_memory;
            for _ in 0..BATCH {
                self.target = None;
                if !self.again {
                    c::tuplestore_select_read_pointer(self.from, 0);
                    if !c::tuplestore_gettupleslot(self.from, true, false, self.given) {
                        self.done = true;
                        return;
                    }
                    c::slot_getsomeattrs_int(self.given, self.columns);
                    self.row = (*(*self.given).tts_values).value() as i64;
                }
                let clear = (*(*self.made).tts_ops).clear.expect("every slot can be cleared");
                clear(self.made);
                c::MemoryContextReset(memory);
                pg_sys::CurrentMemoryContext = memory;
                *(*self.made).tts_values = *(*self.given).tts_values;
                *(*self.made).tts_isnull = false;
                for i in 0..self.values.len() {
                    self.target = Some(i);
                    self.make(i);
                }
                self.target = None;
                pg_sys::CurrentMemoryContext = before;
                c::ExecStoreVirtualTuple(self.made);
                if !self.left_out {
                    self.to.put_slot(self.made);
                }
                self.left_out = false;
                if self.again {
                    self.again = false;
                    self.bad.fill(false);
                }
            }
        }
    }

    /// Whether a target's domain takes NULL.
    fn takes_null(&mut self, i: usize, targets: &[Target]) -> Result<bool> {
        if let Some(known) = self.nullable[i] {
            return Ok(known);
        }
        // SAFETY: the expression lives as long as the executor's state; where it is evaluated nothing has a destructor.
        let taken = unsafe {
            let memory = (*self.estate).es_query_cxt;
            let before = pg_sys::CurrentMemoryContext;
            pg_sys::CurrentMemoryContext = memory;
            let null = pg_sys::makeNullConst(targets[i].base_oid, -1, pg_sys::InvalidOid).cast();
            let expression = assign(null, &targets[i]).map(|node| pg_sys::ExecPrepareExpr(node.cast(), self.estate));
            pg_sys::CurrentMemoryContext = before;
            let Some(expression) = expression else { return Ok(false) };
            let econtext = self.econtext;
            attempt::in_subtransaction(
                || {
                    attempt::catch(&mut || {
                        let mut null = false;
                        let evaluate = (*expression).evalfunc.expect("a prepared expression can be evaluated");
                        evaluate(expression, econtext, &mut null);
                        0
                    })
                },
                std::result::Result::is_ok,
            )
            .is_ok()
        };
        self.nullable[i] = Some(taken);
        Ok(taken)
    }

    /// # Safety
    /// As of `run`, with a row in hand.
    unsafe fn make(&mut self, i: usize) {
        let (position, expression) = self.values[i];
        // SAFETY: as the caller promises.
        unsafe {
            let (value, null) = ((*self.made).tts_values.add(i + 1), (*self.made).tts_isnull.add(i + 1));
            if self.bad[i] {
                *value = Datum::null();
                *null = true;
            } else if expression.is_null() {
                *value = *(*self.given).tts_values.add(position);
                *null = *(*self.given).tts_isnull.add(position);
            } else {
                let evaluate = (*expression).evalfunc.expect("a prepared expression can be evaluated");
                *value = evaluate(expression, self.econtext, null);
            }
        }
    }
}

/// The conversion of a column of the source, ready to be evaluated.
///
/// # Safety
/// The executor's state lives in the current context.
unsafe fn prepare(
    estate: *mut pg_sys::EState,
    given: &pg_sys::FormData_pg_attribute,
    coercion: Coercion,
    target: &Target,
) -> Result<*mut pg_sys::ExprState> {
    use pg_sys::CoercionContext::COERCION_EXPLICIT;
    use pg_sys::CoercionForm::COERCE_EXPLICIT_CAST;
    let refuse = || {
        Error::new("42804", "a column of the source cannot be converted to the type of the target's column")
            .detail(format!("It is column \"{}\" of the source.", pgrx::name_data_to_str(&given.attname)))
    };
    // SAFETY: a variable of the first relation is one of the scanned row; the coercions return NULL where there is none.
    unsafe {
        let mut node: *mut pg_sys::Node =
            pg_sys::makeVar(1, given.attnum, given.atttypid, given.atttypmod, given.attcollation, 0).cast();
        let mut cast = |to: pg_sys::Oid| {
            let (from, how) = (pg_sys::exprType(node), COERCE_EXPLICIT_CAST);
            node = pg_sys::coerce_to_target_type(null_mut(), node, from, to, -1, COERCION_EXPLICIT, how, -1);
            if node.is_null() { Err(refuse()) } else { Ok(()) }
        };
        if coercion == Coercion::Text {
            cast(pg_sys::TEXTOID)?;
        }
        if coercion != Coercion::Assignment {
            cast(target.base_oid)?;
        }
        node = assign(node, target).ok_or_else(refuse)?;
        pg_sys::assign_expr_collations(null_mut(), node);
        Ok(pg_sys::ExecPrepareExpr(node.cast(), estate))
    }
}

/// A value as it is assigned to a column; `None`: it cannot be.
///
/// # Safety
/// The node is an expression.
unsafe fn assign(node: *mut pg_sys::Node, target: &Target) -> Option<*mut pg_sys::Node> {
    use pg_sys::CoercionContext::COERCION_ASSIGNMENT;
    use pg_sys::CoercionForm::COERCE_IMPLICIT_CAST;
    // SAFETY: as the caller promises; what is returned is NULL or an expression.
    let assigned = unsafe {
        let (from, to, typmod) = (pg_sys::exprType(node), target.type_oid, target.typmod);
        pg_sys::coerce_to_target_type(null_mut(), node, from, to, typmod, COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1)
    };
    (!assigned.is_null()).then_some(assigned)
}
