//! Long computations that still answer to cancel, `statement_timeout` and the server's shutdown.

use crate::db::allocate;
use crate::error::{Error, Result};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

/// How long a cancel may go unnoticed.
const PATIENCE: Duration = Duration::from_millis(10);

/// A thread of this session is at work. There is one at a time, so that cancelled ones do not pile up their memory.
static BUSY: AtomicBool = AtomicBool::new(false);

/// Says that the thread has ended, however it ends.
struct Busy;

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.store(false, Ordering::Release);
    }
}

/// Lets others go on for a while.
pub fn pause(length: Duration) {
    let end = Instant::now() + length;
    while let Some(left) = end.checked_duration_since(Instant::now()) {
        std::thread::sleep(left.min(PATIENCE));
        pgrx::check_for_interrupts!();
    }
}

/// Runs `work`, which must not touch Postgres, in a thread of its own. If the statement is cancelled, the thread is left
/// behind: it ends by itself, and its result is dropped. The next call waits for that.
pub fn abandonable<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    while BUSY.load(Ordering::Acquire) {
        std::thread::sleep(PATIENCE);
        allocate::see_to_worker();
        pgrx::check_for_interrupts!();
    }
    BUSY.store(true, Ordering::Release);
    let (sender, receiver) = sync_channel(1);
    let busy = Busy;
    let thread = without_signals(|| {
        std::thread::Builder::new().spawn(move || {
            allocate::claim_worker_thread();
            let _busy = busy;
            // Nobody listens after a cancel.
            let _ = sender.send(work());
        })
    });
    thread.map_err(|error| {
        Error::new("53000", "could not start a thread")
            .detail(error.to_string())
            .hint("Try again when the system is less busy.")
    })?;
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(result) => return Ok(result),
            Err(RecvTimeoutError::Timeout) => {
                allocate::see_to_worker();
                pgrx::check_for_interrupts!();
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::new("53000", "a computation ended without a result")
                    .hint("The server may be short of memory."));
            }
        }
    }
}

/// A thread inherits the mask of signals: the server's handlers must run in its main thread alone.
fn without_signals<T>(spawn: impl FnOnce() -> T) -> T {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the sets are filled by the calls that take them as pointers, before they are read; the mask of this thread is
    // put back, and `spawn` raises no error of Postgres.
    unsafe {
        libc::sigfillset(all.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
        let spawned = spawn();
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
        spawned
    }
}
