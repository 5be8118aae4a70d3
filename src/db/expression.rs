//! What an expression stored in the catalog (a default, a CHECK, an index expression) refers to.

use pgrx::pg_sys;
use std::ffi::CString;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expression {
    /// Attribute numbers of the columns it reads.
    pub columns: Vec<i16>,
    /// It reads the row as a whole, or a system column.
    pub whole_row: bool,
    /// It may give another value at the next evaluation in the same statement.
    pub volatile: bool,
    /// It may give another value in another statement: it is not immutable.
    pub may_change: bool,
}

/// Inspects the text of a `pg_node_tree` over one relation.
pub fn inspect(node_tree: &str) -> Expression {
    let text = CString::new(node_tree).expect("a node tree has no NUL byte");
    let mut found = Expression::default();
    // SAFETY: the text comes from a pg_node_tree column of this server, which stringToNode reads back; the
    // bitmapset is made by pull_varattnos, its members are offset by FirstLowInvalidHeapAttributeNumber.
    unsafe {
        let node = pg_sys::stringToNode(text.as_ptr()).cast::<pg_sys::Node>();
        found.volatile = pg_sys::contain_volatile_functions(node);
        found.may_change = pg_sys::contain_mutable_functions(node);
        let mut attributes: *mut pg_sys::Bitmapset = std::ptr::null_mut();
        pg_sys::pull_varattnos(node, 1, &mut attributes);
        let mut member = pg_sys::bms_next_member(attributes, -1);
        while member >= 0 {
            let attnum = member + pg_sys::FirstLowInvalidHeapAttributeNumber;
            if attnum > 0 {
                found.columns.push(attnum as i16);
            } else {
                found.whole_row = true;
            }
            member = pg_sys::bms_next_member(attributes, member);
        }
    }
    found
}

/// How a value of one type gets into a column of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coercion {
    /// Assignment does it, as in any INSERT.
    Assignment,
    /// An explicit cast does it.
    Explicit,
    /// Through its text.
    Text,
}

/// `from` and `to` are type OIDs; `to` is a base type where assignment fails.
pub fn coercion(from: pg_sys::Oid, to: pg_sys::Oid) -> Coercion {
    let can = |context| {
        // SAFETY: one input and one target type, as the count says.
        unsafe { pg_sys::can_coerce_type(1, &from, &to, context) }
    };
    if can(pg_sys::CoercionContext::COERCION_ASSIGNMENT) {
        Coercion::Assignment
    } else if can(pg_sys::CoercionContext::COERCION_EXPLICIT) {
        Coercion::Explicit
    } else {
        Coercion::Text
    }
}
