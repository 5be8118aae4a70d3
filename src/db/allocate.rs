//! Memory that may not be had.
//!
//! Postgres raises an ERROR where an allocation of its own fails. Rust ends the process instead, and when one process of a
//! server ends in that way, the server restarts with all its sessions. So whatever grows with an argument, or with rows, is
//! reserved here: then a failure is an ERROR. For every other allocation the allocator below ends the session, and no more.
//!
//! It raises no ERROR: unwinding out of an allocator is undefined behaviour. A hook that unwinds from the place where the
//! standard library gives up (`std::alloc::set_alloc_error_hook`) is not in stable Rust.

// Tests have no server that could end, and the system's allocator itself.
#![cfg_attr(test, allow(dead_code))]

use crate::error::{Error, Result};
use pgrx::{PgLogLevel, PgSqlErrorCode};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ffi::{c_char, c_int};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

mod c {
    use super::*;
    // utils/elog.h, as it is: what pgrx makes of these functions may allocate.
    unsafe extern "C-unwind" {
        pub fn errstart(level: c_int, domain: *const c_char) -> bool;
        pub fn errcode(sqlstate: c_int) -> c_int;
        pub fn errmsg_internal(format: *const c_char, ...) -> c_int;
        pub fn errdetail_internal(format: *const c_char, ...) -> c_int;
        pub fn errhint(format: *const c_char, ...) -> c_int;
        pub fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
    }
}

/// The memory of the system, where a failure does not end the server.
pub struct Allocator;

#[cfg(not(test))]
#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Thread {
    /// One of which nothing is known.
    Other,
    /// The thread that Postgres itself runs in.
    Main,
    /// One that computes for it, see `interrupt::abandonable`.
    Worker,
}

thread_local! {
    static THREAD: Cell<Thread> = const { Cell::new(Thread::Other) };
    /// The caller of the allocator sees to a failure.
    static TRYING: Cell<bool> = const { Cell::new(false) };
}

/// A worker has found no memory, and stands still.
static STUCK: AtomicBool = AtomicBool::new(false);

// SAFETY: the system's allocator does all the work. What is added never returns, or returns null as that does.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        had(unsafe { System.alloc(layout) })
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        had(unsafe { System.alloc_zeroed(layout) })
    }

    #[inline]
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        had(unsafe { System.realloc(pointer, layout, size) })
    }

    #[inline]
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[inline]
fn had(pointer: *mut u8) -> *mut u8 {
    if pointer.is_null() {
        not_had();
    }
    pointer
}

/// Returns where the caller sees to it, or where nothing better is known than what Rust does.
#[cold]
fn not_had() {
    if TRYING.get() {
        return;
    }
    match THREAD.get() {
        Thread::Other => {}
        Thread::Main => end_session(),
        Thread::Worker => {
            STUCK.store(true, Ordering::Release);
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
}

/// As `pg_terminate_backend` ends it: the transaction is rolled back, and nothing of this call's code runs any more.
fn end_session() -> ! {
    // SAFETY: this is the thread of Postgres; at the level FATAL errfinish ends the process in order, and does not return.
    unsafe {
        c::errstart(PgLogLevel::FATAL as c_int, std::ptr::null());
        c::errcode(PgSqlErrorCode::ERRCODE_OUT_OF_MEMORY as c_int);
        c::errmsg_internal(c"out of memory".as_ptr());
        c::errdetail_internal(c"pg_identity could not go on.".as_ptr());
        c::errhint(c"Ask for less at once.".as_ptr());
        c::errfinish(c"pg_identity".as_ptr(), 0, c"allocate".as_ptr());
    }
    std::process::abort()
}

/// This thread is the one of Postgres. To be called once for each session, in it.
pub fn claim_main_thread() {
    THREAD.set(Thread::Main);
}

/// This thread computes for the one of Postgres, which looks for `see_to_worker`.
pub fn claim_worker_thread() {
    THREAD.set(Thread::Worker);
}

/// Ends the session where a worker has found no memory.
pub fn see_to_worker() {
    if STUCK.load(Ordering::Acquire) {
        end_session();
    }
}

/// Runs `work`, which itself sees to allocations that fail.
pub fn trying<T>(work: impl FnOnce() -> T) -> T {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            TRYING.set(self.0);
        }
    }
    let _before = Before(TRYING.replace(true));
    work()
}

pub fn out_of_memory(bytes: usize) -> Error {
    Error::new("53200", "out of memory")
        .detail(format!("Failed on a request of {bytes} bytes."))
        .hint("Ask for less at once, or give the server more memory.")
}

/// Whether so many bytes can be had, for work that would end the session without them.
pub fn ensure(bytes: usize) -> Result<()> {
    let mut probe = Vec::<u8>::new();
    trying(|| probe.try_reserve_exact(bytes)).map_err(|_| out_of_memory(bytes))?;
    // Or the compiler leaves out the allocation, which nothing uses.
    drop(black_box(probe));
    Ok(())
}

/// Makes room for `more` elements.
pub fn reserve<T>(vec: &mut Vec<T>, more: usize) -> Result<()> {
    if vec.capacity() - vec.len() >= more {
        return Ok(());
    }
    let bytes = vec.len().saturating_add(more).saturating_mul(size_of::<T>());
    trying(|| vec.try_reserve(more)).map_err(|_| out_of_memory(bytes))
}

/// Appends an element.
pub fn push<T>(vec: &mut Vec<T>, element: T) -> Result<()> {
    reserve(vec, 1)?;
    vec.push(element);
    Ok(())
}

/// A text of one's own.
pub fn text(text: &str) -> Result<String> {
    let mut copy = String::new();
    trying(|| copy.try_reserve_exact(text.len())).map_err(|_| out_of_memory(text.len()))?;
    copy.push_str(text);
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_had_is_an_error() {
        let too_much = isize::MAX as usize - 4096;
        assert_eq!(ensure(too_much).unwrap_err().sqlstate, "53200");
        assert_eq!(reserve(&mut Vec::<u64>::new(), usize::MAX).unwrap_err().sqlstate, "53200");
        assert!(ensure(1 << 20).is_ok());
    }

    #[test]
    fn what_is_reserved_is_there() {
        let mut numbers = Vec::new();
        for n in 0..1000 {
            push(&mut numbers, n).unwrap();
        }
        assert_eq!(numbers.len(), 1000);
        assert_eq!(text("größe").unwrap(), "größe");
        assert!(!TRYING.get());
    }
}
