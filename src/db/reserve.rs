//! Memory that is kept back for the moment when there is none.
//!
//! An error that passes from Postgres through Rust is copied at each boundary on its way out. A copy that finds no memory is
//! another error on top of the first, and Postgres ends the server (PANIC) when five have piled up. So some pieces of memory are
//! held while functions of this extension run, and one is given back each time that "out of memory" is raised, before the copy.

use crate::db::allocate;
use crate::error::Result;
use pgrx::pg_sys::{self, ErrorContextCallback};
use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;

/// With so many, an error passes seven boundaries one within the other.
const PIECES: usize = 3;

/// Enough for the smallest block that a memory context falls back to, in whatever way the system makes room for it.
const BYTES: usize = 2 << 20;

mod c {
    unsafe extern "C-unwind" {
        pub fn geterrcode() -> std::ffi::c_int;
        pub fn malloc(size: usize) -> *mut std::ffi::c_void;
        pub fn free(memory: *mut std::ffi::c_void);
    }
}

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static MEMORY: Cell<[*mut c_void; PIECES]> = const { Cell::new([std::ptr::null_mut(); PIECES]) };
}

/// The extension's place among the callbacks that Postgres calls for each error.
struct Callback(UnsafeCell<ErrorContextCallback>);

// SAFETY: only the thread of Postgres uses it.
unsafe impl Sync for Callback {}

static CALLBACK: Callback = Callback(UnsafeCell::new(ErrorContextCallback {
    previous: std::ptr::null_mut(),
    callback: Some(give_back),
    arg: std::ptr::null_mut(),
}));

/// Sees that the memory is held, from here to the end of what has called this function. To be called in the thread of Postgres.
/// Raises "out of memory" where it is not to be had.
pub fn hold() -> Result<()> {
    fill()?;
    let own = CALLBACK.0.get();
    // SAFETY: the callbacks are a list whose elements live as long as they are in it. Ours lives always; it leaves the list when
    // somebody below takes the list back to what it was, and is not put in twice.
    unsafe {
        let mut callback = pg_sys::error_context_stack;
        while !callback.is_null() {
            if callback == own {
                return Ok(());
            }
            callback = (*callback).previous;
        }
        (*own).previous = pg_sys::error_context_stack;
        pg_sys::error_context_stack = own;
    }
    Ok(())
}

fn fill() -> Result<()> {
    while HELD.get() < PIECES {
        // SAFETY: what it returns is given back by `free`, or never.
        let piece = unsafe { c::malloc(BYTES) };
        if piece.is_null() {
            return Err(allocate::out_of_memory(BYTES));
        }
        let mut memory = MEMORY.get();
        memory[HELD.get()] = piece;
        MEMORY.set(memory);
        HELD.set(HELD.get() + 1);
    }
    Ok(())
}

unsafe extern "C-unwind" fn give_back(_: *mut c_void) {
    // SAFETY: Postgres calls this while an error is at hand.
    let out_of_memory = unsafe { c::geterrcode() } == pgrx::PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY as i32;
    let held = HELD.get();
    if out_of_memory && held > 0 {
        HELD.set(held - 1);
        // SAFETY: the pieces up to `held` are those of `fill`.
        unsafe { c::free(MEMORY.get()[held - 1]) };
    }
}
