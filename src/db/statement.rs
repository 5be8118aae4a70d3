//! What a text of SQL is, by the server's own grammar.

use crate::db::attempt::{self, Failure};
use pgrx::pg_sys;
use pgrx::spi::Spi;
use std::ffi::{CString, c_char, c_int};
use std::ptr::null_mut;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// One SELECT, VALUES, TABLE or WITH … SELECT: its text without semicolon and trailing comments.
    Query(String),
    /// One query that writes: SELECT INTO, or a data-modifying WITH.
    WritingQuery,
    /// One statement of another kind.
    Other,
    Several(usize),
    Empty,
}

mod c {
    use super::*;
    // The server's own functions, without the wrappers of pgrx that would turn an error into a panic.
    unsafe extern "C-unwind" {
        pub fn raw_parser(text: *const c_char, mode: pg_sys::RawParseMode::Type) -> *mut pg_sys::List;
        pub fn SPI_prepare(text: *const c_char, count: c_int, types: *mut pg_sys::Oid) -> pg_sys::SPIPlanPtr;
    }
}

/// Parses `text`. A syntax error is one that the caller raises.
pub fn parse(text: &str) -> Result<Statement, Failure> {
    let sql = CString::new(text).expect("a text argument has no NUL byte");
    let sql = sql.as_ptr();
    let mut list: *mut pg_sys::List = null_mut();
    let to = &raw mut list;
    // SAFETY: the parser holds nothing but memory, and its error is raised again.
    unsafe {
        attempt::catch(&mut || {
            *to = c::raw_parser(sql, pg_sys::RawParseMode::RAW_PARSE_DEFAULT);
            0
        })?;
    }
    // SAFETY: raw_parser returns a list of RawStmt; each node is read as its tag says.
    Ok(unsafe { statement(list, text) })
}

/// Looks for the columns and functions of a query. An error is one that the caller raises.
pub fn analyze(query: &str) -> Result<(), Failure> {
    let query = CString::new(query).expect("a text argument has no NUL byte");
    let query = query.as_ptr();
    // SAFETY: the error is raised again, which gives back what the analysis held.
    Spi::connect_mut(|_| unsafe {
        attempt::catch(&mut || {
            c::SPI_prepare(query, 0, null_mut());
            0
        })
        .map(|_| ())
    })
}

/// # Safety
/// `list` is what raw_parser returned for `text`.
unsafe fn statement(list: *mut pg_sys::List, text: &str) -> Statement {
    // SAFETY: as the caller promises.
    unsafe {
        match length(list) {
            0 => return Statement::Empty,
            1 => {}
            n => return Statement::Several(n),
        }
        let raw = first(list).cast::<pg_sys::RawStmt>();
        let node = (*raw).stmt;
        if (*node).type_ != pg_sys::NodeTag::T_SelectStmt {
            return Statement::Other;
        }
        if writes(node.cast()) {
            return Statement::WritingQuery;
        }
        let start = usize::try_from((*raw).stmt_location).unwrap_or(0);
        let length = usize::try_from((*raw).stmt_len).unwrap_or(0);
        let end = if length == 0 { text.len() } else { start + length };
        Statement::Query(text[start..end].trim().to_string())
    }
}

/// # Safety
/// `select` is a parsed SelectStmt.
unsafe fn writes(select: *mut pg_sys::SelectStmt) -> bool {
    // SAFETY: the fields of a SelectStmt are NULL or nodes of the kinds the grammar gives them.
    unsafe {
        if !(*select).intoClause.is_null() {
            return true;
        }
        let with = (*select).withClause;
        if with.is_null() {
            return false;
        }
        let ctes = (*with).ctes;
        (0..length(ctes)).any(|i| {
            let cell = (*ctes).elements.add(i);
            let cte = (*cell).ptr_value.cast::<pg_sys::CommonTableExpr>();
            (*(*cte).ctequery).type_ != pg_sys::NodeTag::T_SelectStmt
        })
    }
}

/// # Safety
/// `list` is NULL or a List.
unsafe fn length(list: *mut pg_sys::List) -> usize {
    // SAFETY: as the caller promises.
    unsafe { if list.is_null() { 0 } else { (*list).length as usize } }
}

/// # Safety
/// `list` is a List of pointers with at least one element.
unsafe fn first(list: *mut pg_sys::List) -> *mut std::ffi::c_void {
    // SAFETY: as the caller promises.
    unsafe { (*(*list).elements).ptr_value }
}
