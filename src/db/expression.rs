//! What an expression stored in the catalog (a default, a CHECK, an index expression) refers to, and its text; types.

use crate::db::sql::Sql;
use pgrx::pg_sys;
use std::ffi::{CStr, CString, c_char};

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
    /// It is the next value of a sequence, and nothing else.
    pub sequence: bool,
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
        found.sequence = is_sequence(node);
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

/// # Safety
/// `node` is an expression.
unsafe fn is_sequence(node: *mut pg_sys::Node) -> bool {
    // SAFETY: a node is what its tag says; a coercion that is not written has one argument.
    unsafe {
        if (*node).type_ != pg_sys::NodeTag::T_FuncExpr {
            return false;
        }
        let call = node.cast::<pg_sys::FuncExpr>();
        if (*call).funcformat == pg_sys::CoercionForm::COERCE_IMPLICIT_CAST {
            return is_sequence((*(*(*call).args).elements).ptr_value.cast());
        }
        (*call).funcid == pg_sys::Oid::from(pg_sys::F_NEXTVAL)
    }
}

/// The text of a `pg_node_tree` over one relation, as SQL over unqualified column names; of a list, that of each element. A name is
/// qualified where the search path that is set would not find it.
pub fn print(node_tree: &str, relname: &str, relation: pg_sys::Oid) -> Vec<Sql> {
    let text = CString::new(node_tree).expect("a node tree has no NUL byte");
    let name = CString::new(relname).expect("a name has no NUL byte");
    // SAFETY: as in `inspect`; the relation is the one that the tree is about.
    unsafe {
        let node = pg_sys::stringToNode(text.as_ptr()).cast::<pg_sys::Node>();
        let context = pg_sys::deparse_context_for(name.as_ptr(), relation);
        let print = |node| verbatim(pg_sys::deparse_expression(node, context, false, false));
        if (*node).type_ != pg_sys::NodeTag::T_List {
            return vec![print(node)];
        }
        let list = node.cast::<pg_sys::List>();
        (0..(*list).length as usize).map(|i| print((*(*list).elements.add(i)).ptr_value.cast())).collect()
    }
}

/// A type as SQL, which means the same under any search path.
pub fn type_sql(oid: pg_sys::Oid, typmod: i32) -> Sql {
    let flags = pg_sys::FORMAT_TYPE_TYPEMOD_GIVEN | pg_sys::FORMAT_TYPE_FORCE_QUALIFY;
    // SAFETY: returns a text, or raises where there is no such type.
    unsafe { verbatim(pg_sys::format_type_extended(oid, typmod, flags as pg_sys::bits16)) }
}

/// # Safety
/// `printed` is what the server has printed: a NUL-terminated text.
unsafe fn verbatim(printed: *const c_char) -> Sql {
    // SAFETY: as the caller promises.
    Sql::verbatim(unsafe { CStr::from_ptr(printed).to_string_lossy() })
}

/// Whether values of a type can be hashed, with all that they are made of: by themselves, or as elements of an array.
pub fn can_hash(oid: pg_sys::Oid, by_themselves: bool) -> bool {
    // SAFETY: the cache raises where there is no such type, and its entries stay.
    unsafe {
        let of = if by_themselves { oid } else { pg_sys::get_array_type(oid) };
        of != pg_sys::InvalidOid
            && (*pg_sys::lookup_type_cache(of, pg_sys::TYPECACHE_HASH_EXTENDED_PROC as i32)).hash_extended_proc
                != pg_sys::InvalidOid
    }
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
