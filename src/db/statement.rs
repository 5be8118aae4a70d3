//! What a text of SQL is, by the server's own grammar.

use pgrx::pg_sys;
use std::ffi::CString;

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

/// Parses `text`. A syntax error is raised as Postgres raises it.
pub fn parse(text: &str) -> Statement {
    let sql = CString::new(text).expect("a text argument has no NUL byte");
    // SAFETY: raw_parser returns a list of RawStmt; each node is read as its tag says.
    unsafe {
        let list = pg_sys::raw_parser(sql.as_ptr(), pg_sys::RawParseMode::RAW_PARSE_DEFAULT);
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
