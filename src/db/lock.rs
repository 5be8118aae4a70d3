//! Locks of the extension's own, by number, until the end of the transaction.

use pgrx::pg_sys;

/// Tells these locks from the application's advisory locks: pg_locks shows it as `objsubid`.
const CLASS: u16 = 0x7067;

/// The number of the lock of a thing that these names tell (FNV-1a, 64 bits). Two things that share one would only wait for
/// each other.
pub fn number(names: &[&[u8]]) -> u64 {
    let bytes = names.iter().flat_map(|name| name.iter().chain(&[0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Takes a lock if it is free, or held by this transaction already.
pub fn try_lock(number: u64) -> bool {
    acquire(number, pg_sys::ExclusiveLock, true) != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
}

/// Waits for a lock.
pub fn lock(number: u64) {
    acquire(number, pg_sys::ExclusiveLock, false);
}

/// Waits for a lock that many can hold, and that keeps `lock` waiting.
pub fn share(number: u64) {
    acquire(number, pg_sys::ShareLock, false);
}

/// Gives back, before the transaction ends, a lock that `try_lock` took once more than it was given back.
pub fn unlock(number: u64) {
    // SAFETY: the lock is held by this transaction.
    unsafe {
        pg_sys::LockRelease(&tag(number), pg_sys::ExclusiveLock as i32, false);
    }
}

fn acquire(number: u64, mode: u32, no_wait: bool) -> pg_sys::LockAcquireResult::Type {
    // SAFETY: Postgres releases the lock with the transaction.
    unsafe { pg_sys::LockAcquire(&tag(number), mode as i32, false, no_wait) }
}

/// As SET_LOCKTAG_ADVISORY fills it.
fn tag(number: u64) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: a plain read of the session's state.
        locktag_field1: unsafe { pg_sys::MyDatabaseId.to_u32() },
        locktag_field2: (number >> 32) as u32,
        locktag_field3: number as u32,
        locktag_field4: CLASS,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}
